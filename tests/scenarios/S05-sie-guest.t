; SPDX-License-Identifier: MIT
; S05: a guest of SIE has a few MiB of memory, in one piece anywhere, at an address that is a multiple
; of 2 GiB beyond the end of memory: with virtual addresses nobody has to find 2 GiB of memory for it.
; with virt=0x40001000:0x7ffff000
>1 alloc_pages_exact 1000
=1 _
>2 vmap $1 4000K align=2G
=2 0x0000000080000000
>3 fill $1 1000 seed=5
=3
; the last words of the memory, by both addresses
>4 translate 0x803e7ff8
=4 _ attributes=nx
>5 echo $1
=5 $1
>6 poke $1 0x5151
=6
>7 peek 0x80000000
=7 0x0000000000005151
; the next guest finds no such place in this window, and takes no memory for it
>8 vmap $1 4000K align=2G
?8 mem.none
>9 vunmap $2
=9 1000
>10 peek 0x80000000
?10 fault.address at=0x0000000080000000
>11 vmap $1 4000K align=2G
=11 0x0000000080000000
>12 free $1
=12 1000
>13 vunmap $11
=13 1000
>14 check
=14
