/* SPDX-License-Identifier: MIT */
/* From arch/x86/boot.S to the kernel's segments. Paging is off until paging_open(). */
#include "arch/i386/selectors.h"

#define CPUID_PAE (1 << 6)

    .text
    .globl boot_port
boot_port:
    mov $1, %eax
    cpuid
    test $CPUID_PAE, %edx
    jnz 1f
    mov $no_pae, %esi
    jmp boot_refuse

1:  lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $2f
2:  mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    /* A zero frame pointer and return address end every backtrace. */
    xor %ebp, %ebp
    push $0
    jmp kernel_main

    .section .rodata
no_pae: .asciz "PAE\r\n"

    .data
    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        /* SELECTOR_CODE */
    .quad 0x00cf93000000ffff        /* SELECTOR_DATA */
    .quad 0                         /* SELECTOR_TSS: trap_open() fills in both */
    .quad 0                         /* SELECTOR_TSS_DOUBLE_FAULT */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
