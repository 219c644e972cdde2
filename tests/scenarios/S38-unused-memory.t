; SPDX-License-Identifier: MIT
; S38: memory above 3 GiB that the allocators leave alone, for tests that map it by hand: it is
; known, it is nobody's, and it is taken by its address.
>1 map_begin
=1
>2 map_area low 4G
=2
>3 map_area normal 4096T
=3
>4 map_add 2G 1G
=4
>5 map_add 3G 1G kind=reserved
=5
>6 map_commit
=6
>7 dump pages 3G 1
:7 0x00000000c0000000 1 unmanaged
=7
>8 alloc_page min=3G
?8 mem.none
>9 reserve 3G 1
?9 mem.unmanaged at=0x00000000c0000000
; the other way: it is managed, and taken out before anybody comes
>10 map_begin
=10
>11 map_area low 4G
=11
>12 map_area normal 4096T
=12
>13 map_add 2G 2G
=13
>14 map_commit
=14
>15 reserve 3G 262144
=15 0x00000000c0000000
>16 alloc_pages 18
=16 0x0000000080000000
>17 alloc_page
?17 mem.none
>18 unreserve 3G 16
=18
>19 alloc_pages 4
=19 0x00000000c0000000
>20 check
=20
