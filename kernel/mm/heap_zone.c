/* SPDX-License-Identifier: MIT */
/*
 * Red zones: the end of an object, behind the bytes that were asked for, holds a pattern. Only
 * objects that have one have a record of it; it is found by address.
 */
#include "kernel/mm/heap_parts.h"

static uint64_t key_of(virt_t at)
{
    return at.a / HEAP_ALIGN_MIN;
}

/* For an object and its red zone. What is taken in vain is given back by heap_trim(). */
static enum error make_room(struct heap *heap)
{
    enum error e = heap_make_room(heap);
    struct lookup **zones;

    if (e != OK)
        return e;
    zones = &heap->root->zones;
    if (*zones == NULL)
        *zones = lookup_create(&heap->nodes);
    return *zones == NULL ? E_MEM_METADATA : lookup_make_room(*zones);
}

/* What lies behind `size` bytes of a new object, for which there is room, is red from now on. */
static enum error zone_add(struct heap *heap, virt_t at, const struct spot *spot, uint64_t size)
{
    uint64_t zone = spot_block(heap, at, spot).size - size;

    if (key_of(at) >= PFN_LIMIT)
        return E_CALL_UNSUPPORTED;
    return lookup_add(heap->root->zones, key_of(at), (uint32_t)zone);
}

enum error zoned_alloc(struct heap *heap, const struct heap_request *request, virt_t *out)
{
    struct spot spot;
    uint64_t pages;
    enum error e, undone;

    if (request->size > UINT64_MAX - HEAP_ZONE_MIN)
        return E_MEM_NONE;
    if (!heap->memory->is_there())
        return E_CALL_UNSUPPORTED;
    e = make_room(heap);
    if (e == OK)
        e = object_alloc(heap, request, request->size + HEAP_ZONE_MIN, out);
    if (e == OK) {
        e = spot_find(heap, *out, &spot);
        ASSERT(e == OK);
        e = zone_add(heap, *out, &spot, request->size);
        if (e == OK)
            return OK;
        /* What an allocation took of the records suffices to undo it. */
        undone = object_free(heap, *out, &spot, &pages);
        ASSERT(undone == OK);
    }
    heap_trim(heap);
    return e;
}

/* The pattern of the zone before stays in the one to come: so it holds for who looks meanwhile. */
enum error zone_resize(struct heap *heap, virt_t at, const struct spot *spot, uint64_t size,
                       virt_t *bad)
{
    uint64_t all = spot_block(heap, at, spot).size;
    uint32_t before = zone_size(heap, at);
    enum error e;

    if (size > all || all - size < HEAP_ZONE_MIN || all - size > UINT32_MAX)
        return E_MEM_NONE;
    lock_release(&heap->lock);
    YIELD_POINT("stamp");
    e = heap->memory->stamp(virt(at.a + size), all - size, bad);
    lock_take(&heap->lock);
    if (e == OK && zone_size(heap, at) != before)
        e = E_MEM_FREE;
    if (e == OK)
        lookup_set(heap->root->zones, key_of(at), (uint32_t)(all - size));
    return e;
}

uint32_t zone_size(const struct heap *heap, virt_t at)
{
    uint32_t zone;

    return zones_there(heap) && lookup_find(heap->root->zones, key_of(at), &zone) ? zone : 0;
}

enum error zone_inspect(const struct heap *heap, virt_t at, const struct spot *spot, virt_t *bad)
{
    uint32_t zone = zone_size(heap, at);
    virt_t end;

    if (zone == 0)
        return OK;
    end = virt(at.a + spot_block(heap, at, spot).size);
    if (heap->memory->inspect(virt(end.a - zone), zone, bad))
        return OK;
    return E_MEM_OVERRUN;
}

void zone_remove(struct heap *heap, virt_t at)
{
    uint32_t zone;

    (void)lookup_remove(heap->root->zones, key_of(at), &zone);
    if (lookup_count(heap->root->zones) == 0)
        heap_trim(heap);
}
