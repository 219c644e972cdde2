; SPDX-License-Identifier: MIT
; realloc leaves an object where it is if it can: in its slot, in its pages, in the free pages behind
; them; in the stage that it was made in, whatever the present one is.
; with virt=2G:1G
>1 reset stage=page
=1
; the pages that it gives back are behind it
>2 malloc 40000
=2 _
>3 realloc $2 10000
=3 $2
>4 realloc $2 12288
=4 $2
>5 poke $2 0x1122334455667788
=5
>6 realloc $2 20000
=6 $2
>7 peek $2
=7 0x1122334455667788
>8 advance
=8 stage=virtual
>9 realloc $2 40000
=9 $2
>10 dump heap
:10 $2 40960 stage=page owner=2
=10 n=1
>11 realloc $2 3000
=11 $2
>12 free $2
=12 1
; addresses behind a range, and other frames for them
>13 malloc 9000
=13 0x0000000080000000
>14 malloc 50
=14 0x0000000080003000
>15 realloc $13 12289
=15 0x0000000080004000
>16 free $14
=16 1
>17 realloc $15 409600
=17 $15
>18 free $17
=18 100
; in a slot
>19 malloc 33
=19 _
>20 realloc $19 48
=20 $19
>21 malloc 20 redzone=1
=21 _
>22 realloc $21 32
=22 $21
>23 dump heap $21
:23 $21 48 stage=virtual owner=21 redzone=16
=23 n=1
>24 free $21
=24 _
>25 free $19
=25 _
>26 check
=26
>27 heap
=27 objects=0 pages=0 bytes=0
