/* SPDX-License-Identifier: MIT */
/*
 * malloc on backends of a few pages, against a list of objects. Objects are written to, and now and
 * then behind; pages, records and writes are refused on purpose now and then.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/mm/kpool.h"
#include "tests/fuzz/ops.h"
#include "tests/fuzz/ops_heap.h"

#define POOL_PAGES 64u

struct heap heap;

static unsigned char pool_memory[POOL_PAGES << PAGE_SHIFT] __attribute__((aligned(4096)));
static struct kpool pool;
static bool armed;                    /* something may be refused on purpose */

static void *record_take(void *context) { return refuses() ? NULL : kpool_take(context); }

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
    heap_init(&heap, &nodes, sources, &heap_memory);
    script_request("reset stage=early");
    script_nothing();
}

/* ---- what is said of an operation ---- */

/*
 * Addresses are those of a guest only as results. What is in no object, or only because it could
 * not move here, is not told: it would be something else there, and nothing comes of it here.
 */
static bool is_told(const struct object *object, uint64_t address)
{
    return object != NULL && address - object->at < object->sure;
}

static uint32_t tell_address(const char *command, const struct object *object, uint64_t address,
                         const char *more)
{
    uint64_t offset = address - object->at;

    if (offset == 0)
        return script_request("%s $%u%s", command, object->name, more);
    return script_request("%s $%u+%llu%s", command, object->name, (unsigned long long)offset, more);
}

static void tell_error(enum error e, const struct object *object)
{
    if (e == OK)
        script_nothing();
    else if (e == E_MEM_OVERRUN)
        script_blame(e, object->name, object->broken - object->at);
    else
        script_error(e, 0);
}

static uint32_t tell_alloc(const struct heap_request *q)
{
    unsigned long long size = q->size, align = q->align;

    if (q->zero && !q->redzone && align == 1)
        return script_request("calloc 1 %llu", size);
    return script_request("memalign %llu %llu%s", align, size, q->redzone ? " redzone=1" : "");
}

static void tell_poke(const struct object *object, uint64_t offset, unsigned value)
{
    script_request("poke $%u+%llu 0x%02x width=1", object->name, (unsigned long long)offset, value);
    script_nothing();
}

static void tell_marks(const struct object *object)
{
    for (unsigned i = 0; i < object->nmarks; i++) {
        script_request("peek $%u+%llu width=1", object->name,
                       (unsigned long long)object->marks[i].offset);
        script_address(object->marks[i].value);
    }
}

/* Why a guest might not say the same, or NULL. Only here is there no room for so few bytes. */
static const char *doubt(enum error expected, uint64_t size)
{
    if (armed)
        return "with a refusal on purpose";
    return expected == E_MEM_NONE && size < UINT64_MAX / 2 ? "where there is no room" : NULL;
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
    return was_refused() && (e == E_MEM_INJECTED || e == E_MEM_METADATA || e == E_FAULT_OTHER);
}

