/* SPDX-License-Identifier: MIT */
/*
 * Invariants, by the numbers of phys_check():
 *   1  there are at most as many extents as there are records
 *   2  an extent is not empty and does not go beyond ADDRESS_LIMIT
 *   3  extents ascend and do not overlap
 *   4  extents that touch differ in state or in `used`, except for early allocations
 *   5  early memory is `used`, reserved memory is not
 *   6  nothing of frame 0 but RESERVED
 *   7  handed-over extents are whole pages, and there are none before the hand-over
 *   8  the minimum alignment is a power of two, at most MAX_BLOCK_PAGES pages
 */
#include "kernel/mm/phys_extents.h"

#define DEFAULT_ALIGNMENT 32u
#define ALIGNMENT_LIMIT (MAX_BLOCK_PAGES << PAGE_SHIFT)

void phys_init(struct phys_allocator *phys, struct phys_extent *records, size_t capacity)
{
    *phys = (struct phys_allocator){
        .lock = LOCK_INIT(LOCK_PHYS), .extents = records, .capacity = capacity,
        .minimum_alignment = DEFAULT_ALIGNMENT,
    };
}

/* The next hole in [*start, end): false if there is none, else its edges. */
static bool hole_next(const struct phys_allocator *phys, uint64_t *start, uint64_t end,
                      uint64_t *hole_end)
{
    size_t i = extent_find(phys, *start);

    while (i < phys->count && phys->extents[i].start <= *start)
        *start = phys->extents[i++].end;
    *hole_end = i < phys->count ? lesser(phys->extents[i].start, end) : end;
    return *start < end;
}

/* Whether a free extent ends or begins at an edge of the hole: filling it needs no record then. */
static bool hole_touches_free(const struct phys_allocator *phys, uint64_t start, uint64_t end)
{
    size_t i = extent_find(phys, start);
    const struct phys_extent *after = &phys->extents[i], *before = after - 1;

    return (i > 0 && before->end == start && before->state == PHYS_FREE)
        || (i < phys->count && after->start == end && after->state == PHYS_FREE);
}

static enum error add_reserved(struct phys_allocator *phys, uint64_t start, uint64_t end)
{
    return extent_paint(phys, (struct phys_extent){ start, end, PHYS_RESERVED, false });
}

static enum error add_usable(struct phys_allocator *phys, uint64_t start, uint64_t end)
{
    /* What lies in frame 0 takes a record at most. */
    size_t needed = start < PAGE_SIZE ? 1 : 0;
    uint64_t null_start = start, hole_end;

    start = greater(start, PAGE_SIZE);
    for (uint64_t at = start; hole_next(phys, &at, end, &hole_end); at = hole_end)
        needed += !hole_touches_free(phys, at, hole_end);
    if (needed > phys->capacity - phys->count)
        return E_MEM_METADATA;
    for (uint64_t at = start; hole_next(phys, &at, end, &hole_end); at = hole_end) {
        enum error e = extent_paint(phys, (struct phys_extent){ at, hole_end, PHYS_FREE, false });

        ASSERT(e == OK);
    }
    return null_start < PAGE_SIZE ? add_reserved(phys, null_start, lesser(end, PAGE_SIZE)) : OK;
}

/* Memory was allocated or handed over. */
static bool in_use(const struct phys_allocator *phys)
{
    for (size_t i = 0; i < phys->count; i++)
        if (phys->extents[i].used || phys->extents[i].state == PHYS_EARLY)
            return true;
    return phys->handed_over;
}

enum error phys_add(struct phys_allocator *phys, const struct phys_range *range)
{
    uint64_t start = range->start.a, end = start + range->size;

    /* A range may end at 2^64 exactly, where the sum is 0. */
    if (end < start && end != 0)
        return E_CALL_RANGE;
    if (in_use(phys))
        return E_CALL_STATE;
    if (end > ADDRESS_LIMIT || end < start)
        end = ADDRESS_LIMIT;
    if (start >= end)
        return OK;
    return range->kind == RANGE_RESERVED ? add_reserved(phys, start, end)
                                         : add_usable(phys, start, end);
}

