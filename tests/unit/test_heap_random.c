/* SPDX-License-Identifier: MIT */
/*
 * Random histories against the placement paragraph of heap.h by brute force: all that is known is a
 * list of objects. And whatever can be refused is refused, at each step in turn.
 */
#include <string.h>

#include "tests/unit/support.h"

#include "tests/unit/heap_support.h"

#define OBJECTS 3000u

static const uint64_t classes[] = {
    16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1344, 2048,
};

static struct object {
    uint64_t at, class;               /* 0: whole pages */
    uint64_t size;                    /* all its bytes */
    unsigned stage;
} objects[OBJECTS];
static unsigned count;
static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 33) % n;
}

/* ---- the rule ---- */

static uint64_t class_of(uint64_t size, uint64_t align)
{
    for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
        if (classes[i] >= size && classes[i] % align == 0)
            return classes[i];
    return 0;
}

/* What lies at [at, at + size), or NULL. */
static const struct object *overlapping(uint64_t at, uint64_t size)
{
    for (unsigned i = 0; i < count; i++)
        if (objects[i].at < at + size && at < objects[i].at + objects[i].size)
            return &objects[i];
    return NULL;
}

/* The class of the slab at a page: 0 if it is none. */
static uint64_t slab_at_page(uint64_t page, unsigned stage)
{
    const struct object *there = overlapping(page, PAGE_SIZE);

    return there != NULL && there->stage == stage ? there->class : 0;
}

static uint64_t lowest_slot(uint64_t class)
{
    for (uint64_t i = 0; i < ARENA_PAGES; i++) {
        uint64_t page = arenas[heap.stage].base + i * PAGE_SIZE;

        if (slab_at_page(page, heap.stage) != class)
            continue;
        for (uint64_t at = page; at + class <= page + PAGE_SIZE; at += class)
            if (overlapping(at, class) == NULL)
                return at;
    }
    return 0;
}

static uint64_t lowest_pages(uint64_t size, uint64_t align)
{
    const uint64_t base = arenas[heap.stage].base, end = base + ARENA_PAGES * PAGE_SIZE;

    if (align < PAGE_SIZE)
        align = PAGE_SIZE;
    for (uint64_t at = align_up(base, align); at <= end && size <= end - at; at += align) {
        bool slab_in_the_way = false;

        for (uint64_t page = at; page < at + size; page += PAGE_SIZE)
            slab_in_the_way |= overlapping(page, PAGE_SIZE) != NULL;
        if (!slab_in_the_way)
            return at;
    }
    return 0;
}

/* Where an object must go; 0: there is no room. */
static struct object predicted(uint64_t size, uint64_t align)
{
    struct object object = { .class = class_of(size, align), .stage = heap.stage };

    object.size = object.class != 0 ? object.class : align_up(size, PAGE_SIZE);
    if (object.class != 0)
        object.at = lowest_slot(object.class);
    if (object.at == 0)
        object.at = lowest_pages(object.class != 0 ? PAGE_SIZE : object.size, align);
    return object;
}

/* ---- steps ---- */

static uint64_t random_size(void)
{
    switch (random_below(4)) {
    case 0: return 1 + random_below(64);
    case 1: return 1 + random_below(2048);
    case 2: return 1 + random_below(20000);
    default: return classes[random_below(ARRAY_SIZE(classes))] + random_below(2);
    }
}

static void step_alloc(void)
{
    uint64_t size = random_size(), align = 1;
    struct object object;
    enum error e;

    if (random_below(4) == 0)
        align = UINT64_C(1) << random_below(16);
    object = predicted(size, align);
    assert_int_equal(heap_get(size, align, count, &e), object.at);
    assert_int_equal(e, object.at != 0 ? OK : E_MEM_NONE);
    if (e == OK)
        objects[count++] = object;
}

static void forget(unsigned i)
{
    objects[i] = objects[--count];
}

static void step_free(void)
{
    unsigned i = (unsigned)random_below(count);
    uint64_t at = objects[i].at;

    assert_int_equal(heap_put(at), OK);
    forget(i);
    assert_true(heap_put(at) != OK);
}