static bool is_zero(const unsigned char *bytes, uint64_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void step_alloc(struct input *in)
{
    unsigned how = take_byte(in);
    struct heap_request q = {
        .size = take_size(in), .align = how & 3 ? 1 : UINT64_C(1) << take_byte(in) % 17,
        .zero = (how & 4) != 0, .redzone = (how & 24) == 8,
    };
    struct object object = predicted(q.size, q.align, q.redzone);
    enum error e = object.at != 0 ? OK : E_MEM_NONE, got;
    const char *late = doubt(e, q.size);
    bool zeroed;
    virt_t at = { 0 };

    if (nobjects == MAX_OBJECTS)
        return;
    script_hold(late);
    q.tag = object.owner = object.name = tell_alloc(&q);
    script_hold(NULL);
    if (late == NULL)
        tell_error(e, NULL);
    got = heap_alloc(&heap, &q, &at, &zeroed);
    if (is_on_purpose(got))
        return;
    SAME(got, e, "heap_alloc");
    SAME(at.a, e == OK ? object.at : 0, "heap_alloc gives");
    if (e != OK)
        return;
    if (late != NULL)
        tell_alloc(&q);
    object_comes(object);
    if (q.zero)
        SAME(zeroed && is_zero(byte_at(object.at), q.size), true, "all of it is zero");
    object_look(&object);
}

/* An object's, mostly. */
static uint64_t take_address(struct input *in)
{
    unsigned how = take_byte(in), where = take_short(in);
    uint64_t address = BASE(where % HEAP_STAGES) + (where >> 2) % (ROOM << PAGE_SHIFT >> 4) * 16;

    if (how >= 240 || nobjects == 0)
        return address + (how == 255) * (UINT64_C(1) << 30);
    return objects[how % nobjects].at + (how < 200 ? 0 : where % 5000);
}

static void free_one(uint64_t address, bool force)
{
    struct object *object;
    enum error e = model_find(address, &object);
    uint64_t given = 0, expected = 0;
    virt_t blame;

    if (e == OK && object->broken != 0 && !force)
        e = E_MEM_OVERRUN;
    if (object != NULL)
        object_look(object);
    if (is_told(object, address)) {
        tell_address("free", object, address, force ? " force=1" : "");
        tell_error(e, object);
    }
    if (e == OK)
        expected = object->size >= PAGE_SIZE ? object->size >> PAGE_SHIFT
                                             : page_at(address)->objects == 1;
    SAME(heap_free(&heap, (virt_t){ address }, force, &given, &blame), e, "heap_free");
    SAME(given, expected, "heap_free gives back pages");
    if (e != OK)
        SAME(blame.a, e == E_MEM_OVERRUN ? object->broken : address, "heap_free blames");
    else
        object_goes(object);
}

static void step_free(struct input *in) { free_one(take_address(in), false); }
static void step_force(struct input *in) { free_one(take_address(in), true); }

static uint32_t tell_realloc(const struct object *object, uint64_t address, uint64_t size)
{
    char more[32] = "";

    if (script_wanted())
        snprintf(more, sizeof(more), " %llu", (unsigned long long)size);
    return tell_address("realloc", object, address, more);
}

/* What is to become of an object, by what was there before. */
struct plan {
    enum error found;
    bool stays, has_room;
    struct object moved;              /* what it would be elsewhere */
};

static struct plan plan_for(uint64_t address, uint64_t size, struct object **object)
{
    struct plan plan = { .found = model_find(address, object) };

    if (plan.found == OK && (*object)->broken != 0)
        plan.found = E_MEM_OVERRUN;
    plan.moved = predicted(size, 1, plan.found == OK && (*object)->zoned);
    if (plan.found != OK)
        return plan;
    plan.stays = stays(*object, size);
    plan.has_room = has_room(*object, size);
    return plan;
}

/*
 * So far as something was refused on purpose: what was to stay as it is, but lacks it, moves, and
 * what has room for it stays if it cannot move. A red zone that was not written is written later.
 */
static enum error outcome(const struct plan *plan, bool *here)
{
    bool lacks = was_refused() && (!plan->has_room || plan->moved.zoned);

    if (plan->stays)
        *here = !lacks || (plan->moved.zoned && plan->moved.at == 0);
    else
        *here = plan->has_room && (was_refused() || plan->moved.at == 0);
    return plan->found == OK && !*here && plan->moved.at == 0 ? E_MEM_NONE : plan->found;
}

static void realloc_done(struct object *object, uint64_t size, const struct object *moved,
                         bool here, uint32_t name)
{
    uint64_t at = here ? object->at : moved->at;

    if (here)
        object_resize(object, size);
    else
        object_moves(object, moved);
    object = object_at(at);
    object->sure = moved->size;
    object->name = name;
    object_look(object);
    tell_marks(object);
}

static void step_realloc(struct input *in)
{
    uint64_t address = take_address(in), size = take_size(in);
    struct object *object;
    struct plan plan = plan_for(address, size, &object);
    virt_t at = { 0 }, blame;
    bool copied, here;
    enum error e = outcome(&plan, &here), got;
    const char *late = plan.found == OK ? doubt(e, size) : NULL;
    uint32_t name = 0;

    if (object != NULL)
        object_look(object);
    if (is_told(object, address)) {
        script_hold(late);
        name = tell_realloc(object, address, size);
        script_hold(NULL);
        if (late == NULL)
            tell_error(e, object);
    }
    got = heap_realloc(&heap, (virt_t){ address }, size, &at, &copied, &blame);
    if (is_on_purpose(got))
        return;
    e = outcome(&plan, &here);
    SAME(got, e, "heap_realloc");
    if (e != OK) {
        SAME(blame.a, e == E_MEM_OVERRUN ? object->broken : address, "heap_realloc blames");
        return;
    }
    SAME(at.a, here ? address : plan.moved.at, "heap_realloc gives");
    SAME(copied, true, "heap_realloc copies");
    if (late != NULL)
        tell_realloc(object, address, size);
    realloc_done(object, size, &plan.moved, here, name);
}

/* The last byte that was asked for, the first one, or any. */
static void step_write(struct input *in)
{
    unsigned which = take_byte(in), how = take_byte(in);
    uint8_t value = (uint8_t)take_byte(in);
    struct object *object = &objects[nobjects > 0 ? which % nobjects : 0];
    uint64_t offset;

    if (nobjects == 0)
        return;
    offset = how % 4 == 0 ? object->asked - 1 : how % 4 == 1 ? 0 : take_short(in) % object->asked;
    tell_poke(object, offset, value);
    object_write(object, offset, value);
}

/* The first byte of the red zone of an object that has one, the last one, or any. */
static void step_overrun(struct input *in)
{
    unsigned which = take_byte(in), how = take_byte(in);
    uint8_t value = take_byte(in) & 0x7f;
    struct object *object = NULL;
    uint64_t zone;

    for (size_t i = 0; i < nobjects && (object == NULL || !object->zoned); i++)
        object = &objects[(which + i) % nobjects];
    if (object == NULL || !object->zoned)
        return;
    zone = object->sure - object->asked;
    zone = how % 4 == 0 ? 0 : how % 4 == 1 ? zone - 1 : take_short(in) % zone;
    tell_poke(object, object->asked + zone, value);
    object_write(object, object->asked + zone, value);
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
        step_advance, step_alloc, step_alloc, step_write, step_write, step_write, step_overrun,
        step_realloc, step_force,
    };
    unsigned what = take_byte(in);

    armed = what >= 224;
    refuse_nth(armed ? 1 + take_byte(in) % 4 : 0);
    steps[what % ARRAY_SIZE(steps)](in);
    refuse_nth(0);
}

static bool goes_on(void) { return false; }

static void check(void)
{
    struct page_violation violation = { .text = "" };

    if (!heap_check(&heap, goes_on, &violation))
        ops_fail("invariant", violation.invariant, violation.text);
    for (size_t i = 0; i < nobjects; i++)
        object_look(&objects[i]);
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
        SAME(object.tag, ours->owner, "owner of an object");
        SAME(object.stage, ours->stage, "stage of an object");
        SAME(object.zone, ours->zoned ? ours->size - ours->asked : 0, "red zone of an object");
    }
    SAME(n, nobjects, "number of objects");
}

const struct ops ops_heap = { "heap", begin, step, check, end };
