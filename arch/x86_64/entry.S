/* SPDX-License-Identifier: MIT */
#include "arch/x86/selectors.h"

    .text

/* ---- From vectors.S: the error code and the vector are pushed ---- */

    .globl trap_common
trap_common:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    call trap_entered
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    .globl trap_ignored
trap_ignored:
    iretq

/* ---- Guards: a chain of saved contexts on each CPU's stack, innermost first ---- */

    /* Where this CPU keeps its innermost: its task register has its number (selectors.h). */
    .macro guard_place low, register
    str \low
    sub $SELECTOR_TSS, \low
    shr $(SELECTOR_TSS_SHIFT - 3), \low
    add $guard_innermost, \register
    .endm

    .globl arch_guard
arch_guard:
    push %rbp
    mov %rsp, %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    pushfq
    guard_place %eax, %rax
    push (%rax)
    sub $8, %rsp
    mov %rsp, (%rax)
    mov %rdi, %rax
    mov %rsi, %rdi
    call *%rax
    mov $1, %eax
guard_leave:
    add $8, %rsp
    guard_place %ecx, %rcx
    pop (%rcx)
    popfq
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret

    .globl arch_unwind
arch_unwind:
    guard_place %eax, %rax
    mov (%rax), %rsp
    call trap_forget
    xor %eax, %eax
    jmp guard_leave

/* ---- Single accesses: rdi is the address, esi the width, rdx the value ---- */

    .globl access_start, access_end, arch_load, arch_store, arch_execute
access_start:
arch_load:
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

arch_store:
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

arch_execute:
    call *%rdi
    ret
access_end:

    .bss
    .balign 8
guard_innermost: .skip 8 * SELECTOR_CPUS
