/* SPDX-License-Identifier: MIT */
/*
 * What is kept is one count; the tables themselves know the rest. So nothing can be out of step
 * with them, and pages without attributes of their own cost nothing.
 *
 * Invariants:
 *   700  a page with other attributes than the default is allocated or reserved, and not behind an
 *        address of vmalloc
 *   701  `changed` is the number of such pages
 */
#include "kernel/mm/attributes.h"

#define CHECK_STEP 1024u          /* runs of pages between two questions whether to stop */

void attributes_init(struct attributes *attributes, const struct mmu *mmu, struct pages *pages)
{
    *attributes = (struct attributes){
        .lock = LOCK_INIT(LOCK_ATTRIBUTES), .mmu = mmu, .pages = pages,
    };
}

unsigned attributes_default(const struct mmu *mmu)
{
    return MMU_DATA & mmu->attributes;
}

enum error attributes_supported(const struct attributes *attributes, unsigned wanted)
{
    if (!attributes->pages->backed || (wanted & ~attributes->mmu->attributes) != 0)
        return E_CALL_UNSUPPORTED;
    return OK;
}

/* ---- walking ---- */

/*
 * Pages from `at` on, not beyond `end`, of which the tables say one thing: mapped, by one unit with
 * attributes *has, or not.
 */
static uint64_t run(const struct attributes *attributes, uint64_t at, uint64_t end, bool *found,
                    unsigned *has)
{
    struct mmu_entry entry;
    uint64_t next;

    *found = false;
    if (!attributes->mmu->entry((virt_t){ at << PAGE_SHIFT }, 1, &entry))
        return end - at;
    *found = entry.kind == MMU_UNIT && entry.phys.a == entry.start.a;
    *has = entry.attributes;
    next = (entry.start.a + (UINT64_C(1) << entry.shift)) >> PAGE_SHIFT;
    return (next < end ? next : end) - at;
}

/* Pages of [at, end) with other attributes than the default. */
static uint64_t count_changed(const struct attributes *attributes, uint64_t at, uint64_t end)
{
    uint64_t changed = 0, pages;

    for (; at < end; at += pages) {
        unsigned has = 0;
        bool found;

        pages = run(attributes, at, end, &found, &has);
        if (found && has != attributes_default(attributes->mmu))
            changed += pages;
    }
    return changed;
}

bool attributes_are_changed(const struct attributes *attributes, pfn_t frame)
{
    bool changed;

    lock_take(&attributes->lock);
    changed = attributes->changed != 0
        && count_changed(attributes, frame.n, frame.n + 1) != 0;
    lock_release(&attributes->lock);
    return changed;
}

/* ---- giving ---- */

static enum error give(struct attributes *attributes, pfn_t first, uint64_t count,
                       unsigned wanted)
{
    uint64_t before = count_changed(attributes, first.n, first.n + count);
    enum error e;

    e = attributes->mmu->protect((virt_t){ pfn_phys(first).a }, count << PAGE_SHIFT, wanted);
    if (e != OK)
        return e;
    attributes->changed -= before;
    if (wanted != attributes_default(attributes->mmu))
        attributes->changed += count;
    return OK;
}

/* May the page have attributes of its own? */
static enum error page_may(const struct attributes *attributes, uint64_t at,
                           const struct page_info *info)
{
    if (info->state == PAGE_FREE)
        return E_MEM_FREE;
    if (info->state == PAGE_UNMANAGED)
        return E_MEM_UNMANAGED;
    return pages_use(attributes->pages, pfn(at)) == PAGES_PLAIN ? OK : E_MEM_KIND;
}

/* The allocators' word on each of the pages. */
static enum error all_may(const struct attributes *attributes, uint64_t at, uint64_t end,
                          pfn_t *blame)
{
    const struct pages *pages = attributes->pages;

    while (at < end) {
        struct page_info info;
        uint64_t n = pages_run(pages, pfn(at), pfn(end), &info);
        enum error e = page_may(attributes, at, &info);

        *blame = pfn(at);
        if (e != OK)
            return e;
        at += n;
    }
    return OK;
}

/* The machine's word: all of them are in the direct map. */
static enum error all_mapped(const struct attributes *attributes, uint64_t at, uint64_t end,
                             pfn_t *blame)
{
    while (at < end) {
        unsigned has = 0;
        bool found;
        uint64_t n = run(attributes, at, end, &found, &has);

        *blame = pfn(at);
        if (!found)
            return E_FAULT_ADDRESS;
        at += n;
    }
    return OK;
}