/* The place of `request` in the free run [start, end); addresses below 2^52 do not wrap here. */
static bool place(const struct phys_request *request, uint64_t align, uint64_t start, uint64_t end,
                  uint64_t *out)
{
    uint64_t low = greater(start, request->min), high = lesser(end, request->max);

    if (low >= high || high - low < request->size)
        return false;
    if (request->direction == PHYS_LOW) {
        *out = align_up(low, align);
        return *out < high && high - *out >= request->size;
    }
    *out = align_down(high - request->size, align);
    return *out >= low;
}

/* Under the lock, as all of this kind. */
static enum error take(struct phys_allocator *phys, const struct phys_request *request,
                       phys_t *out)
{
    uint64_t align = greater(request->align, phys->minimum_alignment), at, start = 0;
    bool found = false;
    enum error e;

    if (request->size == 0)
        return E_CALL_RANGE;
    if (!is_power_of_two(request->align))
        return E_CALL_ALIGN;
    for (size_t i = 0; i < phys->count && !(found && request->direction == PHYS_LOW);) {
        uint64_t run_start = phys->extents[i].start;

        if (phys->extents[i].state != PHYS_FREE) {
            i++;
        } else if (place(request, align, run_start, extents_free_end(phys, i, &i), &at)) {
            found = true;
            start = at;
        }
    }
    if (!found)
        return E_MEM_NONE;
    e = extent_paint(phys, (struct phys_extent){ start, start + request->size, PHYS_EARLY, true });
    if (e == OK)
        out->a = start;
    return e;
}

enum error phys_alloc(struct phys_allocator *phys, const struct phys_request *request, phys_t *out)
{
    enum error e;

    lock_take(&phys->lock);
    e = take(phys, request, out);
    lock_release(&phys->lock);
    return e;
}

static enum error find(const struct phys_allocator *phys, phys_t at, struct phys_extent *extent)
{
    size_t i = extent_find(phys, at.a);

    if (i == phys->count || phys->extents[i].start > at.a)
        return E_MEM_UNMANAGED;
    *extent = phys->extents[i];
    switch (extent->state) {
    case PHYS_FREE: return E_MEM_FREE;
    case PHYS_RESERVED: return E_MEM_RESERVED;
    case PHYS_HANDED: return E_MEM_BUSY;
    case PHYS_EARLY: break;
    }
    return OK;
}

enum error phys_find(const struct phys_allocator *phys, phys_t at, struct phys_extent *extent)
{
    enum error e;

    lock_take(&phys->lock);
    e = find(phys, at, extent);
    lock_release(&phys->lock);
    return e;
}

bool phys_next(const struct phys_allocator *phys, phys_t at, struct phys_extent *extent)
{
    size_t i;
    bool found;

    lock_take(&phys->lock);
    i = extent_find(phys, at.a);
    found = i < phys->count;
    if (found)
        *extent = phys->extents[i];
    lock_release(&phys->lock);
    return found;
}

/* The early allocation that begins at `start`. */
static enum error find_first(const struct phys_allocator *phys, phys_t start,
                             struct phys_extent *extent)
{
    enum error e = find(phys, start, extent);

    return e == OK && extent->start != start.a ? E_MEM_INSIDE : e;
}

/* Give back all of an early allocation but its first `left` bytes; *size is what it was. */
static enum error give(struct phys_allocator *phys, phys_t start, uint64_t left, uint64_t *size)
{
    struct phys_extent extent;
    enum error e = find_first(phys, start, &extent);

    if (e != OK)
        return e;
    *size = extent.end - extent.start;
    ASSERT(left <= *size);
    extent.start += left;
    extent.state = PHYS_FREE;
    return extent.start == extent.end ? OK : extent_paint(phys, extent);
}

