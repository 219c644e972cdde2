; SPDX-License-Identifier: MIT
; S24: a stack that cannot be written, so that what pushes onto it faults; the test itself fills it by
; another address.
; with virt=2G:1G
>1 alloc_page
=1 _
>2 vmap $1 4K attributes=ro|nx guard=front
=2 0x0000000080001000
>3 poke 0x80001ff8 1
?3 fault.protection at=0x0000000080001ff8
>4 poke $1 0x24
=4
>5 peek $2
=5 0x0000000000000024
>6 probe $2
=6 read=yes write=no execute=no
; below its end
>7 poke 0x80000ff8 1
?7 fault.address at=0x0000000080000ff8
>8 protect $2 1 nx
=8
>9 poke 0x80001ff8 1
=9
>10 vunmap $2
=10 1
>11 alloc_pages_ro 0
=11 _
>12 poke $11 1
?12 fault.protection at=$11
>13 free $11
=13 1
>14 free $1
=14 1
>15 check
=15
