; SPDX-License-Identifier: MIT
; S16: a 32-bit L2 guest's paging: four page directories and a page-directory-pointer table, each a
; page below 4 GiB because PAE's CR3 has 32 bits; all freed when the test is torn down.
; also x86_64?boot=iso
>1 dump areas
>2 memalign_pages_area dma32 4K 4K
=2 _
>3 memalign_pages_area dma32 4K 4K
=3 _
>4 memalign_pages_area dma32 4K 4K
=4 _
>5 memalign_pages_area dma32 4K 4K
=5 _
>6 memalign_pages_area dma32 4K 4K max=4G
=6 _
; the table's four entries
>7 poke $6 $2
=7
>8 peek $6
=8 $2
>9 dump pages $6 1
:9 $6 1 allocated area=low fresh=0 order=0
=9 n=1
>10 free $2
=10 1
>11 free $3
=11 1
>12 free $4
=12 1
>13 free $5
=13 1
>14 free $6
=14 1
>15 free $6
?15 mem.free at=$6
>16 check
=16
