/* SPDX-License-Identifier: MIT */
/*
 * Ranges of virtual addresses in one window. Addresses only: no page table, no frame. What is known
 * of a range lies outside of it, in pages of a node source.
 *
 * Placement: a range is `front` guard pages, `pages` usable ones, `back` guard pages. It goes to
 * the lowest address of the window where all of them are free and the first usable page is a
 * multiple of 2^align pages. What was freed is free at once: placement is a function of the ranges
 * that there are, not of how they came to be.
 *
 * Cost: O(log n) in the number of ranges. A request aligned to more than a page may look at every
 * gap that is large enough for it but lies badly.
 *
 * It keeps no lock: who has a window guards it (vmap.h).
 */
#ifndef PFNLAB_MM_VIRT_H
#define PFNLAB_MM_VIRT_H

#include "kernel/mm/engine.h"
#include "kernel/mm/records.h"

/* Who made a range, and so who may take it back. */
enum virt_kind { VIRT_VMALLOC, VIRT_VMAP, VIRT_PAGES, VIRT_HEAP, VIRT_STACK };

/* A range that there is. */
struct virt_range {
    virt_t first;                     /* usable page */
    uint64_t pages, front, back;
    uint64_t size;                    /* bytes that were asked for, up to all pages */
    enum virt_kind kind;
    bool redzone;                     /* what lies behind `size` bytes holds a pattern */
    bool busy;                        /* is being made or taken back: nobody's to find */
    uint32_t tag;                     /* of the request, 0: nobody's */
};

struct virt_request {
    uint64_t pages;                   /* 1 at least */
    uint64_t front, back;
    unsigned align;                   /* order */
    bool exact;                       /* the first usable page is `at`, a page's address */
    virt_t at;
    /* To be remembered. */
    enum virt_kind kind;
    bool redzone, busy;
    uint32_t tag;
    uint64_t size;
};

struct virt_node;

struct virt {
    virt_t first, limit;              /* the window, whole pages; limit is at most 2^63 */
    struct virt_node *root;
    uint64_t used;                    /* pages, guards included */
    struct records records;
};

/* An empty window [first, limit). Takes no memory. */
void virt_init(struct virt *virt, virt_t first, virt_t limit, const struct node_source *nodes);

/*
 * Take a range; *out is its first usable page. MEM_NONE: there is no such place. With `exact` the
 * refusal names in *blame the first page in the way: MEM_UNMANAGED (outside the window), MEM_BUSY
 * (of another range or its guards); MEM_NONE: `at` itself, free but not aligned as wanted.
 * MEM_METADATA: no page for the record. Nothing changes on error; *blame is 0 if none is named.
 */
MUST_USE enum error virt_alloc(struct virt *virt, const struct virt_request *request, virt_t *out,
                               virt_t *blame);

/*
 * The range whose first usable page is `first`, of that kind; valid until it is freed.
 * MEM_UNMANAGED: outside the window. MEM_UNALIGNED: not a page's address. MEM_FREE: in no range.
 * MEM_INSIDE: a later page of a range, or a guard. MEM_KIND: of another kind. A busy range is none.
 */
MUST_USE enum error virt_find(const struct virt *virt, virt_t first, enum virt_kind kind,
                              const struct virt_range **out);

/* Let such a range be busy, or no more. */
void virt_set_busy(const struct virt_range *range, bool busy);

/* Give back a range that virt_find() found. Cannot fail. */
void virt_free(struct virt *virt, const struct virt_range *range);

/*
 * Let such a range, one without a red zone, hold `size` bytes, 1 at least, in so many usable pages
 * as that takes; its guard pages go along. MEM_NONE: it would be more pages, and the
 * addresses behind it are not free. Nothing changes on error.
 */
MUST_USE enum error virt_resize(struct virt *virt, const struct virt_range *range, uint64_t size);

/* The first range that, guards included, ends above `from`; NULL if there is none. */
const struct virt_range *virt_next(const struct virt *virt, virt_t from);

/* Verify invariants 400.. (virt_check.c); *violation as the engine's, `at` a virtual page. */
MUST_USE bool virt_check(const struct virt *virt, struct page_violation *violation);

#endif
