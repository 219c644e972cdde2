; SPDX-License-Identifier: MIT
; realloc leaves an object where it is if it can: in its slot, in its pages, in the free pages behind
; them; in the stage that it was made in, whatever the present one is.
>1 reset stage=page
=1
>2 malloc 10000
=2 _
>3 malloc 20000
=3 _
>4 realloc $2 12288
=4 $2
; what is behind it is another object's
>5 realloc $2 12289
=5 _
>6 poke $5 0x1122334455667788
=6
>7 free $3
=7 5
>8 realloc $5 20000
=8 $5
>9 peek $5
=9 0x1122334455667788
>10 advance
=10 stage=virtual
>11 realloc $5 40000
=11 $5
>12 dump heap
:12 $5 40960 stage=page owner=2
=12 n=1
>13 realloc $5 3000
=13 $5
>14 free $5
=14 1
; addresses behind a range, and other frames for them
>15 malloc 9000
=15 _
>16 malloc 50
=16 _
>17 realloc $15 12289
=17 _
>18 free $16
=18 1
>19 realloc $17 409600
=19 $17
>20 free $17
=20 100
; in a slot
>21 malloc 33
=21 _
>22 realloc $21 48
=22 $21
>23 malloc 20 redzone=1
=23 _
>24 realloc $23 32
=24 $23
>25 dump heap $23
:25 $23 48 stage=virtual owner=23 redzone=16
=25 n=1
>26 free $23
=26 _
>27 free $21
=27 _
>28 check
=28
>29 heap
=29 objects=0 pages=0 bytes=0
