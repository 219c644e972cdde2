; SPDX-License-Identifier: MIT
; S20: hard-coded addresses of code and page tables, each mapped at one more hard-coded address. What
; is taken there is told, for memory and for addresses.
; with virt=2G:1G
>1 alloc_page at=32M
=1 0x0000000002000000
>2 alloc_pages 8 at=33M
=2 0x0000000002100000
>3 vmap 32M 4K at=0x82000000 attributes=ro
=3 0x0000000082000000
>4 vmap 33M 1M at=0x82100000
=4 0x0000000082100000
>5 vmap 33M 1M at=0x82001000
?5 mem.busy at=0x0000000082100000
>6 vmap 33M 4K at=32M
?6 mem.unmanaged at=0x0000000002000000
>7 probe 0x82000000
=7 read=yes write=no execute=yes
>8 probe 0x82100000
=8 read=yes write=yes execute=no
>9 vunmap $3
=9 1
>10 vunmap $4
=10 256
>11 free 32M
=11 1
>12 free 33M
=12 256
>13 check
=13