/* In its slot; or in its pages and those behind them that are free. */
static bool stays(const struct object *old, uint64_t size)
{
    const struct arena *arena = &arenas[old->stage];
    uint64_t end = old->at + old->size, wanted = old->at + align_up(size, PAGE_SIZE);

    if (class_of(size, 1) != old->class)
        return false;
    if (old->class != 0 || wanted <= end)
        return true;
    if (wanted > arena->base + ARENA_PAGES * PAGE_SIZE)
        return false;
    for (uint64_t page = end; page < wanted; page += PAGE_SIZE)
        if (overlapping(page, PAGE_SIZE) != NULL)
            return false;
    return true;
}

static void step_realloc(void)
{
    unsigned i = (unsigned)random_below(count);
    struct object *old = &objects[i], object;
    uint64_t size = random_size(), out;
    enum error e;

    object = predicted(size, 1);
    if (stays(old, size) || (object.at == 0 && size <= old->size)) {
        if (old->class == 0)
            old->size = align_up(size, PAGE_SIZE);
        assert_int_equal(heap_move(old->at, size, &out), OK);
        assert_int_equal(out, old->at);
        return;
    }
    e = heap_move(old->at, size, &out);
    assert_int_equal(e, object.at != 0 ? OK : E_MEM_NONE);
    if (e != OK)
        return;
    assert_int_equal(out, object.at);
    forget(i);
    objects[count++] = object;
}

static void step(unsigned percent)
{
    if (count == 0 || (count < OBJECTS && random_below(100) < percent))
        step_alloc();
    else if (random_below(4) == 0)
        step_realloc();
    else
        step_free();
}

static uint64_t pages_used(void)
{
    uint64_t used = 0;

    for (unsigned stage = 0; stage < HEAP_STAGES; stage++)
        for (uint64_t i = 0; i < ARENA_PAGES; i++)
            used += overlapping(arenas[stage].base + i * PAGE_SIZE, PAGE_SIZE) != NULL;
    return used;
}

static void assert_same(void)
{
    struct heap_object object;
    struct heap_walk walk;
    unsigned n = 0;

    heap_assert_whole();
    assert_int_equal(arenas_used(), pages_used());
    heap_walk_begin(&walk, &heap, virt(0), heap_goes_on);
    for (; heap_walk_next(&walk, &object); n++) {
        const struct object *ours = overlapping(object.at.a, 1);

        assert_non_null(ours);
        assert_int_equal(ours->at, object.at.a);
        assert_int_equal(ours->size, object.size);
        assert_int_equal(ours->stage, object.stage);
    }
    assert_int_equal(n, count);
}

static void follows_the_rule_in_every_stage(void **unused)
{
    for (unsigned seed = 1; seed <= 12; seed++) {
        (void)heap_begin(unused);
        count = 0;
        random_state = seed;
        for (unsigned i = 0; i < 3 * 500; i++) {
            step(i % 500 < 350 ? 75 : 20);
            if (i % 250 == 0)
                assert_same();
            if (i % 500 == 499 && i < 1499)
                heap_advance(&heap, heap.stage + 1);
        }
        assert_same();
        while (count > 0)
            step_free();
        assert_int_equal(arenas_used(), 0);
        heap_assert_whole();
    }
}

static void serves_until_nothing_is_left(void **unused)
{
    (void)unused;
    count = 0;
    random_state = 99;
    for (unsigned i = 0; i < 900; i++) {
        uint64_t size = 1 + random_below(40000);
        struct object object = predicted(size, 1);
        enum error e;

        assert_int_equal(heap_get(size, 1, 0, &e), object.at);
        if (e == OK)
            objects[count++] = object;
    }
    assert_true(ARENA_PAGES - arenas_used() < 10);
    assert_same();
    while (count > 0)
        step_free();
    assert_int_equal(arenas_used(), 0);
}

/* ---- refusals ---- */

