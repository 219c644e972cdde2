/* SPDX-License-Identifier: MIT */
/*
 * How the lab's allocators touch memory.
 */
#ifndef PFNLAB_MACHINE_MEMORY_H
#define PFNLAB_MACHINE_MEMORY_H

#include "kernel/mm/memory.h"

/*
 * By C where the frame behind an address can be reached by its own address, else, as a 32-bit
 * machine has it above 4 GiB, by single accesses at the address itself.
 */
extern const struct memory_hooks machine_memory;

#endif
