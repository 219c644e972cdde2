; SPDX-License-Identifier: MIT
; S20: a test of access rights writes its page tables at 33 MiB and its code at 32 MiB without asking
; anybody. Asked for by address, the same two places are the test's own, or the refusal is loud.
; also x86_64?boot=iso
>1 alloc_page at=32M
=1 0x0000000002000000
>2 alloc_pages 8 at=33M
=2 0x0000000002100000
; what would have been silent corruption
>3 alloc_pages 9 at=32M
?3 mem.busy at=0x0000000002000000
>4 alloc_page at=0x2180000
?4 mem.busy at=0x0000000002180000
>5 reserve 31M 512
?5 mem.busy at=0x0000000002000000
>6 alloc_page at=0x2000800
?6 mem.unaligned at=0x0000000002000800
; a page table: 32 MiB mapped by its first entry
>7 poke $2 0x2000007
=7
>8 peek 33M
=8 0x0000000002000007
>9 free 33M
=9 256
>10 free 32M
=10 1
>11 check
=11
