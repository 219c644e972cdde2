/* SPDX-License-Identifier: MIT */
/*
 * Invariants of vmap, in the order in which they are verified, after virt's:
 *   500  what is mapped in the window are the usable pages of ranges that have memory behind them:
 *        no guard page, no page of a range of addresses only, nothing else
 *   501  every usable page of a range that has memory behind it is mapped
 *   502  behind each page of vmalloc is a frame that is allocated for that, one page by itself
 *   503  there are as many such frames as there are such pages
 */
#include "kernel/mm/vmap.h"

#define CHECK_STEP 1024u          /* pages or records between two questions whether to stop */

static bool broken(struct page_violation *violation, unsigned invariant, uint64_t at,
                   const char *text)
{
    violation->invariant = invariant;
    violation->at = pfn(at >> PAGE_SHIFT);
    violation->text = text;
    return false;
}

/* Asked for each page: is it time to look, and shall we stop? Then the invariant is 0. */
static bool is_stopped(const struct vmap *vmap, uint64_t page, struct page_violation *violation)
{
    if (!is_aligned(page, CHECK_STEP) || !vmap->pages->hooks.stopped())
        return false;
    broken(violation, 0, page << PAGE_SHIFT, "stopped");
    return true;
}

/* The first mapped address of [at, end), or `end`. */
static uint64_t next_mapped(const struct mmu *mmu, uint64_t at, uint64_t end)
{
    struct mmu_entry entry;

    while (at < end && mmu->entry((virt_t){ at }, 1, &entry) && entry.kind != MMU_UNIT)
        at = entry.start.a + (UINT64_C(1) << entry.shift);
    return at < end && mmu->entry((virt_t){ at }, 1, &entry) ? at : end;
}

static bool frame_check(const struct vmap *vmap, uint64_t at, const struct mmu_mapping *mapping,
                        struct page_violation *violation)
{
    pfn_t frame = phys_pfn((phys_t){ mapping->phys.a + (at - mapping->unit.a) });
    struct page_info info = { .state = PAGE_UNMANAGED };

    if (frame.n < PFN_LIMIT)
        pages_query(vmap->pages, frame, &info);
    if (info.state != PAGE_ALLOCATED || info.block.n != frame.n || info.pages != 1
        || pages_use(vmap->pages, frame) != PAGES_MAPPED)
        return broken(violation, 502, at, "the frame behind a page is not there for it");
    return true;
}

static bool takes_frames(const struct virt_range *range)
{
    return range->kind == VIRT_VMALLOC || range->kind == VIRT_HEAP || range->kind == VIRT_STACK;
}

static bool range_check(const struct vmap *vmap, const struct virt_range *range,
                        struct page_violation *violation)
{
    uint64_t at = range->first.a, end = at + (range->pages << PAGE_SHIFT);

    if (range->kind == VIRT_PAGES)
        return next_mapped(vmap->mmu, at, end) == end
            || broken(violation, 500, next_mapped(vmap->mmu, at, end),
                      "a page of mere addresses is mapped");
    while (at < end) {
        struct mmu_mapping mapping;

        if (is_stopped(vmap, at >> PAGE_SHIFT, violation))
            return false;
        if (!vmap->mmu->query((virt_t){ at }, &mapping))
            return broken(violation, 501, at, "a page is not mapped");
        if (!takes_frames(range))
            at = mapping.unit.a + (UINT64_C(1) << mapping.shift);
        else if (!frame_check(vmap, at, &mapping, violation))
            return false;
        else
            at += PAGE_SIZE;
    }
    return true;
}

/* Are `wanted` frames kept for pages? */
static bool frames_check(const struct vmap *vmap, uint64_t wanted,
                         struct page_violation *violation)
{
    const struct pages *pages = vmap->pages;
    uint64_t frames = 0;

    for (uint64_t i = 0; i < lookup_count(pages->owners); i++) {
        uint64_t frame;
        uint32_t tag;

        if (is_stopped(vmap, i, violation))
            return false;
        lookup_at(pages->owners, i, &frame, &tag);
        frames += pages_use(pages, pfn(frame)) == PAGES_MAPPED;
    }
    return frames == wanted
        || broken(violation, 503, 0, "a frame is kept for a page that is not there");
}

bool vmap_check(const struct vmap *vmap, struct page_violation *violation)
{
    const struct virt_range *range;
    uint64_t at = vmap->virt.first.a, next = at, wanted = 0, mapped;

    if (!virt_check(&vmap->virt, violation))
        return false;
    while ((range = virt_next(&vmap->virt, (virt_t){ next })) != NULL) {
        mapped = next_mapped(vmap->mmu, at, range->first.a);
        if (mapped != range->first.a)
            return broken(violation, 500, mapped, "what is mapped there is nobody's");
        if (!range_check(vmap, range, violation))
            return false;
        wanted += takes_frames(range) ? range->pages : 0;
        at = range->first.a + (range->pages << PAGE_SHIFT);
        next = at + (range->back << PAGE_SHIFT);
    }
    mapped = next_mapped(vmap->mmu, at, vmap->virt.limit.a);
    if (mapped != vmap->virt.limit.a)
        return broken(violation, 500, mapped, "what is mapped there is nobody's");
    return frames_check(vmap, wanted, violation);
}
