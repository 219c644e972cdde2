/* SPDX-License-Identifier: MIT */
/*
 * malloc on backends of a few pages, against a list of objects; pages and records are refused on
 * purpose now and then.
 */
#include <string.h>

#include "tests/fuzz/ops_heap.h"

#include "kernel/mm/kpool.h"
#include "tests/fuzz/ops.h"

#define MAX_OBJECTS 300u
#define POOL_PAGES 64u

struct object {
    uint64_t at, size;                /* all its bytes */
    uint32_t tag;
    unsigned stage;
};

static const uint16_t classes[HEAP_CLASSES] = {
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048,
};

static unsigned char pool_memory[POOL_PAGES << PAGE_SHIFT] __attribute__((aligned(4096)));
static struct kpool pool;
static struct heap heap;
static struct object objects[MAX_OBJECTS];
static size_t nobjects;

/* ---- what the heap stands on ---- */

static void *record_take(void *context) { return refuses() ? NULL : kpool_take(context); }

/* No memory is behind the addresses. */
static bool is_there(void) { return false; }
static enum error zero(virt_t at, uint64_t size, virt_t *bad)
{
    return (void)at, (void)size, (void)bad, E_CALL_UNSUPPORTED;
}
static enum error copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    return (void)to, (void)from, (void)size, (void)bad, E_CALL_UNSUPPORTED;
}
static bool inspect(virt_t at, uint64_t size, virt_t *bad)
{
    return (void)at, (void)size, (void)bad, false;
}

static const struct memory_hooks memory = { is_there, zero, copy, zero, inspect };

static void begin(struct input *in)
{
    struct heap_source sources[HEAP_STAGES];
    struct node_source nodes = kpool_source(&pool);

    (void)in;
    for (unsigned i = 0; i < HEAP_STAGES; i++)
        sources[i] = (struct heap_source){ &heap_pages, pages[i], i == 2 };
    memset(pages, 0, sizeof(pages));
    nobjects = 0;
    refuse_nth(0);
    nodes.take = record_take;
    kpool_init(&pool, pool_memory, POOL_PAGES);
    heap_init(&heap, &nodes, sources, &memory);
    script_request("reset stage=early");
    script_nothing();
}

/* ---- the model ---- */

static uint32_t class_for(uint64_t size, uint64_t align)
{
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i] >= size && classes[i] % align == 0)
            return classes[i];
    return 0;
}

/* The object that holds an address, or NULL. */
static struct object *object_at(uint64_t address)
{
    for (size_t i = 0; i < nobjects; i++)
        if (address >= objects[i].at && address < objects[i].at + objects[i].size)
            return &objects[i];
    return NULL;
}

/* The page of a backend that was reached at an address, or NULL. */
static struct page *page_at(uint64_t address)
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

/* Where an object must go; at is 0 if there is no room. */
static struct object predicted(uint64_t size, uint64_t align, uint32_t tag)
{
    uint32_t class = class_for(size, align);
    struct object object = { 0, class != 0 ? class : align_up(size, PAGE_SIZE), tag, heap.stage };
    uint64_t n = align_up(object.size, PAGE_SIZE) >> PAGE_SHIFT, first;

    if (size > UINT64_MAX - PAGE_SIZE)
        return object;
    if (class != 0)
        object.at = lowest_slot(class);
    if (object.at != 0)
        return object;
    first = lowest_pages(pages[heap.stage], n, align > PAGE_SIZE ? align : PAGE_SIZE);
    if (first < ROOM)
        object.at = BASE(heap.stage) + (first << PAGE_SHIFT);
    return object;
}

static void object_comes(struct object object)
{
    struct page *page = page_at(object.at);

    if (object.size < PAGE_SIZE) {
        page->class = (uint32_t)object.size;
        page->objects++;
    }
    objects[nobjects++] = object;
}

/* After the heap gave its slab back, there is nothing to count. */
static void object_goes(struct object *object)
{
    struct page *page = page_at(object->at);

    if (object->size < PAGE_SIZE && page->block != 0)
        page->objects--;
    *object = objects[--nobjects];
}

static enum error model_find(uint64_t address, struct object **object)
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

/* ---- operations ---- */

static uint64_t take_size(struct input *in)
{
    unsigned how = take_byte(in), n = take_short(in);

    if (how == 255)
        return UINT64_MAX - n % 5000;
    return how % 4 == 0 ? classes[n % HEAP_CLASSES] + (n >> 8 & 1)
                        : 1 + n % (how % 4 == 1 ? 2048 : how % 4 == 2 ? 64 : 20000);
}

/* What refused an operation on purpose is told by its error, whatever was wanted. */
static bool is_on_purpose(enum error e)
{
    return was_refused() && (e == E_MEM_INJECTED || e == E_MEM_METADATA);
}

