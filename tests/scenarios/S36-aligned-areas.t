; SPDX-License-Identifier: MIT
; S36: areas that a hypervisor is told of, a page each for every processor, and buffers aligned to 16
; bytes: whole pages have both.
; with virt=2G:1G
>1 store 0 vmalloc 640
=1
>2 run 1 times=64
=2 64
>3 translate 0x8003f000
=3 _ size=4096
>4 poke 0x8003fff0 0x36
=4
>5 vmemalign 16 512
=5 0x0000000080040000
>6 peek 0x80000000
=6 0x0000000000000000
>7 vfree 0x80020000
=7 1
>8 vmalloc 640
=8 0x0000000080020000
>9 peek 0x80020000
=9 0x0000000000000000
>10 check
=10
