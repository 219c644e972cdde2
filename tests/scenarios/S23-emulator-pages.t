; SPDX-License-Identifier: MIT
; S23: five pages in a row, memory, device, device, memory, memory, of which an instruction crosses
; the borders. Five is said, not an order: nobody gets eight.
; with virt=2G:1G
>1 alloc_vpages 5 guard=both
=1 0x0000000080001000
>2 free_vpages $1
=2 5
>3 vmalloc 4K at=0x80001000
=3 0x0000000080001000
>4 vmap 0xfee00000 8K at=0x80002000
=4 0x0000000080002000
>5 vmalloc 8K at=0x80004000
=5 0x0000000080004000
>6 dump virt
:6 0x0000000080001000 1 vmalloc size=4096 owner=3
:6 0x0000000080002000 2 vmap size=8192 owner=4
:6 0x0000000080004000 2 vmalloc size=8192 owner=5
=6 n=3
>7 translate 0x80003000
=7 0x00000000fee01000
; a device is not the allocators': it is not written
>8 poke 0x80002000 1
?8 fault.protection at=0x0000000080002000
>9 poke 0x80004ff8 1
=9
>10 vmalloc 4K at=0x80005000
?10 mem.busy at=0x0000000080005000
>11 vfree $3
=11 1
>12 vunmap $4
=12 2
>13 vfree $5
=13 2
>14 check
=14
