; SPDX-License-Identifier: MIT
; S03: the ultravisor of a mainframe is given storage: some MiB in one piece, aligned to 1 MiB, and
; only from 2 GiB on. The size is what a query says, no power of two.
; with memory=3G&areas=low:2G,normal
; also s390x?boot=iso
; 7 MiB and a page, in the upper area
>1 alloc_pages_exact 1793 area=normal align=1M
=1 _
>2 dump pages $1 1793
:2 $1 1793 allocated area=normal fresh=0
=2 n=1
; the same by a window
>3 alloc_pages_exact 1793 align=1M min=2G
=3 _
>4 dump pages $3 1793
:4 $3 1793 allocated area=normal
=4
; all of a GiB that was asked for with a gap below is not there
>5 alloc_pages_exact 262144 area=normal align=1M
?5 mem.none
; and there is more below 2 GiB, where it may not lie
>6 alloc_pages_exact 262144 area=low align=1M dontzero=1
=6 _
>7 free $6
=7 262144
>8 free $1
=8 1793
>9 free $3
=9 1793
; an address of 4 KiB is none of 1 MiB, free or not
>10 alloc_pages_exact 1793 area=normal align=1M at=0x80001000
?10 mem.unaligned at=0x0000000080001000
>11 check
=11
