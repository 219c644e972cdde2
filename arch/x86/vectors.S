/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts of both widths: one entry point of 16 bytes for each vector. */
#include "arch/x86/cfi.h"
#include "arch/x86/vectors.h"

    .text
    .balign ENTRY_SIZE
    .globl trap_entries
trap_entries:
    .set vector, 0
    .rept VECTORS
    .balign ENTRY_SIZE
    /* The processor pushes an error code for these only. */
    .if (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 \
         || vector == 29 || vector == 30)
    interrupted_context WORD
    .else
    interrupted_context 0
    push $0
    .cfi_adjust_cfa_offset WORD
    .endif
    push $vector
    .cfi_adjust_cfa_offset WORD
    jmp trap_common
    .cfi_endproc
    .set vector, vector + 1
    .endr
