/* SPDX-License-Identifier: MIT */
/* The memory of the lab's allocators, for tests of what is above it: it cannot be reached. */
#ifndef PFNLAB_UNIT_NO_MEMORY_H
#define PFNLAB_UNIT_NO_MEMORY_H

#include "kernel/machine_memory.h"

static bool none(void)
{
    return false;
}

static enum error no_memory(virt_t at, uint64_t size, virt_t *bad)
{
    (void)at, (void)size, (void)bad;
    return E_CALL_UNSUPPORTED;
}

static enum error no_copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    (void)from;
    return no_memory(to, size, bad);
}

static bool no_pattern(virt_t at, uint64_t size, virt_t *bad)
{
    (void)size;
    *bad = at;
    return false;
}

const struct memory_hooks machine_memory = { none, no_memory, no_copy, no_memory, no_pattern };

#endif
