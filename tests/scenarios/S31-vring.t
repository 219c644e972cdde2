; SPDX-License-Identifier: MIT
; S31: a virtio ring of the first kind: descriptors and available ring in the first page, used ring
; at the start of the second, which must follow it in memory.
; also s390x?boot=iso
>1 alloc_pages 1
=1 _
>2 dump pages $1 2
:2 $1 2 allocated order=1
=2 n=1
; all zero, and one piece
>3 peek $1
=3 0x0000000000000000
>4 fill $1 2 seed=31
=4
>5 verify $1 2 seed=31
=5
; its table of callbacks
>6 alloc_page
=6 _
>7 verify $1 2 seed=31
=7
>8 free $1
=8 2
>9 free $6
=9 1
>10 check
=10
; the table by calloc, as the driver does it, next to its other small objects
>11 calloc 128 8
=11 _
>12 malloc 48
=12 _
>13 peek $11
=13 0x0000000000000000
>14 heap
=14 objects=2 pages=2
>15 free $11
=15 1
>16 free $12
=16 1
>17 check
=17
