/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/unit/support.h"

#include "tests/unit/heap_support.h"

static void a_thousand_small_objects_need_ten_pages(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(must_get(32), ARENA_BASE(0) + 32 * i);
    assert_int_equal(arenas_used(), 8);
    heap_assert_whole();
}

static void classes_waste_little(void **unused)
{
    (void)unused;
    for (uint64_t size = 33; size <= HEAP_SMALL; size++) {
        virt_t at = virt(must_get(size));
        struct heap_object object;

        assert_true(heap_next(at, &object));
        assert_int_equal(object.at.a, at.a);
        assert_true(object.size >= size && 100 * (object.size - size) <= 35 * object.size);
        assert_true(is_aligned(at.a, 16) && is_aligned(at.a, object.size & -object.size));
        assert_int_equal(heap_put(at.a), OK);
    }
    assert_int_equal(arenas_used(), 0);
}

static void the_lowest_slot_of_the_lowest_slab_serves(void **unused)
{
    uint64_t at[300];

    (void)unused;
    for (unsigned i = 0; i < 300; i++)
        at[i] = must_get(32);
    assert_int_equal(heap_put(at[290]), OK);
    assert_int_equal(heap_put(at[130]), OK);
    assert_int_equal(heap_put(at[5]), OK);
    assert_int_equal(heap_put(at[3]), OK);
    heap_assert_whole();
    assert_int_equal(must_get(20), at[3]);
    assert_int_equal(must_get(32), at[5]);
    assert_int_equal(must_get(17), at[130]);
    assert_int_equal(must_get(32), at[290]);
    assert_int_equal(must_get(32), at[299] + 32);
    heap_assert_whole();
}

static void a_slab_goes_back_with_its_last_object(void **unused)
{
    uint64_t a, b, pages;
    virt_t blame;

    (void)unused;
    a = must_get(100);
    b = must_get(100);
    assert_int_equal(heap_free(&heap, virt(a), false, &pages, &blame), OK);
    assert_int_equal(pages, 0);
    assert_int_equal(arenas_used(), 1);
    assert_int_equal(heap_free(&heap, virt(b), false, &pages, &blame), OK);
    assert_int_equal(pages, 1);
    assert_int_equal(arenas_used(), 0);
    heap_assert_whole();
}

static void alignment_chooses_the_class(void **unused)
{
    enum error e;

    (void)unused;
    for (uint64_t align = 1; align <= 1 << 20; align *= 2)
        for (uint64_t size = 1; size < 9000; size += 97)
            assert_true(is_aligned(heap_get(size, align, 0, &e), align));
    heap_assert_whole();
    assert_int_equal(heap_get(1, 3, 0, &e), 0);
    assert_int_equal(e, E_CALL_ALIGN);
    assert_int_equal(heap_get(1, 0, 0, &e), 0);
    assert_int_equal(e, E_CALL_ALIGN);
    assert_int_equal(heap_get(1, HEAP_ALIGN_MAX, 0, &e), 0);
    assert_int_equal(e, E_MEM_NONE);
    assert_int_equal(heap_get(1, 2 * HEAP_ALIGN_MAX, 0, &e), 0);
    assert_int_equal(e, E_CALL_RANGE);
}

static void impossible_sizes_are_refused(void **unused)
{
    static const uint64_t sizes[] = {
        UINT64_MAX, UINT64_MAX - 3, UINT64_MAX - 15, UINT64_MAX - 4095, UINT64_MAX - 4096,
        UINT64_C(1) << 63, (ARENA_PAGES << PAGE_SHIFT) + 1,
    };
    uint64_t a = must_get(32), out;
    enum error e;

    (void)unused;
    assert_int_equal(heap_get(0, 1, 0, &e), 0);
    assert_int_equal(e, E_CALL_RANGE);
    assert_int_equal(heap_move(a, 0, &out), E_CALL_RANGE);
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        const struct heap_request zoned = { .size = sizes[i], .align = 1, .redzone = true };
        virt_t where;
        bool zeroed;

        assert_int_equal(heap_get(sizes[i], 1, 0, &e), 0);
        assert_int_equal(e, E_MEM_NONE);
        assert_int_equal(heap_get(sizes[i], 8192, 0, &e), 0);
        assert_int_equal(e, E_MEM_NONE);
        assert_int_equal(heap_move(a, sizes[i], &out), E_MEM_NONE);
        assert_int_equal(heap_alloc(&heap, &zoned, &where, &zeroed), E_MEM_NONE);
        assert_int_equal(arenas_used(), 1);
        heap_assert_whole();
    }
    assert_int_equal(heap_put(a), OK);
}

