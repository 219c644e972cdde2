; SPDX-License-Identifier: MIT
; S21: code of a start-up page lies low; address 0 is nobody's, neither as memory nor as what anything
; is mapped to.
; with areas=realmode:1M,lowest:16M,low:4G,high&virt=2G:1G
>1 alloc_pages_area realmode 0
=1 _
>2 vmap $1 4K attributes=rw
=2 0x0000000080000000
>3 probe $2
=3 read=yes write=yes execute=yes
>4 vmap 0 4K
?4 call.range arg=physical
>5 vmap 0 1M
?5 call.range arg=physical
>6 vmap 1 4K
?6 mem.unaligned at=0x0000000000000001
>7 vmalloc 4K at=0
?7 mem.unmanaged at=0x0000000000000000
>8 protect 0 1 rw
?8 fault.address at=0x0000000000000000
>9 vunmap $2
=9 1
>10 free $1
=10 1
>11 check
=11
