/* SPDX-License-Identifier: MIT */
/* What the two widths share of the PC, and what each supplies to it. */
#ifndef PFNLAB_X86_MACHINE_H
#define PFNLAB_X86_MACHINE_H

#include "arch/x86/multiboot.h"

/*
 * The image owns this megabyte and the next, whatever its size, so that the memory map does not
 * depend on the build; link.ld verifies that it fits.
 */
#define IMAGE_START UINT64_C(0x100000)
#define IMAGE_END UINT64_C(0x300000)

/* Set by the entry code (boot.S): what EAX and EBX held. */
extern uint32_t boot_magic, boot_address;

extern struct boot_info boot_info;

/* Complain on the console and end, before anything else works. */
_Noreturn void machine_refuse(const char *why);

/* Final page tables for the memory that boot_info tells of. */
void paging_open(void);

/*
 * The port's shape of page tables. Addresses below `end` can be mapped; the root is the table of
 * level `levels` (1: of pages), one of as many entries as reach `end`, zeroed.
 */
struct paging {
    unsigned levels;
    uint64_t end;
    uint64_t *root;
};
extern const struct paging paging;

/* The port's: from now on the processor uses paging.root, called once. */
void paging_load(void);

#endif
