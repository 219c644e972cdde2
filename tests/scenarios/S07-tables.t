; SPDX-License-Identifier: MIT
; S07: region and segment tables take 16 KiB aligned to themselves, page tables a page each; a table
; that is freed and taken again must be empty again.
; also s390x?boot=iso
>1 alloc_pages 2
=1 _
>2 alloc_pages 2
=2 _
>3 alloc_page
=3 _
; each level points to the next
>4 poke $1 $2
=4
>5 poke $2 $3
=5
>6 poke $3 0x1000
=6
>7 peek $1
=7 $2
>8 peek $2
=8 $3
>9 free $3
=9 1
; the same page, at the same place, zeroed
>10 alloc_page
=10 $3
>11 peek $10
=11 0x0000000000000000
; dontzero=1 shows what its last user left
>12 poke $10 0x2000
=12
>13 free $10
=13 1
>14 alloc_page dontzero=1
=14 $3
>15 peek $14
=15 0x0000000000002000
>16 free $14
=16 1
>17 free $2
=17 4
>18 free $1
=18 4
>19 check
=19
