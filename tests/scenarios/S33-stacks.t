; SPDX-License-Identifier: MIT
; S33: stacks of threads are aligned to their own size, so that the stack pointer leads to what is
; kept at their end: 16 KiB or a page, 8 KiB, and 64 KiB with the alignment of a page.
; also s390x?boot=iso
>1 memalign_pages any 16K 16K
=1 _
>2 memalign_pages any 4K 4K
=2 _
>3 memalign_pages any 8K 8K
=3 _
>4 alloc_pages_exact 16
=4 _
; a stack that overflows hits nobody who can be asked: its neighbours are known
>5 fill $1 seed=1
=5
>6 fill $3 seed=3
=6
>7 fill $4 seed=4
=7
>8 verify $1 seed=1
=8
>9 verify $3 seed=3
=9
; a thread that ends gives the stack back, by any address in it but the first it is refused
>10 free $1
=10 4
>11 free $1
?11 mem.free at=$1
>12 free $3
=12 2
>13 free $4
=13 16
>14 free $2
=14 1
>15 check
=15
