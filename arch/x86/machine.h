/* SPDX-License-Identifier: MIT */
/* What the two widths share of the PC, and what each supplies to it. */
#ifndef PFNLAB_X86_MACHINE_H
#define PFNLAB_X86_MACHINE_H

#include "arch/common/radix.h"
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

/* Find out how fast the time stamp counter is; takes 2 ms. After pic_open(). */
void clock_open(void);

/* Final page tables for the memory that boot_info tells of. */
void paging_open(void);

/* On another CPU that uses them already: what else belongs to them. */
void paging_open_cpu(void);

/*
 * The port's page tables: their shape, the root's zeroed entries, which reach `limit`, and where
 * the virtual allocator's window may lie.
 */
struct paging {
    const struct radix_format *format;
    uint64_t *root;
    uint64_t limit, window_first, window_limit;
};
extern const struct paging paging;

/* The port's: from now on the processor uses paging.root, called once. */
void paging_load(void);

#endif
