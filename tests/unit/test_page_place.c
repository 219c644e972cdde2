/* SPDX-License-Identifier: MIT */
/* Where requests are placed: the rule of kernel/mm/page.h, one clause after another. */
#include "tests/unit/page_support.h"

static struct page_request request_at(uint64_t at, uint64_t pages)
{
    struct page_request request = request_pages(pages);
    request.exact = true;
    request.at = pfn(at);
    return request;
}

static struct page_request request_aligned(uint64_t pages, unsigned align)
{
    struct page_request request = request_pages(pages);
    request.align = align;
    return request;
}

static struct page_request request_window(uint64_t pages, uint64_t min, uint64_t max)
{
    struct page_request request = request_pages(pages);
    request.min = pfn(min);
    request.max = pfn(max);
    return request;
}

static void the_open_leaf_with_the_smallest_sufficient_order_serves(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 5 * 512);
    take(&f, request_at(512, 256));              /* leaf 1: largest order 8 */
    take(&f, request_at(1024, 511 - 15));        /* leaf 2: 4 */
    take(&f, request_at(1536, 511 - 15));        /* leaf 3: 4 */
    assert_int_equal(take_order(&f, 4), 1024 + 496);
    assert_int_equal(take_order(&f, 4), 1536 + 496);
    assert_int_equal(take_order(&f, 4), 512 + 256);
    assert_int_equal(take_order(&f, 8), 2048);
    fixture_done(&f);
}

static void when_no_open_leaf_fits_the_lowest_free_unit_is_opened(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 4 * 512);
    take(&f, request_at(512, 300));
    assert_int_equal(take_order(&f, 8), 1024);
    assert_int_equal(take_order(&f, 7), 512 + 384);
    fixture_done(&f);
}

static void the_chunk_with_the_smallest_sufficient_order_serves(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 3 * GIB_PAGES);
    take(&f, request_at(2 * GIB_PAGES, GIB_PAGES - 512));   /* chunk 2: one unit is left */
    assert_int_equal(take_order(&f, 0), 3 * GIB_PAGES - 512);
    assert_int_equal(take_order(&f, 9), GIB_PAGES);
    assert_int_equal(take_order(&f, 18), 3 * GIB_PAGES);
    assert_int_equal(take_order(&f, 17), GIB_PAGES + GIB_PAGES / 2);
    assert_int_equal(take_order(&f, 9), GIB_PAGES + 512);
    fixture_done(&f);
}

static void buddies_coalesce_in_any_order_of_frees(void **state)
{
    static const unsigned orders[][4] = { { 0, 1, 2, 3 }, { 3, 2, 1, 0 }, { 1, 3, 0, 2 } };
    struct fixture f;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
        for (unsigned order = 0; order <= 16; order++) {
            uint64_t block[4];
            fixture_one(&f, GIB_PAGES, UINT64_C(4) << order);
            for (unsigned j = 0; j < 4; j++)
                block[j] = take_order(&f, order);
            refuse(&f, request_order(0), E_MEM_NONE, 0);
            for (unsigned j = 0; j < 4; j++)
                assert_int_equal(give(&f, block[orders[i][j]]), UINT64_C(1) << order);
            assert_int_equal(take_order(&f, order + 2), GIB_PAGES);
            fixture_done(&f);
        }
}

static void an_exactly_full_area_has_no_page_more_and_takes_all_back(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 700, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        take_order(&f, 0);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    assert_int_equal(area_info(&f, 0).allocated, 1000);
    for (uint64_t frame = 700; frame < 1700; frame++)
        assert_int_equal(give(&f, frame), 1);
    assert_int_equal(area_info(&f, 0).free, 1000);
    assert_int_equal(take_order(&f, 9), 1024);
    fixture_done(&f);
}

static void alignment_prefers_what_is_broken_already(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 1024);
    take(&f, request_at(512, 1));
    take(&f, request_at(515, 1));
    /* k = 2 picks the open leaf; the single page 516 heads what is aligned to 4. */
    assert_int_equal(take(&f, request_aligned(1, 2)), 516);
    /* The lowest aligned slot of one page, in a smaller block than order 3. */
    take(&f, request_at(521, 1));
    assert_int_equal(take(&f, request_aligned(1, 3)), 520);
    fixture_done(&f);
}

