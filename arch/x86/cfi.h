/* SPDX-License-Identifier: MIT */
/*
 * For assembly: what it does with the stack, as gdb wants to know it (.debug_frame), to unwind
 * through exceptions too; nothing else reads it.
 */
#ifndef PFNLAB_X86_CFI_H
#define PFNLAB_X86_CFI_H

    .cfi_sections .debug_frame

#ifdef __x86_64__
#define WORD 8
    /* The processor pushed rip, cs, rflags, rsp and ss, and `more` bytes are below them. */
    .macro interrupted_context more
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %rsp, 40 + \more
    .cfi_offset %rip, -40
    .cfi_offset %rsp, -16
    .endm
#else
#define WORD 4
    /* The processor pushed eip, cs and eflags, and `more` bytes are below them. */
    .macro interrupted_context more
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_def_cfa %esp, 12 + \more
    .cfi_offset %eip, -12
    .endm
#endif
    .macro save register
    push \register
    .cfi_adjust_cfa_offset WORD
    .cfi_rel_offset \register, 0
    .endm
    .macro restore register
    pop \register
    .cfi_adjust_cfa_offset -WORD
    .cfi_same_value \register
    .endm

#endif
