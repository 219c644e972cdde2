/* SPDX-License-Identifier: MIT */
#include "arch/s390x/cfi.h"
#include "arch/s390x/lowcore.h"

#define GUARD_FRAME (FRAME_SIZE + 16)
#define GUARD_OUTER FRAME_SIZE
#define GUARD_MASK (FRAME_SIZE + 8)

    .text

/* ---- Program checks: on a stack of their own, never to return ---- */

    /* All interrupted registers lie in the lowcore; DW_CFA_def_cfa_expression tells the stack. */
    .macro interrupted_context lowcore
    .cfi_escape 0x0f, 10, 0x0e
    address \lowcore + LC_PROGRAM_SAVED + 120
    .cfi_escape 6
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    saved_at \n, \lowcore + LC_PROGRAM_SAVED + 8 * \n
    .endr
    saved_at CFI_PSW, \lowcore + LC_PROGRAM_OLD + 8
    .endm

    .globl program_entry
    .type program_entry, @function
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_return_column CFI_PSW
    .cfi_def_cfa 15, 0
    saved_at CFI_PSW, LC_PROGRAM_OLD + 8
program_entry:
    stmg %r0, %r15, LC_PROGRAM_SAVED
    interrupted_context 0
    /* What happens again and again while this runs would never end. */
    l %r1, LC_TRAPPED
    ahi %r1, 1
    st %r1, LC_TRAPPED
    chi %r1, TRAPS_MAX
    jh 1f
    lg %r15, LC_TRAP_STACK
    larl %r1, translation_on
    ssm 0(%r1)
    interrupted_context LC_VIEW
    xc 0(8, %r15), 0(%r15)
    brasl %r14, trap_program
    /* A machine with a CPU that runs does not end with this one (arch_cpus_halt() explains). */
1:  stap LC_ADDRESS
    lghi %r2, SIGP_ADDRESSES - 1
2:  ch %r2, LC_ADDRESS
    je 4f
3:  slgr %r1, %r1
    sigp %r1, %r2, SIGP_STOP
    sigp %r1, %r2, SIGP_SENSE
    jo 4f                           /* there is none */
    tmll %r1, SIGP_STATUS_STOPPED
    jz 3b
4:  aghi %r2, -1
    jnm 2b
    larl %r1, traps_psw
    lpswe 0(%r1)
    .cfi_endproc

/* ---- Guards: a chain of saved contexts on the stack, innermost first ---- */

    .globl arch_guard
    .type arch_guard, @function
arch_guard:
    .cfi_startproc
    stmg %r6, %r15, FRAME_SAVED(%r15)
    .cfi_rel_offset 14, FRAME_RETURN
    .cfi_rel_offset 15, FRAME_RETURN + 8
    lgr %r1, %r15
    aghi %r15, -GUARD_FRAME
    .cfi_adjust_cfa_offset GUARD_FRAME
    .cfi_remember_state
    stg %r1, 0(%r15)
    lgrl %r1, lowcore_view
    mvc GUARD_OUTER(8, %r15), LC_GUARD(%r1)
    stosm GUARD_MASK(%r15), 0       /* stores the mask, changes nothing */
    stg %r15, LC_GUARD(%r1)
    lgr %r1, %r2
    lgr %r2, %r3
    basr %r14, %r1
    lghi %r2, 1
guard_leave:
    lgrl %r1, lowcore_view
    mvc LC_GUARD(8, %r1), GUARD_OUTER(%r15)
    ssm GUARD_MASK(%r15)
    lmg %r6, %r15, GUARD_FRAME + FRAME_SAVED(%r15)
    .cfi_adjust_cfa_offset -GUARD_FRAME
    .cfi_restore 14
    .cfi_restore 15
    br %r14

    .globl arch_unwind
    .type arch_unwind, @function
arch_unwind:
    lgrl %r1, lowcore_view
    xc LC_TRAPPED(4, %r1), LC_TRAPPED(%r1)
    lg %r15, LC_GUARD(%r1)
    .cfi_restore_state              /* this is arch_guard()'s frame now */
    slgr %r2, %r2
    j guard_leave
    .cfi_endproc

/* ---- Single accesses: r2 is the address, r3 the width, r4 the value ---- */

    .globl access_start, access_end, arch_load, arch_store
    .type arch_load, @function
    .type arch_store, @function
access_start:
arch_load:
    .cfi_startproc
    chi %r3, 4
    jh 8f
    je 4f
    chi %r3, 2
    je 2f
    llgc %r2, 0(%r2)
    br %r14
2:  llgh %r2, 0(%r2)
    br %r14
4:  llgf %r2, 0(%r2)
    br %r14
8:  lg %r2, 0(%r2)
    br %r14
    .cfi_endproc

arch_store:
    .cfi_startproc
    chi %r3, 4
    jh 8f
    je 4f
    chi %r3, 2
    je 2f
    stc %r4, 0(%r2)
    br %r14
2:  sth %r4, 0(%r2)
    br %r14
4:  st %r4, 0(%r2)
    br %r14
8:  stg %r4, 0(%r2)
    br %r14
    .cfi_endproc
access_end:

    /* ---- What is found there by whoever tries code and data (arch/s390x/parts.c) ---- */

    .globl text_return, data_return
    .balign 8
text_return:
    br %r14

    .data
    .balign 8
data_return:
    br %r14
    .balign 8

    .section .rodata
    .balign 8
lowcore_view:
    .quad LC_VIEW
traps_psw:
    .quad PSW_DISABLED_WAIT, STOP_TRAPS
translation_on:
    .byte SYSTEM_MASK_DAT
