; SPDX-License-Identifier: MIT
; S35: tables of 64 KiB aligned to themselves, of a page and of less, in virtual memory.
; with virt=0x40001000:0x7ffff000
>1 vmemalign 64K 64K
=1 0x0000000040010000
>2 vmemalign 4K 4K
=2 0x0000000040001000
>3 vmemalign 256 256
=3 0x0000000040002000
>4 vmemalign 64K 64K
=4 0x0000000040020000
>5 vfree $1
=5 16
>6 vmemalign 64K 60K
=6 0x0000000040010000
>7 vmalloc 4K at=0x4001f000
=7 0x000000004001f000
>8 check
=8
>9 reset
=9
>10 check
=10
