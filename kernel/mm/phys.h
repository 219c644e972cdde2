/* SPDX-License-Identifier: MIT */
/*
 * The physical (early) allocator: byte-granular memory from the firmware's map, before there is a
 * page allocator, and from the scraps of pages afterwards.
 *
 * It is fed with the whole map in any order (phys_add), serves early allocations, and hands over
 * every whole page that is left (phys_hand_over). Like the page engine it manages numbers: the
 * memory itself is never touched, and its records are in an array that the caller supplies.
 *
 * Placement: among the free extents, in the direction asked for, the first address that fits.
 * `low`: the lowest start that is a multiple of the alignment, inside [min, max). `high`: the
 * highest. Sizes are not rounded; starts are multiples of the larger of the alignment asked for and
 * the minimum alignment.
 */
#ifndef PFNLAB_MM_PHYS_H
#define PFNLAB_MM_PHYS_H

#include "kernel/lock.h"
#include "kernel/mm/engine.h"

/*
 * What an extent of the physical address space is to phys. FREE may be allocated; EARLY is one
 * early allocation; RESERVED is the firmware's (or the boot loader's, or ours); HANDED went to the
 * page allocator. Everything not listed is a hole.
 */
enum phys_state { PHYS_FREE, PHYS_EARLY, PHYS_RESERVED, PHYS_HANDED };

struct phys_extent {
    uint64_t start, end;      /* bytes, [start, end) */
    enum phys_state state;
    bool used;                /* was part of an early allocation since phys_init() */
};

struct phys_allocator {
    struct lock lock;              /* guards what follows; the map is added while nobody asks */
    struct phys_extent *extents;   /* sorted, disjoint, none empty */
    size_t count, capacity;
    uint64_t minimum_alignment;    /* bytes, a power of two; 32 at init */
    bool handed_over;
};

enum phys_direction { PHYS_HIGH, PHYS_LOW };   /* top-down is the default of the lab */

struct phys_request {
    uint64_t size;            /* bytes, at least 1 */
    uint64_t align;           /* bytes, a power of two, 1 for "as the minimum says" */
    uint64_t min, max;        /* window in bytes, [min, max); 0 and ADDRESS_LIMIT for none */
    enum phys_direction direction;
};

/* An empty map whose records are `capacity` extents at `records`, the allocator's from now on. */
void phys_init(struct phys_allocator *phys, struct phys_extent *records, size_t capacity);

/*
 * Add what a firmware says of one range: any order, any alignment, overlapping; reserved wins over
 * usable, touching ranges of one kind become one. What lies beyond ADDRESS_LIMIT is cut off; an
 * empty range is ignored; usable bytes of frame 0 become RESERVED, so that address 0 is nobody's.
 * CALL_RANGE: start + size wraps. CALL_STATE: memory was allocated or handed over already.
 * MEM_METADATA: the records are full. Nothing changes on error.
 */
MUST_USE enum error phys_add(struct phys_allocator *phys, const struct phys_range *range);

/*
 * Early memory: *out is its first byte's address. The caller's until phys_free().
 * CALL_RANGE: size 0. CALL_ALIGN: not a power of two. MEM_NONE: no free extent fits; a request
 * whose size and alignment would wrap does not fit. MEM_METADATA: the records are full.
 */
MUST_USE enum error phys_alloc(struct phys_allocator *phys, const struct phys_request *request,
                               phys_t *out);

/*
 * Give back the early allocation that begins at `start`; *size is what it was. After the hand-over
 * the memory stays with phys, as what a page engine manages is settled by its init(), and the pages
 * of early memory were left out of that. MEM_UNMANAGED: none there; MEM_INSIDE: inside one;
 * MEM_FREE: free already; MEM_RESERVED; MEM_BUSY: handed over.
 */
MUST_USE enum error phys_free(struct phys_allocator *phys, phys_t start, uint64_t *size);

/*
 * Give back the end of the early allocation at `start`, so that `size` bytes are left, at least 1
 * and at most what it has. Errors as phys_free(); MEM_METADATA: the records are full.
 */
MUST_USE enum error phys_trim(struct phys_allocator *phys, phys_t start, uint64_t size);

/*
 * The reverse: it has `size` bytes from now on, at least as many as it has, if all that this takes
 * behind it is free and below `max`; else MEM_NONE. Errors as phys_trim().
 */
MUST_USE enum error phys_extend(struct phys_allocator *phys, phys_t start, uint64_t size,
                                phys_t max);

/*
 * The early allocation that holds `at`: its extent. Errors as phys_free(), but MEM_INSIDE is none.
 */
MUST_USE enum error phys_find(const struct phys_allocator *phys, phys_t at,
                              struct phys_extent *extent);

/* The first extent that ends above `at`, whatever it is; false: there is none. */
bool phys_next(const struct phys_allocator *phys, phys_t at, struct phys_extent *extent);

/* CALL_ALIGN: not a power of two, or above MAX_BLOCK_PAGES pages. */
MUST_USE enum error phys_set_minimum_alignment(struct phys_allocator *phys, uint64_t align);

/*
 * Give every whole free page to the page allocator: fills `out` with sorted, disjoint ranges
 * (touching only where freshness differs: a page of which a byte was used is not fresh) and sets *n
 * to their number. What is left of pages that are free only in part stays with phys. CALL_STATE:
 * done already. MEM_METADATA: `max` or the records do not hold them; *n is then the number of
 * ranges needed and nothing has changed.
 */
MUST_USE enum error phys_hand_over(struct phys_allocator *phys, struct page_range *out, size_t max,
                                   size_t *n);

/* True if every byte of [start, start + size) is memory that is FREE, EARLY or HANDED. */
bool phys_is_memory(const struct phys_allocator *phys, uint64_t start, uint64_t size);

/*
 * While no other CPU is at work. Invariants, numbered in phys.c: true if all hold, else *number and
 * *at tell the first that does not. O(extents).
 */
MUST_USE bool phys_check(const struct phys_allocator *phys, unsigned *number, phys_t *at);

#endif
