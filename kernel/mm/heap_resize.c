/* SPDX-License-Identifier: MIT */
/* realloc. */
#include "kernel/mm/heap_parts.h"

/* Give back, or take, the pages of a block that `size` bytes need less, or more. */
static enum error block_resize(const struct heap *heap, const struct spot *spot,
                               const struct heap_block *block, uint64_t size)
{
    const struct heap_source *source = &heap->sources[spot->stage];
    uint64_t pages;

    if (size > UINT64_MAX - PAGE_SIZE)
        return E_MEM_NONE;
    pages = align_up(size, PAGE_SIZE);
    if (pages > block->size)
        return source->backend->grow(source->context, block->first, pages);
    /* Where that needs a record that cannot be had they stay: what is asked for is there. */
    if (pages < block->size)
        (void)!source->backend->shrink(source->context, block->first, pages);
    return OK;
}

/*
 * An object of `size` bytes where it is: in its slot if that is of the class for it, or in a block,
 * of which a red zone has to be in the pages that there are. MEM_FREE: another CPU freed it while a
 * red zone was written. Any other error: it is none, nothing has changed.
 */
static enum error resize_here(struct heap *heap, virt_t at, const struct spot *spot,
                              const struct heap_block *block, uint64_t size)
{
    uint32_t zone = zone_size(heap, at);
    uint64_t all = size + (zone != 0 ? HEAP_ZONE_MIN : 0);
    virt_t bad;

    if (all < size || class_for(all, 1) != spot->class)
        return E_MEM_NONE;
    if (zone == 0)
        return spot->slab != NULL ? OK : block_resize(heap, spot, block, size);
    if (spot->slab == NULL && (all > block->size || block->size - all >= PAGE_SIZE))
        return E_MEM_NONE;
    return zone_resize(heap, at, spot, size, &bad);
}

/* The content that both have, from the one to the other; *blame as heap_realloc(). */
static enum error move_content(const struct heap *heap, virt_t to, uint64_t size,
                               const struct heap_block *from, uint32_t zone, bool *copied,
                               virt_t *blame)
{
    uint64_t old = from->size - zone;
    enum error e;

    *copied = heap->memory->is_there();
    if (!*copied)
        return OK;
    e = heap->memory->copy(to, from->first, size < old ? size : old, blame);
    ASSERT(e != E_CALL_UNSUPPORTED);
    return e;
}

/*
 * The content is copied, and the new red zone written, without the lock: both objects are the
 * caller's alone. Records may move meanwhile, so that the old one is looked for once more.
 */
static enum error move(struct heap *heap, const struct heap_block *block, uint64_t size,
                       virt_t *out, bool *copied, virt_t *blame)
{
    uint32_t zone = zone_size(heap, block->first), new_zone;
    const struct heap_request request = {
        .size = size, .align = 1, .tag = block->tag, .redzone = zone != 0,
    };
    struct spot spot;
    uint64_t pages;
    virt_t to = block->first, unused;
    enum error e = alloc_locked(heap, &request, &to), found;

    if (e != OK) {
        *blame = to;
        return e;
    }
    new_zone = zone_size(heap, to);
    lock_release(&heap->lock);
    YIELD_POINT("copy");
    e = move_content(heap, to, size, block, zone, copied, blame);
    if (e == OK && new_zone != 0)
        e = heap->memory->stamp(virt(to.a + size), new_zone, blame);
    lock_take(&heap->lock);
    found = spot_find(heap, block->first, &spot);
    e = e == OK ? found : e;
    if (e == OK)
        e = object_free(heap, block->first, &spot, &pages);
    if (e == OK && zone != 0)
        zone_remove(heap, block->first);
    /* The old one stays: what the new one took of the records suffices to undo it. */
    if (e != OK && free_locked(heap, to, true, &pages, &unused) != OK)
        ASSERT(false);
    if (e == OK)
        *out = to;
    return e;
}

/* An object that could not move, for a reason, has room for `size` bytes where it is: it stays. */
static enum error stay(struct heap *heap, virt_t at, uint64_t size, enum error reason,
                       virt_t *out)
{
    struct heap_block block;
    struct spot spot;
    virt_t bad;

    if (spot_find(heap, at, &spot) != OK)
        return reason;
    block = spot_block(heap, at, &spot);
    if (zone_size(heap, at) != 0) {
        reason = zone_resize(heap, at, &spot, size, &bad) == OK ? OK : reason;
    } else if (size <= block.size) {
        reason = spot.slab != NULL ? OK : block_resize(heap, &spot, &block, size);
    }
    if (reason == OK)
        *out = at;
    return reason;
}

static enum error realloc_locked(struct heap *heap, virt_t at, uint64_t size, virt_t *out,
                                 bool *copied, virt_t *blame)
{
    struct heap_block block;
    struct spot spot;
    enum error e = size == 0 ? E_CALL_RANGE : spot_find(heap, at, &spot);

    *blame = at;
    *copied = true;
    if (e == OK)
        e = zone_inspect(heap, at, &spot, blame);
    if (e != OK)
        return e;
    block = spot_block(heap, at, &spot);
    e = resize_here(heap, at, &spot, &block, size);
    if (e == OK)
        *out = at;
    if (e == OK || e == E_MEM_FREE)
        return e;
    e = move(heap, &block, size, out, copied, blame);
    if (e == OK)
        return OK;
    *copied = true;
    return stay(heap, at, size, e, out);
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
