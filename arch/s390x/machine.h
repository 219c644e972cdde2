/* SPDX-License-Identifier: MIT */
/* The image: what link.ld and start.S lay out. */
#ifndef PFNLAB_S390X_MACHINE_H
#define PFNLAB_S390X_MACHINE_H

/*
 * The image owns this much from its start on, whatever its size, so that the memory map does not
 * depend on the build; link.ld verifies that it fits.
 */
#define IMAGE_START UINT64_C(0x10000)
#define IMAGE_END UINT64_C(0x200000)

/* What is loaded at 0. */
extern const char real_0[];

/* Code from `start` on, then constants, then data. */
extern char start[], text_end[], rodata_end[];

/* A `br %r14` each, in code and in data. */
extern const char text_return[], data_return[];

/* What a lowcore has from LC_RESTART_NEW on, and the code where another CPU begins. */
extern const char psws[], restart_entry[];

/* CPU 0's stacks; below each lies a page that is not mapped. */
extern char boot_stack_guard[], boot_stack[], boot_stack_top[];
extern char trap_stack_guard[], trap_stack[], trap_stack_top[];

extern const char command_line[];     /* at COMMAND_LINE: what the loader put there */

#endif
