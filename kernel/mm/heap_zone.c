/* SPDX-License-Identifier: MIT */
/*
 * Red zones: the end of an object, behind the bytes that were asked for, holds a pattern. Only
 * objects that have one have a record of it; it is found by address.
 */
#include "kernel/mm/heap_parts.h"

static struct lookup **table_of(const struct heap *heap, virt_t at)
{
    ASSERT(at.a >> ZONE_SHIFT < ZONE_TABLES);
    return &heap->root->zones[at.a >> ZONE_SHIFT];
}

static uint64_t key_of(virt_t at)
{
    return (at.a & ((UINT64_C(1) << ZONE_SHIFT) - 1)) / HEAP_ALIGN_MIN;
}

/*
 * What lies behind `size` bytes of a new object is red from now on. What is taken in vain is given
 * back by heap_trim().
 */
static enum error zone_add(struct heap *heap, virt_t at, const struct spot *spot, uint64_t size)
{
    uint64_t zone = spot_block(heap, at, spot).size - size;
    struct lookup **zones = table_of(heap, at);
    enum error e;

    if (*zones == NULL)
        *zones = lookup_create(&heap->nodes);
    if (*zones == NULL)
        return E_MEM_METADATA;
    e = lookup_add(*zones, key_of(at), (uint32_t)zone);
    heap->root->zoned += e == OK;
    return e;
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
    e = heap_make_room(heap);
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
        lookup_set(*table_of(heap, at), key_of(at), (uint32_t)(all - size));
    return e;
}

uint32_t zone_size(const struct heap *heap, virt_t at)
{
    const struct lookup *zones = zones_there(heap) ? *table_of(heap, at) : NULL;
    uint32_t zone;

    return zones != NULL && lookup_find(zones, key_of(at), &zone) ? zone : 0;
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
    struct lookup *zones = *table_of(heap, at);
    uint32_t zone;

    if (zones == NULL || !lookup_remove(zones, key_of(at), &zone))
        return;
    heap->root->zoned--;
    if (lookup_count(zones) == 0)
        heap_trim(heap);
}
