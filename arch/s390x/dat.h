/* SPDX-License-Identifier: MIT */
/*
 * Dynamic address translation: the tables that are there from the start, and how a CPU comes to use
 * them. All memory is mapped one to one, page by page, but for the lowcore (real address 0, which
 * is seen at LC_VIEW only) and the pages below stacks.
 */
#ifndef PFNLAB_S390X_DAT_H
#define PFNLAB_S390X_DAT_H

#include "kernel/base.h"

/*
 * From start.S, with DAT off: map the image's reservation, its code and constants read-only, and
 * turn on DAT, low-address protection and, where there is facility 130, execution protection.
 */
void dat_open(void);

/*
 * Let this CPU translate by the one address space there is, with these protections. Its other
 * control registers, and what may interrupt it, stay as they are.
 */
void dat_enter(void);

/* No memory is mapped from here on: what follows is the lowcore's view, then the window. */
#define DAT_MEMORY_MAX (UINT64_C(511) << 31)

/*
 * Map all of the first `memory` bytes, which contain the image's reservation. The tables take the
 * end of it: dat_tables() tells from where on, nothing else may be there. Cost: a store a page.
 */
void dat_map_memory(uint64_t memory);
uint64_t dat_tables(uint64_t memory);

/* The region-third table. */
extern uint64_t dat_root[];

#endif
