/* SPDX-License-Identifier: MIT */
#include "kernel/mm/vmap.h"

#include "kernel/lib/bitmap.h"

/* Frames are taken, mapped, unmapped and given back so many at a time. */
#define BATCH 64u

/* What is behind a page lies below. Of an injected map no entry is ever used. */
static phys_t phys_limit(const struct vmap *vmap)
{
    return vmap->pages->backed ? vmap->mmu->phys_limit : phys(ADDRESS_LIMIT);
}

/* The same for frames; PFN_LIMIT if all of them lie there: a window costs a search. */
static pfn_t frame_limit(const struct vmap *vmap)
{
    pfn_t limit = phys_pfn(phys_limit(vmap));
    struct page_info info;

    if (limit.n < PFN_LIMIT
        && (pages_run(vmap->pages, limit, pfn(PFN_LIMIT), &info) < PFN_LIMIT - limit.n
            || info.state != PAGE_UNMANAGED))
        return limit;
    return pfn(PFN_LIMIT);
}

void vmap_init(struct vmap *vmap, const struct mmu *mmu, virt_t first, virt_t limit,
               const struct node_source *nodes, struct pages *pages,
               const struct memory_hooks *memory)
{
    *vmap = (struct vmap){
        .lock = LOCK_INIT(LOCK_VMAP), .mmu = mmu, .pages = pages, .memory = memory,
    };
    vmap->frame_limit = frame_limit(vmap);
    virt_init(&vmap->virt, first, limit, nodes);
}

enum error vmap_pages(struct vmap_request *request, uint64_t size, bool redzone)
{
    uint64_t zone = redzone ? VMAP_ZONE_MIN : 0;

    ASSERT(size > 0);
    if (size > UINT64_MAX - zone)
        return E_MEM_NONE;
    request->place.pages = ((size + zone - 1) >> PAGE_SHIFT) + 1;
    request->place.size = size;
    request->place.redzone = redzone;
    return OK;
}

static bool supported(const struct vmap *vmap, unsigned attributes)
{
    return (attributes & ~vmap->mmu->attributes) == 0;
}

/* ---- ranges ---- */

/* A new range, busy. */
static enum error range_take(struct vmap *vmap, const struct virt_request *place,
                             const struct virt_range **range, virt_t *blame)
{
    struct virt_request busy = *place;
    virt_t first;
    enum error e;

    busy.busy = true;
    lock_take(&vmap->lock);
    e = virt_alloc(&vmap->virt, &busy, &first, blame);
    if (e == OK)
        *range = virt_next(&vmap->virt, first);
    lock_release(&vmap->lock);
    return e;
}

/* A range that there is becomes busy. */
static enum error range_find(struct vmap *vmap, virt_t first, enum virt_kind kind,
                             const struct virt_range **range)
{
    enum error e;

    lock_take(&vmap->lock);
    e = virt_find(&vmap->virt, first, kind, range);
    if (e == OK)
        virt_set_busy(*range, true);
    lock_release(&vmap->lock);
    return e;
}

/* It is anybody's again. */
static void range_settle(struct vmap *vmap, const struct virt_range *range)
{
    lock_take(&vmap->lock);
    virt_set_busy(range, false);
    lock_release(&vmap->lock);
}

static void range_give(struct vmap *vmap, const struct virt_range *range)
{
    lock_take(&vmap->lock);
    virt_free(&vmap->virt, range);
    lock_release(&vmap->lock);
}

/* ---- frames behind addresses ---- */

/* Take frames for `n` pages: *got of them, bit i of *dirty is set if the i-th is to be zeroed. */
static enum error take_frames(struct vmap *vmap, const struct vmap_request *request, unsigned n,
                              pfn_t *frames, unsigned *got, uint64_t *dirty)
{
    const pfn_t limit = vmap->frame_limit;
    const struct page_request one = {
        .areas = request->areas, .pages = 1, .max = limit.n < request->max.n ? limit : request->max,
    };
    enum error e = OK;

    *dirty = 0;
    for (*got = 0; e == OK && *got < n; ++*got) {
        bool zeroed;
        pfn_t blame;

        e = pages_alloc_use(vmap->pages, &one, request->place.tag, PAGES_MAPPED,
                            request->dontzero, &frames[*got], &zeroed, &blame);
        if (e != OK)
            break;
        *dirty |= (uint64_t)!zeroed << *got;
    }
    return e;
}

