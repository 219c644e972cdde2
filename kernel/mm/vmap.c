/* SPDX-License-Identifier: MIT */
#include "kernel/mm/vmap.h"

#include "kernel/mm/vmap_zone.h"

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
               void *(*pointer)(phys_t start, uint64_t size))
{
    *vmap = (struct vmap){
        .lock = LOCK_INIT(LOCK_VMAP), .mmu = mmu, .pages = pages, .pointer = pointer,
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

/* Take frames for `n` pages: *got of them. */
static enum error take_frames(struct vmap *vmap, const struct vmap_request *request, unsigned n,
                              pfn_t *frames, unsigned *got, bool *zeroed)
{
    const pfn_t limit = vmap->frame_limit;
    const struct page_request one = {
        .areas = request->areas, .pages = 1, .max = limit.n < request->max.n ? limit : request->max,
    };
    enum error e = OK;

    for (*got = 0; e == OK && *got < n; ++*got) {
        bool zero;
        pfn_t blame;

        e = pages_alloc_use(vmap->pages, &one, request->place.tag, PAGES_MAPPED,
                            request->dontzero, &frames[*got], &zero, &blame);
        if (e != OK)
            break;
        *zeroed = *zeroed && zero;
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

/* Take back `count` mapped pages from `at` on. */
static void drop(struct vmap *vmap, uint64_t at, uint64_t count)
{
    pfn_t frames[BATCH];

    for (uint64_t end = at + (count << PAGE_SHIFT); at < end;) {
        unsigned n = 0;

        for (; n < BATCH && at + n * PAGE_SIZE < end; n++) {
            struct mmu_mapping mapping;
            uint64_t page = at + n * PAGE_SIZE;
            bool found = vmap->mmu->query((virt_t){ page }, &mapping);

            ASSERT(found);
            frames[n] = phys_pfn((phys_t){ mapping.phys.a + (page - mapping.unit.a) });
        }
        vmap->mmu->unmap((virt_t){ at }, n * PAGE_SIZE);
        give_frames(vmap, frames, n);
        at += n * PAGE_SIZE;
    }
}

/* Frames for `count` pages from `at` on, or nothing. */
static enum error back(struct vmap *vmap, const struct vmap_request *request, uint64_t at,
                       uint64_t count, bool *zeroed)
{
    uint64_t done = 0;
    enum error e = OK;

    *zeroed = true;
    while (e == OK && done < count) {
        pfn_t frames[BATCH];
        unsigned n = count - done < BATCH ? (unsigned)(count - done) : BATCH, got, mapped = 0;

        e = take_frames(vmap, request, n, frames, &got, zeroed);
        if (e == OK)
            e = map_frames(vmap, at + (done << PAGE_SHIFT), frames, got, request->attributes,
                           &mapped);
        if (e != OK)
            give_frames(vmap, frames + mapped, got - mapped);
        done += mapped;
    }
    if (e != OK)
        drop(vmap, at, done);
    return e;
}

/* ---- vmalloc ---- */

/* Frames and, if wanted, a red zone. */
static enum error range_fill(struct vmap *vmap, const struct vmap_request *request,
                             const struct virt_range *range, bool *zeroed)
{
    enum error e = back(vmap, request, range->first.a, range->pages, zeroed);

    if (e == OK && range->redzone && !zone_stamp(vmap, range)) {
        drop(vmap, range->first.a, range->pages);
        e = E_CALL_UNSUPPORTED;
    }
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
    e = range_fill(vmap, request, range, zeroed);
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
    if (range->redzone && !force && !zone_verify(vmap, range, blame)) {
        range_settle(vmap, range);
        return E_MEM_OVERRUN;
    }
    *pages = range->pages;
    YIELD_POINT("busy");
    drop(vmap, first.a, range->pages);
    range_give(vmap, range);
    return OK;
}

enum error vmap_shrink(struct vmap *vmap, virt_t first, enum virt_kind kind, uint64_t left)
{
    const struct virt_range *range;
    enum error e = range_find(vmap, first, kind, &range);

    if (e != OK)
        return e;
    ASSERT(left > 0 && left <= range->pages);
    drop(vmap, first.a + (left << PAGE_SHIFT), range->pages - left);
    lock_take(&vmap->lock);
    virt_shrink(&vmap->virt, range, left);
    virt_set_busy(range, false);
    lock_release(&vmap->lock);
    return OK;
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
    vmap->mmu->unmap(first, range->pages << PAGE_SHIFT);
    range_give(vmap, range);
    return OK;
}

/* ---- both ---- */

/*
 * Under the lock: all pages are mapped, by ranges that nobody works on, and by no CPU's stack.
 * *blame is the first page of which that is not so.
 */
static enum error may_protect(const struct vmap *vmap, uint64_t at, uint64_t end, virt_t *blame)
{
    struct mmu_mapping mapping;

    for (uint64_t page = at; page < end;
         page = mapping.unit.a + (UINT64_C(1) << mapping.shift)) {
        *blame = (virt_t){ page };
        if (!vmap->mmu->query(*blame, &mapping))
            return E_FAULT_ADDRESS;
    }
    for (uint64_t page = at; page < end;) {
        const struct virt_range *range = virt_next(&vmap->virt, (virt_t){ page });

        if (range == NULL || range->first.a >= end)
            break;
        *blame = (virt_t){ range->first.a > at ? range->first.a : at };
        if (range->busy || range->kind == VIRT_STACK)
            return range->busy ? E_FAULT_ADDRESS : E_MEM_KIND;
        page = range->first.a + ((range->pages + range->back) << PAGE_SHIFT);
    }
    return OK;
}

enum error vmap_protect(struct vmap *vmap, virt_t at, uint64_t count, unsigned attributes,
                        virt_t *blame)
{
    enum error e;

    ASSERT(count > 0 && at.a >= vmap->virt.first.a && at.a < vmap->virt.limit.a
           && count <= (vmap->virt.limit.a - at.a) >> PAGE_SHIFT);
    *blame = (virt_t){ 0 };
    if (!supported(vmap, attributes))
        return E_CALL_UNSUPPORTED;
    lock_take(&vmap->lock);
    e = may_protect(vmap, at.a, at.a + (count << PAGE_SHIFT), blame);
    if (e == OK)
        e = vmap->mmu->protect(at, count << PAGE_SHIFT, attributes);
    lock_release(&vmap->lock);
    return e;
}

void vmap_clear(struct vmap *vmap)
{
    vmap->mmu->unmap(vmap->virt.first, vmap->virt.limit.a - vmap->virt.first.a);
}
