/* SPDX-License-Identifier: MIT */
/* What the tree takes for its records, when, and what happens when it cannot. */
#include "tests/unit/page_support.h"

static void starve(struct fixture *f)
{
    f->source.limit = f->source.used;
}

static struct page_request request_at(uint64_t at, uint64_t pages)
{
    struct page_request request = request_pages(pages);
    request.exact = true;
    request.at = pfn(at);
    return request;
}

static void whole_gibs_need_no_node(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 4 * GIB_PAGES);
    starve(&f);
    assert_int_equal(take_order(&f, 18), GIB_PAGES);
    reserve(&f, 2 * GIB_PAGES, 2 * GIB_PAGES);
    unreserve(&f, 3 * GIB_PAGES, GIB_PAGES);
    assert_int_equal(give(&f, GIB_PAGES), GIB_PAGES);
    refuse(&f, request_order(17), E_MEM_METADATA, 0);
    fixture_done(&f);
}

static void a_page_needs_a_chunk_and_a_slab(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 4 * GIB_PAGES);
    take_order(&f, 9);
    assert_int_equal(f.source.used, 1);
    take_order(&f, 0);
    assert_int_equal(f.source.used, 2);
    take(&f, request_at(GIB_PAGES + 16 * 512 + 7, 1));
    assert_int_equal(f.source.used, 3);
    fixture_done(&f);
}

static void all_of_a_gib_in_single_pages_needs_33_nodes(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    for (uint64_t i = 0; i < GIB_PAGES; i++)
        take_order(&f, 0);
    assert_int_equal(f.source.used, 33);
    assert_true(f.source.used * PAGE_SIZE * 10 < GIB_PAGES * 6);   /* 0.52 bytes a page */
    for (uint64_t i = 0; i < GIB_PAGES; i++)
        give(&f, GIB_PAGES + i);
    assert_int_equal(f.source.used, 0);
    fixture_done(&f);
}

static void a_free_unit_keeps_its_leaf_only_while_its_pages_differ_in_freshness(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    give(&f, take_order(&f, 8));
    assert_int_equal(f.source.used, 2);
    give(&f, take_order(&f, 9));
    assert_int_equal(f.source.used, 1);
    give(&f, take_order(&f, 18));
    assert_int_equal(f.source.used, 0);
    fixture_done(&f);
}

static void a_page_reserved_alone_needs_two_nodes_until_it_is_free_again(void **state)
{
    struct fixture f;
    pfn_t blame;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    for (size_t nodes = 0; nodes < 2; nodes++) {
        f.source.limit = nodes;
        assert_int_equal(f.engine->reserve(f.memory, pfn(GIB_PAGES + 5), 1, &blame),
                         E_MEM_METADATA);
        assert_int_equal(f.source.used, 0);
        assert_whole(&f);
    }
    f.source.limit = 2;
    reserve(&f, GIB_PAGES + 5, 1);
    assert_int_equal(f.source.used, 2);
    unreserve(&f, GIB_PAGES + 5, 1);
    assert_int_equal(f.source.used, 0);
    assert_true(query(&f, GIB_PAGES + 5).fresh);
    fixture_done(&f);
}

/* Of a chunk that was kept for the freshness of its pages only, and is handed out at once. */
static void a_reserve_takes_nodes_that_wait_to_be_given_back(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 2 * GIB_PAGES);
    for (unsigned slab = 0; slab < 32; slab++)
        take(&f, request_at(GIB_PAGES + slab * 16 * 512 + 7, 1));
    for (unsigned slab = 0; slab < 32; slab++)
        give(&f, GIB_PAGES + slab * 16 * 512 + 7);
    assert_int_equal(f.source.used, 33);
    assert_int_equal(take_order(&f, 18), GIB_PAGES);
    f.source.limit = 0;
    reserve(&f, 2 * GIB_PAGES + 5, 1);
    assert_whole(&f);
    fixture_done(&f);
}