static void give_frames(struct vmap *vmap, const pfn_t *frames, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        pages_free_use(vmap->pages, frames[i], PAGES_MAPPED);
}

/* Map frames from `at` on, those that follow one another at once; *mapped of them. */
static enum error map_frames(struct vmap *vmap, uint64_t at, const pfn_t *frames, unsigned n,
                             unsigned attributes, unsigned *mapped)
{
    enum error e = OK;
    unsigned run;

    for (*mapped = 0; e == OK && *mapped < n; *mapped += run) {
        const pfn_t *first = frames + *mapped;

        for (run = 1; *mapped + run < n && first[run].n == first->n + run;)
            run++;
        e = vmap->mmu->map((virt_t){ at + (*mapped * PAGE_SIZE) }, pfn_phys(*first),
                           run * PAGE_SIZE, attributes);
        if (e != OK)
            break;
    }
    return e;
}

/* Zero those of the pages from `at` on that `dirty` has a bit for; false: there is no memory. */
static bool zero_pages(const struct vmap *vmap, uint64_t at, uint64_t dirty)
{
    bool zeroed = true;

    for (; zeroed && dirty != 0; dirty &= dirty - 1) {
        uint64_t page = at + ((uint64_t)bit_lowest(dirty) << PAGE_SHIFT);
        virt_t bad;

        zeroed = vmap->pages->backed
            && vmap->memory->zero((virt_t){ page }, PAGE_SIZE, &bad) == OK;
    }
    return zeroed;
}

/* Take back `count` mapped pages from `at` on. */
static void drop(struct vmap *vmap, uint64_t at, uint64_t count)
{
    pfn_t frames[BATCH];

    for (uint64_t left = count, n; left > 0; left -= n, at += n << PAGE_SHIFT) {
        n = left < BATCH ? left : BATCH;
        vmap->mmu->unmap((virt_t){ at }, n << PAGE_SHIFT, frames);
        give_frames(vmap, frames, (unsigned)n);
    }
}

/* Frames for `count` pages from `at` on, or nothing. They are writable, whatever was wanted. */
static enum error back(struct vmap *vmap, const struct vmap_request *request, uint64_t at,
                       uint64_t count, bool *zeroed)
{
    const unsigned attributes = request->attributes & ~MMU_READ_ONLY;
    uint64_t done = 0, dirty;
    enum error e = OK;

    *zeroed = true;
    if (count > BATCH && !pages_have(vmap->pages, request->areas, count))
        return E_MEM_NONE;
    while (e == OK && done < count) {
        pfn_t frames[BATCH];
        unsigned n = count - done < BATCH ? (unsigned)(count - done) : BATCH, got, mapped = 0;

        e = take_frames(vmap, request, n, frames, &got, &dirty);
        if (e == OK)
            e = map_frames(vmap, at + (done << PAGE_SHIFT), frames, got, attributes, &mapped);
        if (e != OK)
            give_frames(vmap, frames + mapped, got - mapped);
        else if (dirty != 0)
            *zeroed = zero_pages(vmap, at + (done << PAGE_SHIFT), dirty) && *zeroed;
        done += mapped;
    }
    if (e != OK)
        drop(vmap, at, done);
    return e;
}

/* ---- vmalloc ---- */

/* What lies behind the bytes that were asked for, in the last page or two. */
static uint64_t zone_size(const struct virt_range *range)
{
    return (range->pages << PAGE_SHIFT) - range->size;
}

static virt_t zone_start(const struct virt_range *range)
{
    return (virt_t){ range->first.a + range->size };
}

/* Frames and, if wanted, a red zone; read-only only when all is written. */
static enum error range_fill(struct vmap *vmap, const struct vmap_request *request,
                             const struct virt_range *range, bool *zeroed, virt_t *blame)
{
    enum error e = back(vmap, request, range->first.a, range->pages, zeroed);

    if (e != OK)
        return e;
    if (range->redzone)
        e = vmap->memory->stamp(zone_start(range), zone_size(range), blame);
    /* No unit lies across an edge of the range: no table is taken. */
    if (e == OK && (request->attributes & MMU_READ_ONLY) != 0)
        e = vmap->mmu->protect(range->first, range->pages << PAGE_SHIFT, request->attributes);
    if (e != OK)
        drop(vmap, range->first.a, range->pages);
    return e;
}

