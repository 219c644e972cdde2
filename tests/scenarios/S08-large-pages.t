; SPDX-License-Identifier: MIT
; S08: a test of large pages wants as much address space as one top-level table has, aligned to itself
; (2^53 bytes, refused here), then maps a GiB by pages, by large ones, and takes a large one apart.
; with virt=1G:2G
>1 alloc_vpages 0x20000000000
?1 mem.none
; a GiB at a multiple of a GiB: the largest units of the machine will do, on every machine alike
>2 vmap 1G 1G
=2 0x0000000040000000
>3 translate 0x7ffff123
=3 0x000000007ffff123 attributes=nx
; take it apart: one page in the middle
>4 protect 0x60000000 1 ro|nx
=4
>5 translate 0x5fffffff
=5 0x000000005fffffff attributes=nx
>6 translate 0x60000fff
=6 0x0000000060000fff attributes=ro|nx size=4096
>7 translate 0x60001000
=7 0x0000000060001000 attributes=nx
>8 check
=8
; a megabyte of it
>9 protect 0x60000000 256 rw
=9
>10 translate 0x600fffff
=10 0x00000000600fffff attributes=rw
>11 translate 0x60100000
=11 0x0000000060100000 attributes=nx
; and together again
>12 protect 0x60000000 256 nx
=12
>13 translate 0x60000000
=13 0x0000000060000000 attributes=nx
>14 check
=14
>15 vunmap $2
=15 262144
>16 translate 0x60000000
?16 fault.address at=0x0000000060000000
; the same by pages: what is mapped at an odd page fits no large one
>17 vmap 1G 1G at=0x40001000
=17 0x0000000040001000
>18 translate 0x40001000
=18 0x0000000040000000 size=4096
>19 vunmap $17
=19 262144
>20 check
=20