static void step_alloc(struct input *in)
{
    unsigned how = take_byte(in);
    struct heap_request q = {
        .size = take_size(in), .align = how & 3 ? 1 : UINT64_C(1) << take_byte(in) % 17,
        .zero = (how & 4) != 0, .redzone = how % 32 == 8,
    };
    struct object object = predicted(q.size, q.align, 0);
    enum error e = object.at != 0 ? OK : E_MEM_NONE, got;
    virt_t at = { 0 };
    bool zeroed;

    if (nobjects == MAX_OBJECTS)
        return;
    q.tag = object.tag = script_request("memalign %llu %llu%s", (unsigned long long)q.align,
                                        (unsigned long long)q.size, q.redzone ? " redzone=1" : "");
    if (q.redzone)
        e = q.size > UINT64_MAX - HEAP_ZONE_MIN ? E_MEM_NONE : E_CALL_UNSUPPORTED;
    got = heap_alloc(&heap, &q, &at, &zeroed);
    if (is_on_purpose(got))
        return;
    if (e != OK)
        script_error(e, 0);
    SAME(got, e, "heap_alloc");
    SAME(at.a, e == OK ? object.at : 0, "heap_alloc gives");
    if (e == OK)
        object_comes(object);
}

/* An object, mostly; its number for the transcript, 0 if it is none. */
static uint64_t take_address(struct input *in, uint32_t *tag)
{
    unsigned how = take_byte(in), where = take_short(in);
    uint64_t address = BASE(where % HEAP_STAGES) + (where >> 2) % (ROOM << PAGE_SHIFT >> 4) * 16;

    *tag = 0;
    if (how >= 240 || nobjects == 0)
        return address + (how == 255) * (UINT64_C(1) << 30);
    address = objects[how % nobjects].at;
    *tag = how < 200 ? objects[how % nobjects].tag : 0;
    return address + (how < 200 ? 0 : where % 5000);
}

static void step_free(struct input *in)
{
    uint32_t tag;
    uint64_t address = take_address(in, &tag), given = 0, expected = 0;
    struct object *object;
    enum error e = model_find(address, &object);
    virt_t blame;

    if (tag != 0)
        script_request("free $%u", tag);
    if (e == OK)
        expected = object->size >= PAGE_SIZE ? object->size >> PAGE_SHIFT
                                             : page_at(address)->objects == 1;
    SAME(heap_free(&heap, (virt_t){ address }, false, &given, &blame), e, "heap_free");
    SAME(given, expected, "heap_free gives back pages");
    if (e == OK)
        object_goes(object);
}

/* Does the object stay where it is, if nothing is refused on purpose? */
static bool stays(const struct object *object, uint64_t size)
{
    uint32_t class = class_for(size, 1);
    uint64_t page = (object->at - BASE(object->stage)) >> PAGE_SHIFT;

    if (object->size < PAGE_SIZE)
        return class == object->size;
    return class == 0
        && size <= object->size + (pages_behind(pages[object->stage], page) << PAGE_SHIFT);
}

static void resize(struct object *object, uint64_t size)
{
    if (object->size >= PAGE_SIZE)
        object->size = align_up(size, PAGE_SIZE);
}

static void step_realloc(struct input *in)
{
    uint32_t tag;
    uint64_t address = take_address(in, &tag), size = take_size(in);
    struct object *object, moved;
    enum error e = model_find(address, &object), got;
    virt_t at = { 0 }, blame;
    bool copied, here;

    if (tag != 0)
        script_request("realloc $%u %llu", tag, (unsigned long long)size);
    moved = predicted(size, 1, e == OK ? object->tag : 0);
    here = e == OK && stays(object, size);
    got = heap_realloc(&heap, (virt_t){ address }, size, &at, &copied, &blame);
    if (is_on_purpose(got))
        return;
    /* What it lacks may be refused on purpose; what has room for it stays if it cannot move. */
    if (here && size > object->size)
        here = !was_refused();
    else if (e == OK && size <= object->size)
        here = here || moved.at == 0 || was_refused();
    if (here) {
        resize(object, size);
        moved = *object;
    }
    if (e == OK && moved.at == 0)
        e = E_MEM_NONE;
    SAME(got, e, "heap_realloc");
    SAME(at.a, e == OK ? moved.at : 0, "heap_realloc gives");
    if (e != OK || moved.at == address)
        return;
    object_goes(object);
    object_comes(moved);
}

static void step_advance(struct input *in)
{
    if (take_byte(in) % 4 != 0 || heap.stage + 1 == HEAP_STAGES)
        return;
    script_request("advance");
    script_nothing();
    heap_advance(&heap, heap.stage + 1);
}

static void step(struct input *in)
{
    static void (*const steps[])(struct input *) = {
        step_alloc, step_alloc, step_alloc, step_alloc, step_free, step_free, step_realloc,
        step_advance,
    };
    unsigned what = take_byte(in);

    refuse_nth(what >= 224 ? what % 4 + 1 : 0);
    steps[what % ARRAY_SIZE(steps)](in);
    refuse_nth(0);
}

static bool goes_on(void) { return false; }

static void check(void)
{
    struct page_violation violation = { .text = "" };

    if (!heap_check(&heap, goes_on, &violation))
        ops_fail("invariant", violation.invariant, violation.text);
}

static void end(void)
{
    struct heap_object object;
    struct heap_walk walk;
    size_t n = 0;

    heap_walk_begin(&walk, &heap, (virt_t){ 0 }, goes_on);
    for (; heap_walk_next(&walk, &object); n++) {
        const struct object *ours = object_at(object.at.a);

        SAME(ours != NULL, true, "an object of the heap is the model's");
        SAME(object.at.a, ours->at, "an object is at");
        SAME(object.size, ours->size, "size of an object");
        SAME(object.tag, ours->tag, "owner of an object");
        SAME(object.stage, ours->stage, "stage of an object");
    }
    SAME(n, nobjects, "number of objects");
}

const struct ops ops_heap = { "heap", begin, step, check, end };
