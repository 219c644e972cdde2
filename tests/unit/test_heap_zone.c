/* SPDX-License-Identifier: MIT */
/* Red zones behind objects of the heap. */
#include "tests/unit/support.h"

#include "tests/unit/heap_support.h"

static uint64_t zoned(uint64_t size, uint64_t align)
{
    const struct heap_request request = { .size = size, .align = align, .redzone = true };
    bool zeroed;
    virt_t at;

    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), OK);
    return at.a;
}

static void an_overrun_is_seen_at_every_byte(void **unused)
{
    static const uint64_t sizes[] = { 1, 16, 32, 33, 2032, 2048, 4096, 5000 };
    struct heap_object object;
    uint64_t pages, out;
    virt_t blame;

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint64_t at = zoned(sizes[i], 1);

        assert_true(heap_next(virt(0), &object));
        assert_true(object.zone >= HEAP_ZONE_MIN && object.size - object.zone == sizes[i]);
        heap_assert_whole();
        for (uint64_t byte = sizes[i]; byte < object.size; byte++) {
            unsigned char *victim = arena_byte(virt(at + byte)), was = *victim;

            *victim = 1;
            assert_int_equal(heap_free(&heap, virt(at), false, &pages, &blame), E_MEM_OVERRUN);
            assert_int_equal(blame.a, at + byte);
            assert_int_equal(heap_move(at, 9, &out), E_MEM_OVERRUN);
            *victim = was;
        }
        *arena_byte(virt(at + sizes[i] - 1)) = 1;
        assert_int_equal(heap_put(at), OK);
        assert_int_equal(arenas_used(), 0);
    }
}

static void force_frees_in_spite_of_an_overrun(void **unused)
{
    uint64_t at = zoned(20, 1), pages;
    virt_t blame;

    (void)unused;
    *arena_byte(virt(at + 20)) = 1;
    assert_int_equal(heap_put(at), E_MEM_OVERRUN);
    assert_int_equal(heap_free(&heap, virt(at), true, &pages, &blame), OK);
    assert_int_equal(must_get(20), at);
    assert_int_equal(heap_put(at), OK);
    heap_assert_whole();
}

static void a_red_zone_goes_with_its_object(void **unused)
{
    uint64_t at = zoned(20, 64), other;

    (void)unused;
    assert_int_equal(heap_move(at, 25, &other), OK);
    assert_true(other != at);
    heap_assert_whole();
    *arena_byte(virt(other + 25)) = 1;
    assert_int_equal(heap_put(other), E_MEM_OVERRUN);
}

/* In its slot, or in the pages of its block; where it would need others it moves. */
static void a_red_zone_is_moved_where_its_object_stays(void **unused)
{
    static const struct { uint64_t from, to; bool stays; } moves[] = {
        { 20, 21, true }, { 30, 17, true }, { 20, 33, false }, { 2033, 2033, true },
        { 2033, 4080, true }, { 4080, 2050, true }, { 4080, 4081, false }, { 9000, 8177, true },
        { 9000, 8176, false }, { 9000, 12272, true }, { 9000, 12273, false }, { 4080, 30, false },
    };
    struct heap_object object;

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(moves); i++) {
        uint64_t at = zoned(moves[i].from, 1), other;

        assert_int_equal(heap_move(at, moves[i].to, &other), OK);
        assert_int_equal(other == at, moves[i].stays);
        heap_assert_whole();
        assert_true(heap_next(virt(0), &object));
        assert_int_equal(object.size - object.zone, moves[i].to);
        for (uint64_t byte = moves[i].to; byte < object.size; byte += 7) {
            unsigned char *victim = arena_byte(virt(other + byte)), was = *victim;

            *victim = 1;
            assert_int_equal(heap_put(other), E_MEM_OVERRUN);
            *victim = was;
        }
        assert_int_equal(heap_put(other), OK);
        assert_int_equal(arenas_used(), 0);
    }
}

/* In its slot of 48 bytes: 25 and a zone have room there, 40 have none. */
static void an_object_that_cannot_move_stays_if_its_zone_has_room(void **unused)
{
    uint64_t at = zoned(20, 1), out;

    (void)unused;
    takes_until_failure = 1;
    assert_int_not_equal(heap_move(at, 40, &out), OK);
    heap_assert_whole();
    *arena_byte(virt(at + 20)) = 1;
    takes_until_failure = 0;
    assert_int_equal(heap_put(at), E_MEM_OVERRUN);
}

/* The hooks, but another CPU frees the object while a pattern is written. */
static struct memory_hooks meddled;
static const struct memory_hooks *hooks;
static uint64_t freed;

static enum error stamp_what_is_freed(virt_t at, uint64_t size, virt_t *bad)
{
    heap.memory = hooks;
    assert_int_equal(heap_put(freed), OK);
    return hooks->stamp(at, size, bad);
}

static void an_object_that_was_freed_meanwhile_has_no_red_zone(void **unused)
{
    uint64_t other;

    (void)unused;
    freed = zoned(20, 1);
    hooks = heap.memory;
    meddled = *hooks;
    meddled.stamp = stamp_what_is_freed;
    heap.memory = &meddled;
    assert_int_equal(heap_move(freed, 21, &other), E_MEM_FREE);
    assert_ptr_equal(heap.memory, hooks);
    assert_int_equal(arenas_used(), 0);
    heap_assert_whole();
}

static void there_is_no_red_zone_out_of_reach(void **unused)
{
    const struct heap_request request = { .size = 20, .align = 1, .redzone = true };
    bool zeroed;
    virt_t at;

    (void)unused;
    reachable = false;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), E_FAULT_PROTECTION);
    assert_int_equal(at.a, ARENA_BASE(0) + 20);
    assert_int_equal(arenas_used(), 0);
    heap_assert_whole();
}

/* What was taken and given back would not be as it was: a page that is fresh no more. */
static void without_memory_a_red_zone_is_refused_before_anything_is_taken(void **unused)
{
    struct heap_request request = { .size = 20, .align = 1, .redzone = true };
    bool zeroed;
    virt_t at;

    (void)unused;
    there_is_memory = reachable = false;
    takes_until_failure = 100;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), E_CALL_UNSUPPORTED);
    request.size = UINT64_MAX;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), E_MEM_NONE);
    request.align = 3;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), E_CALL_ALIGN);
    assert_int_equal(takes_until_failure, 100);
    assert_int_equal(heap_pool.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_overrun_is_seen_at_every_byte, heap_begin),
        cmocka_unit_test_setup(force_frees_in_spite_of_an_overrun, heap_begin),
        cmocka_unit_test_setup(a_red_zone_goes_with_its_object, heap_begin),
        cmocka_unit_test_setup(a_red_zone_is_moved_where_its_object_stays, heap_begin),
        cmocka_unit_test_setup(an_object_that_cannot_move_stays_if_its_zone_has_room, heap_begin),
        cmocka_unit_test_setup(an_object_that_was_freed_meanwhile_has_no_red_zone, heap_begin),
        cmocka_unit_test_setup(there_is_no_red_zone_out_of_reach, heap_begin),
        cmocka_unit_test_setup(without_memory_a_red_zone_is_refused_before_anything_is_taken,
                               heap_begin),
    };

    return cmocka_run_group_tests(tests, heap_open, heap_close);
}
