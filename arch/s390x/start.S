/* SPDX-License-Identifier: MIT */
/*
 * The lowcore, and the way from any state that an IPL leaves the CPU in (ESA/390, 31-bit or 64-bit)
 * to kernel_main(). Until the processor is known to be new enough, only instructions of the first
 * z/Architecture are used, the service signal's handler included.
 */
#include "arch/s390x/cfi.h"
#include "arch/s390x/lowcore.h"

#define SIGP_MODE_Z 2

#define BOOT_STACK_SIZE 0x10000
#define TRAP_STACK_SIZE 0x4000
#define GUARD_SIZE 0x1000

    /* From LC_RESTART_NEW on. */
    .macro new_psws
    .quad PSW_DISABLED_WAIT, STOP_UNEXPECTED + LC_RESTART_NEW
    .quad PSW_REAL, external_entry
    .quad PSW_DISABLED_WAIT, STOP_UNEXPECTED + LC_SVC_NEW
    .quad PSW_REAL, program_entry
    .quad PSW_DISABLED_WAIT, STOP_UNEXPECTED + LC_MACHINE_CHECK_NEW
    .quad PSW_DISABLED_WAIT, STOP_UNEXPECTED + LC_IO_NEW
    .endm

    .section .lowcore, "aw"
    .globl real_0
real_0:
    /* A processor that was never started stands at 0: for a debugger, nobody called it. */
    .cfi_startproc
    .cfi_undefined 14
    /*
     * IPL PSW, in the short format. What follows would be CCWs: s390-ccw firmware takes an image
     * for bootable by these 24 bytes.
     */
    .long 0x00080000, 0x80000000 + start
    .long 0x02000018, 0x60000050, 0x02000068, 0x60000050, 0x40404040, 0x40404040

    .org real_0 + LC_RESTART_NEW
    new_psws
    .cfi_endproc

    .section .start, "ax"
    .globl start
    .type start, @function
start:
    .cfi_startproc
    .cfi_undefined 14
    lhi %r1, SIGP_MODE_Z
    slr %r0, %r0
    sigp %r1, %r0, SIGP_SET_ARCHITECTURE
    sam64
    /* Firmware may have put its own over those of the image. */
    larl %r1, psws
    mvc LC_RESTART_NEW(NEW_PSWS_SIZE), 0(%r1)
    xc LC_OURS(LC_OURS_SIZE), LC_OURS
    larl %r1, trap_stack_top - FRAME_SIZE
    stg %r1, LC_TRAP_STACK
    larl %r1, cpus_forgotten
    stg %r1, LC_FORGOTTEN
    larl %r1, never
    sckc 0(%r1)
    larl %r1, control_0
    lctlg %c0, %c0, 0(%r1)

    /* Nobody else clears it where the image is flat. */
    larl %r2, bss_start
    larl %r3, bss_end
    sgr %r3, %r2
    slgr %r4, %r4
    slgr %r5, %r5
1:  mvcle %r2, %r4, 0
    jo 1b

    larl %r15, boot_stack_top - FRAME_SIZE

    stfl 0
    tm LC_STFL, 0x01                /* facility 7: STFLE */
    jz refuse
    slgr %r0, %r0
    stfle LC_FACILITIES
    tm LC_FACILITIES + 4, 0x20      /* 34: general instructions extension (z10) */
    jz refuse
    tm LC_FACILITIES + 5, 0x04      /* 45: distinct operands and more (z196) */
    jz refuse
    brasl %r14, dat_open
    /* It does not return; called, so that a debugger finds the end of the stack here. */
    brasl %r14, kernel_main
    .cfi_endproc

    /* ---- Say so, by calls that were laid down beforehand, and stop ---- */

    .type refuse, @function
refuse:
    .cfi_startproc
    .cfi_undefined 14
    larl %r4, refuse_calls
1:  lm %r2, %r3, 0(%r4)             /* command, SCCB */
    .insn rre, 0xb2200000, %r2, %r3 /* SERVC */
    jnz 4f
    j 3f
2:  larl %r1, refuse_wait_psw
    lpswe 0(%r1)
refuse_waited:
3:  larl %r1, no_interrupts
    ssm 0(%r1)
    icm %r0, 15, LC_SERVICE_DONE
    jz 2b
    xc LC_SERVICE_DONE(4), LC_SERVICE_DONE
    aghi %r4, 8
    larl %r1, refuse_calls_end
    clgr %r4, %r1
    jl 1b
4:  larl %r1, refuse_psw
    lpswe 0(%r1)
    .cfi_endproc

    .globl cpu_wait
    .type cpu_wait, @function
cpu_wait:
    .cfi_startproc
    larl %r1, wait_psw
    lpswe 0(%r1)
wait_done:
    br %r14
    .cfi_endproc

    /* ---- Another CPU, as arch/s390x/cpus.c has prepared its lowcore ---- */

    .globl restart_entry
    .type restart_entry, @function
