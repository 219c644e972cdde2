/* SPDX-License-Identifier: MIT */
/*
 * All objects in the order of their addresses. The table of pages has no order; the sources have,
 * so each is asked for what it handed out, and the lowest of what is the heap's comes next.
 */
#include "kernel/mm/heap_parts.h"

#define WALK_STEP 256u                /* blocks between two questions whether to stop */

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

/* The first object of a block of a source at `from` or behind; false: none, or not the heap's. */
static bool block_next(const struct heap *heap, unsigned stage, virt_t first, virt_t from,
                       struct heap_head *head)
{
    unsigned class;

    if (!page_find(heap, heap->sources[stage].window, page_of(first), &head->value)
        || value_stage(head->value) != stage)
        return false;
    class = value_class(head->value);
    head->at = first;
    if (class == HEAP_LARGE)
        return first.a >= from.a;
    return slab_next(slab_at(heap->root, class, value_row(head->value)), class, from, &head->at);
}

/* Find the next object of a stage. */
static void seek(struct heap_walk *walk, unsigned stage, virt_t from)
{
    const struct heap_source *source = &walk->heap->sources[stage];
    struct heap_head *head = &walk->heads[stage];
    struct heap_block block = { .size = 0 };
    uint64_t run;

    head->found = false;
    for (unsigned i = 1; (run = source->backend->run(source->context, from, &block)) != 0; i++) {
        head->found = block.size != 0 && block_next(walk->heap, stage, block.first, from, head);
        if (head->found)
            return;
        if (i % WALK_STEP == 0 && walk->stop()) {
            walk->stopped = true;
            return;
        }
        from.a += run;
    }
}

void heap_walk_begin(struct heap_walk *walk, const struct heap *heap, virt_t from,
                     bool (*stop)(void))
{
    *walk = (struct heap_walk){ .heap = heap, .stop = stop };
    for (unsigned i = 0; heap->root != NULL && i <= heap->stage; i++)
        seek(walk, i, from);
}

static struct heap_object object_at(const struct heap *heap, const struct heap_head *head)
{
    struct spot spot = {
        .class = value_class(head->value), .stage = value_stage(head->value),
        .row = value_row(head->value),
    };
    struct heap_block block;

    if (spot.class != HEAP_LARGE) {
        spot.slab = slab_at(heap->root, spot.class, spot.row);
        spot.slot = (unsigned)(head->at.a & (PAGE_SIZE - 1)) / heap_rules[spot.class].size;
    }
    block = spot_block(heap, head->at, &spot);
    return (struct heap_object){
        head->at, block.size, block.tag, spot.stage, zone_size(heap, head->at),
    };
}

bool heap_walk_next(struct heap_walk *walk, struct heap_object *object)
{
    unsigned lowest = HEAP_STAGES;

    for (unsigned i = 0; i < HEAP_STAGES; i++)
        if (walk->heads[i].found
            && (lowest == HEAP_STAGES || walk->heads[i].at.a < walk->heads[lowest].at.a))
            lowest = i;
    if (lowest == HEAP_STAGES || walk->stopped)
        return false;
    *object = object_at(walk->heap, &walk->heads[lowest]);
    seek(walk, lowest, virt(object->at.a + 1));
    return true;
}
