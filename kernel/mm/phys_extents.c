/* SPDX-License-Identifier: MIT */
#include "kernel/mm/phys_extents.h"

#include "kernel/lib/string.h"

size_t extent_find(const struct phys_allocator *phys, uint64_t address)
{
    size_t low = 0, high = phys->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (phys->extents[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool extents_alike(const struct phys_extent *a, const struct phys_extent *b)
{
    return a->state == b->state && a->used == b->used && a->state != PHYS_EARLY;
}

uint64_t extents_free_end(const struct phys_allocator *phys, size_t i, size_t *next)
{
    uint64_t end = phys->extents[i++].end;

    while (i < phys->count && phys->extents[i].start == end
           && phys->extents[i].state == PHYS_FREE)
        end = phys->extents[i++].end;
    *next = i;
    return end;
}

/* Replace the extents [from, to) by the `n` at `with`. */
static enum error splice(struct phys_allocator *phys, size_t from, size_t to,
                         const struct phys_extent *with, size_t n)
{
    struct phys_extent *at = phys->extents + from;

    if (n > to - from && n - (to - from) > phys->capacity - phys->count)
        return E_MEM_METADATA;
    memmove(at + n, phys->extents + to, (phys->count - to) * sizeof(*at));
    memcpy(at, with, n * sizeof(*at));
    phys->count = phys->count - (to - from) + n;
    return OK;
}

enum error extent_paint(struct phys_allocator *phys, struct phys_extent extent)
{
    const struct phys_extent *extents = phys->extents;
    const uint64_t start = extent.start, end = extent.end;
    size_t from = extent_find(phys, start), to, n = 0;
    struct phys_extent with[3];

    if (from > 0 && extents[from - 1].end == start)
        from--;
    for (to = from; to < phys->count && extents[to].start <= end; to++) {
        if (extents_alike(&extents[to], &extent)) {
            extent.start = lesser(extents[to].start, extent.start);
            extent.end = greater(extents[to].end, extent.end);
        }
    }
    if (from < to && extents[from].start < extent.start) {
        with[n] = extents[from];
        with[n].end = lesser(with[n].end, start);
        n++;
    }
    with[n++] = extent;
    if (from < to && extents[to - 1].end > extent.end) {
        with[n] = extents[to - 1];
        with[n].start = greater(with[n].start, end);
        n++;
    }
    return splice(phys, from, to, with, n);
}
