; SPDX-License-Identifier: MIT
; S27: the synthetic interrupt controller takes three pages for each processor: message page, event
; page, and a page for the test. Here eight processors, and all of them given back.
; also x86_64?boot=iso
>1 dump areas
=1
>2 store 0 alloc_page as=0
=2
>3 store 1 alloc_page as=1
=3
>4 store 2 alloc_page as=2
=4
>5 store 3 poke $v0 1
=5
>6 store 4 poke $v1 2
=6
>7 store 5 poke $v2 3
=7
>8 store 6 peek $v0
=8
>9 store 7 free $v0
=9
>10 store 8 free $v1
=10
>11 store 9 free $v2
=11
>12 run 10 times=8
=12 80
; without the frees all of them are distinct
>13 run 6 times=8
=13 48
>14 peek $v0
=14 0x0000000000000001
>15 peek $v1
=15 0x0000000000000002
>16 peek $v2
=16 0x0000000000000003
>17 check
=17
