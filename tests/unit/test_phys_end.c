/* SPDX-License-Identifier: MIT */
/* Early memory: the hand-over, and what its check sees. */
#include "tests/unit/phys_support.h"

static void hands_over_whole_pages(void **unused)
{
    struct page_range out[4];
    size_t n;

    (void)unused;
    /* Scraps on both sides, a range with no whole page, early memory that stays. */
    assert_int_equal(add(63 * K, 17 * K + 64, RANGE_USABLE), OK);
    assert_int_equal(add(97 * K, 6 * K, RANGE_USABLE), OK);
    assert_int_equal(alloc(32, 1, PHYS_LOW), 63 * K);
    assert_int_equal(alloc(32, 4096, PHYS_HIGH), 100 * K);
    assert_int_equal(alloc(32, 4096, PHYS_HIGH), 80 * K);
    assert_int_equal(phys_hand_over(&allocator, out, 0, &n), E_MEM_METADATA);
    assert_int_equal(n, 1);
    assert_int_equal(phys_hand_over(&allocator, out, 1, &n), OK);
    assert_int_equal(n, 1);
    assert_int_equal(out[0].first.n, 16);
    assert_int_equal(out[0].pages, 4);
    assert_true(out[0].fresh);
    assert_int_equal(phys_hand_over(&allocator, out, 4, &n), E_CALL_STATE);
    /* Early memory freed now stays here, and scraps still serve. */
    assert_int_equal(release(80 * K), OK);
    assert_int_equal(alloc(64, 1, PHYS_HIGH), 103 * K - 64);
    assert_int_equal(alloc(64, 1, PHYS_LOW), 63 * K + 32);
    EXTENTS({ 63 * K, 63 * K + 32, PHYS_EARLY, true },
            { 63 * K + 32, 63 * K + 96, PHYS_EARLY, true },
            { 63 * K + 96, 64 * K, PHYS_FREE, false }, { 64 * K, 80 * K, PHYS_HANDED, false },
            { 80 * K, 80 * K + 32, PHYS_FREE, true },
            { 80 * K + 32, 80 * K + 64, PHYS_FREE, false },
            { 97 * K, 100 * K, PHYS_FREE, false }, { 100 * K, 100 * K + 32, PHYS_EARLY, true },
            { 100 * K + 32, 103 * K - 64, PHYS_FREE, false },
            { 103 * K - 64, 103 * K, PHYS_EARLY, true });
}

static void a_page_once_used_in_part_is_not_fresh(void **unused)
{
    struct page_range out[8];
    size_t n;

    (void)unused;
    assert_int_equal(add(64 * K, 32 * K, RANGE_USABLE), OK);
    /* Bytes of pages 17 and 18, then a little of 20 twice. */
    assert_int_equal(phys_set_minimum_alignment(&allocator, 1), OK);
    for (unsigned i = 0; i < 3; i++) {
        static const uint64_t at[] = { 72 * K - 1, 80 * K, 84 * K - 1 }, size[] = { 2, 1, 1 };
        uint64_t got;

        assert_int_equal(alloc_in(size[i], 1, at[i], at[i] + size[i], PHYS_LOW, &got), OK);
        assert_int_equal(release(got), OK);
    }
    assert_int_equal(phys_hand_over(&allocator, out, 4, &n), E_MEM_METADATA);
    assert_int_equal(n, 5);
    assert_int_equal(phys_hand_over(&allocator, out, 8, &n), OK);
    assert_int_equal(n, 5);
    for (unsigned i = 0; i < n; i++) {
        static const unsigned first[] = { 16, 17, 19, 20, 21, 24 };

        assert_int_equal(out[i].first.n, first[i]);
        assert_int_equal(out[i].pages, first[i + 1] - first[i]);
        assert_int_equal(out[i].fresh, i % 2 == 0);
    }
    EXTENTS({ 64 * K, 68 * K, PHYS_HANDED, false }, { 68 * K, 76 * K, PHYS_HANDED, true },
            { 76 * K, 80 * K, PHYS_HANDED, false }, { 80 * K, 84 * K, PHYS_HANDED, true },
            { 84 * K, 96 * K, PHYS_HANDED, false });
}

static void records_for_scraps_are_counted(void **unused)
{
    struct page_range out[CAPACITY];
    size_t n;

    (void)unused;
    /* Each hand-over leaves a scrap on both sides; the last two ranges have no record for them. */
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(add((15 + 16 * i) * K, 10 * K, RANGE_USABLE), OK);
    assert_int_equal(phys_hand_over(&allocator, out, CAPACITY, &n), E_MEM_METADATA);
    assert_int_equal(n, 6);
    assert_int_equal(allocator.count, 6);
    (void)begin(NULL);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(add((15 + 16 * i) * K, 10 * K, RANGE_USABLE), OK);
    assert_int_equal(phys_hand_over(&allocator, out, CAPACITY, &n), OK);
    assert_int_equal(n, 5);
    assert_int_equal(allocator.count, 15);
}

static void a_map_handed_over_is_closed(void **unused)
{
    struct page_range out[4];
    size_t n;

    (void)unused;
    /* Nothing was used and no page was whole: only the hand-over itself closes the map. */
    assert_int_equal(add(65 * K, K, RANGE_USABLE), OK);
    assert_int_equal(phys_hand_over(&allocator, out, 4, &n), OK);
    assert_int_equal(n, 0);
    assert_int_equal(add(256 * K, K, RANGE_USABLE), E_CALL_STATE);
}

static void assert_broken(unsigned expected)
{
    unsigned number = 0;
    phys_t at;

    assert_false(phys_check(&allocator, &number, &at));
    assert_int_equal(number, expected);
}

static void two_extents(void)
{
    (void)begin(NULL);
    assert_int_equal(add(64 * K, 16 * K, RANGE_USABLE), OK);
    assert_int_equal(add(96 * K, 16 * K, RANGE_USABLE), OK);
}

/* Each invariant broken by hand; the numbers are those of phys.c. */
static void check_names_the_broken_invariant(void **unused)
{
    unsigned number;
    phys_t at;

    (void)unused;
    two_extents();
    assert_true(phys_check(&allocator, &number, &at));
    allocator.capacity = 1;
    assert_broken(1);
    two_extents();
    records[1].end = records[1].start;
    assert_broken(2);
    records[1].end = ADDRESS_LIMIT + 1;
    assert_broken(2);
    two_extents();
    records[1].start = records[0].end - 1;
    assert_broken(3);
    two_extents();
    records[1].start = records[0].end;
    assert_broken(4);
    two_extents();
    records[0].state = PHYS_EARLY;
    assert_broken(5);
    records[0].state = PHYS_RESERVED;
    records[0].used = true;
    assert_broken(5);
    two_extents();
    records[0].start = PAGE_SIZE - 1;
    assert_broken(6);
    two_extents();
    records[0].state = PHYS_HANDED;
    assert_broken(7);
    allocator.handed_over = true;
    assert_true(phys_check(&allocator, &number, &at));
    records[0].start++;
    assert_broken(7);
    two_extents();
    allocator.minimum_alignment = 24;
    assert_broken(8);
    allocator.minimum_alignment = 2 * G;
    assert_broken(8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(hands_over_whole_pages, begin),
        cmocka_unit_test_setup(a_page_once_used_in_part_is_not_fresh, begin),
        cmocka_unit_test_setup(records_for_scraps_are_counted, begin),
        cmocka_unit_test_setup(a_map_handed_over_is_closed, begin),
        cmocka_unit_test(check_names_the_broken_invariant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
