; SPDX-License-Identifier: MIT
; S28: the asynchronous page fault test takes 1 GiB and touches every page of it.
; with memory=2560M
; also x86_64?boot=iso
; also x86_64?machine=q35
>1 alloc_pages 18 dontzero=1
=1 _
>2 dump pages $1 262144
:2 $1 262144 allocated fresh=0 order=18
=2 n=1
>3 fill $1 seed=28
=3
>4 verify $1 seed=28
=4
>5 poke $1 0
=5
>6 verify $1 seed=28
?6 fault.pattern at=$1
>7 free $1
=7 262144
; it is one block again
>8 alloc_pages 18 dontzero=1
=8 $1
>9 free $8
=9 262144
>10 check
=10
