; SPDX-License-Identifier: MIT
; S09: a test of page moves takes 16 MiB that nobody ever touched, not zeroed, so that each page's
; first access is seen by the host; it uses them up one by one.
; also s390x?boot=iso
>1 alloc_pages 12 fresh=1 dontzero=1
=1 _
; given back they are free, but never fresh again
>2 free $1
=2 4096
>3 dump pages $1 4096
:3 $1 4096 free
=3 n=1
>4 alloc_pages 12 fresh=1 at=$1
?4 mem.none at=$1
; another fresh block lies somewhere else
>5 alloc_pages 12 fresh=1 dontzero=1
=5 _
>6 poke $5 1
=6
>7 free $5 1
=7 1
>8 dump pages $5 2
:8 $5 1 free
:8 _ 1 allocated
=8 n=2
>9 alloc_page fresh=1 at=$5
?9 mem.none at=$5
>10 alloc_page at=$5 dontzero=1
=10 $5
>11 peek $10
=11 0x0000000000000001
>12 check
=12
