; SPDX-License-Identifier: MIT
; S33: stacks of threads, aligned to their own size and with a page below that nobody can write: an
; overflow is a fault, not a neighbour's broken data.
; with virt=0x40001000:0x7ffff000
>1 vmemalign 16K 16K guard=front
=1 0x0000000040004000
>2 vmemalign 16K 16K guard=front
=2 0x000000004000c000
>3 vmemalign 8K 8K guard=front
=3 0x0000000040012000
>4 vmemalign 4K 64K guard=both
=4 0x0000000040015000
>5 translate 0x40003ff8
?5 fault.address at=0x0000000040003ff8
>6 poke 0x40004000 1
=6
>7 poke 0x40007ff8 2
=7
; below it
>8 poke 0x40011ff8 1
?8 fault.address at=0x0000000040011ff8
>9 poke 0x4000bff8 1
?9 fault.address at=0x000000004000bff8
>10 peek 0x40004000
=10 0x0000000000000001
>11 vfree $2
=11 4
>12 vfree $1
=12 4
>13 vfree $3
=13 2
>14 vfree $4
=14 16
>15 dump virt
=15 n=0
>16 check
=16
