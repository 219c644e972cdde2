/* SPDX-License-Identifier: MIT */
/* What pages*.c share. */
#ifndef PFNLAB_MM_PAGES_PARTS_H
#define PFNLAB_MM_PAGES_PARTS_H

#include "kernel/mm/pages.h"

/* Under the lock. */
static inline uint32_t owner_of(const struct pages *pages, pfn_t first)
{
    uint32_t tag;

    return lookup_find(pages->owners, first.n, &tag) ? tag : 0;
}

static inline enum pages_use use_of(const struct pages *pages, pfn_t first)
{
    return (enum pages_use)lookup_marked(pages->owners, first.n);
}

/* Under the lock that made it so: write an event down. */
static inline void pages_note(const struct pages *pages, enum pages_event event, pfn_t first,
                              uint64_t count, uint32_t tag)
{
    if (pages->hooks.event != NULL)
        pages->hooks.event(event, first, count, tag);
}

/* ---- caches of single pages (pages_cache.c); of pages without any these do nothing ---- */

/* A page for a request that a cache may serve; false: it may not, or nothing is left for it. */
bool cache_alloc(struct pages *pages, const struct page_request *request, uint32_t tag,
                 pfn_t *first);

/*
 * Under the lock, before a page is freed by its address: it is no cache's any more. False: it is in
 * a cache, and so free already.
 */
bool cache_release(struct pages *pages, pfn_t first);

/* Under the lock: give all that caches keep back to the engine. True if that was something. */
bool cache_drain(const struct pages *pages);

/* Is each page that a cache has handed out an allocated block? Else *at is one that is not. */
bool cache_check(const struct pages *pages, pfn_t *at);

#endif
