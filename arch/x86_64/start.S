/* SPDX-License-Identifier: MIT */
/*
 * From Multiboot 1's 32-bit protected mode (Multiboot Specification 0.6.96, section 3.2: paging
 * off, segments flat, everything else undefined) to 64-bit mode (SDM volume 3, section 9.8.5).
 */
#include "arch/x86_64/selectors.h"

#define MAGIC 0x1badb002
#define FLAGS 0x3                   /* modules on page boundaries; tell of memory */

#define CR0_PG (1 << 31)
#define CR0_CD_NW (3 << 29)
#define CR0_WP (1 << 16)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define CPUID_LM (1 << 29)

#define PTE_PRESENT_WRITE 0x3
#define PTE_LARGE 0x80

#define BOOT_STACK_SIZE 0x10000

    .section .multiboot, "a"
    .balign 4
    .long MAGIC, FLAGS, -(MAGIC + FLAGS)

    .text
    .code32
    .globl start
start:
    cli
    cld
    mov %eax, boot_magic
    mov %ebx, boot_address
    mov $boot_stack_top, %esp

    /* Does CPUID exist (EFLAGS.ID can be changed), and does it know long mode? */
    pushfl
    pop %eax
    mov %eax, %ecx
    xor $0x200000, %eax
    push %eax
    popfl
    pushfl
    pop %eax
    cmp %eax, %ecx
    je refuse
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb refuse
    mov $0x80000001, %eax
    cpuid
    test $CPUID_LM, %edx
    jz refuse

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
    and $~CR0_CD_NW, %eax
    or $(CR0_PG | CR0_WP), %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $start64

    .code64
start64:
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_stack_top, %esp
    /* A zero frame pointer and return address end every backtrace. */
    xor %ebp, %ebp
    push $0
    jmp kernel_main

    /* COM1 is as the firmware left it, or at its reset values: good enough to say why. */
    .code32
refuse:
    mov $refusal, %esi
1:  mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov $0x3f8, %dx
    lodsb
    test %al, %al
    jz 3f
    out %al, %dx
    jmp 1b
3:  mov $0x11, %al
    out %al, $0xf4
4:  cli
    hlt
    jmp 4b

    .section .rodata
refusal:
    .asciz "pfnlab: this processor has no 64-bit mode\r\n"

    .data
    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* SELECTOR_CODE: 64-bit */
    .quad 0x00cf93000000ffff        /* SELECTOR_DATA */
    .quad 0, 0                      /* SELECTOR_TSS: trap_open() fills it in */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt, 0
    .globl boot_magic, boot_address
boot_magic: .long 0
boot_address: .long 0

    .bss
    .balign 4096
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
boot_pd: .skip 4 * 4096
    /* Not mapped by paging_open(): a stack that overflows faults. */
    .globl boot_stack_guard
boot_stack_guard: .skip 4096
    .skip BOOT_STACK_SIZE
boot_stack_top:
