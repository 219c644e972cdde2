/* SPDX-License-Identifier: MIT */
/* The heap's objects as a list, and where one must go. */
#include <string.h>

#include "tests/fuzz/ops_heap.h"

const uint16_t classes[HEAP_CLASSES] = {
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048,
};

struct object objects[MAX_OBJECTS];
size_t nobjects;

static uint32_t class_for(uint64_t size, uint64_t align)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i] >= size && classes[i] % align == 0)
            return classes[i];
    return 0;
}

/* The bytes that an object needs; those that nobody has if it is too many of them. */
static uint64_t needed(uint64_t size, bool zoned)
{
    return zoned && size > UINT64_MAX - HEAP_ZONE_MIN ? UINT64_MAX
                                                      : size + (zoned ? HEAP_ZONE_MIN : 0);
}

struct object *object_at(uint64_t address)
{
    for (size_t i = 0; i < nobjects; i++)
        if (address >= objects[i].at && address < objects[i].at + objects[i].size)
            return &objects[i];
    return NULL;
}

struct page *page_at(uint64_t address)
{
    for (unsigned stage = 0; stage <= heap.stage; stage++)
        if (address >= BASE(stage) && address < BASE(stage) + (ROOM << PAGE_SHIFT))
            return &pages[stage][(address - BASE(stage)) >> PAGE_SHIFT];
    return NULL;
}

/* The lowest free slot of the lowest slab of a class; 0 if there is none. */
static uint64_t lowest_slot(uint32_t class)
{
    for (uint64_t i = 0; i < ROOM; i++) {
        const struct page *page = &pages[heap.stage][i];
        uint64_t start = BASE(heap.stage) + (i << PAGE_SHIFT);

        if (page->class != class || page->objects == PAGE_SIZE / class)
            continue;
        for (uint64_t at = start; at + class <= start + PAGE_SIZE; at += class)
            if (object_at(at) == NULL)
                return at;
    }
    return 0;
}

struct object predicted(uint64_t size, uint64_t align, bool zoned)
{
    uint64_t all = needed(size, zoned), first;
    uint32_t class = class_for(all, align);
    struct object object = {
        .size = class != 0 ? class : align_up(all, PAGE_SIZE), .asked = size,
        .stage = heap.stage, .zoned = zoned,
    };

    object.sure = object.size;
    if (all > UINT64_MAX - PAGE_SIZE)
        return object;
    if (class != 0)
        object.at = lowest_slot(class);
    if (object.at != 0)
        return object;
    first = lowest_pages(pages[heap.stage], align_up(object.size, PAGE_SIZE) >> PAGE_SHIFT,
                         align > PAGE_SIZE ? align : PAGE_SIZE);
    if (first < ROOM)
        object.at = BASE(heap.stage) + (first << PAGE_SHIFT);
    return object;
}

void object_comes(struct object object)
{
    struct page *page = page_at(object.at);

    if (object.size < PAGE_SIZE) {
        page->class = (uint32_t)object.size;
        page->objects++;
    }
    objects[nobjects++] = object;
}

/* After the heap gave its slab back, there is nothing to count. */
void object_goes(struct object *object)
{
    struct page *page = page_at(object->at);

    if (object->size < PAGE_SIZE && page->block != 0) {
        memset(byte_at(object->at), JUNK, object->size);
        page->objects--;
    }
    *object = objects[--nobjects];
}

enum error model_find(uint64_t address, struct object **object)
{
    const struct page *page = page_at(address);

    *object = NULL;
    if (page == NULL)
        return E_MEM_UNMANAGED;
    if (page->block == 0)
        return E_MEM_FREE;
    *object = object_at(address);
    if (*object != NULL)
        return (*object)->at == address ? OK : E_MEM_INSIDE;
    /* Between the last slot of a slab and its end is nothing that could be free. */
    return address % PAGE_SIZE < PAGE_SIZE / page->class * page->class ? E_MEM_FREE : E_MEM_INSIDE;
}

/* Of what was written to one that part which the other has, too; they may be the same. */
static void marks_inherit(struct object *to, const struct object *from)
{
    unsigned n = from->nmarks;

    to->nmarks = 0;
    for (unsigned i = 0; i < n; i++)
        if (from->marks[i].offset < to->asked)
            to->marks[to->nmarks++] = from->marks[i];
}

/* Red zones do not grow by a page, nor by a page that they have not. */
bool stays(const struct object *object, uint64_t size)
{
    uint64_t page = (object->at - BASE(object->stage)) >> PAGE_SHIFT;
    uint64_t all = needed(size, object->zoned);
    uint32_t class = class_for(all, 1);

    if (object->size < PAGE_SIZE || class != 0)
        return class == object->size;
    if (object->zoned)
        return all <= object->size && object->size - all < PAGE_SIZE;
    return all <= object->size + (pages_behind(pages[object->stage], page) << PAGE_SHIFT);
}

bool has_room(const struct object *object, uint64_t size)
{
    return needed(size, object->zoned) <= object->size;
}

void object_moves(struct object *object, const struct object *to)
{
    struct object moved = *to;

    moved.owner = object->owner;
    marks_inherit(&moved, object);
    object_goes(object);
    object_comes(moved);
}

void object_resize(struct object *object, uint64_t size)
{
    if (object->size >= PAGE_SIZE && !object->zoned)
        object->size = align_up(size, PAGE_SIZE);
    object->asked = size;
    marks_inherit(object, object);
}
