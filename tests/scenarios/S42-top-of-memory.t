; SPDX-License-Identifier: MIT
; S42: a test took all early memory only to learn where memory ends, and never gave it back. Asking
; takes nothing: the last row of `dump phys` is the top, and early memory comes from there.
>1 map_begin
=1
>2 map_area low 4G
=2
>3 map_area normal 4096T
=3
>4 map_add 1M 63M
=4
>5 map_add 4G 0x345678
=5
>6 map_commit stage=early
=6
>7 dump phys
:7 0x0000000000100000 66060288 free used=0
:7 0x0000000100000000 3430008 free used=0
=7 n=2
>8 phys_alloc 32
=8 0x0000000100345640
>9 phys_free $8
=9 32
>10 phys_hand_over
=10
; the last whole page
>11 alloc_page at=0x100344000
=11 0x0000000100344000
>12 alloc_page at=0x100345000
?12 mem.unmanaged at=0x0000000100345000
>13 check
=13
