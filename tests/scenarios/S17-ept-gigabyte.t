; SPDX-License-Identifier: MIT
; S17: a GiB aligned to a GiB is mapped in one piece: a window of twice the size holds such a place
; wherever it begins.
; with virt=0x40001000:0x7ffff000
>1 alloc_vpages 524286
=1 0x0000000040001000
>2 free_vpages $1
=2 524286
>3 vmap 4G 1G
=3 0x0000000080000000
>4 translate 0xbffff000
=4 0x000000013ffff000
; beside it there is room for all but a page of another one, which is not enough
>5 vmap 4G 1G
?5 mem.none
>6 vmap 0x100001000 0x1ffff000
=6 0x0000000040001000
>7 check
=7
>8 vunmap $3
=8 262144
>9 vunmap $6
=9 131071
>10 check
=10