/* An operation of step() of which attempt number n failed has changed nothing. */
static void refused_at_each_step(uint64_t size, bool redzone, uint64_t old)
{
    for (uint64_t n = 1;; n++) {
        const struct heap_request request = { .size = size, .align = 1, .redzone = redzone };
        uint64_t used = arenas_used(), records = heap_pool.used;
        virt_t out;
        bool zeroed;
        enum error e;

        takes_until_failure = n;
        e = old == 0 ? heap_alloc(&heap, &request, &out, &zeroed) : heap_move(old, size, &out.a);
        if (takes_until_failure > 0) {
            takes_until_failure = 0;
            assert_int_equal(e, OK);
            assert_int_equal(heap_put(out.a), OK);
            heap_assert_whole();
            return;
        }
        if (e == OK) {                /* there was room for it where it is, or elsewhere */
            assert_true(old != 0 && (out.a == old) == (size < 3000));
            assert_int_equal(heap_put(out.a), OK);
            return;
        }
        assert_true(e == E_MEM_METADATA || e == E_MEM_INJECTED);
        assert_int_equal(arenas_used(), used);
        assert_int_equal(heap_pool.used, records);
        heap_assert_whole();
    }
}

/* A block with another one behind it. */
static uint64_t hemmed_in(uint64_t size)
{
    uint64_t at = must_get(size);

    assert_int_equal(must_get(size), at + align_up(size, PAGE_SIZE));
    return at;
}

static void every_refusal_changes_nothing(void **unused)
{
    static const uint64_t sizes[] = { 16, 48, 2048, 2049, 50000 };

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned warm = 0; warm < 3; warm++) {
            (void)heap_begin(unused);
            /* Records of other classes, of this one, up to the edge of a page of them. */
            for (unsigned j = 0; j < warm * 300; j++)
                (void)must_get(j < 300 ? 96 : 2048);
            refused_at_each_step(sizes[i], false, 0);
            refused_at_each_step(sizes[i], true, 0);
            refused_at_each_step(sizes[i], false, must_get(3000));
            refused_at_each_step(sizes[i], false, hemmed_in(3000));
            refused_at_each_step(sizes[i], false, must_get(100));
        }
    }
}

static void a_dry_pool_is_an_error_and_no_more(void **unused)
{
    unsigned refusals = 0;

    (void)unused;
    while (heap_pool.used < POOL_PAGES - 16)
        assert_non_null(kpool_take(&heap_pool));
    count = 0;
    for (unsigned i = 0; i < 2000; i++) {
        enum error e;
        uint64_t at = heap_get(1 + i % 2048, 1, 1, &e);

        assert_true(e == OK || e == E_MEM_METADATA);
        if (e == OK)
            objects[count++].at = at;
        refusals += e != OK;
        if (i % 100 == 0)
            heap_assert_whole();
    }
    assert_true(refusals > 100 && count > 100);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(heap_put(objects[i].at), OK);
    assert_int_equal(arenas_used(), 0);
    heap_assert_whole();
}

static void a_million_rounds_end_as_they_began(void **unused)
{
    uint64_t held[64] = { 0 }, used;

    (void)unused;
    held[0] = must_get(16);
    assert_int_equal(heap_put(held[0]), OK);
    held[0] = 0;
    used = heap_pool.used;
    random_state = 1;
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t *slot = &held[random_below(64)];

        if (*slot != 0)
            assert_int_equal(heap_put(*slot), OK);
        *slot = *slot != 0 ? 0 : must_get(1 + random_below(random_below(20) == 0 ? 30000 : 600));
    }
    for (unsigned i = 0; i < 64; i++)
        if (held[i] != 0)
            assert_int_equal(heap_put(held[i]), OK);
    assert_int_equal(arenas_used(), 0);
    assert_int_equal(heap_pool.used, used);
    heap_assert_whole();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(follows_the_rule_in_every_stage, heap_begin),
        cmocka_unit_test_setup(serves_until_nothing_is_left, heap_begin),
        cmocka_unit_test_setup(every_refusal_changes_nothing, heap_begin),
        cmocka_unit_test_setup(a_dry_pool_is_an_error_and_no_more, heap_begin),
        cmocka_unit_test_setup(a_million_rounds_end_as_they_began, heap_begin),
    };

    return cmocka_run_group_tests(tests, heap_open, heap_close);
}
