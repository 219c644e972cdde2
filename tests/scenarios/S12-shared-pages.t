; SPDX-License-Identifier: MIT
; S12: memory for devices of a protected guest: the order comes from a size, the pages are shared
; one by one, and where that fails in the middle, the pages before it go back.
; also s390x?boot=iso
>1 memalign_pages_area any 4K 20000
=1 _
>2 dump pages $1 8
:2 $1 8 allocated order=3
=2 n=1
; three pages are shared, the fourth is refused: what is not shared goes back, then the rest (each
; part of a block is freed by its first page)
>3 fill $1 3 seed=12
=3
>4 free $1 3
=4 3
>5 dump pages $1 3
:5 $1 3 free
=5 n=1
>6 free $1
?6 mem.free at=$1
; a second try gets memory that is whole
>7 memalign_pages_area any 4K 20000
=7 _
>8 peek $7
=8 0x0000000000000000
>9 free $7
=9 8
>10 check
=10
