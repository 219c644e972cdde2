/* SPDX-License-Identifier: MIT */
/*
 * Invariants, by the numbers of heap_check():
 *   600  each page in the table of addresses is found there, and is a slab or begins a block
 *   601  each slab is what the table says of its page; the table has nothing else
 *   602  a slab is not empty; its count is that of its slots in use, no bit is set beyond them
 *   603  slabs of the present stage with a free slot are in the queue of their class, no other is
 *   604  the queue is in order, and its first is the lowest slab
 *   605  a slab is one page of its backend, owned by nobody
 *   606  a block is one of its backend
 *   607  a red zone ends an object that is larger
 *   608  the slab found last is one of its class
 */
#include "kernel/mm/heap_parts.h"

#define CHECK_STEP 1024u          /* records between two questions whether to stop */

static bool broken(struct page_violation *violation, unsigned invariant, uint64_t page,
                   const char *text)
{
    *violation = (struct page_violation){ .invariant = invariant, .at = pfn(page), .text = text };
    return false;
}

/* Asked for each record: is it time to look, and shall we stop? Then the invariant is 0. */
static bool is_stopped(bool (*stop)(void), uint64_t record, struct page_violation *violation)
{
    return is_aligned(record, CHECK_STEP) && stop() && !broken(violation, 0, 0, "stopped");
}

/* ---- slabs ---- */

static bool count_check(const struct slab *slab, unsigned class)
{
    unsigned slots = heap_rules[class].slots, words = (slots + 63) / 64, free = 0;

    for (unsigned i = 0; i < words; i++)
        free += bits_count(slab->free[i]);
    return slab->used > 0 && slab->used + free == slots
        && (slots % 64 == 0 || slab->free[words - 1] >> slots % 64 == 0);
}

static bool queue_check(const struct heap_root *root, unsigned index, const struct slab *slab,
                        uint32_t row)
{
    const struct heap_class *class = &root->classes[index];
    uint32_t parent;

    if (slab->place >= class->waiting)
        return false;
    if (slab_at(root, index, rows_number(&class->slabs, slab->place))->queued != row)
        return false;
    if (slab->place == 0)
        return class->lowest == slab && class->lowest_row == row;
    parent = slab_at(root, index, rows_number(&class->slabs, (slab->place - 1) / 2))->queued;
    return slab_at(root, index, parent)->page < slab->page;
}

static bool slab_check(const struct heap *heap, unsigned class, uint32_t row,
                       struct page_violation *violation)
{
    const struct slab *slab = slab_at(heap->root, class, row);
    const struct heap_source *source = &heap->sources[slab->stage];
    struct heap_block block;
    uint32_t value;

    if (slab->stage > heap->stage || !page_find(heap, source->window, slab->page, &value)
        || value != value_of(slab->stage, class, row))
        return broken(violation, 601, slab->page, "a slab is not in the table of addresses");
    if (!count_check(slab, class))
        return broken(violation, 602, slab->page, "the slots of a slab are miscounted");
    if ((slab->place != NOT_QUEUED)
        != (slab->stage == heap->stage && slab->used < heap_rules[class].slots))
        return broken(violation, 603, slab->page, "a slab waits that cannot serve, or does not");
    if (slab->place != NOT_QUEUED && !queue_check(heap->root, class, slab, row))
        return broken(violation, 604, slab->page, "the queue of slabs is not in order");
    if (source->backend->find(source->context, virt(slab->page << PAGE_SHIFT), &block) != OK
        || page_of(block.first) != slab->page || block.size != PAGE_SIZE || block.tag != 0)
        return broken(violation, 605, slab->page, "a slab is no page of its backend");
    return true;
}

static bool class_check(const struct heap *heap, unsigned index, uint64_t *slabs,
                        bool (*stop)(void), struct page_violation *violation)
{
    const struct heap_class *class = &heap->root->classes[index];
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < class->slabs.count; i++) {
        uint32_t row = rows_number(&class->slabs, i);

        if (is_stopped(stop, i, violation) || !slab_check(heap, index, row, violation))
            return false;
        waiting += slab_at(heap->root, index, row)->place != NOT_QUEUED;
    }
    *slabs += class->slabs.count;
    if (waiting != class->waiting || (waiting == 0 && class->lowest != NULL))
        return broken(violation, 604, 0, "the queue of slabs has another length");
    return true;
}

