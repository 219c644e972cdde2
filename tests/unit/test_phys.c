/* SPDX-License-Identifier: MIT */
/* The rules of early memory, one by one; test_phys_random.c has them all at once. */
#include "tests/unit/phys_support.h"

static void map_in_any_order(void **unused)
{
    (void)unused;
    /* A reserved range over three usable ones and the holes between, told before two of them. */
    assert_int_equal(add(64 * K, 8 * K, RANGE_USABLE), OK);
    assert_int_equal(add(36 * K, 30 * K, RANGE_RESERVED), OK);
    assert_int_equal(add(48 * K, 8 * K, RANGE_USABLE), OK);
    assert_int_equal(add(32 * K, 8 * K, RANGE_USABLE), OK);
    EXTENTS({ 32 * K, 36 * K, PHYS_FREE, false }, { 36 * K, 66 * K, PHYS_RESERVED, false },
            { 66 * K, 72 * K, PHYS_FREE, false });
}

static void reserved_splits_and_ranges_join(void **unused)
{
    (void)unused;
    assert_int_equal(add(32 * K, 32 * K, RANGE_USABLE), OK);
    assert_int_equal(add(40 * K, 4 * K, RANGE_RESERVED), OK);
    assert_int_equal(add(44 * K, 4 * K, RANGE_RESERVED), OK);
    assert_int_equal(add(64 * K, 4 * K, RANGE_USABLE), OK);
    assert_int_equal(add(30 * K, 20 * K, RANGE_USABLE), OK);
    EXTENTS({ 30 * K, 40 * K, PHYS_FREE, false }, { 40 * K, 48 * K, PHYS_RESERVED, false },
            { 48 * K, 68 * K, PHYS_FREE, false });
    assert_int_equal(add(0, 100 * K, RANGE_RESERVED), OK);
    EXTENTS({ 0, 100 * K, PHYS_RESERVED, false });
}

static void usable_fills_every_hole(void **unused)
{
    (void)unused;
    assert_int_equal(add(8 * K, K, RANGE_RESERVED), OK);
    assert_int_equal(add(16 * K, K, RANGE_USABLE), OK);
    assert_int_equal(add(24 * K, K, RANGE_RESERVED), OK);
    assert_int_equal(add(4 * K, 28 * K, RANGE_USABLE), OK);
    EXTENTS({ 4 * K, 8 * K, PHYS_FREE, false }, { 8 * K, 9 * K, PHYS_RESERVED, false },
            { 9 * K, 24 * K, PHYS_FREE, false }, { 24 * K, 25 * K, PHYS_RESERVED, false },
            { 25 * K, 32 * K, PHYS_FREE, false });
}

static void ends_of_the_address_space(void **unused)
{
    (void)unused;
    assert_int_equal(add(8, UINT64_MAX - 6, RANGE_USABLE), E_CALL_RANGE);
    assert_int_equal(add(UINT64_MAX, 2, RANGE_RESERVED), E_CALL_RANGE);
    assert_int_equal(add(UINT64_MAX, 1, RANGE_USABLE), OK);
    assert_int_equal(add(ADDRESS_LIMIT, G, RANGE_USABLE), OK);
    assert_int_equal(add(5, 0, RANGE_USABLE), OK);
    assert_int_equal(allocator.count, 0);
    assert_int_equal(add(ADDRESS_LIMIT - K, UINT64_MAX - ADDRESS_LIMIT + K + 1, RANGE_USABLE), OK);
    assert_int_equal(add(4 * G - K, 2 * K, RANGE_USABLE), OK);
    EXTENTS({ 4 * G - K, 4 * G + K, PHYS_FREE, false },
            { ADDRESS_LIMIT - K, ADDRESS_LIMIT, PHYS_FREE, false });
    assert_int_equal(alloc(K, 1, PHYS_HIGH), ADDRESS_LIMIT - K);
    assert_int_equal(alloc(2 * K, 1, PHYS_HIGH), 4 * G - K);
}

static void frame_0_is_nobodys(void **unused)
{
    (void)unused;
    assert_int_equal(add(0x10, K, RANGE_USABLE), OK);
    EXTENTS({ 0x10, K + 0x10, PHYS_RESERVED, false });
    assert_int_equal(add(0, 6 * K, RANGE_USABLE), OK);
    EXTENTS({ 0, 4 * K, PHYS_RESERVED, false }, { 4 * K, 6 * K, PHYS_FREE, false });
    assert_int_equal(alloc(1, 1, PHYS_LOW), 4 * K);
    assert_false(phys_is_memory(&allocator, 0, 8));
}

