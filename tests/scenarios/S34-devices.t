; SPDX-License-Identifier: MIT
; S34: every device is mapped at boot and never unmapped: sixteen of them, a page each, anywhere in
; the physical address space; a reset takes them all.
; with virt=2G:1G
>1 store 0 vmap 0xfed00000 4K guard=back
=1
>2 run 1 times=16
=2 16
>3 translate 0x8001e000
=3 0x00000000fed00000
>4 vmap 0xfffffe000 4K
=4 0x0000000080020000
>5 translate $4
=5 0x0000000fffffe000
>6 vmap 0xfffffffffe000 12K
?6 call.range arg=size max=8192
>7 check
=7
>8 reset
=8
>9 translate 0x80000000
?9 fault.address at=0x0000000080000000
>10 vmalloc 4K
=10 0x0000000080000000
>11 check
=11
