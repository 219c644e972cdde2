/* SPDX-License-Identifier: MIT */
/*
 * The least that a PC can do after it is started: one character on the serial line. Multiboot, as
 * the kernel; what starts later than this is the kernel's own time.
 */
        .section .text
        .code32
        .balign 4
        .long   0x1badb002, 0, -0x1badb002
        .globl  _start
_start: mov     $0x3f8, %dx
        mov     $'%', %al
        out     %al, (%dx)
1:      hlt
        jmp     1b
        .section .note.GNU-stack, "", @progbits
