; SPDX-License-Identifier: MIT
; S45: the processors themselves, on and off a hundred times. What each round takes for them is given
; back; what a processor allocated meanwhile is another one's to free.
; with cpus=4
>1 alloc_pages 1 align=8K
=1 _
>2 free $1
=2 2
>3 store 0 cpu start all
=3
>4 store 1 on 1 alloc_pages 2 as=0
=4
>5 store 2 on 3 malloc 100 as=1
=5
>6 store 3 on 2 free $v0
=6
>7 store 4 on 2 free $v1
=7
>8 store 5 cpu stop all
=8
>9 run 6 times=100
=9 600
>10 cpus
:10 0 running
:10 1 stopped
:10 2 stopped
:10 3 stopped
=10 n=4
; the same place as before the first round, and no stack in the window
>11 dump virt
=11 n=0
>12 alloc_pages 1 align=8K
=12 $1
>13 check
=13
