/* SPDX-License-Identifier: MIT */
/* realloc. */
#include "kernel/mm/heap_parts.h"

/*
 * Whether the object can become one of `size` bytes where it is; if pages of a block are too many
 * then, they are given back. *in_place is false if it must move.
 */
static enum error resize_in_place(struct heap *heap, const struct spot *spot,
                                  const struct heap_block *block, uint64_t size, bool *in_place)
{
    const struct heap_source *source = &heap->sources[spot->stage];
    unsigned class = class_for(size, 1);
    uint64_t left;

    *in_place = class == spot->class;
    if (class != HEAP_LARGE || spot->class != HEAP_LARGE)
        return OK;
    *in_place = size <= block->size;
    left = *in_place ? align_up(size, PAGE_SIZE) : block->size;
    return left == block->size ? OK : source->backend->shrink(source->context, block->first, left);
}

/* The content that both have, from the one to the other. */
static bool move_content(const struct heap *heap, virt_t to, uint64_t size,
                         const struct heap_block *from, uint32_t zone)
{
    uint64_t old = from->size - zone;

    return heap->memory->copy(to, from->first, size < old ? size : old);
}

/*
 * The content is copied without the lock: it is the caller's alone, as is the new object. Records
 * may move meanwhile, so that the old one is looked for once more.
 */
static enum error move(struct heap *heap, const struct heap_block *block, uint64_t size,
                       virt_t *out, bool *copied)
{
    uint32_t zone = zone_size(heap, block->first);
    const struct heap_request request = {
        .size = size, .align = 1, .tag = block->tag, .redzone = zone != 0,
    };
    struct spot spot;
    uint64_t pages;
    virt_t unused;
    enum error e = alloc_locked(heap, &request, out);

    if (e != OK)
        return e;
    lock_release(&heap->lock);
    YIELD_POINT("copy");
    *copied = move_content(heap, *out, size, block, zone);
    lock_take(&heap->lock);
    e = spot_find(heap, block->first, &spot);
    if (e == OK)
        e = object_free(heap, block->first, &spot, &pages);
    if (e == OK && zone != 0)
        zone_remove(heap, block->first);
    /* The old one stays: what the new one took of the records suffices to undo it. */
    if (e != OK && free_locked(heap, *out, true, &pages, &unused) != OK)
        ASSERT(false);
    return e;
}

static enum error realloc_locked(struct heap *heap, virt_t at, uint64_t size, virt_t *out,
                                 bool *copied, virt_t *blame)
{
    struct heap_block block;
    struct spot spot;
    bool in_place = false;
    enum error e = size == 0 ? E_CALL_RANGE : spot_find(heap, at, &spot);

    *blame = at;
    *copied = true;
    if (e == OK)
        e = zone_inspect(heap, at, &spot, blame);
    if (e != OK)
        return e;
    block = spot_block(heap, at, &spot);
    /* What has a red zone always moves: its pattern would have to. */
    if (zone_size(heap, at) == 0)
        e = resize_in_place(heap, &spot, &block, size, &in_place);
    if (e != OK || !in_place)
        return e != OK ? e : move(heap, &block, size, out, copied);
    *out = at;
    return OK;
}

enum error heap_realloc(struct heap *heap, virt_t at, uint64_t size, virt_t *out, bool *copied,
                        virt_t *blame)
{
    enum error e;

    lock_take(&heap->lock);
    e = realloc_locked(heap, at, size, out, copied, blame);
    lock_release(&heap->lock);
    return e;
}
