; SPDX-License-Identifier: MIT
; S11: the upper 128 MiB of the address space stay invalid for a whole test, whatever is allocated.
; with virt=2G:256M
>1 alloc_vpages 32768 at=0x88000000
=1 0x0000000088000000
>2 vmalloc 4K at=0x8ffff000
?2 mem.busy at=0x000000008ffff000
>3 vmap 1M 4K at=0x88000000
?3 mem.busy at=0x0000000088000000
>4 peek 0x8ffffff8
?4 fault.address at=0x000000008ffffff8
; what is left is the lower half, to its last page
>5 vmap 1M 128M
=5 0x0000000080000000
>6 vmalloc 1
?6 mem.none
>7 vunmap $5
=7 32768
>8 free_vpages $1
=8 32768
>9 vmalloc 4K at=0x8ffff000
=9 0x000000008ffff000
>10 vfree $9
=10 1
>11 check
=11
