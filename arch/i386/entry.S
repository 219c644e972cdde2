/* SPDX-License-Identifier: MIT */
#include "arch/i386/selectors.h"

    .text

/* ---- From vectors.S: the error code and the vector are pushed ---- */

    .globl trap_common
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