static void full_records_are_an_error(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i < CAPACITY; i++)
        assert_int_equal(add((8 + 4 * i) * K, K, RANGE_USABLE), OK);
    assert_int_equal(add(200 * K, K, RANGE_USABLE), E_MEM_METADATA);
    assert_int_equal(add(200 * K, K, RANGE_RESERVED), E_MEM_METADATA);
    assert_int_equal(add(8 * K + 10, 10, RANGE_RESERVED), E_MEM_METADATA);
    assert_int_equal(add(0, 10, RANGE_USABLE), E_MEM_METADATA);
    assert_int_equal(add(0, 10 * K, RANGE_USABLE), E_MEM_METADATA);
    refused(10, 1, E_MEM_METADATA);
    assert_int_equal(allocator.count, CAPACITY);
    /* What needs no record goes on. */
    assert_int_equal(add(9 * K, K, RANGE_USABLE), OK);
    assert_int_equal(add(12 * K, K, RANGE_RESERVED), OK);
    assert_int_equal(alloc(K, K, PHYS_HIGH), (8 + 4 * (CAPACITY - 1)) * K);
    assert_int_equal(allocator.count, CAPACITY);
}

static void frame_0_and_the_rest_go_in_together(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i < CAPACITY - 1; i++)
        assert_int_equal(add((8 + 4 * i) * K, K, RANGE_USABLE), OK);
    assert_int_equal(add(0, 6 * K, RANGE_USABLE), E_MEM_METADATA);
    assert_int_equal(allocator.count, CAPACITY - 1);
    assert_int_equal(add(0, 8 * K, RANGE_USABLE), OK);
    assert_int_equal(allocator.count, CAPACITY);
    assert_int_equal(records[1].start, 4 * K);
    assert_int_equal(records[1].end, 9 * K);
}

static void filling_a_hole_can_save_a_record(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i < CAPACITY; i++)
        assert_int_equal(add((8 + 4 * i) * K, K, RANGE_USABLE), OK);
    assert_int_equal(add(8 * K, 4 * CAPACITY * K, RANGE_USABLE), OK);
    EXTENTS({ 8 * K, (8 + 4 * CAPACITY) * K, PHYS_FREE, false });
}

