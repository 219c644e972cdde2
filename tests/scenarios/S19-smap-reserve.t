; SPDX-License-Identifier: MIT
; S19: the tests of SMAP and protection keys build a user mapping at a fixed place. It was 8 MiB,
; then 16, then 32, since the allocator's free memory moved; here the place is taken by name.
; also x86_64?boot=iso
>1 reserve_pages 32M 8192
=1 0x0000000002000000
>2 dump pages 32M 8192
:2 0x0000000002000000 8192 reserved
=2 n=1
; nothing is handed out from it
>3 alloc_page min=32M max=64M
?3 mem.none
>4 alloc_page at=0x2345000
?4 mem.reserved at=0x0000000002345000
; all or nothing: the first page in the way is named
>5 reserve_pages 31M 1024
?5 mem.reserved at=0x0000000002000000
>6 dump pages 31M 1
:6 0x0000000001f00000 1 free
=6 n=1
; the memory is the test's
>7 fill 32M 8192 seed=19
=7
>8 verify 32M 8192 seed=19
=8
; a part of it goes back, then the rest
>9 unreserve 48M 16
=9
>10 alloc_pages 4 at=48M
=10 0x0000000003000000
>11 unreserve_pages 32M 8192
?11 mem.busy at=0x0000000003000000
>12 free $10
=12 16
>13 unreserve 32M 4096
=13
>14 unreserve 0x3010000 4080
=14
>15 dump pages 32M 8192
>16 check
=16