static void wrong_pointers_are_distinct_and_change_nothing(void **unused)
{
    uint64_t a = must_get(48), b = must_get(48), big = must_get(3 * PAGE_SIZE), out;
    virt_t foreign;

    (void)unused;
    assert_int_equal(heap.sources[0].backend->take(&arenas[0], 2 * PAGE_SIZE, PAGE_SIZE, 3,
                                                   &foreign), OK);
    assert_int_equal(heap_put(0), E_MEM_UNMANAGED);
    assert_int_equal(heap_put(UINT64_MAX), E_MEM_UNMANAGED);
    assert_int_equal(heap_put(a + 16), E_MEM_INSIDE);
    assert_int_equal(heap_put(a + 1), E_MEM_INSIDE);
    assert_int_equal(heap_put(a + 96), E_MEM_FREE);
    assert_int_equal(heap_put(a + 85 * 48), E_MEM_INSIDE);
    assert_int_equal(heap_put(big + 16), E_MEM_INSIDE);
    assert_int_equal(heap_put(big + PAGE_SIZE), E_MEM_INSIDE);
    assert_int_equal(heap_put(foreign.a), E_MEM_KIND);
    assert_int_equal(heap_put(foreign.a + PAGE_SIZE), E_MEM_KIND);
    assert_int_equal(heap_move(foreign.a, 5, &out), E_MEM_KIND);
    assert_int_equal(heap_put(ARENA_BASE(0) + 100 * PAGE_SIZE), E_MEM_FREE);
    assert_int_equal(heap_put(b), OK);
    assert_int_equal(heap_put(b), E_MEM_FREE);
    assert_int_equal(heap_move(b, 5, &out), E_MEM_FREE);
    assert_int_equal(heap_put(big), OK);
    assert_int_equal(heap_put(big), E_MEM_FREE);
    assert_int_equal(heap_put(a), OK);
    assert_int_equal(heap_put(a), E_MEM_FREE);
    assert_int_equal(arenas_used(), 2);
    heap_assert_whole();
}

static void zeroes_come_when_asked_for(void **unused)
{
    struct heap_request request = { .size = 5001, .align = 1, .zero = true };
    bool zeroed;
    virt_t at;

    (void)unused;
    for (unsigned i = 0; i < 2; i++, request.size = 51) {
        uint64_t dirty = must_get(request.size);

        memset(arena_byte(virt(dirty)), 0x5a, request.size);
        assert_int_equal(heap_put(dirty), OK);
        assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), OK);
        assert_int_equal(at.a, dirty);
        assert_true(zeroed);
        for (unsigned byte = 0; byte < request.size; byte++)
            assert_int_equal(arena_byte(at)[byte], 0);
    }
    there_is_memory = false;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), OK);
    assert_false(zeroed);
    request.zero = false;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), OK);
    assert_true(zeroed);
}

/* In a page, say, that somebody made read-only: the object would not be what was asked for. */
static void zeroes_that_cannot_be_written_are_refused(void **unused)
{
    struct heap_request request = { .size = 20, .align = 1, .zero = true };
    uint64_t neighbour = must_get(20);
    bool zeroed;
    virt_t at;

    (void)unused;
    reachable = false;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), E_FAULT_PROTECTION);
    assert_int_equal(at.a, neighbour + 32);
    assert_int_equal(heap_put(at.a), E_MEM_FREE);
    request.size = 5000;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), E_FAULT_PROTECTION);
    assert_int_equal(arenas_used(), 1);
    heap_assert_whole();
}

/* ---- stages ---- */

static void pointers_outlive_their_stage(void **unused)
{
    uint64_t small[3], big[3], out;

    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        heap_advance(&heap, i);
        small[i] = must_get(32);
        big[i] = must_get(2 * PAGE_SIZE);
        assert_int_equal(small[i], arenas[i].base);
        assert_int_equal(big[i], arenas[i].base + PAGE_SIZE);
        heap_assert_whole();
    }
    assert_int_equal(heap_move(big[0], PAGE_SIZE, &out), OK);
    assert_int_equal(out, big[0]);
    assert_int_equal(heap_move(small[0], 20, &out), OK);
    assert_int_equal(out, small[0]);
    assert_int_equal(heap_move(small[0], 40, &out), OK);
    assert_int_equal(out, arenas[2].base + 3 * PAGE_SIZE);
    assert_int_equal(heap_put(small[0]), E_MEM_FREE);
    assert_int_equal(heap_put(out), OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(heap_put(big[i]), OK);
        assert_int_equal(heap_put(small[i]), i == 0 ? E_MEM_FREE : OK);
        heap_assert_whole();
    }
    assert_int_equal(arenas_used(), 0);
}

