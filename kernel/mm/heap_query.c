/* SPDX-License-Identifier: MIT */
/* What there is. */
#include "kernel/mm/heap_parts.h"

/* Under the lock, as all of these. */
static bool has(const struct heap *heap, virt_t at, bool window)
{
    uint32_t value;

    if (page_find(heap, window, page_of(at), &value))
        return true;
    for (unsigned i = 0; i <= heap->stage; i++) {
        const struct heap_source *source = &heap->sources[i];
        struct heap_block block;

        if (source->window == window && source->backend->find(source->context, at, &block) == OK)
            return page_find(heap, window, page_of(block.first), &value);
    }
    return false;
}

bool heap_has(const struct heap *heap, virt_t at, bool window)
{
    bool found;

    lock_take(&heap->lock);
    found = has(heap, at, window);
    lock_release(&heap->lock);
    return found;
}

static void blocks_count(const struct heap *heap, const struct lookup *pages,
                         struct heap_totals *totals)
{
    for (uint64_t i = 0; pages != NULL && i < lookup_count(pages); i++) {
        uint64_t page;
        uint32_t value;
        struct spot spot = { .class = HEAP_LARGE };

        lookup_at(pages, i, &page, &value);
        if (value_class(value) != HEAP_LARGE)
            continue;
        spot.stage = value_stage(value);
        totals->objects++;
        totals->bytes += spot_block(heap, virt(page << PAGE_SHIFT), &spot).size;
    }
}

static void count(const struct heap *heap, unsigned class, struct heap_totals *totals)
{
    const struct rows *slabs;

    *totals = (struct heap_totals){ .size = class < HEAP_CLASSES ? heap_rules[class].size : 0 };
    if (class == HEAP_CLASSES) {
        blocks_count(heap, heap_pages(heap, false), totals);
        blocks_count(heap, heap_pages(heap, true), totals);
        totals->pages = totals->bytes >> PAGE_SHIFT;
    } else if (heap->root != NULL) {
        slabs = &heap->root->classes[class].slabs;
        for (uint32_t i = 0; i < slabs->count; i++)
            totals->objects += slab_at(heap->root, class, rows_number(slabs, i))->used;
        totals->pages = slabs->count;
        totals->bytes = totals->objects * totals->size;
    }
}

void heap_totals(const struct heap *heap, unsigned class, struct heap_totals *totals)
{
    lock_take(&heap->lock);
    count(heap, class, totals);
    lock_release(&heap->lock);
}
