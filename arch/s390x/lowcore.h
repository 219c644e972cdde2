/* SPDX-License-Identifier: MIT */
/*
 * The first page of each CPU's real memory and the PSWs in it, for C and assembly: z/Architecture
 * Principles of Operation, "Assigned Storage Locations" and "Program-Status Word".
 */
#ifndef PFNLAB_S390X_LOWCORE_H
#define PFNLAB_S390X_LOWCORE_H

/* Offsets that the architecture assigns. */
#define LC_EXTERNAL_PARAMETER 0x080
#define LC_EXTERNAL_CODE 0x086
#define LC_PROGRAM_ILC 0x08d
#define LC_PROGRAM_CODE 0x08e
#define LC_TEID 0x0a8                 /* translation-exception identification */
#define LC_STFL 0x0c8                 /* what STFL stores */
#define LC_EXTERNAL_OLD 0x130
#define LC_PROGRAM_OLD 0x150
#define LC_RESTART_NEW 0x1a0
#define LC_EXTERNAL_NEW 0x1b0
#define LC_SVC_NEW 0x1c0
#define LC_PROGRAM_NEW 0x1d0
#define LC_MACHINE_CHECK_NEW 0x1e0
#define LC_IO_NEW 0x1f0
#define NEW_PSWS_SIZE 0x60            /* from LC_RESTART_NEW on */

/* What the architecture leaves to programs, from 0x200 on: ours, each CPU's own. */
#define LC_OURS 0x200
#define LC_EXTERNAL_SAVED 0x200       /* r0 and r1 while an external interrupt is served */
#define LC_PROGRAM_SAVED 0x210        /* r0 .. r15 at the last program check */
#define LC_TRAPPED 0x290              /* u32: program checks that were not unwound yet */
#define LC_GUARD 0x298                /* the innermost guard's frame */
#define LC_TRAP_STACK 0x2a0           /* stack pointer for program checks */
#define LC_SERVICE_DONE 0x2a8         /* u32: address of the SCCB that was served last, or 0 */
#define LC_SERVICE_EVENT 0x2ac        /* u32: not 0: the SCLP has events for us */
#define LC_FACILITIES 0x2b0           /* what STFLE stores: facilities 0 .. 63 */
#define LC_EXTERNAL_RETURN 0x2b8      /* the PSW that an external interrupt goes back to */
#define LC_NUMBER 0x2c8               /* u32: which CPU this is (arch.h) */
#define LC_ADDRESS 0x2cc              /* u16: and what the machine calls it, while it is needed */
#define LC_FORGOTTEN 0x2d0            /* its place of cpus_forgotten (arch/common/cpus.h) */
#define LC_STACK 0x2d8                /* the stack pointer that a CPU begins with */
#define LC_OURS_SIZE 0x0e0

/* Where a CPU's control registers are stored at its end, and taken from at its beginning. */
#define LC_CONTROLS 0x1380
#define LC_SIZE 0x2000

/*
 * Where the page is seen with DAT on, as address 0 is not mapped: at the end of the first TiB, far
 * behind all memory. What is mapped there is real address 0, thus each CPU sees its own page.
 */
#define LC_VIEW 0xffffffe000

/* Program checks within one another, beyond which a CPU stops. */
#define TRAPS_MAX 2

/* PSW masks: 64-bit addressing; disabled and without DAT unless it says otherwise. */
#define PSW_REAL 0x0000000180000000
#define PSW_ENABLED_WAIT 0x0102000180000000
#define PSW_DISABLED_WAIT 0x0002000180000000
#define PSW_DAT 0x0400000000000000

/* In the first byte of a PSW, and in the second. */
#define SYSTEM_MASK_EXTERNAL 0x01
#define SYSTEM_MASK_DAT 0x04
#define PSW_BYTE1_WAIT 0x02

/*
 * CR0: the service signal, external calls and the clock comparator interrupt; no store to 0..511
 * and 4096..4607; no execution where a page says so.
 */
#define CR0_SERVICE_SIGNAL 0x200
#define CR0_EXTERNAL_CALL 0x2000
#define CR0_CLOCK_COMPARATOR 0x800
#define CR0_LOW_ADDRESS_PROTECTION 0x10000000
#define CR0_EXECUTION_PROTECTION 0x00100000

/*
 * Instruction addresses of disabled waits, by which a stopped CPU tells why. QEMU takes the first
 * for an orderly end and every other one for a panic.
 */
#define STOP_ORDERLY 0xfff
#define STOP_PANIC 0xeee
#define STOP_OLD_PROCESSOR 0xe01
#define STOP_NO_CONSOLE 0xe02
#define STOP_TRAPS 0xe03              /* a program check in one in one, see TRAPS_MAX */
#define STOP_UNEXPECTED 0xe00000      /* plus the offset of the new PSW that was loaded */

#define EXTERNAL_CLOCK_COMPARATOR 0x1004
#define EXTERNAL_CALL 0x1202
#define EXTERNAL_SERVICE_SIGNAL 0x2401

/* Orders of SIGP and bits of its status ("Signal-Processor Orders"); addresses are below. */
#define SIGP_SENSE 0x01
#define SIGP_EXTERNAL_CALL 0x02
#define SIGP_STOP 0x05
#define SIGP_RESTART 0x06
#define SIGP_INITIAL_CPU_RESET 0x0b
#define SIGP_SET_PREFIX 0x0d
#define SIGP_SET_ARCHITECTURE 0x12
#define SIGP_STATUS_STOPPED 0x40
#define SIGP_ADDRESSES 256

/* Where QEMU and run-guest.sh put the kernel command line, and how long it may be, with its NUL. */
#define COMMAND_LINE 0x10480
#define COMMAND_LINE_SIZE 896

/* The stack frame of the ELF ABI: back chain at 0, r6 .. r15 saved from 48 on. */
#define FRAME_SIZE 160
#define FRAME_SAVED 48
#define FRAME_RETURN 112

#endif
