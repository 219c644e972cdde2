/* SPDX-License-Identifier: MIT */
/* The memory of the lab's heap, for tests of what is above it: it cannot be reached. */
#ifndef PFNLAB_UNIT_NO_MEMORY_H
#define PFNLAB_UNIT_NO_MEMORY_H

#include "kernel/machine_memory.h"

static bool none(void)
{
    return false;
}

static bool no_memory(virt_t at, uint64_t size)
{
    (void)at;
    (void)size;
    return false;
}

static bool no_copy(virt_t to, virt_t from, uint64_t size)
{
    (void)from;
    return no_memory(to, size);
}

static bool no_pattern(virt_t at, uint64_t size, virt_t *bad)
{
    *bad = at;
    return no_memory(at, size);
}

const struct heap_memory machine_memory = { none, no_memory, no_copy, no_memory, no_pattern };

#endif
