; SPDX-License-Identifier: MIT
; S37: on ARM the page may be 4, 16 or 64 KiB, and with it every order changes: a table is one
; granule aligned to itself, a block of the next level 2, 32 or 512 MiB.
; with memory=2G
>1 alloc_pages 0
=1 _
>2 alloc_pages 2
=2 _
>3 alloc_pages 4
=3 _
>4 alloc_pages 9 dontzero=1
=4 _
>5 alloc_pages 13 dontzero=1
=5 _
>6 alloc_pages 17 dontzero=1
=6 _
>7 dump pages $6 131072
:7 $6 131072 allocated order=17
=7 n=1
>8 free $6
=8 131072
>9 free $5
=9 8192
>10 free $4
=10 512
>11 free $3
=11 16
>12 free $2
=12 4
>13 free $1
=13 1
; the largest is whole again
>14 alloc_pages 17 dontzero=1
=14 $6
>15 free $14
=15 131072
>16 check
=16