static void slabs_of_an_earlier_stage_serve_no_more(void **unused)
{
    uint64_t early[200];

    (void)unused;
    for (unsigned i = 0; i < 200; i++)
        early[i] = must_get(32);
    heap_advance(&heap, 1);
    heap_assert_whole();
    assert_int_equal(must_get(32), arenas[1].base);
    assert_int_equal(heap_put(early[3]), OK);
    heap_assert_whole();
    assert_int_equal(must_get(32), arenas[1].base + 32);
}

/* One number, two memories: an injected map may have memory where the window is. */
static void the_window_comes_first(void **unused)
{
    struct heap_object object;
    struct heap_walk walk;
    uint64_t direct, again;

    (void)unused;
    heap_advance(&heap, 1);
    direct = must_get(32);
    arenas[2].base = arenas[1].base;
    heap_advance(&heap, 2);
    again = must_get(32);
    assert_int_equal(direct, again);
    heap_assert_whole();
    /* Both are told of, whichever is freed first. */
    heap_walk_begin(&walk, &heap, virt(0), heap_goes_on);
    for (unsigned stage = 1; stage <= 2; stage++) {
        assert_true(heap_walk_next(&walk, &object));
        assert_int_equal(object.at.a, direct);
        assert_int_equal(object.stage, stage);
    }
    assert_false(heap_walk_next(&walk, &object));
    assert_true(heap_has(&heap, virt(direct), false) && heap_has(&heap, virt(direct), true));
    assert_int_equal(heap_put(direct), OK);
    assert_false(heap_has(&heap, virt(direct), true));
    assert_true(heap_next(virt(0), &object));
    assert_int_equal(object.stage, 1);
    assert_int_equal(heap_put(direct), OK);
    assert_int_equal(arenas_used(), 0);
}

/* ---- totals ---- */

static void totals_are_of_each_class(void **unused)
{
    struct heap_totals totals;

    (void)unused;
    for (unsigned i = 0; i < 200; i++)
        (void)must_get(32);
    (void)must_get(5000);
    heap_advance(&heap, 2);
    (void)must_get(20);
    (void)must_get(4096);
    heap_totals(&heap, 1, &totals);
    assert_int_equal(totals.size, 32);
    assert_int_equal(totals.objects, 201);
    assert_int_equal(totals.pages, 3);
    assert_int_equal(totals.bytes, 201 * 32);
    heap_totals(&heap, HEAP_CLASSES, &totals);
    assert_int_equal(totals.size, 0);
    assert_int_equal(totals.objects, 2);
    assert_int_equal(totals.pages, 3);
    assert_int_equal(totals.bytes, 3 * PAGE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_thousand_small_objects_need_ten_pages, heap_begin),
        cmocka_unit_test_setup(classes_waste_little, heap_begin),
        cmocka_unit_test_setup(the_lowest_slot_of_the_lowest_slab_serves, heap_begin),
        cmocka_unit_test_setup(a_slab_goes_back_with_its_last_object, heap_begin),
        cmocka_unit_test_setup(alignment_chooses_the_class, heap_begin),
        cmocka_unit_test_setup(impossible_sizes_are_refused, heap_begin),
        cmocka_unit_test_setup(wrong_pointers_are_distinct_and_change_nothing, heap_begin),
        cmocka_unit_test_setup(zeroes_come_when_asked_for, heap_begin),
        cmocka_unit_test_setup(zeroes_that_cannot_be_written_are_refused, heap_begin),
        cmocka_unit_test_setup(pointers_outlive_their_stage, heap_begin),
        cmocka_unit_test_setup(slabs_of_an_earlier_stage_serve_no_more, heap_begin),
        cmocka_unit_test_setup(the_window_comes_first, heap_begin),
        cmocka_unit_test_setup(totals_are_of_each_class, heap_begin),
    };

    return cmocka_run_group_tests(tests, heap_open, heap_close);
}
