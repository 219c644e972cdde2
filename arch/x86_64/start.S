/* SPDX-License-Identifier: MIT */
/* From arch/x86/boot.S to 64-bit mode (Intel SDM volume 3, section 9.8.5). */
#include "arch/x86/segments.h"

#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CPUID_LM (1 << 29)

#define PTE_PRESENT_WRITE 0x3
#define PTE_LARGE 0x80

    .cfi_sections .debug_frame
    .text
    .code32
    .globl boot_port
    .type boot_port, @function
boot_port:
    .cfi_startproc
    .cfi_undefined 16               /* rip: nobody called us */
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb 2f
    mov $0x80000001, %eax
    cpuid
    test $CPUID_LM, %edx
    jnz 1f
2:  mov $no_long_mode, %esi
    jmp boot_refuse
1:
    /* The first 4 GiB one to one, by 2 MiB pages, until paging_open(). */
    movl $(boot_pdpt + PTE_PRESENT_WRITE), boot_pml4
    mov $(boot_pd + PTE_PRESENT_WRITE), %eax
    mov $boot_pdpt, %edi
    mov $4, %ecx
1:  mov %eax, (%edi)
    add $0x1000, %eax
    add $8, %edi
    loop 1b
    mov $(PTE_PRESENT_WRITE + PTE_LARGE), %eax
    mov $boot_pd, %edi
    mov $2048, %ecx
1:  mov %eax, (%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b

    mov $boot_pml4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $CR4_PAE, %eax
    mov %eax, %cr4
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME, %eax
    wrmsr
    mov %cr0, %eax
    or $CR0_PG, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $start64
    .cfi_endproc

    .code64
    .type start64, @function
start64:
    .cfi_startproc
    .cfi_undefined %rip
    load_data_segments
    mov $boot_stack_top, %esp
    /*
     * A zero frame pointer ends the kernel's own backtraces. It does not return; called, so that a
     * debugger finds the end of the stack here.
     */
    xor %ebp, %ebp
    call kernel_main
    .cfi_endproc

    /* ---- Another CPU, from trampoline.S: 32-bit mode, flat segments; all as CPU 0 has it ---- */

    .code32
    .globl cpu_enter
    .type cpu_enter, @function
cpu_enter:
    .cfi_startproc
    .cfi_undefined 16               /* rip */
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov cpu_start_cr4, %eax
    mov %eax, %cr4
    mov cpu_start_cr3, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    mov cpu_start_efer, %eax
    xor %edx, %edx
    wrmsr
    mov cpu_start_cr0, %eax
    mov %eax, %cr0
    ljmp $SELECTOR_CODE, $1f

    .code64
1:  xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov cpu_start_stack, %rsp
    xor %ebp, %ebp
    call cpu_arrived
    .cfi_endproc

    .section .rodata
no_long_mode: .asciz "64-bit mode\r\n"

    .data
    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* SELECTOR_CODE: 64-bit */
    .quad 0x00cf93000000ffff        /* SELECTOR_DATA */
    .quad 0x00cf9b000000ffff        /* SELECTOR_CODE_32 */
    .skip SELECTOR_CPUS << SELECTOR_TSS_SHIFT   /* SELECTOR_TSS: trap_open_cpu() fills it in */
gdt_pointer:
    .word GDT_SIZE - 1
    .long gdt, 0

    .bss
    .balign 4096
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 4 * 4096
