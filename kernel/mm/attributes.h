/* SPDX-License-Identifier: MIT */
/*
 * Attributes of pages of the direct map: the layer above the page allocator and the page tables,
 * which know nothing of one another. A page that is free has the default attributes, so that
 * whoever gets it next can write it; so has all that is not the allocators'.
 *
 * On an injected map there is no memory, and so there are no attributes.
 */
#ifndef PFNLAB_MM_ATTRIBUTES_H
#define PFNLAB_MM_ATTRIBUTES_H

#include "kernel/mm/pages.h"
#include "kernel/mmu.h"

/*
 * The lock guards the count and the attributes themselves; and that a page keeps its state from the
 * moment when it is looked at to that when it gets or loses attributes: who frees one takes it,
 * too.
 */
struct attributes {
    struct lock lock;
    const struct mmu *mmu;
    struct pages *pages;
    uint64_t changed;             /* pages that have other attributes than the default; `lock` */
};

void attributes_init(struct attributes *attributes, const struct mmu *mmu, struct pages *pages);

/* What memory has unless told otherwise: MMU_DATA, as far as the machine can. */
unsigned attributes_default(const struct mmu *mmu);

/* CALL_UNSUPPORTED: the machine has not all of them, or the map is injected. */
MUST_USE enum error attributes_supported(const struct attributes *attributes, unsigned wanted);

/* As pages_alloc(), with attributes, given after zeroing. Errors also as attributes_protect(). */
MUST_USE enum error attributes_alloc(struct attributes *attributes,
                                     const struct page_request *request, uint32_t tag,
                                     bool dontzero, unsigned wanted, pfn_t *out, bool *zeroed,
                                     pfn_t *blame);

/*
 * Give `count` pages from `first` other attributes, all or nothing. *blame is the first page in the
 * way: MEM_FREE, MEM_UNMANAGED: not allocated and not reserved; MEM_KIND: the page behind an
 * address of vmalloc, whose attributes are given there; FAULT_ADDRESS: this machine cannot reach
 * it. CALL_UNSUPPORTED: as attributes_supported(). MEM_METADATA: no table for a split.
 */
MUST_USE enum error attributes_protect(struct attributes *attributes, pfn_t first, uint64_t count,
                                       unsigned wanted, pfn_t *blame);

/*
 * As pages_free() and pages_unreserve(); the pages have the default attributes when they are free.
 * MEM_METADATA also if there is no table for a split. On error nothing has changed.
 */
MUST_USE enum error attributes_free(struct attributes *attributes, pfn_t first, uint64_t count,
                                    uint64_t *freed, pfn_t *blame);
MUST_USE enum error attributes_unreserve(struct attributes *attributes, pfn_t first,
                                         uint64_t count, uint32_t tag, pfn_t *blame);

/*
 * Give all pages of [first, first + count) that are mapped the default attributes; cannot fail. Of
 * an instance that nobody uses any more.
 */
void attributes_clear(struct attributes *attributes, pfn_t first, uint64_t count);

/* Does the page have other attributes than the default? */
bool attributes_are_changed(const struct attributes *attributes, pfn_t frame);

/*
 * While no other CPU is at work: verify invariants 700 and 701 (attributes.c) for the pages of
 * [first, first + count), all memory of the allocators, and count those with other attributes into
 * *changed. *violation as the engine's; the invariant is 0 if the hook of `pages` said to stop.
 */
MUST_USE bool attributes_check_range(const struct attributes *attributes, pfn_t first,
                                     uint64_t count, uint64_t *changed,
                                     struct page_violation *violation);

/* The last of them: 701, when all ranges were counted. */
MUST_USE bool attributes_check_total(const struct attributes *attributes, uint64_t changed,
                                     struct page_violation *violation);

#endif
