; SPDX-License-Identifier: MIT
; S32: an interrupt translation service takes tables and a command queue that are aligned to 64 KiB,
; and for each processor a table of pending bits of one such piece.
>1 alloc_pages 4
=1 _
; the same in bytes, smaller than its alignment
>2 memalign_pages_area any 64K 8K
=2 _
; what lies behind it in its 64 KiB is free for others
>3 dump pages $2 3
:3 $2 2 allocated order=1
:3 _ 1 free
=3 n=2
>4 alloc_pages_exact 9 align=64K
=4 _
>5 alloc_page at=$2
?5 mem.busy at=$2
; eight processors
>6 store 0 memalign_pages_area any 64K 64K as=0
=6
>7 run 1 times=8
=7 8
>8 fill $v0 seed=32
=8
>9 verify $v0 seed=32
=9
>10 free $1
=10 16
>11 free $2
=11 2
>12 free $4
=12 9
>13 check
=13
