; SPDX-License-Identifier: MIT
; S01: starting a processor of a mainframe takes its prefix area, 8 KiB, zeroed, aligned to 8 KiB
; and below 2 GiB, and a stack of 16 KiB from anywhere. 248 processors fit exactly into this low
; memory; one more is refused, and what they leave serves again.
; also s390x?boot=iso
>1 map_begin
=1
>2 map_area low 2G
=2
>3 map_area normal 4096T
=3
; 496 pages, of which an odd one at each end can be no half of a prefix area
>4 map_add 0xff000 0x1f2000
=4
>5 map_add 2G 16M
=5
>6 map_commit
=6
>7 store 0 alloc_pages_area dma31 1 align=8K as=0
=7
>8 store 1 alloc_pages 2 as=1
=8
>9 run 2 times=247
=9 494
; the last one by hand: the prefix area has nowhere else to go, the stack has
>10 alloc_pages_area dma31 1 align=8K
=10 0x00000000001fe000
>11 dump pages $10 2
:11 $10 2 allocated area=low order=1
=11 n=1
>12 alloc_pages 2
=12 _
>13 dump pages $12 4
:13 $12 4 allocated area=normal order=2
=13 n=1
; one processor too many
>14 alloc_pages_area dma31 1 align=8K
?14 mem.none
>15 run 2 times=1
?15 mem.none line=0 done=0
; the two odd pages are still there, and no half of a prefix area
>16 alloc_page area=low
=16 _
>17 alloc_page area=low
=17 _
>18 alloc_page area=low
?18 mem.none
; a processor that stops leaves room for just one
>19 free $10
=19 2
>20 free $12
=20 4
>21 run 2 times=1
=21 2
>22 alloc_pages_area low 1 align=8K
?22 mem.none
>23 check
=23
