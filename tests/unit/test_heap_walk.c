/* SPDX-License-Identifier: MIT */
/* Walks over all objects: in order, from anywhere, with an end, and in time. */
#include "tests/unit/support.h"

#include "tests/unit/heap_support.h"

#define MANY 900u

static unsigned questions, stop_at;

static bool stops(void)
{
    return ++questions >= stop_at;
}

/* Objects of all stages, large ones among them, holes between them. */
static unsigned populate(uint64_t *at)
{
    unsigned n = 0;

    for (unsigned stage = 0; stage < HEAP_STAGES; stage++) {
        heap_advance(&heap, stage);
        for (unsigned i = 0; i < MANY / HEAP_STAGES; i++)
            at[n++] = must_get(i % 7 == 0 ? 9000 : 16 + 32 * (i % 70));
    }
    for (unsigned i = 0; i < MANY; i += 5) {
        assert_int_equal(heap_put(at[i]), OK);
        at[i] = 0;
    }
    return MANY - MANY / 5;
}

static unsigned count_from(virt_t from, virt_t *last)
{
    struct heap_object object;
    struct heap_walk walk;
    unsigned n = 0;

    heap_walk_begin(&walk, &heap, from, heap_goes_on);
    for (; heap_walk_next(&walk, &object); n++) {
        assert_true(object.at.a >= from.a);
        assert_true(n == 0 || object.at.a > last->a);
        *last = object.at;
    }
    assert_false(walk.stopped);
    return n;
}

static void all_objects_come_once_and_in_order(void **unused)
{
    uint64_t at[MANY];
    unsigned n = populate(at);
    virt_t last = virt(0);

    (void)unused;
    assert_int_equal(count_from(virt(0), &last), n);
    for (unsigned i = 0; i < MANY; i += 11) {
        unsigned wanted = 0;

        for (unsigned j = 0; j < MANY; j++)
            wanted += at[j] != 0 && at[j] > at[i];
        assert_int_equal(count_from(virt(at[i] + 1), &last), wanted);
    }
    assert_int_equal(count_from(virt(last.a + 1), &last), 0);
    assert_int_equal(count_from(virt(UINT64_MAX), &last), 0);
}

/* A question for each object and each block at most, and some for what is free. */
static void a_walk_is_as_long_as_what_there_is(void **unused)
{
    uint64_t at[MANY];
    unsigned n = populate(at);
    virt_t last = virt(0);

    (void)unused;
    arena_runs = 0;
    assert_int_equal(count_from(virt(0), &last), n);
    assert_true(arena_runs <= n + HEAP_STAGES * (ARENA_PAGES + 2));
}

/* Blocks of others, as many as there are pages. */
static void a_walk_can_be_stopped_where_it_finds_nothing(void **unused)
{
    struct heap_object object;
    struct heap_walk walk;

    (void)unused;
    for (unsigned stage = 0; stage < HEAP_STAGES; stage++) {
        heap_advance(&heap, stage);
        for (unsigned i = 0; i < ARENA_PAGES; i++) {
            arenas[stage].busy[i] = true;
            arenas[stage].blocks[i] = 1;
        }
        for (unsigned i = 0; i < 4; i++)
            arenas[stage].busy[ARENA_PAGES - 1 - i] = false;
        (void)must_get(100);
    }
    questions = 0;
    stop_at = 1;
    heap_walk_begin(&walk, &heap, virt(0), stops);
    assert_false(heap_walk_next(&walk, &object));
    assert_true(walk.stopped);
    /* And goes on where nobody wants that. */
    heap_walk_begin(&walk, &heap, virt(0), heap_goes_on);
    for (unsigned stage = 0; stage < HEAP_STAGES; stage++) {
        assert_true(heap_walk_next(&walk, &object));
        assert_int_equal(object.stage, stage);
    }
    assert_false(heap_walk_next(&walk, &object));
}

static void an_empty_heap_has_nothing_to_tell(void **unused)
{
    virt_t last;

    (void)unused;
    assert_int_equal(count_from(virt(0), &last), 0);
    assert_int_equal(heap_put(must_get(5)), OK);
    assert_int_equal(count_from(virt(0), &last), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_objects_come_once_and_in_order, heap_begin),
        cmocka_unit_test_setup(a_walk_is_as_long_as_what_there_is, heap_begin),
        cmocka_unit_test_setup(a_walk_can_be_stopped_where_it_finds_nothing, heap_begin),
        cmocka_unit_test_setup(an_empty_heap_has_nothing_to_tell, heap_begin),
    };

    return cmocka_run_group_tests(tests, heap_open, heap_close);
}