/* ---- the tables ---- */

static bool block_check(const struct heap *heap, uint64_t page, uint32_t value)
{
    const struct heap_source *source = &heap->sources[value_stage(value)];
    struct heap_block block;

    return value_stage(value) <= heap->stage
        && source->backend->find(source->context, virt(page << PAGE_SHIFT), &block) == OK
        && page_of(block.first) == page;
}

/* Each entry of a table that is no slab is a block; *slabs counts down the others. */
static bool pages_check_one(const struct heap *heap, const struct lookup *pages, uint64_t *slabs,
                            bool (*stop)(void), struct page_violation *violation)
{
    uint64_t page;
    uint32_t value;

    if (!lookup_check(pages, &page))
        return broken(violation, 600, page, "a page cannot be found in the table of addresses");
    for (uint64_t i = 0; i < lookup_count(pages); i++) {
        if (is_stopped(stop, i, violation))
            return false;
        lookup_at(pages, i, &page, &value);
        if (value_class(value) > HEAP_LARGE || value_stage(value) >= HEAP_STAGES)
            return broken(violation, 600, page, "a page of the heap is neither slab nor block");
        if (value_class(value) != HEAP_LARGE)
            (*slabs)--;
        else if (!block_check(heap, page, value))
            return broken(violation, 606, page, "a block is none of its backend");
    }
    return true;
}

/* Red zones of one table, of addresses from `first` on. */
static bool zones_check_one(const struct heap *heap, const struct lookup *zones, uint64_t first,
                            bool (*stop)(void), struct page_violation *violation)
{
    uint64_t key = 0;

    for (uint64_t i = 0; i < lookup_count(zones); i++) {
        struct spot spot;
        uint32_t zone;
        virt_t at;

        if (is_stopped(stop, i, violation))
            return false;
        lookup_at(zones, i, &key, &zone);
        at = virt(first + key * HEAP_ALIGN_MIN);
        if (spot_find(heap, at, &spot) != OK || zone < HEAP_ZONE_MIN
            || zone >= spot_block(heap, at, &spot).size)
            return broken(violation, 607, page_of(at), "a red zone ends no object");
    }
    return lookup_check(zones, &key)
        || broken(violation, 607, (first + key * HEAP_ALIGN_MIN) >> PAGE_SHIFT,
                  "a red zone is not found");
}

static bool zones_check(const struct heap *heap, bool (*stop)(void),
                        struct page_violation *violation)
{
    uint64_t zoned = 0;

    for (unsigned i = 0; i < ZONE_TABLES; i++) {
        const struct lookup *zones = heap->root->zones[i];

        if (zones == NULL)
            continue;
        if (!zones_check_one(heap, zones, (uint64_t)i << ZONE_SHIFT, stop, violation))
            return false;
        zoned += lookup_count(zones);
    }
    return zoned == heap->root->zoned
        || broken(violation, 607, 0, "the count of red zones is not theirs");
}

static bool recent_check(const struct heap *heap, struct page_violation *violation)
{
    const struct heap_recent *recent = &heap->root->recent;
    uint32_t value;

    if (recent->slab == NULL
        || (heap_look_up(heap, recent->slab->page, &value)
            && value == value_of(recent->slab->stage, recent->class, recent->row)
            && slab_at(heap->root, recent->class, recent->row) == recent->slab))
        return true;
    return broken(violation, 608, 0, "the slab found last is none");
}

bool heap_check(const struct heap *heap, bool (*stop)(void), struct page_violation *violation)
{
    uint64_t slabs = 0;

    if (heap->root == NULL)
        return true;
    for (unsigned class = 0; class < HEAP_CLASSES; class++)
        if (!class_check(heap, class, &slabs, stop, violation))
            return false;
    for (unsigned i = 0; i < 2; i++)
        if (heap_pages(heap, i) != NULL
            && !pages_check_one(heap, heap_pages(heap, i), &slabs, stop, violation))
            return false;
    if (slabs != 0)
        return broken(violation, 601, 0, "the table of addresses has a slab that is none");
    /* In this order: to look at red zones is to find objects, and the last slab found then. */
    return recent_check(heap, violation) && zones_check(heap, stop, violation);
}
