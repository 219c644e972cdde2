; SPDX-License-Identifier: MIT
; S06: a root table of 16 KiB is copied and changed while the old one is in use: the copy is aligned
; as the old one is, in addresses and in memory, and each page of it can be reached by either.
; with virt=0x40001000:0x7ffff000
>1 alloc_pages 2
=1 _
>2 vmap $1 16K align=16K
=2 0x0000000040004000
>3 poke $2 0x1111
=3
>4 peek $1
=4 0x0000000000001111
; the copy: single pages will not do for it, as a processor reads its memory, not its addresses
>5 alloc_pages 2
=5 _
>6 vmap $5 16K align=16K
=6 0x0000000040008000
>7 protect $2 4 ro|nx
=7
>8 poke $2 0x2222
?8 fault.protection at=$2
>9 poke $6 0x2222
=9
>10 peek $2
=10 0x0000000000001111
>11 peek $5
=11 0x0000000000002222
>12 vunmap $2
=12 4
>13 vunmap $6
=13 4
>14 free $5
=14 4
>15 free $1
=15 4
>16 check
=16
