/* SPDX-License-Identifier: MIT */
#include "kernel/mm/heap_backends.h"

#include "kernel/mm/vmap.h"

/* ---- early memory ---- */

static enum error early_take(void *context, uint64_t size, uint64_t align, uint32_t tag,
                             virt_t *out)
{
    const struct heap_early *early = context;
    const struct phys_request request = {
        .size = size, .align = align, .max = early->reach.a, .direction = PHYS_HIGH,
    };
    phys_t at;
    enum error e = phys_alloc(early->phys, &request, &at);

    (void)tag;
    if (e == OK)
        out->a = at.a;
    return e;
}

static enum error early_give(void *context, virt_t first)
{
    const struct heap_early *early = context;
    uint64_t size;

    return phys_free(early->phys, phys(first.a), &size);
}

static enum error early_grow(void *context, virt_t first, uint64_t size)
{
    const struct heap_early *early = context;

    return phys_extend(early->phys, phys(first.a), size, early->reach);
}

static enum error early_shrink(void *context, virt_t first, uint64_t size)
{
    const struct heap_early *early = context;

    return phys_trim(early->phys, phys(first.a), size);
}

static enum error early_find(void *context, virt_t at, struct heap_block *block)
{
    const struct phys_allocator *phys_allocator = ((const struct heap_early *)context)->phys;
    struct phys_extent extent;
    enum error e = phys_find(phys_allocator, phys(at.a), &extent);

    if (e == OK)
        *block = (struct heap_block){ virt(extent.start), extent.end - extent.start, 0 };
    /* Once pages serve, they know what is there. */
    return e == OK || !phys_allocator->handed_over ? e : E_MEM_UNMANAGED;
}

static uint64_t early_run(void *context, virt_t at, struct heap_block *block)
{
    const struct heap_early *early = context;
    struct phys_extent extent;

    block->size = 0;
    if (!phys_next(early->phys, phys(at.a), &extent))
        return 0;
    if (extent.start > at.a)
        return extent.start - at.a;
    if (extent.state == PHYS_EARLY)
        *block = (struct heap_block){ virt(extent.start), extent.end - extent.start, 0 };
    return extent.end - at.a;
}

const struct heap_backend heap_backend_early = {
    early_take, early_give, early_grow, early_shrink, early_find, early_run,
};

/* ---- page frames ---- */

static pfn_t frame_of(virt_t at)
{
    return phys_pfn(phys(at.a));
}

static enum error pages_take(void *context, uint64_t size, uint64_t align, uint32_t tag,
                             virt_t *out)
{
    const struct heap_frames *frames = context;
    const struct page_request request = {
        .areas = frames->areas, .pages = size >> PAGE_SHIFT,
        .align = order_for(align >> PAGE_SHIFT), .max = frames->max,
    };
    pfn_t frame, blame;
    bool zeroed;
    enum error e;

    if (request.pages > MAX_BLOCK_PAGES || request.align > MAX_ORDER)
        return E_MEM_NONE;
    e = pages_alloc(frames->attributes->pages, &request, tag, true, &frame, &zeroed, &blame);
    if (e == OK)
        out->a = pfn_phys(frame).a;
    return e;
}

static enum error pages_give(void *context, virt_t first)
{
    const struct heap_frames *frames = context;
    uint64_t freed;
    pfn_t blame;

    return attributes_free(frames->attributes, frame_of(first), 0, &freed, &blame);
}

static enum error pages_find(void *context, virt_t at, struct heap_block *block)
{
    const struct pages *pages = ((const struct heap_frames *)context)->attributes->pages;
    struct page_info info;

    if (at.a >= ADDRESS_LIMIT)
        return E_MEM_UNMANAGED;
    pages_query(pages, frame_of(at), &info);
    switch (info.state) {
    case PAGE_UNMANAGED: return E_MEM_UNMANAGED;
    case PAGE_FREE: return E_MEM_FREE;
    case PAGE_RESERVED: return E_MEM_RESERVED;
    case PAGE_ALLOCATED: break;
    }
    *block = (struct heap_block){
        virt(pfn_phys(info.block).a), info.pages << PAGE_SHIFT, pages_owner(pages, info.block),
    };
    return OK;
}

static enum error pages_grow(void *context, virt_t first, uint64_t size)
{
    const struct heap_frames *frames = context;
    struct heap_block block;
    pfn_t blame;
    enum error e = pages_find(context, first, &block);

    if (e != OK)
        return e;
    e = pages_extend(frames->attributes->pages, frame_of(first),
                     (size - block.size) >> PAGE_SHIFT, frames->max, &blame);
    return e == OK || e == E_MEM_METADATA || e == E_MEM_INJECTED ? e : E_MEM_NONE;
}

