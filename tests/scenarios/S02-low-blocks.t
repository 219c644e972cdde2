; SPDX-License-Identifier: MIT
; S02: service call blocks, status blocks and facility lists of a mainframe: one page or two, below
; 2 GiB, with memory above it that would be tried first.
; with memory=3G&areas=low:2G,normal
; also s390x?boot=iso
>1 alloc_page area=dma31
=1 _
>2 dump pages $1 1
:2 $1 1 allocated area=low fresh=0 order=0
=2
>3 alloc_pages_area low 1
=3 _
>4 dump pages $3 2
:4 $3 2 allocated area=low fresh=0 order=1
=4
>5 alloc_pages 1 max=2G
=5 _
>6 dump pages $5 2
:6 $5 2 allocated area=low
=6
; without a word about the place it lies above
>7 alloc_page
=7 _
>8 dump pages $7 1
:8 $7 1 allocated area=normal
=8
; a block of a length field and a command, and its second page is its own
>9 poke $1 0x1000 width=2
=9
>10 fill $3 seed=2
=10
>11 verify $3 seed=2
=11
>12 peek $1 width=2
=12 0x0000000000001000
>13 free $1
=13 1
>14 free $3
=14 2
>15 free $5
=15 2
>16 free $7
=16 1
>17 check
=17
