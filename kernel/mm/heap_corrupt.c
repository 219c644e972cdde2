/* SPDX-License-Identifier: MIT */
/* Breaks what heap_check() verifies, one invariant at a time: the mildest way that it names. */
#include "kernel/mm/heap_parts.h"

/* An entry for page 0, which is never the heap's. */
static enum error add_entry(struct heap *heap, uint32_t value)
{
    return lookup_add(heap_pages(heap, heap->sources[heap->stage].window), 0, value);
}

/* The first slab of the present stage with a free slot; the first of the queue of its class. */
static struct slab *find_slab(const struct heap *heap, unsigned *class)
{
    for (*class = 0; *class < HEAP_CLASSES; (*class)++)
        if (heap->root->classes[*class].waiting > 0)
            return heap->root->classes[*class].lowest;
    return NULL;
}

static enum error corrupt_slab(struct heap *heap, unsigned invariant)
{
    struct heap_source *source = &heap->sources[heap->stage];
    struct heap_recent *recent = &heap->root->recent;
    unsigned class;
    struct slab *slab = find_slab(heap, &class);

    if (slab == NULL || (invariant == 608 && recent->slab == NULL))
        return E_CALL_STATE;
    switch (invariant) {
    case 601: return add_entry(heap, value_of(heap->stage, class, 0));
    case 602: slab->free[0] ^= 1; return OK;
    case 603: slab->place = NOT_QUEUED; return OK;
    case 604: heap->root->classes[class].lowest = NULL; return OK;
    case 605: return source->backend->give(source->context, virt(slab->page << PAGE_SHIFT));
    default: recent->class = (recent->class + 1) % HEAP_CLASSES; return OK;
    }
}

static enum error corrupt_zone(struct heap *heap)
{
    uint64_t key;
    uint32_t zone;
    struct lookup *const *zones;

    if (!zones_there(heap))
        return E_CALL_STATE;
    for (zones = heap->root->zones; *zones == NULL;)
        zones++;
    lookup_at(*zones, 0, &key, &zone);
    lookup_set(*zones, key, HEAP_ZONE_MIN - 1);
    return OK;
}

enum error heap_corrupt(struct heap *heap, unsigned invariant)
{
    if (heap_pages(heap, heap->sources[heap->stage].window) == NULL)
        return E_CALL_STATE;
    switch (invariant) {
    case 600: return add_entry(heap, value_of(heap->stage, HEAP_LARGE + 1, 0));
    case 606: return add_entry(heap, value_of(heap->stage, HEAP_LARGE, 0));
    case 607: return corrupt_zone(heap);
    default: return corrupt_slab(heap, invariant);
    }
}
