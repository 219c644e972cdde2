; SPDX-License-Identifier: MIT
; S14: tests of keys and of protection change what may be done with one page, take the fault, and put
; the page back: at its own address, neighbours untouched.
>1 alloc_pages 2
=1 _
>2 protect $1 1 ro|nx
=2
>3 translate $1
=3 $1 attributes=ro|nx
>4 poke $1 7
?4 fault.protection at=$1
>5 peek $1
=5 0x0000000000000000
>6 probe $1
=6 read=yes write=no
>7 fill $1 1 seed=3
?7 fault.protection at=$1
; code where code is wanted
>8 protect $1 1 rw
=8
>9 probe $1
=9 read=yes write=yes execute=yes
>10 protect $1 1 nx
=10
>11 probe $1
=11 read=yes write=yes execute=no
>12 poke $1 7
=12
>13 check
=13
; and free does what the test forgot
>14 protect $1 4 ro|nx
=14
>15 free $1
=15 4
>16 alloc_pages 2 at=$1
=16 $1
>17 poke $1 1
=17
>18 free $1
=18 4
>19 check
=19
