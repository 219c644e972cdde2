; SPDX-License-Identifier: MIT
; S30: the test of the performance counters takes 64 MiB by malloc, which is 64 MiB and not a page
; more, and gives them back.
>1 malloc 64M
=1 _
>2 heap
=2 n=15 objects=1 pages=16384 bytes=67108864
>3 free $1
=3 16384
>4 malloc 64M
=4 $1
>5 free $4
=5 16384
>6 heap
=6 n=15 objects=0 pages=0 bytes=0
>7 check
=7
