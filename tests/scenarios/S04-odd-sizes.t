; SPDX-License-Identifier: MIT
; S04: a protected guest's configuration: a base area aligned to 16 KiB, variable and processor
; storage aligned to a page, of sizes that the machine tells and that are no power of two.
; with memory=3G&areas=low:2G,normal
>1 memalign_pages normal 16K 16K
=1 _
>2 memalign_pages_area normal 16K 12289
=2 _
; the power of two of pages
>3 dump pages $2 4
:3 $2 4 allocated area=normal order=2
=3
>4 alloc_pages_exact 211 area=normal
=4 _
>5 alloc_pages_exact 37 area=normal
=5 _
>6 fill $4 seed=1
=6
>7 fill $5 seed=2
=7
>8 verify $4 seed=1
=8
>9 verify $5 seed=2
=9
; alignment and size are not the same thing: 64 KiB aligned, one page
>10 memalign_pages_area normal 64K 1
=10 _
>11 dump pages $10 2
:11 $10 1 allocated area=normal order=0
:11 _ 1 free
=11 n=2
>12 free $4
=12 211
>13 free $5
=13 37
>14 check
=14
