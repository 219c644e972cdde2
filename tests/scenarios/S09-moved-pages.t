; SPDX-License-Identifier: MIT
; S09: pages that nobody has used before, taken as one block and mapped one by one, as a test of MVPG
; moves them: each has its own address, and goes alone.
; with virt=2G:1G
>1 alloc_pages 2 at=32M fresh=1 dontzero=1
=1 0x0000000002000000
>2 vmap 0x2000000 4K guard=both
=2 0x0000000080001000
>3 vmap 0x2001000 4K guard=both
=3 0x0000000080004000
>4 vmap 0x2002000 4K guard=both
=4 0x0000000080007000
>5 vmap 0x2003000 4K guard=both
=5 0x000000008000a000
; each of them is its own page, by both addresses
>6 poke 0x2000008 0x90
=6
>7 poke 0x2001008 0x91
=7
>8 poke 0x80007008 0x92
=8
>9 poke 0x8000a008 0x93
=9
>10 peek 0x80001008
=10 0x0000000000000090
>11 peek 0x80004008
=11 0x0000000000000091
>12 peek 0x2002008
=12 0x0000000000000092
>13 peek 0x2003008
=13 0x0000000000000093
; nothing lies beside them
>14 peek 0x80005000
?14 fault.address at=0x0000000080005000
>15 vunmap $3
=15 1
>16 peek 0x80004008
?16 fault.address at=0x0000000080004008
>17 peek 0x80001008
=17 0x0000000000000090
>18 peek 0x80007008
=18 0x0000000000000092
; its address is the next one's; the page is where it was
>19 vmap 0x2001000 4K guard=both
=19 0x0000000080004000
>20 peek 0x80004008
=20 0x0000000000000091
>21 vunmap $2
=21 1
>22 vunmap $19
=22 1
>23 vunmap $5
=23 1
>24 vunmap $4
=24 1
>25 dump virt
=25 n=0
>26 free $1
=26 4
>27 check
=27
