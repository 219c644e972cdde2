; SPDX-License-Identifier: MIT
; S39: firmware prints a string that begins at the end of one page and goes on in the next, which is
; not its neighbour in memory; and one that would go on where nothing is.
; with virt=2G:1G
>1 alloc_page
=1 _
>2 alloc_page
=2 _
>3 alloc_page
=3 _
>4 free $1
=4 1
>5 free $3
=5 1
; two pages with somebody else's between them
>6 vmalloc 8K at=0x80100000
=6 0x0000000080100000
>7 dump pages $1 1
:7 $1 1 allocated owner=6
=7 n=1
>8 dump pages $2 1
:8 $2 1 allocated owner=2
=8 n=1
>9 dump pages $3 1
:9 $3 1 allocated owner=6
=9 n=1
>10 poke 0x80100fff 0x68 width=1
=10
>11 poke 0x80101000 0x69 width=1
=11
>12 peek 0x80100ffe width=2
=12 _
>13 peek 0x80101000 width=1
=13 0x0000000000000069
; nothing of it went to the page between them
>14 peek $2
=14 0x0000000000000000
; no access is cut in two
>15 peek 0x80100ffc width=8
?15 call.align
; the end of a string that has no end
>16 vmalloc 4K guard=back at=0x80200000
=16 0x0000000080200000
>17 poke 0x80200fff 0x68 width=1
=17
>18 peek 0x80201000 width=1
?18 fault.address at=0x0000000080201000
>19 vfree $6
=19 2
>20 vfree $16
=20 1
>21 free $2
=21 1
>22 check
=22
