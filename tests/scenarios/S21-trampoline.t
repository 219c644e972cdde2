; SPDX-License-Identifier: MIT
; S21: the code that starts another processor in real mode must lie below 1 MiB, at the start of a
; page whose number is the vector of the startup IPI. Page 0 itself is nobody's.
; with areas=realmode:1M,lowest:16M,low:4G,high:64G,normal
; also x86_64?boot=iso
>1 alloc_page at=0
?1 mem.unmanaged at=0x0000000000000000
>2 reserve 0 1
?2 mem.unmanaged at=0x0000000000000000
>3 alloc_pages_area realmode 0
=3 _
; cli; hlt
>4 poke $3 0xf4fa width=2
=4
>5 peek $3 width=2
=5 0x000000000000f4fa
; low memory is precious: nobody else gets it by chance
>6 dump pages $3 1
:6 $3 1 allocated area=realmode fresh=0 order=0
=6 n=1
; the firmware's memory is not there at all
>7 alloc_page at=0xa0000
?7 mem.unmanaged at=0x00000000000a0000
>8 alloc_pages_area realmode 9
?8 mem.none
>9 free $3
=9 1
>10 check
=10
