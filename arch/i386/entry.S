/* SPDX-License-Identifier: MIT */
#include "arch/x86/selectors.h"

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

/* ---- Guards: a chain of saved contexts on each CPU's stack, innermost first ---- */

    /* Where this CPU keeps its innermost: its task register has its number (selectors.h). */
    .macro guard_place register
    str \register
    sub $SELECTOR_TSS, \register
    shr $(SELECTOR_TSS_SHIFT - 2), \register
    add $guard_innermost, \register
    .endm

    .globl arch_guard
arch_guard:
    push %ebp
    mov %esp, %ebp
    push %ebx
    push %esi
    push %edi
    pushf
    guard_place %eax
    push (%eax)
    mov %esp, (%eax)
    push 12(%ebp)
    call *8(%ebp)
    add $4, %esp
    mov $1, %eax
guard_leave:
    guard_place %ecx
    pop (%ecx)
    popf
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

    .globl arch_unwind
arch_unwind:
    guard_place %eax
    mov (%eax), %esp
    call trap_forget
    xor %eax, %eax
    jmp guard_leave

    .bss
    .balign 4
guard_innermost: .skip 4 * SELECTOR_CPUS
