; SPDX-License-Identifier: MIT
; S22: one page is mapped again and again, as a test makes a long chain of what maps it: a write by
; one address is read by each.
; with virt=2G:1G
>1 alloc_page
=1 _
>2 store 0 vmap $1 4K
=2
>3 run 1 times=1000
=3 1000
>4 poke 0x803e7000 0x22
=4
>5 peek 0x80000000
=5 0x0000000000000022
>6 peek 0x801f4000
=6 0x0000000000000022
>7 peek $1
=7 0x0000000000000022
>8 peek 0x803e8000
?8 fault.address at=0x00000000803e8000
; one of them is read-only, the others are not
>9 protect 0x80000000 1 ro|nx
=9
>10 poke 0x80000000 1
?10 fault.protection at=0x0000000080000000
>11 poke 0x80001000 0x23
=11
>12 peek 0x80000000
=12 0x0000000000000023
>13 check
=13
>14 vunmap 0x80000000
=14 1
>15 vunmap 0x803e7000
=15 1
>16 peek 0x803e6000
=16 0x0000000000000023
>17 check
=17
