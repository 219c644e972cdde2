; SPDX-License-Identifier: MIT
; S45: processors are switched on and off in a loop: each round takes a prefix area, 8 KiB aligned
; and below 2 GiB, and a stack, and gives both back. After many rounds not a page is missing.
; with areas=low:2G,normal
; also s390x?boot=iso
>1 alloc_pages_area low 1 align=8K
=1 _
>2 alloc_pages 2
=2 _
>3 free $1
=3 2
>4 free $2
=4 4
>5 store 0 alloc_pages_area low 1 align=8K as=0
=5
>6 store 1 alloc_pages 2 as=1
=6
>7 store 2 free $v0
=7
>8 store 3 free $v1
=8
>9 run 4 times=1000
=9 4000
; in the other order, which has them meet other neighbours
>10 store 2 free $v1
=10
>11 store 3 free $v0
=11
>12 run 4 times=1000
=12 4000
; the same places as in the first round
>13 alloc_pages_area low 1 align=8K
=13 $1
>14 alloc_pages 2
=14 $2
>15 check
=15
