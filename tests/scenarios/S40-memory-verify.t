; SPDX-License-Identifier: MIT
; S40: a test of migration writes a pattern into a large piece and verifies it again and again while
; the host moves the guest: every page holds what belongs to its address.
>1 memalign_pages_area any 4K 16M dontzero=1
=1 _
>2 fill $1 seed=1
=2
>3 verify $1 seed=1
=3
; another pattern in the second half is seen, page by page
>4 fill $1 4096 seed=2
=4
>5 verify $1 seed=1
?5 fault.pattern at=$1
>6 verify $1 seed=2
=6
>7 poke $1 0 width=1
=7
>8 verify $1 seed=2
?8 fault.pattern at=$1
>9 fill $1 1 seed=2
=9
>10 verify $1 seed=2
=10
>11 free $1
=11 4096
>12 check
=12
