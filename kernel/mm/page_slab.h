/* SPDX-License-Identifier: MIT */
/* Leaves, 16 in a page of the node source. Private to kernel/mm/page*.c and its tests. */
#ifndef PFNLAB_MM_PAGE_SLAB_H
#define PFNLAB_MM_PAGE_SLAB_H

#include "kernel/mm/page_node.h"

#define SLAB_LEAVES 16u               /* leaves in one page of the node source */

/*
 * The leaves of 16 units, 2 MiB each; one page of the node source. Part by part, as who looks for a
 * place or frees a page needs not all of a leaf.
 */
struct page_slab {
    struct page_pair pair[SLAB_LEAVES * NODE_WORDS];
    uint64_t fresh[SLAB_LEAVES * NODE_WORDS];
    uint64_t orders[SLAB_LEAVES];
    uint8_t class[SLAB_LEAVES];       /* node_order() of that, as entered in the chunk's classes */
};

/*
 * A slab does not begin where its page does, but some cache lines behind, by its number: else the
 * same part of every slab lay in the same few sets of a cache.
 */
#define SLAB_COLOURS 8u
#define CACHE_LINE 64u
_Static_assert(sizeof(struct page_slab) + (SLAB_COLOURS - 1) * CACHE_LINE <= PAGE_SIZE,
               "a slab lies in one page");
static inline struct page_slab *slab_in(void *page, unsigned slab)
{
    return (struct page_slab *)(void *)((unsigned char *)page + slab % SLAB_COLOURS * CACHE_LINE);
}
static inline void *slab_page(struct page_slab *slab)
{
    return (void *)((uintptr_t)slab & ~(uintptr_t)(PAGE_SIZE - 1));
}

#endif
