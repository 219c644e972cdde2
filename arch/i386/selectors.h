/* SPDX-License-Identifier: MIT */
/* Segment selectors, for C and assembly: offsets in the GDT of start.S. */
#ifndef PFNLAB_I386_SELECTORS_H
#define PFNLAB_I386_SELECTORS_H

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18
#define SELECTOR_TSS_DOUBLE_FAULT 0x20

#endif