static enum error pages_shrink(void *context, virt_t first, uint64_t size)
{
    const struct heap_frames *frames = context;
    struct heap_block block;
    uint64_t freed;
    pfn_t blame;
    enum error e = pages_find(context, first, &block);

    if (e != OK)
        return e;
    return attributes_free(frames->attributes, frame_of(virt(first.a + size)),
                           (block.size - size) >> PAGE_SHIFT, &freed, &blame);
}

static uint64_t frames_run(void *context, virt_t at, struct heap_block *block)
{
    const struct pages *pages = ((const struct heap_frames *)context)->attributes->pages;
    struct page_info info;
    uint64_t run;

    block->size = 0;
    if (at.a >= ADDRESS_LIMIT)
        return 0;
    run = pages_run(pages, frame_of(at), pfn(PFN_LIMIT), &info);
    if (info.state == PAGE_ALLOCATED)
        *block = (struct heap_block){
            virt(pfn_phys(info.block).a), info.pages << PAGE_SHIFT, pages_owner(pages, info.block),
        };
    return (run << PAGE_SHIFT) - (at.a & (PAGE_SIZE - 1));
}

void heap_frames_init(struct heap_frames *frames, struct attributes *attributes, phys_t reach)
{
    const pfn_t limit = phys_pfn(reach);
    struct page_area_info info;

    *frames = (struct heap_frames){
        .attributes = attributes, .areas = ALL_AREAS, .max = pfn(PFN_LIMIT),
    };
    for (unsigned i = 0; pages_area_info(attributes->pages, i, &info); i++) {
        if (info.first.n >= limit.n)
            frames->areas &= ~(UINT32_C(1) << i);
        else if (info.limit.n > limit.n)
            frames->max = limit;
    }
}

const struct heap_backend heap_backend_pages = {
    pages_take, pages_give, pages_grow, pages_shrink, pages_find, frames_run,
};

/* ---- the window ---- */

/* For `size` bytes, a multiple of PAGE_SIZE. */
static struct vmap_request data_request(const struct vmap *vmap, uint64_t size)
{
    return (struct vmap_request){
        .place = { .kind = VIRT_HEAP, .pages = size >> PAGE_SHIFT, .size = size },
        .attributes = attributes_default(vmap->mmu), .areas = ALL_AREAS, .max = pfn(PFN_LIMIT),
        .dontzero = true,
    };
}

static enum error virtual_take(void *context, uint64_t size, uint64_t align, uint32_t tag,
                               virt_t *out)
{
    struct vmap *vmap = context;
    struct vmap_request request = data_request(vmap, size);
    virt_t blame;
    bool zeroed;

    request.place.tag = tag;
    request.place.align = order_for(align >> PAGE_SHIFT);
    return vmap_alloc(vmap, &request, out, &zeroed, &blame);
}

static enum error virtual_give(void *context, virt_t first)
{
    uint64_t pages;
    virt_t blame;

    return vmap_free(context, first, VIRT_HEAP, false, &pages, &blame);
}

static enum error virtual_grow(void *context, virt_t first, uint64_t size)
{
    struct vmap *vmap = context;
    const struct vmap_request request = data_request(vmap, size);

    return vmap_extend(vmap, first, VIRT_HEAP, &request);
}

static enum error virtual_shrink(void *context, virt_t first, uint64_t size)
{
    return vmap_shrink(context, first, VIRT_HEAP, size >> PAGE_SHIFT);
}

/* The guard pages of a range are part of it. */
static enum error virtual_find(void *context, virt_t at, struct heap_block *block)
{
    const struct virt *virt = &((const struct vmap *)context)->virt;
    struct virt_range range;

    if (at.a < virt->first.a || at.a >= virt->limit.a)
        return E_MEM_UNMANAGED;
    if (!vmap_next(context, at, &range) || at.a < range.first.a - (range.front << PAGE_SHIFT))
        return E_MEM_FREE;
    *block = (struct heap_block){ range.first, range.pages << PAGE_SHIFT, range.tag };
    return OK;
}

static uint64_t virtual_run(void *context, virt_t at, struct heap_block *block)
{
    struct virt_range range;

    block->size = 0;
    if (!vmap_next(context, at, &range))
        return 0;
    if (at.a < range.first.a)
        return range.first.a - at.a;
    *block = (struct heap_block){ range.first, range.pages << PAGE_SHIFT, range.tag };
    return range.first.a + ((range.pages + range.back) << PAGE_SHIFT) - at.a;
}

const struct heap_backend heap_backend_virtual = {
    virtual_take, virtual_give, virtual_grow, virtual_shrink, virtual_find, virtual_run,
};
