/* SPDX-License-Identifier: MIT */
/*
 * The contract of a page engine: what the lab asks of an allocator of page frames.
 *
 * An engine manages numbers, not memory: it never reads or writes a frame. Its records live in
 * memory that the caller supplies, so the same code runs in a guest and in a native process, and a
 * 32-bit guest manages frames that it cannot address. An engine keeps no lock and prints nothing:
 * kernel/mm/pages.h, the layer above, does what is not arithmetic (zeroing, owners, locking).
 *
 * To plug in an allocator of your own, fill in one `struct page_engine` (kernel/mm/README.md).
 */
#ifndef PFNLAB_MM_ENGINE_H
#define PFNLAB_MM_ENGINE_H

#include "kernel/base.h"

#define ALL_AREAS ((UINT32_C(1) << MAX_AREAS) - 1)

/* A run of frames to manage. `fresh` is false if early code has used it already. */
struct page_range {
    pfn_t first;
    uint64_t pages;
    bool fresh;
};

/*
 * What to manage. `ranges` are sorted, disjoint and not empty, frame 0 excluded; ranges that touch
 * are one range, wherever they were split. `areas` ascend strictly, the last limit is PFN_LIMIT or
 * the frames beyond it are not managed. The engine copies what it keeps.
 */
struct page_map {
    const struct page_range *ranges;
    size_t nranges;
    const struct area_limit *areas;
    size_t nareas;
};

/*
 * Where an engine gets the memory of its records. `take` returns one page of PAGE_SIZE bytes,
 * aligned to its size, content undefined, or NULL when there is none; `give` takes it back.
 */
struct node_source {
    void *context;
    void *(*take)(void *context);
    void (*give)(void *context, void *page);
};

/*
 * One request. A slot is `pages` consecutive free frames of one area, the first one a multiple of
 * 2^align, wholly inside [min, max) and, with `fresh`, each never handed out. With `exact` the slot
 * begins at `at`, nowhere else.
 */
struct page_request {
    uint32_t areas;       /* bit n: area n may serve it */
    uint16_t align;       /* order of the alignment, 0..MAX_ORDER */
    bool fresh;
    bool exact;
    uint64_t pages;       /* 1..MAX_BLOCK_PAGES */
    pfn_t min, max;       /* window; 0 and PFN_LIMIT when there is none */
    pfn_t at;             /* with exact */
};

enum page_state { PAGE_UNMANAGED, PAGE_FREE, PAGE_ALLOCATED, PAGE_RESERVED };

/*
 * What is known of one frame. `block` and `pages` describe, for an allocated frame, the block that
 * holds it; for a free frame, the largest naturally aligned block of free frames of its area that
 * holds it (order at most MAX_ORDER); else the frame itself, 1 page.
 */
struct page_info {
    enum page_state state;
    bool fresh;           /* never handed out since init; false for unmanaged frames */
    unsigned area;        /* index; meaningless for unmanaged frames */
    pfn_t block;
    uint64_t pages;
};

/* Totals of one area, in pages; managed = free + allocated + reserved. */
struct page_area_info {
    const char *name;
    pfn_t first, limit;   /* the area's interval by the area table, managed or not */
    uint64_t managed, free, allocated, reserved;
    uint64_t free_blocks[MAX_ORDER + 1];   /* maximal naturally aligned free blocks, by order */
};

/* A broken invariant: its number in the engine's list, and a frame where it shows. */
struct page_violation {
    unsigned invariant;
    pfn_t at;
    const char *text;
};

struct page_engine {
    const char *name;     /* a word */
    const char *text;     /* one sentence */

    /*
     * The bytes of `memory` that init() needs for `map`, before any node is taken.
     */
    size_t (*memory_size)(const struct page_map *map);

    /*
     * Make `memory` (aligned to 64 bytes, memory_size() bytes, left to the engine) an engine that
     * manages `map`, all of it free. The engine's handle is `memory` itself; it needs no
     * destruction. CALL_RANGE: the map breaks a rule above. MEM_METADATA: `nodes` ran dry.
     * Cost grows with the number of ranges and the 1 GiB units they touch, not with pages.
     */
    MUST_USE enum error (*init)(void *memory, const struct page_map *map,
                                const struct node_source *nodes);

    /*
     * Hand out a slot: *out is its first frame. The block is the caller's until free().
     * MEM_NONE iff no slot exists in any allowed area. With `exact` the refusal says why, and
     * *blame is the first frame in the way: MEM_UNMANAGED, MEM_BUSY, MEM_RESERVED, MEM_NONE (free
     * but not of the areas, window, alignment or freshness wanted).
     * MEM_METADATA: no node for the records; nothing changed. *blame is written on every error,
     * to the frame named or, if none is, to frame 0.
     */
    MUST_USE enum error (*alloc)(void *engine, const struct page_request *request, pfn_t *out,
                                 pfn_t *blame);

