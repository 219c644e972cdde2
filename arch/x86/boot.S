/* SPDX-License-Identifier: MIT */
/*
 * The entry, for both widths: from Multiboot 1's 32-bit protected mode (Multiboot Specification
 * 0.6.96, section 3.2: paging off, segments flat, everything else undefined) to boot_port with a
 * stack, the boot loader's registers saved, CR0 in order and CPUID known to be there.
 */
#define MAGIC 0x1badb002
#define FLAGS 0x3                   /* modules on page boundaries; tell of memory */

#define CR0_WP (1 << 16)
#define CR0_CD_NW (3 << 29)
#define EFLAGS_ID 0x200000

/* DWARF's number of the instruction pointer: nobody called us. */
#ifdef __x86_64__
#define PLACE 16
#else
#define PLACE 8
#endif

#define BOOT_STACK_SIZE 0x10000
#define DOUBLE_FAULT_STACK_SIZE 0x4000

    .cfi_sections .debug_frame

    .section .multiboot, "a"
    .balign 4
    .long MAGIC, FLAGS, -(MAGIC + FLAGS)

    .text
    .code32
    .globl start
    .type start, @function
start:
    .cfi_startproc
    .cfi_undefined PLACE
    cli
    cld
    mov %eax, boot_magic
    mov %ebx, boot_address
    mov $boot_stack_top, %esp
    mov %cr0, %eax
    and $~CR0_CD_NW, %eax
    or $CR0_WP, %eax
    mov %eax, %cr0

    pushfl
    pop %eax
    mov %eax, %ecx
    xor $EFLAGS_ID, %eax
    push %eax
    popfl
    pushfl
    pop %eax
    cmp %eax, %ecx
    jne boot_port
    mov $no_cpuid, %esi

    /*
     * Say what %esi points to, as a log line, and end. COM1 is as the firmware left it, or at its
     * reset values: good enough to say why.
     */
    .globl boot_refuse
boot_refuse:
    push %esi
    mov $prefix, %esi
    call say
    pop %esi
    call say
    mov $0x11, %al                  /* as arch_halt() of machine.c */
    out %al, $0xf4
    out %al, $0xe9
    mov $shutdown, %esi
    mov $0x8900, %dx
1:  outsb
    cmpb $0, (%esi)
    jne 1b
2:  cli
    hlt
    jmp 2b

1:  mov $0x3fd, %dx
2:  in %dx, %al
    test $0x20, %al
    jz 2b
    mov $0x3f8, %dx
    movb (%esi), %al
    out %al, %dx
    inc %esi
say:
    cmpb $0, (%esi)
    jne 1b
    ret
    .cfi_endproc

    .section .rodata
prefix: .asciz "\r\n; this processor has no "
no_cpuid: .asciz "CPUID\r\n"
shutdown: .asciz "Shutdown"

    .data
    .balign 4
    .globl boot_magic, boot_address
boot_magic: .long 0
boot_address: .long 0

    .bss
    .balign 4096
    /* The guards are not mapped by paging_open(): a stack that overflows faults. */
    .globl boot_stack_guard, boot_stack_top, double_fault_stack_guard, double_fault_stack_top
boot_stack_guard: .skip 4096
    .skip BOOT_STACK_SIZE
boot_stack_top:
double_fault_stack_guard: .skip 4096
    .skip DOUBLE_FAULT_STACK_SIZE
double_fault_stack_top:
    .skip 16                        /* for arch_parts() */

    /* What arch_parts() lets be executed, in code and in data. */
    .text
    .globl text_return
    .type text_return, @function
text_return:
    .cfi_startproc
    ret
    .cfi_endproc
    .data
    .globl data_return
data_return: .byte 0xc3
