/* SPDX-License-Identifier: MIT */
/* What there is. */
#include "kernel/mm/heap_parts.h"

bool heap_has(const struct heap *heap, virt_t at, bool window)
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

/* The first slot in use of a slab at `from` or behind; false: none. */
static bool slab_next(const struct slab *slab, unsigned class, virt_t from, virt_t *at)
{
    virt_t first = virt(slab->page << PAGE_SHIFT);
    unsigned size = heap_rules[class].size, slot = 0;

    if (from.a > first.a)
        slot = (unsigned)(from.a - first.a + size - 1) / size;
    while (slot < heap_rules[class].slots && slot_is_free(slab, slot))
        slot++;
    at->a = first.a + slot * size;
    return slot < heap_rules[class].slots;
}

/* The lowest object of one page of the heap at `from` or behind; false: none. */
static bool page_next(const struct heap *heap, uint64_t page, uint32_t value, virt_t from,
                      virt_t *at)
{
    *at = virt(page << PAGE_SHIFT);
    if (page < page_of(from))
        return false;
    if (value_class(value) == HEAP_LARGE)
        return at->a >= from.a;
    return slab_next(slab_at(heap->root, value_class(value), value_row(value)), value_class(value),
                     from, at);
}

bool heap_next(const struct heap *heap, virt_t from, struct heap_object *object)
{
    struct heap_block block;
    struct spot spot;
    bool found = false;

    for (unsigned window = 0; window < 2; window++) {
        const struct lookup *pages = heap_pages(heap, window);

        for (uint64_t i = 0; pages != NULL && i < lookup_count(pages); i++) {
            uint64_t page;
            uint32_t value;
            virt_t at;

            lookup_at(pages, i, &page, &value);
            if (page_next(heap, page, value, from, &at) && (!found || at.a < object->at.a)) {
                object->at = at;
                found = true;
            }
        }
    }
    if (!found || spot_find(heap, object->at, &spot) != OK)
        return false;
    block = spot_block(heap, object->at, &spot);
    *object = (struct heap_object){
        object->at, block.size, block.tag, spot.stage, zone_size(heap, object->at),
    };
    return true;
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

void heap_totals(const struct heap *heap, unsigned class, struct heap_totals *totals)
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
