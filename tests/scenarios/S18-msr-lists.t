; SPDX-License-Identifier: MIT
; S18: three lists of MSRs for VM entry and exit. Their order is computed from the largest list that
; the processor takes: 512 entries of 16 bytes are 8192 bytes, order 1; freed by address alone.
; also x86_64?boot=iso
>1 alloc_pages 1
=1 _
>2 alloc_pages 1
=2 _
>3 alloc_pages 1
=3 _
>4 fill $1 seed=1
=4
>5 fill $2 seed=2
=5
>6 fill $3 seed=3
=6
; three lists do not share memory
>7 verify $1 seed=1
=7
>8 verify $2 seed=2
=8
>9 verify $3 seed=3
=9
>10 verify $2 seed=3
?10 fault.pattern at=$2
; the seed-era spelling, and the order is the allocator's knowledge
>11 free_pages $2
=11 2
>12 free_pages $1
=12 2
>13 free_pages $3
=13 2
; the two buddies are one block again
>14 alloc_pages 2
=14 _
>15 free $14
=15 4
>16 check
=16