enum error attributes_protect(struct attributes *attributes, pfn_t first, uint64_t count,
                              unsigned wanted, pfn_t *blame)
{
    enum error e = attributes_supported(attributes, wanted);

    ASSERT(count > 0 && first.n < PFN_LIMIT && count <= PFN_LIMIT - first.n);
    *blame = pfn(0);
    if (e != OK)
        return e;
    lock_take(&attributes->lock);
    pages_hold_caches(attributes->pages, true);
    e = all_may(attributes, first.n, first.n + count, blame);
    if (e == OK)
        e = all_mapped(attributes, first.n, first.n + count, blame);
    if (e == OK)
        e = give(attributes, first, count, wanted);
    pages_hold_caches(attributes->pages, attributes->changed != 0);
    lock_release(&attributes->lock);
    return e;
}

enum error attributes_alloc(struct attributes *attributes, const struct page_request *request,
                            uint32_t tag, bool dontzero, unsigned wanted, pfn_t *out, bool *zeroed,
                            pfn_t *blame)
{
    enum error e = attributes_supported(attributes, wanted), undone;
    uint64_t freed;
    pfn_t first;

    *blame = pfn(0);
    if (e == OK)
        e = pages_alloc(attributes->pages, request, tag, dontzero, &first, zeroed, blame);
    if (e != OK)
        return e;
    e = attributes_protect(attributes, first, request->pages, wanted, blame);
    if (e == OK) {
        *out = first;
        return OK;
    }
    undone = pages_free(attributes->pages, first, 0, &freed, blame);
    ASSERT(undone == OK);
    *blame = pfn(0);
    /* Such a page is a refusal of the machine's, not of the address. */
    return e == E_FAULT_ADDRESS ? E_CALL_UNSUPPORTED : e;
}

/* ---- giving back ---- */

/*
 * A range that is to be free, with default attributes. Nobody may get a page of it before it has
 * them, and nobody may lose them if the allocator refuses: so they are given when it has agreed.
 * What can fail then, a table for a unit across an edge of the range, comes first: the `parts` of
 * such units that lie in the range, at most one at each edge, have been given theirs already.
 */
struct range {
    struct attributes *attributes;
    pfn_t first;
    uint64_t count;
    struct { pfn_t first; uint64_t pages; unsigned had; } parts[2];
    unsigned n;
};

/* The unit that holds the page `at`, if it is one across an edge. */
static enum error range_cut(struct range *range, uint64_t at)
{
    const struct mmu *mmu = range->attributes->mmu;
    uint64_t first = range->first.n, end = first + range->count, start, limit;
    struct mmu_mapping unit;
    enum error e;

    if (!mmu->query((virt_t){ at << PAGE_SHIFT }, &unit) || unit.phys.a != unit.unit.a
        || unit.attributes == attributes_default(mmu))
        return OK;
    start = unit.unit.a >> PAGE_SHIFT;
    limit = start + (UINT64_C(1) << (unit.shift - PAGE_SHIFT));
    if (start >= first && limit <= end)
        return OK;
    first = start > first ? start : first;
    end = limit < end ? limit : end;
    e = give(range->attributes, pfn(first), end - first, attributes_default(mmu));
    if (e != OK)
        return e;
    range->parts[range->n].first = pfn(first);
    range->parts[range->n].pages = end - first;
    range->parts[range->n++].had = unit.attributes;
    return OK;
}

static enum error range_begin(struct range *range)
{
    enum error e;

    if (range->attributes->changed == 0 || range->count == 0)
        return OK;
    e = range_cut(range, range->first.n);
    return e == OK ? range_cut(range, range->first.n + range->count - 1) : e;
}

/* The pages are free, and no CPU can get them yet. */
static void range_restore(void *context)
{
    const struct range *range = context;
    struct attributes *attributes = range->attributes;
    enum error e = OK;

    if (attributes->changed != 0
        && count_changed(attributes, range->first.n, range->first.n + range->count) != 0)
        e = give(attributes, range->first, range->count, attributes_default(attributes->mmu));
    ASSERT(e == OK);
}

/*
 * After the allocator's answer, under the lock; gives it back. To take back what a part was given
 * needs no table: what is left of its unit has kept the others apart.
 */
static enum error range_end(struct range *range, enum error answer)
{
    struct attributes *attributes = range->attributes;

