/* SPDX-License-Identifier: MIT */
#ifndef PFNLAB_I386_MACHINE_H
#define PFNLAB_I386_MACHINE_H

#include <stdint.h>

/* Double faults run with these page tables, too: their physical address, as in CR3. */
void trap_set_root(uintptr_t root);

#endif
