/* SPDX-License-Identifier: MIT */
/*
 * The sorted array of extents under phys, private to phys*.c: every change replaces a few
 * neighbours by a few others.
 */
#ifndef PFNLAB_MM_PHYS_EXTENTS_H
#define PFNLAB_MM_PHYS_EXTENTS_H

#include "kernel/mm/phys.h"

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The first extent that ends above `address`; `count` if there is none. O(log extents). */
size_t extent_find(const struct phys_allocator *phys, uint64_t address);

/* True if the two would be one extent where they touch: early allocations never are. */
bool extents_alike(const struct phys_extent *a, const struct phys_extent *b);

/*
 * The end of the free extents that touch one another from extent `i` on, which may be no free one;
 * *next is the first that is not of them.
 */
uint64_t extents_free_end(const struct phys_allocator *phys, size_t i, size_t *next);

/*
 * Make [extent.start, extent.end) one extent like `extent`: what lies there is cut off or
 * replaced, neighbours that are alike are taken in. Grows by at most one record for each end that
 * is not an edge already. MEM_METADATA: the records are full. O(extents).
 */
MUST_USE enum error extent_paint(struct phys_allocator *phys, struct phys_extent extent);

#endif
