/* SPDX-License-Identifier: MIT */
/* The PC's processors. */
#ifndef PFNLAB_X86_CPUS_H
#define PFNLAB_X86_CPUS_H

#include "arch/arch.h"
#include "arch/common/flush.h"
#include "arch/x86/multiboot.h"

/* Find them, while all that the firmware left can be read. */
void cpus_find(boot_view view);

/* This one is CPU 0; after paging_open(). */
void cpus_open(void);

/* All others drop these translations, too. Returns when they have. */
void cpus_flush(const struct flush *flush);

/* On the interrupt VECTOR_CPU. */
void cpus_interrupt(void);

/* Before any other exception is looked at: does not return where this CPU is to halt. */
void cpus_halt_here(void);

#endif
