; SPDX-License-Identifier: MIT
; S28: the GiB of the asynchronous page fault test from malloc, before there is a window: that of a
; 32-bit machine has no GiB left.
; with memory=2560M
>1 reset stage=page
=1
>2 malloc 1G
=2 _
>3 heap
=3 objects=1 pages=262144
>4 fill $2 262144 seed=28
=4
>5 verify $2 262144 seed=28
=5
>6 free $2
=6 262144
>7 check
=7
