; SPDX-License-Identifier: MIT
; S10: a page of address space that leads nowhere, to be passed to what must report that.
; with virt=2G:1G
>1 alloc_vpages 1
=1 0x0000000080000000
>2 peek $1
?2 fault.address at=$1
>3 poke $1 1
?3 fault.address at=$1
>4 translate $1
?4 fault.address at=$1
>5 protect $1 1 ro
?5 fault.address at=$1
>6 vfree $1
?6 mem.kind at=$1
>7 free_vpages $1
=7 1
>8 free_vpages $1
?8 mem.free at=$1
>9 check
=9
