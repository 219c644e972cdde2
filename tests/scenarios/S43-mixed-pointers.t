; SPDX-License-Identifier: MIT
; S43: pointers are mixed up. What malloc gave in one stage is freed in another, and what the page
; allocator gave is freed by the same free; but pages of malloc are not freed as pages, nor twice.
>1 reset stage=early
=1
>2 malloc 32
=2 _
>3 malloc 10000
=3 _
>4 advance
=4 stage=page
>5 alloc_pages 1
=5 _
>6 malloc 32
=6 _
>7 advance
=7 stage=virtual
>8 malloc 32
=8 _
>9 vmalloc 5000
=9 _
>10 check
=10
; each by the free of another
>11 free $6 1
?11 mem.kind at=$6
>12 phys_free $3
?12 mem.kind at=$3
>13 vfree $8
?13 mem.kind at=$8
>14 free $9
?14 mem.kind at=$9
>15 realloc $5 100
?15 mem.kind at=$5
>16 check
=16
; each by its own
>17 free $2
=17 1
>18 free $3
=18 3
>19 free $5
=19 2
>20 free $6
=20 1
>21 free $8
=21 1
>22 vfree $9
=22 2
; and once only
>23 free $8
?23 mem.free at=$8
>24 free $6
?24 mem.free at=$6
>25 heap
=25 objects=0 pages=0 bytes=0
>26 check
=26
