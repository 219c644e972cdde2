/* SPDX-License-Identifier: MIT */
/*
 * What a boot loader hands over by Multiboot 1 (Multiboot Specification 0.6.96, section 3.3),
 * copied out of it: afterwards the loader's structures may be overwritten. Plain C over an
 * accessor, so that unit tests feed it structures made by hand.
 */
#ifndef PFNLAB_X86_MULTIBOOT_H
#define PFNLAB_X86_MULTIBOOT_H

#include "kernel/base.h"

#define MULTIBOOT_MAGIC 0x2badb002u       /* in EAX at the entry */

#define BOOT_RANGES 512u
#define BOOT_COMMAND_LINE 4096u

struct boot_range {
    struct phys_range range;
    const char *name;             /* static: "memory", "firmware", "module" */
};

struct boot_info {
    char command_line[BOOT_COMMAND_LINE];     /* without the image's name, printable ASCII */
    struct boot_range ranges[BOOT_RANGES];
    size_t count;
};

/* Where `size` bytes at a physical address can be read; NULL: nowhere. */
typedef const void *(*boot_view)(uint64_t address, uint64_t size);

/* Copy from there, as structures need not be aligned. False: nowhere. */
MUST_USE bool boot_copy(boot_view view, uint64_t at, void *to, size_t size);

/*
 * Read the information at `info`. NULL, or what is wrong with it, for people; `out` then holds
 * what was read so far. Everything that is not usable memory by name is reserved; modules too.
 */
const char *multiboot_read(boot_view view, uint32_t info, struct boot_info *out);

#endif