static void a_page_aligned_to_2_mib_may_lie_in_an_open_leaf(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 4 * 512);
    take(&f, request_at(600, 1));
    assert_int_equal(take(&f, request_aligned(1, 9)), 512);
    assert_int_equal(take(&f, request_aligned(1, 9)), 1024);
    take(&f, request_at(1540, 1));
    take(&f, request_at(2050, 1));
    /* No wholly free unit is left: rule 3. */
    assert_int_equal(take(&f, request_aligned(1, 9)), 1536);
    assert_int_equal(take(&f, request_aligned(1, 11)), 2048);
    refuse(&f, request_aligned(1, 9), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void alignment_gives_the_unused_part_back(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 4 * GIB_PAGES);
    for (unsigned align = 0; align <= MAX_ORDER; align++) {
        uint64_t frame = take(&f, request_aligned(1, align));
        assert_int_equal(frame % (UINT64_C(1) << align), 0);
    }
    assert_int_equal(area_info(&f, 0).allocated, MAX_ORDER + 1);
    fixture_done(&f);
}

static void a_number_of_pages_takes_no_page_more(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 2 * GIB_PAGES);
    uint64_t total = 0;
    for (uint64_t pages = 1; pages < GIB_PAGES; pages = pages * 2 + 1) {
        uint64_t frame = take(&f, request_pages(pages));
        total += pages;
        assert_int_equal(query(&f, frame).pages, pages);
        assert_int_equal(query(&f, frame + pages).state, PAGE_FREE);
        assert_int_equal(area_info(&f, 0).allocated, total);
    }
    fixture_done(&f);
}

static void a_run_that_no_buddy_holds_is_found(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 2 * 512);
    take(&f, request_at(512, 200));
    take(&f, request_at(1024 + 300, 212));
    /* 712..1324: 612 pages across two leaves, though no leaf holds 512. */
    assert_int_equal(take(&f, request_pages(612)), 712);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void a_block_may_cross_a_gib(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 2 * GIB_PAGES - 700, 1400);
    assert_int_equal(take(&f, request_pages(1400)), 2 * GIB_PAGES - 700);
    struct page_info info = query(&f, 2 * GIB_PAGES + 699);
    assert_int_equal(info.block.n, 2 * GIB_PAGES - 700);
    assert_int_equal(info.pages, 1400);
    assert_int_equal(give(&f, 2 * GIB_PAGES - 700), 1400);
    fixture_done(&f);
}

static void a_window_takes_the_lowest_slot_in_it(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 4 * 512);
    assert_int_equal(take(&f, request_window(3, 1000, 1003)), 1000);
    refuse(&f, request_window(3, 1000, 1003), E_MEM_NONE, 0);
    refuse(&f, request_window(3, 0, 514), E_MEM_NONE, 0);
    refuse(&f, request_window(3, 2000, 1000), E_MEM_NONE, 0);
    assert_int_equal(take(&f, request_window(3, 999, PFN_LIMIT)), 1003);
    assert_int_equal(take(&f, request_window(1, 0, 600)), 512);
    assert_int_equal(take(&f, request_window(1, 0, 600)), 513);
    fixture_done(&f);
}

static void a_window_of_one_slot_across_leaves_is_enough(void **state)
{
    struct page_request request = request_window(1024, 1024, 2048);
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 4 * 512);
    request.align = 10;
    assert_int_equal(take(&f, request), 1024);
    refuse(&f, request, E_MEM_NONE, 0);
    fixture_done(&f);
}

static void an_exact_address_is_taken_or_the_refusal_says_why(void **state)
{
    struct page_range range = { pfn(100), 2000, true };
    struct area_limit areas[] = { { "low", { 1000 } }, { "high", { PFN_LIMIT } } };
    struct page_map map = { &range, 1, areas, 2 };
    struct page_request request;
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(take(&f, request_at(300, 10)), 300);
    reserve(&f, 400, 10);
    refuse(&f, request_at(99, 2), E_MEM_UNMANAGED, 99);
    refuse(&f, request_at(2095, 9), E_MEM_UNMANAGED, 2100);
    refuse(&f, request_at(295, 10), E_MEM_BUSY, 300);
    refuse(&f, request_at(395, 10), E_MEM_RESERVED, 400);
    refuse(&f, request_at(990, 20), E_MEM_NONE, 1000);
    refuse(&f, request_at(PFN_LIMIT - 1, 2), E_MEM_UNMANAGED, PFN_LIMIT - 1);
    request = request_at(513, 1);
    request.align = 1;
    refuse(&f, request, E_MEM_NONE, 513);
    request = request_at(500, 10);
    request.areas = 2;
    refuse(&f, request, E_MEM_NONE, 500);
    request = request_at(500, 10);
    request.min = pfn(501);
    refuse(&f, request, E_MEM_NONE, 500);
    request.min = pfn(0);
    request.max = pfn(505);
    refuse(&f, request, E_MEM_NONE, 505);
    give(&f, 300);
    request = request_at(295, 10);
    request.fresh = true;
    refuse(&f, request, E_MEM_NONE, 300);
    assert_int_equal(take(&f, request_at(295, 10)), 295);
    fixture_done(&f);
}

