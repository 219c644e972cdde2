; SPDX-License-Identifier: MIT
; S06: the address space of a test is changed in a copy of its root table: 16 KiB in one piece,
; aligned to 4 KiB is not enough for it; a block of order 2 is aligned to its size.
; also s390x?boot=iso
>1 alloc_pages 2
=1 _
>2 fill $1 seed=6
=2
>3 memalign_pages any 16K 16K
=3 _
; zeroed, though a neighbour is not
>4 peek $3
=4 0x0000000000000000
>5 fill $3 seed=6
=5
>6 verify $3 seed=6
=6
>7 verify $1 seed=6
=7
>8 free $3
=8 4
>9 free $1
=9 4
>10 check
=10