enum error phys_free(struct phys_allocator *phys, phys_t start, uint64_t *size)
{
    enum error e;

    lock_take(&phys->lock);
    e = give(phys, start, 0, size);
    lock_release(&phys->lock);
    return e;
}

enum error phys_trim(struct phys_allocator *phys, phys_t start, uint64_t size)
{
    uint64_t before;
    enum error e;

    ASSERT(size > 0);
    lock_take(&phys->lock);
    e = give(phys, start, size, &before);
    lock_release(&phys->lock);
    return e;
}

/* Under the lock. */
static enum error extend(struct phys_allocator *phys, phys_t start, uint64_t size, phys_t max)
{
    struct phys_extent extent;
    enum error e = find_first(phys, start, &extent);
    uint64_t end;
    size_t next;

    if (e != OK)
        return e;
    ASSERT(size >= extent.end - extent.start);
    /* The extent itself is none of the free ones, and touches them if there are any. */
    end = lesser(extents_free_end(phys, extent_find(phys, start.a), &next), max.a);
    if (end < extent.end || size > end - extent.start)
        return E_MEM_NONE;
    extent.end = extent.start + size;
    return extent_paint(phys, extent);
}

enum error phys_extend(struct phys_allocator *phys, phys_t start, uint64_t size, phys_t max)
{
    enum error e;

    lock_take(&phys->lock);
    e = extend(phys, start, size, max);
    lock_release(&phys->lock);
    return e;
}

enum error phys_set_minimum_alignment(struct phys_allocator *phys, uint64_t align)
{
    if (!is_power_of_two(align) || align > ALIGNMENT_LIMIT)
        return E_CALL_ALIGN;
    phys->minimum_alignment = align;
    return OK;
}

static bool is_memory(const struct phys_allocator *phys, uint64_t start, uint64_t end)
{
    for (size_t i = extent_find(phys, start); start < end; start = phys->extents[i++].end)
        if (i == phys->count || phys->extents[i].start > start
            || phys->extents[i].state == PHYS_RESERVED)
            return false;
    return true;
}

bool phys_is_memory(const struct phys_allocator *phys, uint64_t start, uint64_t size)
{
    uint64_t end = start + size;
    bool found;

    lock_take(&phys->lock);
    found = end >= start && is_memory(phys, start, end);
    lock_release(&phys->lock);
    return found;
}

/* The number of the first invariant of one extent that does not hold, 0 if all do. */
static unsigned extent_check(const struct phys_allocator *phys, size_t i)
{
    const struct phys_extent *e = &phys->extents[i], *before = i > 0 ? e - 1 : NULL;

    if (e->start >= e->end || e->end > ADDRESS_LIMIT)
        return 2;
    if (before != NULL && before->end > e->start)
        return 3;
    if (before != NULL && before->end == e->start && extents_alike(before, e))
        return 4;
    if ((e->state == PHYS_EARLY && !e->used) || (e->state == PHYS_RESERVED && e->used))
        return 5;
    if (e->start < PAGE_SIZE && e->state != PHYS_RESERVED)
        return 6;
    if (e->state == PHYS_HANDED && !(phys->handed_over && is_aligned(e->start, PAGE_SIZE)
                                     && is_aligned(e->end, PAGE_SIZE)))
        return 7;
    return 0;
}

bool phys_check(const struct phys_allocator *phys, unsigned *number, phys_t *at)
{
    *number = phys->count > phys->capacity ? 1 : 0;
    at->a = 0;
    for (size_t i = 0; *number == 0 && i < phys->count; i++) {
        *number = extent_check(phys, i);
        at->a = phys->extents[i].start;
    }
    if (*number == 0 && !(is_power_of_two(phys->minimum_alignment)
                          && phys->minimum_alignment <= ALIGNMENT_LIMIT)) {
        *number = 8;
        at->a = 0;
    }
    return *number == 0;
}