static void fresh_is_exact_for_each_page(void **state)
{
    struct page_request fresh = request_aligned(16, 4);
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 512);
    give(&f, take(&f, request_at(512 + 17, 1)));
    assert_false(query(&f, 512 + 17).fresh);
    assert_true(query(&f, 512 + 16).fresh);
    assert_int_equal(query(&f, 512 + 17).pages, 512);
    fresh.fresh = true;
    assert_int_equal(take(&f, fresh), 512);
    /* Whole size and alignment, and none of the pages was handed out before. */
    assert_int_equal(take(&f, fresh), 512 + 32);
    assert_int_equal(take_order(&f, 4), 512 + 16);
    fixture_done(&f);
}

static void a_gib_with_one_used_page_is_not_fresh(void **state)
{
    struct page_request fresh = request_order(18);
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 2 * GIB_PAGES);
    give(&f, take(&f, request_at(GIB_PAGES + 5, 1)));
    fresh.fresh = true;
    assert_int_equal(take(&f, fresh), 2 * GIB_PAGES);
    refuse(&f, fresh, E_MEM_NONE, 0);
    assert_int_equal(take_order(&f, 18), GIB_PAGES);
    give(&f, GIB_PAGES);
    fresh.pages = 1;
    fresh.align = 0;
    refuse(&f, fresh, E_MEM_NONE, 0);
    fixture_done(&f);
}

static void an_aligned_page_in_a_new_leaf_is_not_where_the_next_pages_come_from(void **state)
{
    struct page_request aligned = request_order(0);
    struct fixture f;
    (void)state;
    aligned.align = 9;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    assert_int_equal(take_order(&f, 0), GIB_PAGES);
    assert_int_equal(take_order(&f, 0), GIB_PAGES + 1);
    assert_int_equal(take(&f, aligned), GIB_PAGES + 512);
    assert_whole(&f);
    assert_int_equal(take_order(&f, 0), GIB_PAGES + 2);
    fixture_done(&f);
}

/* Its node is there, for what is fresh no more. */
static void a_whole_gib_with_a_used_page_is_taken_in_a_window(void **state)
{
    struct fixture f;
    struct page_request request = request_order(MAX_ORDER);
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    assert_int_equal(give(&f, take_order(&f, 0)), 1);
    request.min = pfn(GIB_PAGES);
    assert_int_equal(take(&f, request), GIB_PAGES);
    assert_whole(&f);
    assert_int_equal(give(&f, GIB_PAGES), GIB_PAGES);
    request.fresh = true;
    refuse(&f, request, E_MEM_NONE, 0);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            an_aligned_page_in_a_new_leaf_is_not_where_the_next_pages_come_from),
        cmocka_unit_test(the_open_leaf_with_the_smallest_sufficient_order_serves),
        cmocka_unit_test(when_no_open_leaf_fits_the_lowest_free_unit_is_opened),
        cmocka_unit_test(the_chunk_with_the_smallest_sufficient_order_serves),
        both_unit_tests(buddies_coalesce_in_any_order_of_frees),
        both_unit_tests(an_exactly_full_area_has_no_page_more_and_takes_all_back),
        cmocka_unit_test(alignment_prefers_what_is_broken_already),
        cmocka_unit_test(a_page_aligned_to_2_mib_may_lie_in_an_open_leaf),
        both_unit_tests(alignment_gives_the_unused_part_back),
        both_unit_tests(a_number_of_pages_takes_no_page_more),
        both_unit_tests(a_run_that_no_buddy_holds_is_found),
        both_unit_tests(a_block_may_cross_a_gib),
        both_unit_tests(a_window_takes_the_lowest_slot_in_it),
        both_unit_tests(a_window_of_one_slot_across_leaves_is_enough),
        both_unit_tests(an_exact_address_is_taken_or_the_refusal_says_why),
        cmocka_unit_test(fresh_is_exact_for_each_page),
        both_unit_tests(a_gib_with_one_used_page_is_not_fresh),
        both_unit_tests(a_whole_gib_with_a_used_page_is_taken_in_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
