; SPDX-License-Identifier: MIT
; Addresses inside a result and behind it: a red zone is told by the byte that was written.
>1 malloc 20 redzone=1
=1
>2 poke $1+19 0x11 width=1
=2
>3 peek $1+0x13 width=1
=3 0x11
>4 free $1
=4 _
>7 malloc 20 redzone=1 as=5
>8 poke $v5+27 0x11 width=1
=8
>9 free $7
?9 mem.overrun at=$7+27
>10 free $7+16
?10 mem.inside at=$7+16
>11 free $7 force=1
=11 _
>12 echo $7+18446744073709551615
?12 call.range
