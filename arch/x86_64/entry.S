/* SPDX-License-Identifier: MIT */
#include "arch/x86/cfi.h"
#include "arch/x86/selectors.h"

    .text

/* ---- From vectors.S: the error code and the vector are pushed ---- */

    .globl trap_common
    .type trap_common, @function
trap_common:
    interrupted_context 16
    save %rax
    save %rbx
    save %rcx
    save %rdx
    save %rsi
    save %rdi
    save %rbp
    save %r8
    save %r9
    save %r10
    save %r11
    save %r12
    save %r13
    save %r14
    save %r15
    cld
    mov %rsp, %rdi
    call trap_entered
    restore %r15
    restore %r14
    restore %r13
    restore %r12
    restore %r11
    restore %r10
    restore %r9
    restore %r8
    restore %rbp
    restore %rdi
    restore %rsi
    restore %rdx
    restore %rcx
    restore %rbx
    restore %rax
    add $16, %rsp
    .cfi_adjust_cfa_offset -16
    .globl trap_ignored
trap_ignored:
    iretq
    .cfi_endproc

/* ---- Guards: a chain of saved contexts on each CPU's stack, innermost first ---- */

    /* Where this CPU keeps its innermost: its task register has its number (selectors.h). */
    .macro guard_place low, register
    str \low
    sub $SELECTOR_TSS, \low
    shr $(SELECTOR_TSS_SHIFT - 3), \low
    add $guard_innermost, \register
    .endm

    .globl arch_guard
    .type arch_guard, @function
arch_guard:
    .cfi_startproc
    save %rbp
    mov %rsp, %rbp
    save %rbx
    save %r12
    save %r13
    save %r14
    save %r15
    pushfq
    .cfi_adjust_cfa_offset 8
    guard_place %eax, %rax
    push (%rax)
    .cfi_adjust_cfa_offset 8
    sub $8, %rsp
    .cfi_adjust_cfa_offset 8
    .cfi_remember_state
    mov %rsp, (%rax)
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov $1, %eax
guard_leave:
    add $8, %rsp
    .cfi_adjust_cfa_offset -8
    guard_place %ecx, %rcx
    pop (%rcx)
    .cfi_adjust_cfa_offset -8
    popfq
    .cfi_adjust_cfa_offset -8
    restore %r15
    restore %r14
    restore %r13
    restore %r12
    restore %rbx
    restore %rbp
    ret

    .globl arch_unwind
    .type arch_unwind, @function
arch_unwind:
    guard_place %eax, %rax
    mov (%rax), %rsp
    .cfi_restore_state              /* this is arch_guard()'s frame now */
    call trap_forget
    xor %eax, %eax
    jmp guard_leave
    .cfi_endproc

/* ---- Single accesses: rdi is the address, esi the width, rdx the value ---- */

    .globl access_start, access_end, arch_load, arch_store, arch_execute
access_start:
    .type arch_load, @function
arch_load:
    .cfi_startproc
    cmp $4, %esi
    ja 8f
    je 4f
    cmp $2, %esi
    je 2f
    movzbl (%rdi), %eax
    ret
2:  movzwl (%rdi), %eax
    ret
4:  mov (%rdi), %eax
    ret
8:  mov (%rdi), %rax
    ret
    .cfi_endproc

    .type arch_store, @function
arch_store:
    .cfi_startproc
    cmp $4, %esi
    ja 8f
    je 4f
    cmp $2, %esi
    je 2f
    mov %dl, (%rdi)
    ret
2:  mov %dx, (%rdi)
    ret
4:  mov %edx, (%rdi)
    ret
8:  mov %rdx, (%rdi)
    ret
    .cfi_endproc

    .type arch_execute, @function
arch_execute:
    .cfi_startproc
    call *%rdi
    ret
    .cfi_endproc
access_end:

    .bss
    .balign 8
guard_innermost: .skip 8 * SELECTOR_CPUS