static void places_at_either_end(void **unused)
{
    (void)unused;
    assert_int_equal(add(64 * K, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(add(256 * K, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc(100, 1, PHYS_HIGH), 320 * K - 128);
    assert_int_equal(alloc(28, 1, PHYS_HIGH), 320 * K - 128 - 32);
    assert_int_equal(alloc(1, 4096, PHYS_HIGH), 316 * K);
    assert_int_equal(alloc(100, 1, PHYS_LOW), 64 * K);
    assert_int_equal(alloc(1, 1, PHYS_LOW), 64 * K + 128);
    assert_int_equal(alloc(1, 4096, PHYS_LOW), 68 * K);
    assert_int_equal(alloc(64 * K - 4 * K, 1, PHYS_LOW), 256 * K);
    assert_int_equal(alloc(28, 1, PHYS_LOW), 64 * K + 160);
}

static void minimum_alignment_is_enforced(void **unused)
{
    (void)unused;
    assert_int_equal(add(64 * K + 5, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc(1, 1, PHYS_LOW), 64 * K + 32);
    assert_int_equal(phys_set_minimum_alignment(&allocator, 1), OK);
    assert_int_equal(alloc(1, 1, PHYS_LOW), 64 * K + 5);
    assert_int_equal(alloc(2, 1, PHYS_LOW), 64 * K + 6);
    assert_int_equal(alloc(1, 2, PHYS_HIGH), 128 * K + 4);
    assert_int_equal(phys_set_minimum_alignment(&allocator, K), OK);
    assert_int_equal(alloc(1, 64, PHYS_LOW), 65 * K);
    assert_int_equal(phys_set_minimum_alignment(&allocator, 0), E_CALL_ALIGN);
    assert_int_equal(phys_set_minimum_alignment(&allocator, 48), E_CALL_ALIGN);
    assert_int_equal(phys_set_minimum_alignment(&allocator, 2 * G), E_CALL_ALIGN);
    assert_int_equal(phys_set_minimum_alignment(&allocator, UINT64_C(1) << 63), E_CALL_ALIGN);
    assert_int_equal(allocator.minimum_alignment, K);
    assert_int_equal(phys_set_minimum_alignment(&allocator, G), OK);
}

static void windows_bound_the_whole_block(void **unused)
{
    uint64_t at;

    (void)unused;
    assert_int_equal(add(64 * K, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc_in(K, 1, 70 * K, 71 * K, PHYS_HIGH, &at), OK);
    assert_int_equal(at, 70 * K);
    assert_int_equal(alloc_in(K, 1, 70 * K, 71 * K, PHYS_HIGH, &at), E_MEM_NONE);
    assert_int_equal(alloc_in(K, 1, 80 * K + 1, 82 * K, PHYS_LOW, &at), OK);
    assert_int_equal(at, 80 * K + 32);
    assert_int_equal(alloc_in(K, 1, 90 * K, 91 * K - 1, PHYS_LOW, &at), E_MEM_NONE);
    assert_int_equal(alloc_in(K, 1, 91 * K, 90 * K, PHYS_LOW, &at), E_MEM_NONE);
    assert_int_equal(alloc_in(K, 4 * K, 97 * K, 99 * K, PHYS_HIGH, &at), E_MEM_NONE);
    assert_int_equal(alloc_in(K, 4 * K, 97 * K, 99 * K, PHYS_LOW, &at), E_MEM_NONE);
    assert_int_equal(alloc_in(K, 1, UINT64_MAX, UINT64_MAX, PHYS_LOW, &at), E_MEM_NONE);
    assert_int_equal(alloc_in(K, 1, 127 * K, UINT64_MAX, PHYS_LOW, &at), OK);
    assert_int_equal(at, 127 * K);
}

static enum error grow(uint64_t at, uint64_t size, uint64_t max)
{
    return phys_extend(&allocator, phys(at), size, phys(max));
}

static void early_memory_takes_what_is_free_behind_it(void **unused)
{
    uint64_t at;

    (void)unused;
    assert_int_equal(add(64 * K, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc_in(K, 1, 70 * K, 71 * K, PHYS_LOW, &at), OK);
    assert_int_equal(release(alloc(K, 1, PHYS_HIGH)), OK);
    assert_int_equal(grow(70 * K, 2 * K, 72 * K - 1), E_MEM_NONE);
    assert_int_equal(grow(70 * K, 2 * K, 72 * K), OK);
    assert_int_equal(grow(70 * K, 2 * K, 72 * K), OK);
    assert_int_equal(grow(70 * K, 2 * K, K), E_MEM_NONE);
    assert_int_equal(grow(70 * K, 58 * K + 1, UINT64_MAX), E_MEM_NONE);
    assert_int_equal(grow(71 * K, 5 * K, UINT64_MAX), E_MEM_INSIDE);
    assert_int_equal(grow(80 * K, 5 * K, UINT64_MAX), E_MEM_FREE);
    /* Over an edge between what was used once and what was not, to the end. */
    assert_int_equal(grow(70 * K, 58 * K, UINT64_MAX), OK);
    EXTENTS({ 64 * K, 70 * K, PHYS_FREE, false }, { 70 * K, 128 * K, PHYS_EARLY, true });
    assert_int_equal(release(70 * K), OK);
}

static void impossible_requests(void **unused)
{
    (void)unused;
    assert_int_equal(add(64 * K, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(add(ADDRESS_LIMIT - 64 * K, 64 * K, RANGE_USABLE), OK);
    refused(0, 1, E_CALL_RANGE);
    refused(1, 0, E_CALL_ALIGN);
    refused(1, 3, E_CALL_ALIGN);
    refused(64 * K + 1, 1, E_MEM_NONE);
    refused(UINT64_MAX, 1, E_MEM_NONE);
    refused(UINT64_MAX - 3, 4096, E_MEM_NONE);
    refused(1, UINT64_C(1) << 63, E_MEM_NONE);
    refused(UINT64_C(1) << 63, UINT64_C(1) << 63, E_MEM_NONE);
    assert_int_equal(allocator.count, 2);
}

static void exact_fit_and_back(void **unused)
{
    uint64_t size;

    (void)unused;
    assert_int_equal(add(64 * K, 64 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc(64 * K, 1, PHYS_HIGH), 64 * K);
    refused(1, 1, E_MEM_NONE);
    assert_int_equal(phys_free(&allocator, phys(64 * K), &size), OK);
    assert_int_equal(size, 64 * K);
    EXTENTS({ 64 * K, 128 * K, PHYS_FREE, true });
    assert_int_equal(add(256 * K, K, RANGE_USABLE), E_CALL_STATE);
}

static void used_memory_is_told_apart_but_one_run(void **unused)
{
    (void)unused;
    assert_int_equal(add(64 * K, 16 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc(4 * K, 1, PHYS_HIGH), 76 * K);
    assert_int_equal(alloc(4 * K, 1, PHYS_HIGH), 72 * K);
    EXTENTS({ 64 * K, 72 * K, PHYS_FREE, false }, { 72 * K, 76 * K, PHYS_EARLY, true },
            { 76 * K, 80 * K, PHYS_EARLY, true });
    assert_int_equal(add(256 * K, K, RANGE_USABLE), E_CALL_STATE);
    assert_int_equal(release(76 * K), OK);
    assert_int_equal(release(72 * K), OK);
    EXTENTS({ 64 * K, 72 * K, PHYS_FREE, false }, { 72 * K, 80 * K, PHYS_FREE, true });
    assert_int_equal(alloc(10 * K, 1, PHYS_HIGH), 70 * K);
    EXTENTS({ 64 * K, 70 * K, PHYS_FREE, false }, { 70 * K, 80 * K, PHYS_EARLY, true });
}

static void wrong_frees_are_distinct(void **unused)
{
    struct page_range out[4];
    size_t n;

    (void)unused;
    assert_int_equal(add(64 * K, 16 * K + 64, RANGE_USABLE), OK);
    assert_int_equal(add(96 * K, 4 * K, RANGE_RESERVED), OK);
    assert_int_equal(alloc(256, 1, PHYS_LOW), 64 * K);
    assert_int_equal(release(64 * K + 32), E_MEM_INSIDE);
    assert_int_equal(release(64 * K + 1), E_MEM_INSIDE);
    assert_int_equal(release(64 * K + 256), E_MEM_FREE);
    assert_int_equal(release(96 * K), E_MEM_RESERVED);
    assert_int_equal(release(95 * K), E_MEM_UNMANAGED);
    assert_int_equal(release(0), E_MEM_UNMANAGED);
    assert_int_equal(release(UINT64_MAX), E_MEM_UNMANAGED);
    assert_int_equal(release(64 * K), OK);
    assert_int_equal(release(64 * K), E_MEM_FREE);
    assert_int_equal(phys_hand_over(&allocator, out, 4, &n), OK);
    assert_int_equal(release(68 * K), E_MEM_BUSY);
}

static void knows_what_is_memory(void **unused)
{
    struct page_range out[4];
    size_t n;

    (void)unused;
    assert_int_equal(add(64 * K, 16 * K, RANGE_USABLE), OK);
    assert_int_equal(add(80 * K, 4 * K, RANGE_RESERVED), OK);
    (void)alloc(100, 1, PHYS_LOW);
    assert_true(phys_is_memory(&allocator, 64 * K, 16 * K));
    assert_int_equal(phys_hand_over(&allocator, out, 4, &n), OK);
    assert_true(phys_is_memory(&allocator, 64 * K, 16 * K));
    assert_true(phys_is_memory(&allocator, 80 * K - 8, 8));
    assert_false(phys_is_memory(&allocator, 80 * K - 8, 9));
    assert_false(phys_is_memory(&allocator, 64 * K - 1, 2));
    assert_false(phys_is_memory(&allocator, 84 * K, 1));
    assert_false(phys_is_memory(&allocator, 64 * K, UINT64_MAX));
    assert_false(phys_is_memory(&allocator, 200 * K, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(map_in_any_order, begin),
        cmocka_unit_test_setup(reserved_splits_and_ranges_join, begin),
        cmocka_unit_test_setup(usable_fills_every_hole, begin),
        cmocka_unit_test_setup(ends_of_the_address_space, begin),
        cmocka_unit_test_setup(frame_0_is_nobodys, begin),
        cmocka_unit_test_setup(full_records_are_an_error, begin),
        cmocka_unit_test_setup(frame_0_and_the_rest_go_in_together, begin),
        cmocka_unit_test_setup(filling_a_hole_can_save_a_record, begin),
        cmocka_unit_test_setup(places_at_either_end, begin),
        cmocka_unit_test_setup(minimum_alignment_is_enforced, begin),
        cmocka_unit_test_setup(windows_bound_the_whole_block, begin),
        cmocka_unit_test_setup(early_memory_takes_what_is_free_behind_it, begin),
        cmocka_unit_test_setup(impossible_requests, begin),
        cmocka_unit_test_setup(exact_fit_and_back, begin),
        cmocka_unit_test_setup(used_memory_is_told_apart_but_one_run, begin),
        cmocka_unit_test_setup(wrong_frees_are_distinct, begin),
        cmocka_unit_test_setup(knows_what_is_memory, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
