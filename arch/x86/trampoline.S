/* SPDX-License-Identifier: MIT */
/*
 * Where another CPU begins, copied to a page below 1 MiB: in real mode, CS the page, IP 0 (Intel
 * SDM volume 3, section 8.4.3). It goes to flat 32-bit mode and leaves the page for good.
 */
#include "arch/x86/selectors.h"

#define CR0_PE 1

    .section .rodata
    .balign 4
    .globl trampoline, trampoline_end
    .code16
trampoline:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl trampoline_gdt - trampoline
    mov %cr0, %eax
    or $CR0_PE, %al
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE_32, $cpu_enter
    .balign 4
trampoline_gdt:
    .word GDT_SIZE - 1
    .long gdt
trampoline_end:
