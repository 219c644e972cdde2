/* SPDX-License-Identifier: MIT */
#include "arch/x86/cfi.h"
#include "arch/x86/selectors.h"

/* Of a 32-bit TSS (Intel SDM volume 3, section 7.2.1); its registers are in the order of DWARF. */
#define TSS_EIP 32
#define TSS_EAX 40
#define TSS_ESP 56

    .text

/* ---- From vectors.S: the error code and the vector are pushed ---- */

    .globl trap_common
    .type trap_common, @function
trap_common:
    interrupted_context 8
    pusha
    .cfi_adjust_cfa_offset 32
    .cfi_rel_offset %edi, 0
    .cfi_rel_offset %esi, 4
    .cfi_rel_offset %ebp, 8
    .cfi_rel_offset %ebx, 16
    .cfi_rel_offset %edx, 20
    .cfi_rel_offset %ecx, 24
    .cfi_rel_offset %eax, 28
    cld
    push %esp
    .cfi_adjust_cfa_offset 4
    call trap_entered
    add $4, %esp
    .cfi_adjust_cfa_offset -4
    popa
    .cfi_adjust_cfa_offset -32
    .cfi_same_value %edi
    .cfi_same_value %esi
    .cfi_same_value %ebp
    .cfi_same_value %ebx
    .cfi_same_value %edx
    .cfi_same_value %ecx
    .cfi_same_value %eax
    add $8, %esp
    .cfi_adjust_cfa_offset -8
    .globl trap_ignored
trap_ignored:
    iret
    .cfi_endproc

    /*
     * A double fault is a task of its own, which goes on nowhere. Whom it interrupted is in the TSS
     * at which ebx points (trap.c), then the top of the stack: for a debugger, by what DWARF calls
     * DW_CFA_def_cfa_expression and DW_CFA_expression.
     */
    .macro interrupted_task size, at:vararg
    .cfi_escape 0x0f, \size + 3, \at, 0x23, TSS_ESP, 0x06
    .irp n, 0, 1, 2, 3, 5, 6, 7
    .cfi_escape 0x10, \n, \size + 2, \at, 0x23, TSS_EAX + 4 * \n
    .endr
    .cfi_escape 0x10, 8, \size + 2, \at, 0x23, TSS_EIP
    .endm

    .globl double_fault_entry
    .type double_fault_entry, @function
double_fault_entry:
    .cfi_startproc simple
    .cfi_signal_frame
    interrupted_task 2, 0x73, 0             /* what ebx has */
    push %ebx
    interrupted_task 3, 0x74, 0, 0x06       /* what is at esp */
    call double_fault_entered
    ud2                             /* or the call would return behind what is described here */
    .cfi_endproc

/* ---- Guards: a chain of saved contexts on each CPU's stack, innermost first ---- */

    /* Where this CPU keeps its innermost: its task register has its number (selectors.h). */
    .macro guard_place register
    str \register
    sub $SELECTOR_TSS, \register
    shr $(SELECTOR_TSS_SHIFT - 2), \register
    add $guard_innermost, \register
    .endm

    .globl arch_guard
    .type arch_guard, @function
arch_guard:
    .cfi_startproc
    save %ebp
    mov %esp, %ebp
    save %ebx
    save %esi
    save %edi
    pushf
    .cfi_adjust_cfa_offset 4
    guard_place %eax
    push (%eax)
    .cfi_adjust_cfa_offset 4
    .cfi_remember_state
    mov %esp, (%eax)
    push 12(%ebp)
    .cfi_adjust_cfa_offset 4
    call *8(%ebp)
    add $4, %esp
    .cfi_adjust_cfa_offset -4
    mov $1, %eax
guard_leave:
    guard_place %ecx
    pop (%ecx)
    .cfi_adjust_cfa_offset -4
    popf
    .cfi_adjust_cfa_offset -4
    restore %edi
    restore %esi
    restore %ebx
    restore %ebp
    ret

    .globl arch_unwind
    .type arch_unwind, @function
arch_unwind:
    guard_place %eax
    mov (%eax), %esp
    .cfi_restore_state              /* this is arch_guard()'s frame now */
    call trap_forget
    xor %eax, %eax
    jmp guard_leave
    .cfi_endproc

    .bss
    .balign 4
guard_innermost: .skip 4 * SELECTOR_CPUS
