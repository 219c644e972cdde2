/* SPDX-License-Identifier: MIT */
/* What is left of early memory becomes pages. */
#include "kernel/mm/phys_extents.h"

/*
 * Where the pages from `start` on, all free up to `limit`, stop being as fresh as the first one. A
 * page of which some bytes were used is not fresh.
 */
static uint64_t fresh_edge(const struct phys_allocator *phys, uint64_t start, uint64_t limit,
                           bool *used)
{
    const struct phys_extent *e = phys->extents + extent_find(phys, start);
    const struct phys_extent *last = phys->extents + phys->count;
    uint64_t end = start;

    while (e < last && e->start < limit && !e->used)
        e++;
    *used = e < last && e->start < limit && align_down(e->start, PAGE_SIZE) <= start;
    if (!*used)
        return e < last ? lesser(align_down(e->start, PAGE_SIZE), limit) : limit;
    for (; e < last && e->start < limit; e++) {
        if (e->used && align_down(e->start, PAGE_SIZE) > end)
            break;
        if (e->used)
            end = align_up(e->end, PAGE_SIZE);
    }
    return lesser(end, limit);
}

/* The first run of whole free pages, equally fresh, at or above `from`; false: none. */
static bool whole_pages_next(const struct phys_allocator *phys, uint64_t from,
                             struct phys_extent *run)
{
    for (size_t i = extent_find(phys, from); i < phys->count;) {
        uint64_t start = align_up(greater(phys->extents[i].start, from), PAGE_SIZE), limit;

        if (phys->extents[i].state != PHYS_FREE) {
            i++;
            continue;
        }
        limit = align_down(extents_free_end(phys, i, &i), PAGE_SIZE);
        if (start < limit) {
            run->start = start;
            run->state = PHYS_HANDED;
            run->end = fresh_edge(phys, start, limit, &run->used);
            return true;
        }
    }
    return false;
}

/* How many records it may take to paint `run`: one for each end that is not an edge. */
static size_t records_for(const struct phys_allocator *phys, const struct phys_extent *run)
{
    const struct phys_extent *first = &phys->extents[extent_find(phys, run->start)];
    const struct phys_extent *last = &phys->extents[extent_find(phys, run->end - 1)];

    return (first->start < run->start) + (size_t)(last->end > run->end);
}

enum error phys_hand_over(struct phys_allocator *phys, struct page_range *out, size_t max,
                          size_t *n)
{
    struct phys_extent run = { .end = 0 };
    size_t records = 0, ranges = 0;

    if (phys->handed_over)
        return E_CALL_STATE;
    for (; whole_pages_next(phys, run.end, &run); ranges++)
        records += records_for(phys, &run);
    *n = ranges;
    if (ranges > max || records > phys->capacity - phys->count)
        return E_MEM_METADATA;
    run.end = 0;
    while (whole_pages_next(phys, run.end, &run)) {
        enum error e = extent_paint(phys, run);

        ASSERT(e == OK);
        *out++ = (struct page_range){
            pfn(run.start >> PAGE_SHIFT), (run.end - run.start) >> PAGE_SHIFT, !run.used,
        };
    }
    phys->handed_over = true;
    return OK;
}
