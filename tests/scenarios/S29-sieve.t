; SPDX-License-Identifier: MIT
; S29: the sieve of Eratosthenes takes 100 MB three times in a row: the memory of the first round
; must serve the next ones, whole.
; also s390x?boot=iso
>1 memalign_pages_area any 4K 100000000 dontzero=1
=1 _
>2 dump pages $1 32768
:2 $1 32768 allocated order=15
=2 n=1
>3 free $1
=3 32768
>4 memalign_pages_area any 4K 100000000 dontzero=1
=4 $1
>5 free $4
=5 32768
; exactly so many pages, and the rest of the block for others
>6 alloc_pages_exact 24415 dontzero=1
=6 _
>7 alloc_page
=7 _
>8 free $6
=8 24415
>9 free $7
=9 1
>10 memalign_pages_area any 4K 100000000 dontzero=1
=10 $1
>11 free $10
=11 32768
>12 check
=12
; the same from malloc, three times
>13 malloc 100000000
=13 _
>14 free $13
=14 24415
>15 malloc 100000000
=15 $13
>16 free $15
=16 24415
>17 malloc 100000000
=17 $13
>18 free $17
=18 24415
>19 check
=19
