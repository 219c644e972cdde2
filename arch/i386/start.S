/* SPDX-License-Identifier: MIT */
/* From arch/x86/boot.S to the kernel's segments. Paging is off until paging_open(). */
#include "arch/x86/segments.h"

#define CPUID_PAE (1 << 6)
#define MSR_EFER 0xc0000080

    .cfi_sections .debug_frame
    .text
    .globl boot_port
    .type boot_port, @function
boot_port:
    .cfi_startproc
    .cfi_undefined %eip
    mov $1, %eax
    cpuid
    test $CPUID_PAE, %edx
    jnz 1f
    mov $no_pae, %esi
    jmp boot_refuse

1:  lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $2f
2:  load_data_segments
    /*
     * A zero frame pointer ends the kernel's own backtraces. It does not return; called, so that a
     * debugger finds the end of the stack here.
     */
    xor %ebp, %ebp
    call kernel_main
    .cfi_endproc

    /* ---- Another CPU, from trampoline.S: 32-bit mode, flat segments; all as CPU 0 has it ---- */

    .globl cpu_enter
    .type cpu_enter, @function
cpu_enter:
    .cfi_startproc
    .cfi_undefined %eip
    ljmp $SELECTOR_CODE, $1f
1:  load_data_segments
    mov cpu_start_cr4, %eax
    mov %eax, %cr4
    mov cpu_start_cr3, %eax
    mov %eax, %cr3
    mov cpu_start_efer, %eax
    test %eax, %eax
    jz 2f                           /* a processor without no-execute has no such register */
    mov $MSR_EFER, %ecx
    xor %edx, %edx
    wrmsr
2:  mov cpu_start_cr0, %eax
    mov %eax, %cr0
    mov cpu_start_stack, %esp
    xor %ebp, %ebp
    call cpu_arrived
    .cfi_endproc

    .section .rodata
no_pae: .asciz "PAE\r\n"

    .data
    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff        /* SELECTOR_CODE */
    .quad 0x00cf93000000ffff        /* SELECTOR_DATA */
    .quad 0x00cf9b000000ffff        /* SELECTOR_CODE_32, the same */
    .skip SELECTOR_CPUS << SELECTOR_TSS_SHIFT   /* SELECTOR_TSS: trap_open_cpu() fills it in */
gdt_pointer:
    .word GDT_SIZE - 1
    .long gdt
