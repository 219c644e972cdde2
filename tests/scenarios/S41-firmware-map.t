; SPDX-License-Identifier: MIT
; S41: the map of UEFI firmware is many pieces, unsorted, with what boot services used between them.
; An allocator that takes the largest one only loses the rest: here every piece is served.
>1 map_begin
=1
>2 map_area low 4G
=2
>3 map_area normal 4096T
=3
>4 map_add 0x1800000 0x400000
=4
>5 map_add 0x1000 0x9f000
=5
>6 map_add 0x100000 0x700000
=6
>7 map_add 0x808000 0x3000
=7
>8 map_add 0x80c000 0x4000
=8
; the loader's image and its data lie inside of the largest piece
>9 map_add 0x900000 0xe00000
=9
>10 map_add 0xa00000 0x1000 kind=reserved
=10
>11 map_add 0x900000 0x23000 kind=reserved
=11
>12 map_commit
=12
; 159 + 1792 + 3 + 4 + 3584 - 36 + 1024 pages
>13 areas
:13 normal managed=0
:13 low managed=6530 free=6530
=13 n=2
; each piece by an address in it, and what lies between them by none
>14 alloc_page at=0x9f000
=14 0x000000000009f000
>15 alloc_page at=0x808000
=15 0x0000000000808000
>16 alloc_pages 2 at=0x80c000
=16 0x000000000080c000
>17 alloc_page at=0x80b000
?17 mem.unmanaged at=0x000000000080b000
>18 alloc_page at=0x922000
?18 mem.unmanaged at=0x0000000000922000
>19 alloc_page at=0xa00000
?19 mem.unmanaged at=0x0000000000a00000
>20 alloc_page at=0x1bff000
=20 0x0000000001bff000
; all of it can be had
>21 store 0 alloc_page as=0
=21
>22 run 1 times=6523
=22 6523
>23 alloc_page
?23 mem.none
>24 check
=24
