; SPDX-License-Identifier: MIT
; S09: pages that nobody has used before, taken as one block and mapped one by one, as a test of MVPG
; moves them: each has its own address, and goes alone.
; with virt=2G:1G
>1 alloc_pages 4 fresh=1 dontzero=1
=1 _
>2 vmap $1 4K guard=both
=2 0x0000000080001000
>3 vmap $1 8K guard=both
=3 0x0000000080004000
>4 vmap $1 64K guard=both
=4 0x0000000080008000
>5 poke $1 0x99
=5
>6 peek $2
=6 0x0000000000000099
>7 peek $4
=7 0x0000000000000099
>8 vunmap $3
=8 2
>9 peek $3
?9 fault.address at=$3
>10 peek $4
=10 0x0000000000000099
>11 vunmap $4
=11 16
>12 vunmap $2
=12 1
>13 free $1
=13 16
>14 check
=14
