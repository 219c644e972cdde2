; SPDX-License-Identifier: MIT
; S26: tables of an IOMMU are single zeroed pages: a root table, a context table for a bus, three
; levels for a device, and at their end a page of 2 MiB, which has to be aligned to its size.
>1 alloc_page as=0
=1 _
>2 alloc_page as=1
=2 _
>3 alloc_page as=2
=3 _
>4 alloc_page as=3
=4 _
>5 alloc_page as=4
=5 _
>6 alloc_pages 9 as=5
=6 _
; an entry that is not there must not be present
>7 verify $v0 seed=1
?7 fault.pattern at=$1
>8 peek $v4
=8 0x0000000000000000
; each points at the next
>9 poke $v0 $v1
=9
>10 poke $v1 $v2
=10
>11 poke $v2 $v3
=11
>12 poke $v3 $v5
=12
>13 peek $v0
=13 $2
>14 peek $v3
=14 $6
; the device is gone: its tables go, the bus stays
>15 free $v5
=15 512
>16 free $v4
=16 1
>17 free $v3
=17 1
>18 free $v2
=18 1
>19 peek $v0
=19 $2
; the large page is one block again, at the same place
>20 alloc_pages 9 align=2M
=20 $6
>21 free $20
=21 512
>22 free $v1
=22 1
>23 free $v0
=23 1
>24 check
=24
