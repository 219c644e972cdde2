; SPDX-License-Identifier: MIT
; S07: tables of 16 KiB and of a page, of a test's own address space, made in virtual memory: aligned
; to themselves, whatever memory there is behind them.
; with virt=0x40001000:0x7ffff000
>1 vmemalign 16K 16K
=1 0x0000000040004000
>2 vmalloc 4K
=2 0x0000000040001000
>3 vmemalign 16K 16K
=3 0x0000000040008000
>4 vmalloc 4K
=4 0x0000000040002000
>5 poke 0x40007ff8 7
=5
>6 peek 0x40007ff8
=6 0x0000000000000007
; zeroed to the last word
>7 peek 0x4000bff8
=7 0x0000000000000000
>8 vfree $2
=8 1
>9 vfree $1
=9 4
>10 vfree $4
=10 1
>11 vfree $3
=11 4
>12 dump virt
=12 n=0
>13 check
=13
