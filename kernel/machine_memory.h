/* SPDX-License-Identifier: MIT */
/*
 * How the lab's heap touches memory: where an address is mapped, whatever it is mapped to.
 */
#ifndef PFNLAB_MACHINE_MEMORY_H
#define PFNLAB_MACHINE_MEMORY_H

#include "kernel/mm/heap.h"

/*
 * On an injected map nothing can be reached. An access that faults, since somebody protected the
 * memory, counts as memory that cannot be reached; what came before it may have been written.
 */
extern const struct heap_memory machine_memory;

#endif
