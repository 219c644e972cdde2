; SPDX-License-Identifier: MIT
; S35: a 64-bit POWER's root table is 64 KiB aligned to itself, the next levels are 4 KiB, and page
; tables of 256 bytes lie sixteen to a page: size and alignment are one number.
>1 memalign_pages any 64K 64K
=1 _
>2 dump pages $1 16
:2 $1 16 allocated order=4
=2 n=1
>3 memalign_pages any 4K 4K
=3 _
; an alignment below a page is that of a page
>4 memalign_pages any 256 256
=4 _
>5 dump pages $4 1
:5 $4 1 allocated order=0
=5 n=1
; swapped, it is another request: a byte aligned to 64 KiB, 64 KiB aligned to a byte
>6 memalign_pages any 64K 1
=6 _
>7 dump pages $6 1
:7 $6 1 allocated order=0
=7
>8 memalign_pages any 1 64K
=8 _
>9 dump pages $8 16
:9 $8 16 allocated order=4
=9 n=1
>10 memalign_pages any 3 4K
?10 call.align
>11 memalign_pages any 64K 0
?11 call.range
>12 memalign_pages any 4K 18446744073709551615
?12 call.range
>13 free $1
=13 16
>14 free $3
=14 1
>15 free $4
=15 1
>16 free $6
=16 1
>17 free $8
=17 16
>18 check
=18
