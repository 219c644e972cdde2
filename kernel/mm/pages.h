/* SPDX-License-Identifier: MIT */
/*
 * The layer above a page engine: zeroing, owners, events. It decides nothing about placement.
 */
#ifndef PFNLAB_MM_PAGES_H
#define PFNLAB_MM_PAGES_H

#include "kernel/mm/engine.h"
#include "kernel/mm/kpool.h"
#include "kernel/mm/lookup.h"

/* What happened, for whoever listens (the serial line's `trace`). */
enum pages_event { PAGES_ALLOC, PAGES_FREE, PAGES_RESERVE, PAGES_UNRESERVE };

struct pages_hooks {
    /*
     * Fill frames with zero bytes. CALL_UNSUPPORTED: this machine cannot reach them, nothing was
     * written. STOP_INTERRUPTED: stopped() said true, some may have been written.
     */
    enum error (*zero)(pfn_t first, uint64_t pages);
    /* Shall what takes long stop? Asked now and then. */
    bool (*stopped)(void);
    /* Called after each success; NULL for nobody. May not call back into pages. */
    void (*event)(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag);
};

/* What a block is for: what has a use of its own is given back by who gave it that. */
enum pages_use { PAGES_PLAIN, PAGES_MAPPED };   /* MAPPED: behind addresses of vmalloc */

struct pages {
    const struct page_engine *engine;
    void *state;                  /* the engine's */
    struct lookup *owners;
    struct pages_hooks hooks;
    bool backed;                  /* the frames are real memory of this machine */
    struct fail *fail;            /* NULL: nothing is refused on purpose; set after pages_init() */
};

/*
 * An allocator of the frames of `map`, with all its records in `pool`. Errors as the engine's
 * init(); MEM_METADATA also if the pool cannot hold the engine's roots: *needed, in bytes, is then
 * what it must have for them (0 on any other error). On error *pages means nothing and the pool is
 * to be reset.
 */
MUST_USE enum error pages_init(struct pages *pages, const struct page_engine *engine,
                               const struct page_map *map, bool backed, struct kpool *pool,
                               const struct pages_hooks *hooks, uint64_t *needed);

/*
 * Allocate by `request` for the request numbered `tag` (0: nobody's), zeroed unless `dontzero`.
 * *zeroed is false if zeroes were wanted and the frames cannot be reached. Errors as the engine's;
 * MEM_INJECTED: refused by the plan in `fail`.
 * STOP_INTERRUPTED: the zeroing was stopped, and the block is free again. Its pages were handed out
 * and written, so that they are not fresh any more: all is as after an allocation and its free().
 */
MUST_USE enum error pages_alloc(struct pages *pages, const struct page_request *request,
                                uint32_t tag, bool dontzero, pfn_t *out, bool *zeroed,
                                pfn_t *blame);

/* The same for a use of its own. */
MUST_USE enum error pages_alloc_use(struct pages *pages, const struct page_request *request,
                                    uint32_t tag, enum pages_use use, bool dontzero, pfn_t *out,
                                    bool *zeroed, pfn_t *blame);

/*
 * Free a block by its first frame (`count` 0), or `count` frames of a block from `first` on; what
 * is left of the block keeps its owner. *freed is the number of frames given back. Errors as the
 * engine's free() and free_part(); MEM_METADATA also when there is no record for the rest;
 * MEM_KIND: the block has a use of its own. On any error *blame is the frame it is about: `first`,
 * or for MEM_BEYOND the one behind the block.
 */
MUST_USE enum error pages_free(struct pages *pages, pfn_t first, uint64_t count, uint64_t *freed,
                               pfn_t *blame);

/*
 * Free a block of one page with a use of its own. The engine's free() of a block of one page needs
 * no node (its leaf is open), and cannot fail.
 */
void pages_free_use(struct pages *pages, pfn_t first, enum pages_use use);

/* The use of the allocated block that begins at `first`; PAGES_PLAIN also if there is none. */
enum pages_use pages_use(const struct pages *pages, pfn_t first);

/* As the engine's; *blame as there. */
MUST_USE enum error pages_reserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                                  pfn_t *blame);
MUST_USE enum error pages_unreserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                                    pfn_t *blame);

/* The owner of the allocated block that begins at `first`; 0 if nobody or no such block. */
uint32_t pages_owner(const struct pages *pages, pfn_t first);

/*
 * The engine's check(), then: every owner record belongs to an allocated block (invariant 100).
 * BUG_CHECK: *violation is the first that does not hold. STOP_INTERRUPTED.
 */
MUST_USE enum error pages_check(const struct pages *pages, struct page_violation *violation);

#endif
