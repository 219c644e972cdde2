/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own pool: one run of real memory, taken from `phys` at boot, out of which come the
 * records of the allocators under test (engine nodes, owner records, address ranges); page tables
 * have memory of their own (tables.h). It is separate from what is tested, so that addresses agree
 * on all machines and starving it is a test.
 *
 * Two ends: fixed runs are carved from the top and live until kpool_reset(); single pages are taken
 * and given back below. Nothing is written to a page until it is taken for the first time, so that
 * a reset costs nothing that grows with the pool.
 */
#ifndef PFNLAB_MM_KPOOL_H
#define PFNLAB_MM_KPOOL_H

#include "kernel/lock.h"
#include "kernel/mm/engine.h"
#include "kernel/mm/fail.h"

struct kpool {
    unsigned char *base;      /* PAGE_SIZE-aligned */
    uint64_t pages;           /* all of them */
    struct lock lock;         /* guards what follows; carving is the boot's and the reset's */
    uint64_t virgin;          /* pages below this index were taken at least once */
    uint64_t ceiling;         /* pages from this index on are fixed runs */
    uint64_t used;            /* pages taken now, fixed runs included */
    void *returned;           /* given-back pages, linked through their first word */
    struct fail *fail;        /* NULL: nothing is refused on purpose; set by the owner, kept */
};

/* Make a pool of `pages` pages at `base`; the memory is the pool's from now on. */
void kpool_init(struct kpool *pool, void *base, uint64_t pages);

/* Forget every page and run that was taken. */
void kpool_reset(struct kpool *pool);

/* One page, content undefined, or NULL. O(1). Refusals by plan: FAIL_POOL. */
void *kpool_take(struct kpool *pool);
void kpool_give(struct kpool *pool, void *page);

/* Give back pages that were linked in `returned` once and were cut off since; NULL: none. */
void kpool_return(struct kpool *pool, void *returned);

/* A run of at least `size` bytes, PAGE_SIZE-aligned, not cleared, until kpool_reset(); or NULL. */
void *kpool_carve(struct kpool *pool, uint64_t size);

/* The pool as an engine's source of nodes. */
struct node_source kpool_source(struct kpool *pool);

#endif