enum error vmap_alloc(struct vmap *vmap, const struct vmap_request *request, virt_t *out,
                      bool *zeroed, virt_t *blame)
{
    const struct virt_range *range;
    enum error e;

    *blame = (virt_t){ 0 };
    if (!supported(vmap, request->attributes)
        || (request->place.redzone && !vmap->pages->backed))
        return E_CALL_UNSUPPORTED;
    e = range_take(vmap, &request->place, &range, blame);
    if (e != OK)
        return e;
    e = range_fill(vmap, request, range, zeroed, blame);
    if (e != OK) {
        range_give(vmap, range);
        return e;
    }
    *out = range->first;
    range_settle(vmap, range);
    return OK;
}

enum error vmap_free(struct vmap *vmap, virt_t first, enum virt_kind kind, bool force,
                     uint64_t *pages, virt_t *blame)
{
    const struct virt_range *range;
    enum error e = range_find(vmap, first, kind, &range);

    *blame = first;
    if (e != OK)
        return e;
    if (range->redzone && !force
        && !vmap->memory->inspect(zone_start(range), zone_size(range), blame)) {
        range_settle(vmap, range);
        return E_MEM_OVERRUN;
    }
    *pages = range->pages;
    YIELD_POINT("busy");
    drop(vmap, first.a, range->pages);
    range_give(vmap, range);
    return OK;
}

/* Another size for a range; what is behind the pages that come or go is the caller's. */
static enum error range_resize(struct vmap *vmap, const struct virt_range *range, uint64_t size)
{
    enum error e;

    lock_take(&vmap->lock);
    e = virt_resize(&vmap->virt, range, size);
    lock_release(&vmap->lock);
    return e;
}

enum error vmap_extend(struct vmap *vmap, virt_t first, enum virt_kind kind,
                       const struct vmap_request *request)
{
    struct vmap_request more = *request;
    const struct virt_range *range;
    uint64_t pages, size;
    bool zeroed;
    enum error e = range_find(vmap, first, kind, &range);

    if (e != OK)
        return e;
    ASSERT(request->place.pages > range->pages);
    pages = range->pages;
    size = range->size;
    more.place.tag = range->tag;
    more.dontzero = true;
    e = range_resize(vmap, range, request->place.size);
    if (e == OK) {
        e = back(vmap, &more, first.a + (pages << PAGE_SHIFT), range->pages - pages, &zeroed);
        if (e != OK && range_resize(vmap, range, size) != OK)
            ASSERT(false);
    }
    range_settle(vmap, range);
    return e;
}

enum error vmap_shrink(struct vmap *vmap, virt_t first, enum virt_kind kind, uint64_t left)
{
    const struct virt_range *range;
    enum error e = range_find(vmap, first, kind, &range);

    if (e != OK)
        return e;
    ASSERT(left > 0 && left <= range->pages);
    drop(vmap, first.a + (left << PAGE_SHIFT), range->pages - left);
    e = range_resize(vmap, range, left << PAGE_SHIFT);
    range_settle(vmap, range);
    return e;
}

/* ---- vmap ---- */

enum error vmap_map(struct vmap *vmap, const struct vmap_request *request, phys_t phys,
                    virt_t *out, virt_t *blame)
{
    uint64_t size = request->place.pages << PAGE_SHIFT, limit = phys_limit(vmap).a;
    const struct virt_range *range;
    enum error e;

    ASSERT(is_aligned(phys.a, PAGE_SIZE) && phys.a != 0);
    *blame = (virt_t){ 0 };
    if (!supported(vmap, request->attributes) || phys.a > limit || size > limit - phys.a)
        return E_CALL_UNSUPPORTED;
    e = range_take(vmap, &request->place, &range, blame);
    if (e != OK)
        return e;
    e = vmap->mmu->map(range->first, phys, size, request->attributes);
    if (e != OK) {
        range_give(vmap, range);
        return e;
    }
    *out = range->first;
    range_settle(vmap, range);
    return OK;
}

enum error vmap_unmap(struct vmap *vmap, virt_t first, uint64_t *pages)
{
    const struct virt_range *range;
    enum error e = range_find(vmap, first, VIRT_VMAP, &range);

    if (e != OK)
        return e;
    *pages = range->pages;
    vmap->mmu->unmap(first, range->pages << PAGE_SHIFT, NULL);
    range_give(vmap, range);
    return OK;
}
