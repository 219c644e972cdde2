; SPDX-License-Identifier: MIT
; S19: a test of SMAP takes 32 MiB out by address and gives them the attributes that it needs; what is
; given back is as all memory is.
; with virt=2G:1G
>1 reserve 32M 8192
=1 0x0000000002000000
>2 protect 32M 8192 ro|nx
=2
>3 poke 33M 1
?3 fault.protection at=0x0000000002100000
>4 vmap 32M 32M
=4 0x0000000080000000
>5 poke 0x80100000 0x19
=5
>6 peek 33M
=6 0x0000000000000019
>7 protect 32M 1 rw
=7
>8 check
=8
>9 vunmap $4
=9 8192
>10 unreserve 32M 8192
=10
>11 alloc_page at=33M
=11 0x0000000002100000
>12 poke 33M 1
=12
>13 free 33M
=13 1
>14 check
=14