static void a_starved_request_changes_nothing_and_takes_no_other_slot(void **state)
{
    struct page_request low = request_order(0);
    struct page_range range = { pfn(512), 4 * GIB_PAGES - 512, true };
    struct area_limit areas[] = { { "low", { GIB_PAGES } }, { "high", { PFN_LIMIT } } };
    struct page_map map = { &range, 1, areas, 2 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    low.areas = 1;
    take(&f, low);
    for (size_t more = 0; more < 2; more++) {
        f.source.limit = f.source.used + more;
        refuse(&f, request_order(0), E_MEM_METADATA, 0);
        assert_int_equal(f.source.used, f.source.limit - more);
        assert_whole(&f);
    }
    f.source.limit++;
    assert_int_equal(take_order(&f, 0), GIB_PAGES);
    fixture_done(&f);
}

static void a_starved_range_changes_nothing(void **state)
{
    struct fixture f;
    pfn_t blame, head, rest;
    uint64_t left;
    (void)state;
    fixture_one(&f, GIB_PAGES, 3 * GIB_PAGES);
    uint64_t block = take_order(&f, 18);
    for (size_t nodes = 0; nodes < 4; nodes++) {
        f.source.limit = nodes;
        assert_int_equal(f.engine->reserve(f.memory, pfn(3 * GIB_PAGES - 5), 10, &blame),
                         E_MEM_METADATA);
        assert_int_equal(blame.n, 0);
        assert_int_equal(f.source.used, 0);
    }
    f.source.limit = 4;
    reserve(&f, 3 * GIB_PAGES - 5, 10);
    assert_int_equal(f.engine->free_part(f.memory, pfn(block + 5), 1, &head, &rest, &left),
                     E_MEM_METADATA);
    assert_int_equal(f.engine->unreserve(f.memory, pfn(3 * GIB_PAGES - 5), 10, &blame), OK);
    assert_int_equal(f.source.used, 0);
    fixture_done(&f);
}

static void giving_back_a_block_never_needs_a_node(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 3 * GIB_PAGES);
    uint64_t a = take(&f, request_at(2 * GIB_PAGES - 700, 1400));
    uint64_t b = take_order(&f, 18), c = take_order(&f, 0);
    starve(&f);
    assert_int_equal(give(&f, a), 1400);
    assert_int_equal(give(&f, b), GIB_PAGES);
    assert_int_equal(give(&f, c), 1);
    fixture_done(&f);
}

/* Nodes that are not in the stock. */
static uint64_t in_tree(struct fixture *f)
{
    return fixture_tree(f)->held - stock_count(fixture_tree(f), UINT64_MAX);
}

static void taking_a_gib_of_mixed_freshness_gives_its_leaves_back(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    for (uint64_t unit = 0; unit < 512; unit++)
        give(&f, take(&f, request_at(GIB_PAGES + unit * 512 + 9, 1)));
    assert_int_equal(f.source.used, 33);
    /* A few at a time, so that no single operation is long. */
    uint64_t half = take_order(&f, 17);
    assert_int_equal(in_tree(&f), 17);
    assert_int_equal(f.source.used, 33 - TRIM_PAGES);
    give(&f, half);
    take_order(&f, 18);
    assert_int_equal(in_tree(&f), 0);
    for (unsigned i = 0; i < 33 / TRIM_PAGES; i++) {
        give(&f, GIB_PAGES);
        take_order(&f, 18);
    }
    assert_int_equal(f.source.used, 0);
    fixture_done(&f);
}

static void both_ends_of_a_range_may_share_a_slab_with_leaves_between_them(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    give(&f, take(&f, request_at(GIB_PAGES + 2 * 512 + 1, 1)));   /* a leaf kept in slab 0 */
    assert_int_equal(f.source.used, 2);
    starve(&f);
    take(&f, request_at(GIB_PAGES + 300, 512 * 5));
    assert_whole(&f);
    give(&f, GIB_PAGES + 300);
    fixture_done(&f);
}

/* Reserved in two parts, so that its leaf closes; given back as a whole; then opened again. */
static void a_leaf_that_was_kept_for_reserved_pages_opens_as_free_ones(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    give(&f, take(&f, request_at(GIB_PAGES + 5, 1)));
    reserve(&f, GIB_PAGES, 100);
    reserve(&f, GIB_PAGES + 100, 412);
    assert_whole(&f);
    unreserve(&f, GIB_PAGES, 512);
    for (uint64_t i = 0; i < 512; i++)
        assert_int_equal(take_order(&f, 0), GIB_PAGES + i);
    assert_whole(&f);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_gibs_need_no_node),
        cmocka_unit_test(a_page_needs_a_chunk_and_a_slab),
        cmocka_unit_test(all_of_a_gib_in_single_pages_needs_33_nodes),
        cmocka_unit_test(a_free_unit_keeps_its_leaf_only_while_its_pages_differ_in_freshness),
        cmocka_unit_test(a_page_reserved_alone_needs_two_nodes_until_it_is_free_again),
        cmocka_unit_test(a_reserve_takes_nodes_that_wait_to_be_given_back),
        cmocka_unit_test(a_starved_request_changes_nothing_and_takes_no_other_slot),
        cmocka_unit_test(a_starved_range_changes_nothing),
        cmocka_unit_test(giving_back_a_block_never_needs_a_node),
        cmocka_unit_test(taking_a_gib_of_mixed_freshness_gives_its_leaves_back),
        cmocka_unit_test(both_ends_of_a_range_may_share_a_slab_with_leaves_between_them),
        cmocka_unit_test(a_leaf_that_was_kept_for_reserved_pages_opens_as_free_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
