/* SPDX-License-Identifier: MIT */
/* Segment selectors of both widths, for C and assembly: offsets in the GDT of start.S. */
#ifndef PFNLAB_X86_SELECTORS_H
#define PFNLAB_X86_SELECTORS_H

#define SELECTOR_CODE 0x08            /* of the port's width */
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE_32 0x18         /* for the way to it */

/*
 * From here on each CPU has its own two descriptors: one of 64-bit mode's TSS, or two of 32-bit
 * mode's, the second for double faults. So its task register tells which CPU it is.
 */
#define SELECTOR_TSS 0x20
#define SELECTOR_TSS_SHIFT 4
#define SELECTOR_TSS_DOUBLE_FAULT (SELECTOR_TSS + 8)
#define SELECTOR_CPUS 256

#define GDT_SIZE (SELECTOR_TSS + (SELECTOR_CPUS << SELECTOR_TSS_SHIFT))

#endif