restart_entry:
    .cfi_startproc
    .cfi_undefined 14
    larl %r1, never
    sckc 0(%r1)
    lctlg %c0, %c15, LC_CONTROLS
    lg %r15, LC_STACK
    larl %r1, restart_psw
    lpswe 0(%r1)
restart_translated:
    xc 0(8, %r15), 0(%r15)
    brasl %r14, cpu_arrived
    .cfi_endproc

    /*
     * ---- A service signal, taken in any state: what it says is kept, the wait is over. A call of
     * another CPU: it waits for this one to forget translations or to stop, or wakes it; so does
     * the clock ----
     */

    .globl external_entry
    .type external_entry, @function
external_entry:
    .cfi_startproc simple
    .cfi_signal_frame
    .cfi_return_column CFI_PSW
    .cfi_def_cfa 15, 0
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .cfi_same_value \n
    .endr
    saved_at CFI_PSW, LC_EXTERNAL_OLD + 8
    stmg %r0, %r1, LC_EXTERNAL_SAVED
    saved_at 0, LC_EXTERNAL_SAVED
    saved_at 1, LC_EXTERNAL_SAVED + 8
    lh %r0, LC_EXTERNAL_CODE
    chi %r0, EXTERNAL_CALL
    je 3f
    chi %r0, EXTERNAL_CLOCK_COMPARATOR
    je 4f
    chi %r0, EXTERNAL_SERVICE_SIGNAL
    jne 2f
    l %r0, LC_EXTERNAL_PARAMETER
    tmll %r0, 1
    jz 1f
    mvi LC_SERVICE_EVENT + 3, 1
1:  nill %r0, 0xfff8
    ltr %r0, %r0                    /* NILL tells of its 16 bits only */
    jz 2f                           /* events only: a completion told before must not be lost */
    st %r0, LC_SERVICE_DONE
    /* In a copy: the old PSW itself is protected as a low address. */
2:  mvc LC_EXTERNAL_RETURN(16), LC_EXTERNAL_OLD
    ni LC_EXTERNAL_RETURN + 1, 0xff - PSW_BYTE1_WAIT
    lmg %r0, %r1, LC_EXTERNAL_SAVED
    lpswe LC_EXTERNAL_RETURN
3:  larl %r1, cpus_halting
    icm %r0, 15, 0(%r1)
    jnz 5f
    larl %r1, cpus_forget_asked
    l %r0, 0(%r1)
    ptlb
    lg %r1, LC_FORGOTTEN
    st %r0, 0(%r1)
    j 2b
4:  larl %r1, never                 /* else it interrupts as long as its time is over */
    sckc 0(%r1)
    j 2b
5:  stap LC_EXTERNAL_SAVED          /* for good: the place is free now */
    lh %r0, LC_EXTERNAL_SAVED
    sigp %r1, %r0, SIGP_STOP
    j 5b
    .cfi_endproc

    .section .rodata
    .balign 8
    .globl psws
psws:
    new_psws
restart_psw:
    .quad PSW_DAT + PSW_REAL, restart_translated
wait_psw:
    .quad PSW_DAT + PSW_ENABLED_WAIT, wait_done
refuse_wait_psw:
    .quad PSW_ENABLED_WAIT, refuse_waited
refuse_psw:
    .quad PSW_DISABLED_WAIT, STOP_OLD_PROCESSOR
control_0:
    .quad CR0_SERVICE_SIGNAL + CR0_EXTERNAL_CALL + CR0_CLOCK_COMPARATOR
never:
    .quad -1
refuse_calls:
    .long 0x00780005, refuse_mask, 0x00760005, refuse_text
refuse_calls_end:
no_interrupts:
    .byte 0

    .data
    .balign 128
refuse_mask:                        /* write event mask: ASCII console, both ways */
    .short 28, 0, 0, 0, 0, 4
    .long 0x40, 0x40, 0, 0
    .balign 128
refuse_text:                        /* write event data: type 0x1a */
    .short refuse_end - refuse_text, 0, 0, 0
    .short refuse_end - refuse_text - 8, 0x1a00, 0
    .ascii "\r\n; this processor is older than a z196\r\n"
refuse_end:

    .macro stack name, size
    .globl \name\()_guard, \name, \name\()_top
\name\()_guard:
    .skip GUARD_SIZE
\name:
    .skip \size
\name\()_top:
    .endm

    .bss
    .balign GUARD_SIZE
    stack boot_stack, BOOT_STACK_SIZE
    stack trap_stack, TRAP_STACK_SIZE

    /* The command line as run-guest.sh finds its place in an ISO. */
    .section .command_line, "a"
    .globl command_line
    .type command_line, @object
    .size command_line, COMMAND_LINE_SIZE
    .ascii "pfnlab command line follows:\0\0\0\0"
command_line:
    .skip COMMAND_LINE_SIZE
