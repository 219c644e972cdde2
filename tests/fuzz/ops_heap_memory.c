/* SPDX-License-Identifier: MIT */
/* Memory behind the pages of ops_heap, and what is written there. */
#include <string.h>

#include "kernel/mm/zone.h"
#include "tests/fuzz/ops.h"
#include "tests/fuzz/ops_heap.h"

static unsigned char memory[HEAP_STAGES][ROOM << PAGE_SHIFT];

unsigned char *byte_at(uint64_t address)
{
    for (unsigned stage = 0; stage < HEAP_STAGES; stage++)
        if (address - BASE(stage) < sizeof(memory[stage]))
            return memory[stage] + (address - BASE(stage));
    ops_fail("memory", address, "the heap touches what it was never given");
}

/* ---- the hooks ---- */

/* All of it was given: nothing else may be touched. */
static unsigned char *touch(virt_t at, uint64_t size)
{
    unsigned char *bytes = byte_at(at.a);

    for (uint64_t page = align_down(at.a, PAGE_SIZE); page < at.a + size; page += PAGE_SIZE)
        if (page_at(page) == NULL || page_at(page)->block == 0)
            ops_fail("memory", page, "the heap touches a page that is free");
    return bytes;
}

static enum error refusal(virt_t at, virt_t *bad)
{
    *bad = at;
    return refuses() ? E_FAULT_OTHER : OK;
}

static bool is_there(void) { return true; }

static enum error zero(virt_t at, uint64_t size, virt_t *bad)
{
    enum error e = refusal(at, bad);

    if (e == OK)
        memset(touch(at, size), 0, size);
    return e;
}

static enum error copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    enum error e = refusal(to, bad);

    if (e == OK)
        memcpy(touch(to, size), touch(from, size), size);
    return e;
}

static enum error stamp(virt_t at, uint64_t size, virt_t *bad)
{
    enum error e = refusal(at, bad);

    if (e == OK)
        zone_fill(touch(at, size), at.a, size);
    return e;
}

static bool inspect(virt_t at, uint64_t size, virt_t *bad)
{
    *bad = virt(at.a + zone_intact(touch(at, size), at.a, size));
    return bad->a == at.a + size;
}

const struct memory_hooks heap_memory = { is_there, zero, copy, stamp, inspect };

/* ---- what an object holds ---- */

static void mark(struct object *object, uint64_t offset, uint8_t value)
{
    unsigned i = 0;

    while (i < object->nmarks && object->marks[i].offset != offset)
        i++;
    if (i == MARKS)
        i = offset % MARKS;
    else if (i == object->nmarks)
        object->nmarks++;
    object->marks[i] = (struct mark){ offset, value };
}

void object_write(struct object *object, uint64_t offset, uint8_t value)
{
    uint64_t at = object->at + offset;

    *byte_at(at) = value;
    if (offset < object->asked)
        mark(object, offset, value);
    else if (object->broken == 0 || at < object->broken)
        object->broken = at;
}

/* The transcript ends with what shows it on a guest. */
static void look_at_mark(const struct object *object, const struct mark *mark)
{
    uint8_t found = *byte_at(object->at + mark->offset);

    if (found == mark->value)
        return;
    script_request("peek $%u+%llu width=1", object->name, (unsigned long long)mark->offset);
    script_address(mark->value);
    differ("what was written", found, mark->value);
}

static void look_at_zone(const struct object *object)
{
    uint64_t zone = object->at + object->asked, size = object->size - object->asked;
    uint64_t whole = zone + zone_intact(byte_at(zone), zone, size);
    uint64_t expected = object->broken != 0 ? object->broken : zone + size;

    if (whole == expected)
        return;
    script_request("free $%u", object->name);
    if (object->broken == 0)
        script_nothing();
    else
        script_blame(E_MEM_OVERRUN, object->name, object->broken - object->at);
    differ("a red zone is whole up to", whole, expected);
}

void object_look(const struct object *object)
{
    for (unsigned i = 0; i < object->nmarks; i++)
        look_at_mark(object, &object->marks[i]);
    if (object->zoned)
        look_at_zone(object);
}