    while (answer != OK && range->n > 0) {
        pfn_t first = range->parts[--range->n].first;
        enum error e = give(attributes, first, range->parts[range->n].pages,
                            range->parts[range->n].had);

        ASSERT(e == OK);
    }
    pages_hold_caches(attributes->pages, attributes->changed != 0);
    lock_release(&attributes->lock);
    if (answer == OK)
        pages_tell(attributes->pages);
    return answer;
}

/* The pages that a free would give back; 0 if it will be refused. */
static uint64_t pages_to_free(const struct attributes *attributes, pfn_t first, uint64_t count)
{
    const struct pages *pages = attributes->pages;
    struct page_info info = { .state = PAGE_UNMANAGED };
    uint64_t left;

    if (first.n < PFN_LIMIT)
        pages_query(pages, first, &info);
    if (info.state != PAGE_ALLOCATED || (count == 0 && info.block.n != first.n))
        return 0;
    left = info.block.n + info.pages - first.n;
    return count == 0 ? left : count <= left ? count : 0;
}

enum error attributes_free(struct attributes *attributes, pfn_t first, uint64_t count,
                           uint64_t *freed, pfn_t *blame)
{
    struct range range = { .attributes = attributes, .first = first };
    const struct pages_last last = { range_restore, &range };
    enum error e;

    *blame = first;
    if (count <= 1 && pages_free_cached(attributes->pages, first)) {
        *freed = 1;
        return OK;
    }
    YIELD_POINT("free");
    lock_take(&attributes->lock);
    if (attributes->changed != 0)
        range.count = pages_to_free(attributes, first, count);
    e = range_begin(&range);
    if (e == OK)
        e = pages_free_quietly(attributes->pages, first, count, &last, freed, blame);
    return range_end(&range, e);
}

/* A run of reserved pages may end where freshness does: what will be refused is not cut. */
static bool are_reserved(const struct attributes *attributes, uint64_t at, uint64_t end)
{
    struct page_info info = { .state = PAGE_RESERVED };

    while (at < end && info.state == PAGE_RESERVED)
        at += pages_run(attributes->pages, pfn(at), pfn(end), &info);
    return info.state == PAGE_RESERVED;
}

enum error attributes_unreserve(struct attributes *attributes, pfn_t first, uint64_t count,
                                uint32_t tag, pfn_t *blame)
{
    struct range range = { .attributes = attributes, .first = first };
    const struct pages_last last = { range_restore, &range };
    enum error e;

    *blame = pfn(0);
    lock_take(&attributes->lock);
    if (attributes->changed != 0 && are_reserved(attributes, first.n, first.n + count))
        range.count = count;
    e = range_begin(&range);
    if (e == OK)
        e = pages_unreserve_quietly(attributes->pages, first, count, &last, tag, blame);
    return range_end(&range, e);
}

void attributes_clear(struct attributes *attributes, pfn_t first, uint64_t count)
{
    uint64_t at = first.n, end = first.n + count, pages;

    for (; at < end; at += pages) {
        unsigned has = 0;
        bool found;
        enum error e = OK;

        pages = run(attributes, at, end, &found, &has);
        if (found && has != attributes_default(attributes->mmu))
            e = attributes->mmu->protect((virt_t){ at << PAGE_SHIFT }, pages << PAGE_SHIFT,
                                         attributes_default(attributes->mmu));
        ASSERT(e == OK);
    }
}

/* ---- check ---- */

static bool broken(struct page_violation *violation, unsigned invariant, uint64_t at,
                   const char *text)
{
    *violation = (struct page_violation){ .invariant = invariant, .at = pfn(at), .text = text };
    return false;
}

bool attributes_check_range(const struct attributes *attributes, pfn_t first, uint64_t count,
                            uint64_t *changed, struct page_violation *violation)
{
    uint64_t at = first.n, end = first.n + count, pages;

    for (unsigned runs = 0; at < end; at += pages, runs++) {
        unsigned has = 0;
        bool found;
        pfn_t blame;

        if (is_aligned(runs, CHECK_STEP) && attributes->pages->hooks.stopped())
            return broken(violation, 0, at, "stopped");
        pages = run(attributes, at, end, &found, &has);
        if (!found || has == attributes_default(attributes->mmu))
            continue;
        if (all_may(attributes, at, at + pages, &blame) != OK)
            return broken(violation, 700, blame.n, "a page has attributes and no owner");
        *changed += pages;
    }
    return true;
}

bool attributes_check_total(const struct attributes *attributes, uint64_t changed,
                            struct page_violation *violation)
{
    return changed == attributes->changed
        || broken(violation, 701, 0, "the count of pages with attributes is not theirs");
}
