; SPDX-License-Identifier: MIT
; S13: channel programs and their control blocks are addressed with 31 bits: a page each, below 2
; GiB, on a machine that has more.
; with memory=3G
>1 alloc_page area=dma31
=1 _
>2 alloc_page area=dma31
=2 _
>3 alloc_pages_area dma31 2
=3 _
; a format-1 CCW: its data address is the second page
>4 poke $1 0x02000020 width=4
=4
>5 poke $2 0x11
=5
>6 peek $1 width=4
=6 0x0000000002000020
; the alias is a promise, and a window says the same
>7 alloc_pages_area dma31 0 min=2G
?7 mem.none
>8 alloc_page area=dma31 at=2G
?8 mem.none at=0x0000000080000000
>9 free $1
=9 1
>10 free $2
=10 1
>11 free $3
=11 4
>12 check
=12
