; SPDX-License-Identifier: MIT
; S44: a function runs on all processors at once, and each of them allocates, writes what it got,
; finds it as it was and gives it back, from every allocator that there is. No page has two owners,
; none is lost, and what one processor took another one may give back.
; with cpus=4
>1 cpu start all
=1 3
>2 stress 250 cpus=all seed=44 check=1
=2 1000 cpus=4 least=250 most=250
>3 stress 250 cpus=all seed=45 mix=pages|exact order=9
=3 1000 cpus=4 least=250 most=250
>4 stress 100 cpus=3 seed=46 mix=virtual|heap
=4 300 cpus=3 least=100 most=100
>5 cpus
:5 0 running operations=100
:5 1 running operations=100
:5 2 running operations=100
:5 3 running
=5 n=4
; one at a time they do what CPU 0 does, in the name of the request
>6 on 1 alloc_pages 2
=6 _
>7 on 2 alloc_pages 2
=7 _
>8 on 3 malloc 3000
=8 _
>9 dump pages $6 4
:9 $6 4 allocated order=2 owner=6
=9 n=1
>10 on 3 free $6
=10 4
>11 on 2 free $6
?11 mem.free at=$6
>12 on 1 free $7
=12 4
>13 free $8
=13
>14 cpu stop all
=14 3
>15 stress 10 cpus=2
?15 call.state arg=cpus
>16 check
=16