    /*
     * Let the block that begins at `first` have `pages` frames more: those that follow it, all of
     * them free, of its area and below `limit`. Nothing changes on error: MEM_UNMANAGED, MEM_FREE,
     * MEM_RESERVED, MEM_INSIDE: `first` begins no block. CALL_RANGE: 0 pages, or the block would
     * have more than MAX_BLOCK_PAGES. As alloc() with `exact`, *blame is then behind the block:
     * MEM_UNMANAGED, MEM_BUSY, MEM_RESERVED, MEM_NONE. MEM_METADATA: no node for the records.
     * *blame is `first` where no other frame is named.
     */
    MUST_USE enum error (*extend)(void *engine, pfn_t first, uint64_t pages, pfn_t limit,
                                  pfn_t *blame);

    /*
     * Give back the whole block that begins at `first`; *pages is its length. Nothing changes on
     * error: MEM_UNMANAGED, MEM_FREE, MEM_RESERVED, MEM_INSIDE (of a block), MEM_METADATA (a leaf
     * had to be opened and could not be; never for the block that alloc() has just handed out, and
     * never for a block of one page, which is what lets vfree give back frames one by one).
     */
    MUST_USE enum error (*free)(void *engine, pfn_t first, uint64_t *pages);

    /*
     * Give back `pages` frames from `first`, all of them in one allocated block; what is left
     * before and behind them stays allocated as one or two blocks. *head is set to the first frame
     * of the block before, *rest to the first frame left behind, *rest_pages to their number (0 if
     * none). Errors as free(), `first` may lie inside; CALL_RANGE: 0 pages; MEM_BEYOND: the block
     * ends before the range, *head is then the frame where it ended.
     */
    MUST_USE enum error (*free_part)(void *engine, pfn_t first, uint64_t pages, pfn_t *head,
                                     pfn_t *rest, uint64_t *rest_pages);

    /*
     * Take `pages` free frames from `first` out by address, across areas, all or nothing; freshness
     * is not touched. MEM_UNMANAGED, MEM_BUSY, MEM_RESERVED: *blame is the first frame in the way.
     * CALL_RANGE: 0 pages or beyond PFN_LIMIT. MEM_METADATA.
     */
    MUST_USE enum error (*reserve)(void *engine, pfn_t first, uint64_t pages, pfn_t *blame);

    /*
     * The reverse, of any subset of reserved frames. MEM_UNMANAGED, MEM_BUSY, MEM_FREE: *blame is
     * the first frame that was not reserved. CALL_RANGE, MEM_METADATA as above.
     */
    MUST_USE enum error (*unreserve)(void *engine, pfn_t first, uint64_t pages, pfn_t *blame);

    /*
     * What is known of a frame, any number below PFN_LIMIT. Questions change nothing that another
     * operation tells of, but an engine may take them as an occasion to put its records in order.
     */
    void (*query)(void *engine, pfn_t frame, struct page_info *info);

    /*
     * Like query() of `from`; returns how many frames from there on, not beyond `limit` (> from),
     * are of the same kind: for an allocated frame to the end of its block; else as long as state,
     * freshness and area stay the same (`block` and `pages` are then of the first frame).
     * Crossing a hole or 1 TiB of free frames is one step, not a walk over pages.
     */
    uint64_t (*run)(void *engine, pfn_t from, pfn_t limit, struct page_info *info);

    /* Free frames in a set of areas, as they are at that moment. O(areas). */
    uint64_t (*count_free)(void *engine, uint32_t areas);

    /* Totals of area `area`; false if there is no such area. May walk the open leaves. */
    bool (*area_info)(void *engine, unsigned area, struct page_area_info *info);

    /*
     * Verify every invariant; true if all hold, else *violation is the first that does not. `stop`
     * is asked every few hundred pages that are not alike: once it is true, check() gives up, and
     * the invariant is 0.
     */
    MUST_USE bool (*check)(const void *engine, bool (*stop)(void),
                           struct page_violation *violation);

    /*
     * To test whoever should notice: break that invariant, so that check() names just that one.
     * Nothing changes on error: CALL_STATE: there is nothing to break it with. CALL_UNSUPPORTED: it
     * is none of this engine's.
     */
    MUST_USE enum error (*corrupt)(void *engine, unsigned invariant);

    /*
     * Order in which areas are tried: order[0] first, `n` distinct indices, all areas. At init it
     * is highest area first. CALL_RANGE: not a permutation.
     */
    MUST_USE enum error (*set_scan_order)(void *engine, const uint8_t *order, size_t n);
};

#endif
