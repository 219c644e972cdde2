/* SPDX-License-Identifier: MIT */
/* The short way of reserve() and its reverse, for what lies in one word. */
#include "tests/unit/page_support.h"

/* In a chunk that is closed, in a unit that is, in one that is open. */
static void a_unit_whose_first_page_is_reserved_leads_nothing(void **state)
{
    struct page_request aligned = request_order(0);
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 4 * 512);
    aligned.align = 9;
    reserve(&f, GIB_PAGES, 2);
    reserve(&f, GIB_PAGES + 512, 1);
    assert_whole(&f);
    unreserve(&f, GIB_PAGES, 1);
    assert_whole(&f);
    reserve(&f, GIB_PAGES, 1);
    assert_whole(&f);
    assert_int_equal(take(&f, aligned), GIB_PAGES + 1024);
    unreserve(&f, GIB_PAGES, 1);
    assert_int_equal(take(&f, aligned), GIB_PAGES);
    fixture_done(&f);
}

/* What it opens may be better than the hot word, what it asks for may lie in that. */
static void reserve_heeds_the_hot_word(void **state)
{
    struct fixture f;
    pfn_t blame;
    (void)state;
    fixture_one(&f, GIB_PAGES, 2 * GIB_PAGES);
    assert_int_equal(take_order(&f, 18), GIB_PAGES);
    take_order(&f, 0);
    give(&f, GIB_PAGES);
    for (unsigned page = 1; page < 5; page++)
        assert_int_equal(take_order(&f, 0), 2 * GIB_PAGES + page);
    assert_int_equal(f.engine->reserve(f.memory, pfn(2 * GIB_PAGES + 4), 100, &blame), E_MEM_BUSY);
    assert_int_equal(blame.n, 2 * GIB_PAGES + 4);
    for (unsigned page = 5; page < 8; page++)
        assert_int_equal(take_order(&f, 0), 2 * GIB_PAGES + page);
    reserve(&f, GIB_PAGES + 5, 1);
    assert_int_equal(take_order(&f, 0), GIB_PAGES);
    fixture_done(&f);
}

static void unreserve_heeds_the_hot_word(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 2 * GIB_PAGES - 512, 1024);
    reserve(&f, 2 * GIB_PAGES - 7, 1);
    for (unsigned page = 0; page < 511 + 4; page++)
        assert_int_not_equal(take_order(&f, 0), 2 * GIB_PAGES - 7);
    assert_int_equal(take_order(&f, 0), 2 * GIB_PAGES + 4);
    unreserve(&f, 2 * GIB_PAGES - 7, 1);
    assert_int_equal(take_order(&f, 0), 2 * GIB_PAGES - 7);
    assert_int_equal(take_order(&f, 0), 2 * GIB_PAGES + 5);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_whose_first_page_is_reserved_leads_nothing),
        cmocka_unit_test(reserve_heeds_the_hot_word),
        cmocka_unit_test(unreserve_heeds_the_hot_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
