/* SPDX-License-Identifier: MIT */
/*
 * For assembly: where a debugger finds the registers that an interruption took away, to walk
 * through it. They lie in the lowcore, at addresses and not on a stack: DW_CFA_expression with
 * DW_OP_const8u. 65 is DWARF's number of the PSW's address.
 */
#ifndef PFNLAB_S390X_CFI_H
#define PFNLAB_S390X_CFI_H

/* Not .debug_frame: clang's assembler does not mark the frames of interruptions there. */
    .cfi_sections .eh_frame

#define CFI_PSW 65

    .macro address at
    .irp shift, 56, 48, 40, 32, 24, 16, 8, 0
    .cfi_escape (\at) >> \shift & 0xff
    .endr
    .endm
    .macro saved_at n, at
    .cfi_escape 0x10, \n, 9, 0x0e
    address \at
    .endm

#endif
