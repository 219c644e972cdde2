; SPDX-License-Identifier: MIT
; S15: a VMX test holds dozens of single pages all its life: VMXON and VMCS regions, I/O and MSR
; bitmaps, four levels of EPT. All come zeroed, all are distinct, all are still there at the end.
; also x86_64?boot=iso
>1 alloc_page as=1
=1 _
; the VMXON region begins with the revision, the rest must be zero
>2 poke $v1 0x11 width=4
=2
>3 peek $v1 width=4
=3 0x0000000000000011
>4 alloc_page as=2
=4 _
>5 peek $v2
=5 0x0000000000000000
>6 alloc_page as=3
=6 _
>7 alloc_page as=4
=7 _
>8 alloc_page as=5
=8 _
; EPT: PML4, PDPT, PD, PT, and each entry points at the next level, readable and writable
>9 alloc_page as=6
=9 _
>10 alloc_page as=7
=10 _
>11 alloc_page as=8
=11 _
>12 alloc_page as=9
=12 _
>13 poke $v6 $v7
=13
>14 poke $v7 $v8
=14
>15 poke $v8 $v9
=15
>16 peek $v6
=16 $10
>17 peek $v8
=17 $12
; nobody was given a page twice
>18 free $v1
=18 1
>19 free $v1
?19 mem.free at=$1
>20 free $v2
=20 1
>21 free $v3
=21 1
>22 free $v4
=22 1
>23 free $v5
=23 1
>24 free $v6
=24 1
>25 free $v7
=25 1
>26 free $v8
=26 1
>27 free $v9
=27 1
>28 check
=28
