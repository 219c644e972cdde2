/* SPDX-License-Identifier: MIT */
/*
 * The layer above a page engine: zeroing, owners, events, and the lock. It decides nothing about
 * placement.
 *
 * One lock guards the engine, all areas of it: a request names a set of areas and is refused only
 * when each was tried, and engines share records among areas (nodes, the hot word). What contention
 * costs is taken away where it arises, by the caches of single pages.
 */
#ifndef PFNLAB_MM_PAGES_H
#define PFNLAB_MM_PAGES_H

#include "kernel/lock.h"
#include "kernel/mm/engine.h"
#include "kernel/mm/kpool.h"
#include "kernel/mm/lookup.h"

/* What happened, for whoever listens (the serial line's `trace`). */
enum pages_event {
    PAGES_ALLOC, PAGES_FREE, PAGES_RESERVE, PAGES_UNRESERVE,
    PAGES_LOST,                   /* not of pages: so many events could not be kept until told */
};

struct pages_hooks {
    /*
     * Fill frames with zero bytes. CALL_UNSUPPORTED: this machine cannot reach them, nothing was
     * written. STOP_INTERRUPTED: stopped() said true, some may have been written.
     */
    enum error (*zero)(pfn_t first, uint64_t pages);
    /* Shall what takes long stop? Asked now and then. */
    bool (*stopped)(void);
    /*
     * NULL for nobody. event() writes down what has just happened, under the lock that made it so:
     * the events of a page come in their order. Thereafter tell() may talk of what was written
     * down; but it may be called with locks of layers above. Neither may call back into pages.
     */
    void (*event)(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag);
    void (*tell)(void);
};

/* What a block is for: what has a use of its own is given back by who gave it that. */
enum pages_use {
    PAGES_PLAIN,
    PAGES_MAPPED,                 /* a page behind addresses of vmalloc */
    PAGES_CPU,                    /* what a CPU needs to run */
};

struct page_caches;

struct pages {
    const struct page_engine *engine;
    struct lock lock;
    void *state;                  /* the engine's; `lock` */
    struct lookup *owners;        /* `lock` */
    struct pages_hooks hooks;
    bool backed;                  /* the frames are real memory of this machine */
    struct page_caches *caches;   /* of single pages, each with a lock of its own; NULL: none */
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
 * Let the block that begins at `first` have `count` frames more: those behind it, below `limit`, as
 * they are, not zeroed. It keeps its owner. Errors as the engine's extend(); MEM_KIND: the block
 * has a use of its own; MEM_INJECTED. Nothing changes on error.
 */
MUST_USE enum error pages_extend(struct pages *pages, pfn_t first, uint64_t count, pfn_t limit,
                                 pfn_t *blame);

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
 * What is to be done with pages that have become free, before anybody can have them: step() is
 * called under the lock, and cannot refuse any more. NULL: nothing.
 */
struct pages_last {
    void (*step)(void *context);
    void *context;
};

/* The same for who holds a lock of their own, and lets pages_tell() tell of it thereafter. */
MUST_USE enum error pages_free_quietly(struct pages *pages, pfn_t first, uint64_t count,
                                       const struct pages_last *last, uint64_t *freed,
                                       pfn_t *blame);
MUST_USE enum error pages_unreserve_quietly(struct pages *pages, pfn_t first, uint64_t count,
                                            const struct pages_last *last, uint32_t tag,
                                            pfn_t *blame);
void pages_tell(const struct pages *pages);

/*
 * Free a block with a use of its own. The engine's free() of a block of one page needs no node (its
 * leaf is open), and cannot fail. Of a longer one: MEM_METADATA.
 */
MUST_USE enum error pages_give_back(struct pages *pages, pfn_t first, enum pages_use use);
void pages_free_use(struct pages *pages, pfn_t first, enum pages_use use);

/* The use of the allocated block that begins at `first`; PAGES_PLAIN also if there is none. */
enum pages_use pages_use(const struct pages *pages, pfn_t first);

/* As the engine's; *blame as there. */
MUST_USE enum error pages_reserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                                  pfn_t *blame);
MUST_USE enum error pages_unreserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                                    pfn_t *blame);

/*
 * Give each of `cpus` CPUs a cache of single pages, from `pool` for good. From then on a request of
 * tag 0 for one page, of any area and without any wish, and the free of such a page, mostly touch
 * nothing that CPUs share. What caches keep is free in every answer and to every request; only,
 * such a page is not fresh any more, and which page a request gets depends on what happened before.
 * MEM_METADATA: *needed bytes do not fit.
 */
MUST_USE enum error pages_use_caches(struct pages *pages, unsigned cpus, struct kpool *pool,
                                     uint64_t *needed);

/* Give all that they keep back to the engine. */
void pages_drain(const struct pages *pages);

/* The same of the cache of one CPU, which is at rest: how many pages that were. */
uint64_t pages_drain_cpu(const struct pages *pages, unsigned cpu);

/*
 * Keep nothing in caches from now on, or do so again: while pages have attributes a free has to
 * look at them.
 */
void pages_hold_caches(struct pages *pages, bool hold);

/*
 * Free a page into the cache of this CPU; false: not by this way, nothing has changed. It may be
 * called without the lock of attributes.
 */
bool pages_free_cached(struct pages *pages, pfn_t first);

/* As the engine's of the same names. */
void pages_query(const struct pages *pages, pfn_t frame, struct page_info *info);
uint64_t pages_run(const struct pages *pages, pfn_t from, pfn_t limit, struct page_info *info);
/*
 * Are so many frames free in a set of areas, those in caches included? If so they need not be a
 * moment later, when several CPUs are at work.
 */
bool pages_have(const struct pages *pages, uint32_t areas, uint64_t count);

bool pages_area_info(const struct pages *pages, unsigned area, struct page_area_info *info);
MUST_USE enum error pages_set_scan_order(struct pages *pages, const uint8_t *order, size_t n);

/* The owner of the allocated block that begins at `first`; 0 if nobody or no such block. */
uint32_t pages_owner(const struct pages *pages, pfn_t first);

/*
 * The engine's check(), then: every owner record belongs to an allocated block (invariant 100);
 * what a cache handed out is an allocated page of nobody's (101).
 * BUG_CHECK: *violation is the first that does not hold. STOP_INTERRUPTED. No other CPU may be at
 * work here.
 */
MUST_USE enum error pages_check(const struct pages *pages, struct page_violation *violation);

#endif
