/* SPDX-License-Identifier: MIT */
#include "arch/i386/selectors.h"

    .text

/* ---- Exceptions and interrupts: one entry point of 16 bytes for each vector ---- */

    .balign 16
    .globl trap_entries
trap_entries:
    .set vector, 0
    .rept 0x30
    .balign 16
    /* The processor pushes an error code for these only. */
    .if (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 \
         || vector == 29 || vector == 30)
    .else
    push $0
    .endif
    push $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

trap_common:
    pusha
    cld
    push %esp
    call trap_entered
    add $4, %esp
    popa
    add $8, %esp
    .globl trap_ignored
trap_ignored:
    iret

/* ---- Guards: a chain of saved contexts on the stack, innermost first ---- */

    .globl arch_guard
arch_guard:
    push %ebp
    mov %esp, %ebp
    push %ebx
    push %esi
    push %edi
    pushf
    push guard_innermost
    mov %esp, guard_innermost
    push 12(%ebp)
    call *8(%ebp)
    add $4, %esp
    mov $1, %eax
guard_leave:
    pop guard_innermost
    popf
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

    .globl arch_unwind
arch_unwind:
    mov guard_innermost, %esp
    call trap_forget
    xor %eax, %eax
    jmp guard_leave

    .bss
    .balign 4
guard_innermost: .skip 4
