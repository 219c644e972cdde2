/* SPDX-License-Identifier: MIT */
/*
 * Virtual memory in the window: the one place where address ranges, page frames and page tables
 * meet. Every operation is all or nothing. What is taken back is taken back in this order: entries,
 * stale translations, tables, frames, addresses.
 *
 * Nothing of it lies in the memory that it hands out: a range's record is virt's, and which frames
 * are behind it the page tables know.
 */
#ifndef PFNLAB_MM_VMAP_H
#define PFNLAB_MM_VMAP_H

#include "kernel/mm/memory.h"
#include "kernel/mm/pages.h"
#include "kernel/mm/virt.h"
#include "kernel/mmu.h"

/*
 * The lock guards the ranges, not what is behind them: while frames are taken, zeroed, mapped,
 * unmapped and given back the range is busy, which is to say, of the CPU that works on it.
 */
struct vmap {
    struct lock lock;
    struct virt virt;                 /* `lock` */
    const struct mmu *mmu;
    struct pages *pages;
    const struct memory_hooks *memory;
    pfn_t frame_limit;                /* frames below can be behind a page */
};

/* Bytes of a red zone, at least. */
#define VMAP_ZONE_MIN 16u

/*
 * `place.pages` and `place.size` are set by vmap_pages(). For vmalloc: the frames may come from
 * `areas`, below `max`.
 */
struct vmap_request {
    struct virt_request place;
    unsigned attributes;
    uint32_t areas;
    pfn_t max;
    bool dontzero;
};

/*
 * An empty window. `pages` may be those of an injected map: their frames are mapped and never
 * touched. What is behind addresses is touched by `memory`, at these addresses.
 */
void vmap_init(struct vmap *vmap, const struct mmu *mmu, virt_t first, virt_t limit,
               const struct node_source *nodes, struct pages *pages,
               const struct memory_hooks *memory);

/*
 * Enter `size` bytes into a request: the whole pages that hold them and, if wanted, a red zone of
 * VMAP_ZONE_MIN bytes at least behind them. MEM_NONE: more than there are addresses.
 */
MUST_USE enum error vmap_pages(struct vmap_request *request, uint64_t size, bool redzone);

/*
 * vmalloc: a range with frames behind it, one by one as a request for one page gets them, in the
 * order of addresses. A frame that cannot be reached by its own address is zeroed at that of the
 * window; *zeroed is false if zeroes were wanted and there is no memory. Errors as virt_alloc() and
 * pages_alloc() (*blame is then 0); MEM_METADATA also: no page table. CALL_UNSUPPORTED: attributes
 * that the machine has not, or a red zone where there is no memory. Frames that the machine's
 * entries cannot name (mmu.phys_limit) are left alone. More frames than are free in all are refused
 * before any is taken. Nothing has changed on error; but frames that were given back are not fresh
 * any more.
 */
MUST_USE enum error vmap_alloc(struct vmap *vmap, const struct vmap_request *request, virt_t *out,
                               bool *zeroed, virt_t *blame);

/*
 * vfree: take back what vmap_alloc() made, of that kind; *pages is how many. Errors as virt_find();
 * MEM_OVERRUN: *blame is the first byte of the red zone that was written, not with `force`.
 */
MUST_USE enum error vmap_free(struct vmap *vmap, virt_t first, enum virt_kind kind, bool force,
                              uint64_t *pages, virt_t *blame);

/*
 * Let such a range, one without a red zone, have as many pages as the request says, more than it
 * has, at the addresses behind it, where its guard pages move on; of the request only pages, size,
 * attributes, areas and max count, as for vmap_alloc(). Nothing is zeroed. MEM_NONE also: the
 * addresses are not free. Errors as virt_find() and vmap_alloc(); on error all is as after that.
 */
MUST_USE enum error vmap_extend(struct vmap *vmap, virt_t first, enum virt_kind kind,
                                const struct vmap_request *request);

/*
 * Take back the end of such a range, so that `left` pages are left, at least one; its guard pages
 * go along. Errors as virt_find().
 */
MUST_USE enum error vmap_shrink(struct vmap *vmap, virt_t first, enum virt_kind kind,
                                uint64_t left);

/*
 * vmap: a range with this physical memory behind it, a page's address. Errors as vmap_alloc();
 * CALL_UNSUPPORTED also: some of it is not below mmu.phys_limit, and the map not an injected one.
 */
MUST_USE enum error vmap_map(struct vmap *vmap, const struct vmap_request *request, phys_t phys,
                             virt_t *out, virt_t *blame);

/* vunmap: take back what vmap_map() made; *pages is how many. Errors as virt_find(). */
MUST_USE enum error vmap_unmap(struct vmap *vmap, virt_t first, uint64_t *pages);

/*
 * Other attributes for `count` pages from `at`, all in the window, all mapped or nothing changes:
 * FAULT_ADDRESS, *blame is the first page that is not. MEM_KIND: it is of the stack of a CPU.
 * MEM_METADATA: no table for a split. CALL_UNSUPPORTED. *blame is 0 if no page is to blame.
 */
MUST_USE enum error vmap_protect(struct vmap *vmap, virt_t at, uint64_t count, unsigned attributes,
                                 virt_t *blame);

/* Addresses only: as virt_alloc(), and as virt_find() and virt_free(); *pages is how many. */
MUST_USE enum error vmap_take_addresses(struct vmap *vmap, const struct virt_request *place,
                                        virt_t *out, virt_t *blame);
MUST_USE enum error vmap_give_addresses(struct vmap *vmap, virt_t first, uint64_t *pages);

/* As virt_next(): a copy. False: there is none. */
MUST_USE bool vmap_next(const struct vmap *vmap, virt_t from, struct virt_range *range);

/* Unmap all of the window, whatever the records say: they may be suspect, or gone. */
void vmap_clear(struct vmap *vmap);

/*
 * While no other CPU is at work: verify invariants 400.. (virt_check.c), then 500.. (vmap_check.c);
 * *violation as the engine's, `at` a virtual page; the invariant is 0 if the hook of `pages` said
 * to stop.
 */
MUST_USE bool vmap_check(const struct vmap *vmap, struct page_violation *violation);

/*
 * To test whoever should notice: break that invariant, 400 to 503, so that vmap_check() names just
 * that one. CALL_STATE: there is nothing in the window to break it with. MEM_METADATA: no page
 * table for what is mapped against the rules.
 */
MUST_USE enum error vmap_corrupt(struct vmap *vmap, unsigned invariant);

#endif
