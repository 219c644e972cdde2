; SPDX-License-Identifier: MIT
; S25: a page under an address at the very top, where some bits mean something else: what cannot be
; translated is refused by number, whatever it would have meant.
; with virt=2G:1G
>1 vmalloc 4K at=0xfffffffffffff000
?1 mem.unmanaged at=0xfffffffffffff000
>2 vmalloc 4K at=0x8000000000000000
?2 mem.unmanaged at=0x8000000000000000
>3 vmap 1M 4K at=0x7ffffffffffff000
?3 mem.unmanaged at=0x7ffffffffffff000
>4 alloc_vpages 2 at=0xfffffffffffff000
?4 mem.unmanaged at=0xfffffffffffff000
>5 protect 0xfffffffffffff000 1 ro
?5 fault.address at=0xfffffffffffff000
>6 protect 0xfffffffffffff000 2 ro
?6 call.range arg=pages max=1
>7 translate 0xfffffffffffff000
?7 fault.address at=0xfffffffffffff000
>8 vfree 0xfffffffffffff000
?8 mem.unmanaged at=0xfffffffffffff000
>9 vmalloc 8K at=0xbffff000
?9 mem.unmanaged at=0x00000000c0000000
>10 vmalloc 4K at=0xbffff000
=10 0x00000000bffff000
>11 vfree $10
=11 1
>12 check
=12
