/* SPDX-License-Identifier: MIT */
/* What maps and area tables an engine accepts, and what it makes of them. */
#include <stdlib.h>

#include "tests/unit/page_support.h"

static const struct area_limit one_area[] = { { "all", { PFN_LIMIT } } };

static enum error init_ranges(const struct page_range *ranges, size_t n,
                              const struct area_limit *areas, size_t nareas)
{
    struct page_map map = { ranges, n, areas, nareas };
    struct source source = { .limit = SIZE_MAX };
    struct node_source nodes = fixture_source(&source);
    const struct page_engine *engine = fixture_engine();
    void *memory = aligned_alloc(64, (engine->memory_size(&map) + 63) & ~(size_t)63);
    enum error error = engine->init(memory, &map, &nodes);
    if (error == OK && engine == &page_engine_tree)
        tree_release(memory);
    assert_int_equal(source.used, 0);
    free(memory);
    return error;
}

static enum error init_one(uint64_t first, uint64_t pages)
{
    struct page_range range = { pfn(first), pages, true };
    return init_ranges(&range, 1, one_area, 1);
}

static void a_map_that_breaks_the_rules_is_refused(void **state)
{
    (void)state;
    assert_int_equal(init_one(0, 5), E_CALL_RANGE);
    assert_int_equal(init_one(1, 0), E_CALL_RANGE);
    assert_int_equal(init_one(PFN_LIMIT, 1), E_CALL_RANGE);
    assert_int_equal(init_one(PFN_LIMIT - 1, 2), E_CALL_RANGE);
    assert_int_equal(init_one(5, UINT64_MAX), E_CALL_RANGE);
    assert_int_equal(init_one(UINT64_MAX, 1), E_CALL_RANGE);
    assert_int_equal(init_one(1, 1), OK);
    assert_int_equal(init_one(PFN_LIMIT - 1, 1), OK);
    assert_int_equal(init_one(1, PFN_LIMIT - 1), OK);
    struct page_range overlap[] = { { pfn(10), 10, true }, { pfn(19), 5, true } };
    assert_int_equal(init_ranges(overlap, 2, one_area, 1), E_CALL_RANGE);
    struct page_range unsorted[] = { { pfn(30), 10, true }, { pfn(10), 5, true } };
    assert_int_equal(init_ranges(unsorted, 2, one_area, 1), E_CALL_RANGE);
}

static void an_area_table_that_does_not_ascend_is_refused(void **state)
{
    (void)state;
    struct page_range range = { pfn(1), 4096, true };
    struct area_limit equal[] = { { "a", { 100 } }, { "b", { 100 } } };
    struct area_limit empty[] = { { "a", { 0 } }, { "b", { 100 } } };
    struct area_limit beyond[] = { { "a", { PFN_LIMIT + 1 } } };
    assert_int_equal(init_ranges(&range, 1, equal, 2), E_CALL_RANGE);
    assert_int_equal(init_ranges(&range, 1, empty, 2), E_CALL_RANGE);
    assert_int_equal(init_ranges(&range, 1, beyond, 1), E_CALL_RANGE);
    assert_int_equal(init_ranges(&range, 1, one_area, 0), E_CALL_RANGE);
}

static void frames_beyond_the_last_area_are_not_managed(void **state)
{
    struct page_range range = { pfn(1), 5000, true };
    struct area_limit areas[] = { { "low", { 1000 } }, { "high", { 3000 } } };
    struct page_map map = { &range, 1, areas, 2 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(area_info(&f, 0).managed, 999);
    assert_int_equal(area_info(&f, 1).managed, 2000);
    assert_int_equal(query(&f, 2999).state, PAGE_FREE);
    assert_int_equal(query(&f, 3000).state, PAGE_UNMANAGED);
    fixture_done(&f);
}

static void ranges_that_touch_are_one_range(void **state)
{
    struct page_range ranges[] = { { pfn(512), 300, true }, { pfn(812), 212, false },
                                   { pfn(1024), 512, true } };
    struct page_map map = { ranges, 3, one_area, 1 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(query(&f, 812).pages, 512);
    assert_int_equal(take(&f, request_pages(1024)), 512);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void what_early_code_used_is_not_fresh(void **state)
{
    struct page_range ranges[] = { { pfn(512), 300, true }, { pfn(812), 212, false } };
    struct page_map map = { ranges, 2, one_area, 1 };
    struct page_request fresh = request_pages(200);
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    fresh.fresh = true;
    assert_true(query(&f, 811).fresh);
    assert_false(query(&f, 812).fresh);
    assert_int_equal(query(&f, 812).pages, 512);
    assert_int_equal(take(&f, fresh), 512);
    refuse(&f, fresh, E_MEM_NONE, 0);
    fixture_done(&f);
}

static void a_map_that_straddles_a_limit_by_one_page_fills_both_areas(void **state)
{
    struct page_range range = { pfn(1023), 2, true };
    struct area_limit areas[] = { { "low", { 1024 } }, { "high", { PFN_LIMIT } } };
    struct page_map map = { &range, 1, areas, 2 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    refuse(&f, request_order(1), E_MEM_NONE, 0);
    refuse(&f, request_pages(2), E_MEM_NONE, 0);
    assert_int_equal(take_order(&f, 0), 1024);
    assert_int_equal(take_order(&f, 0), 1023);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void an_area_has_several_ranges(void **state)
{
    struct page_range ranges[] = { { pfn(100), 4, true }, { pfn(3 * GIB_PAGES + 7), 1, true },
                                   { pfn(5 * GIB_PAGES), 512, true } };
    struct page_map map = { ranges, 3, one_area, 1 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(area_info(&f, 0).managed, 517);
    assert_int_equal(take_order(&f, 9), 5 * GIB_PAGES);
    assert_int_equal(take_order(&f, 0), 3 * GIB_PAGES + 7);
    assert_int_equal(take_order(&f, 2), 100);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void areas_are_tried_from_the_highest_down(void **state)
{
    struct page_range range = { pfn(1), 2047, true };
    struct area_limit areas[] = { { "a", { 512 } }, { "b", { 1024 } }, { "c", { PFN_LIMIT } } };
    struct page_map map = { &range, 1, areas, 3 };
    struct page_request low = request_order(3);
    static const uint8_t order[] = { 1, 0, 2 }, twice[] = { 1, 1, 2 }, wrong[] = { 0, 1, 3 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(take_order(&f, 3), 1024);
    assert_int_equal(f.engine->set_scan_order(f.memory, twice, 3), E_CALL_RANGE);
    assert_int_equal(f.engine->set_scan_order(f.memory, wrong, 3), E_CALL_RANGE);
    assert_int_equal(f.engine->set_scan_order(f.memory, order, 2), E_CALL_RANGE);
    assert_int_equal(take_order(&f, 3), 1032);
    assert_int_equal(f.engine->set_scan_order(f.memory, order, 3), OK);
    assert_int_equal(take_order(&f, 3), 512);
    low.areas = 1;
    assert_int_equal(take(&f, low), 8);
    low.areas = 0;
    refuse(&f, low, E_MEM_NONE, 0);
    low.areas = 8;
    refuse(&f, low, E_MEM_NONE, 0);
    fixture_done(&f);
}

static void a_request_fails_only_after_every_area_was_tried(void **state)
{
    struct page_range range = { pfn(512), 1536, true };
    struct area_limit areas[] = { { "a", { 1024 } }, { "b", { 1536 } }, { "c", { PFN_LIMIT } } };
    struct page_map map = { &range, 1, areas, 3 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(take_order(&f, 9), 1536);
    assert_int_equal(take_order(&f, 9), 1024);
    assert_int_equal(take_order(&f, 9), 512);
    refuse(&f, request_order(9), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void two_pages_at_the_ends_of_the_address_space_cost_two_chunks(void **state)
{
    struct page_range ranges[] = { { pfn(1), 1, true }, { pfn(PFN_LIMIT - 1), 1, true } };
    struct page_map map = { ranges, 2, one_area, 1 };
    struct page_info info;
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    assert_int_equal(fixture_tree(&f)->chunks, 2);
    assert_true(page_engine_tree.memory_size(&map) < 4096);
    assert_int_equal(f.source.used, 4);
    assert_int_equal(f.engine->run(f.memory, pfn(2), pfn(PFN_LIMIT), &info), PFN_LIMIT - 3);
    assert_int_equal(info.state, PAGE_UNMANAGED);
    assert_int_equal(take_order(&f, 0), 1);
    assert_int_equal(take_order(&f, 0), PFN_LIMIT - 1);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    fixture_done(&f);
}

static void a_map_of_64_tib_needs_a_few_bytes_for_each_gib(void **state)
{
    uint64_t gibs = 64 * 1024;
    struct page_range range = { pfn(GIB_PAGES), gibs * GIB_PAGES, true };
    struct page_map map = { &range, 1, one_area, 1 };
    struct page_info info;
    struct fixture f;
    (void)state;
    assert_true(page_engine_tree.memory_size(&map) < gibs * 12 + 4096);
    fixture_init(&f, &map);
    assert_int_equal(f.source.used, 0);
    assert_int_equal(area_info(&f, 0).free_blocks[18], gibs);
    assert_int_equal(f.engine->run(f.memory, pfn(GIB_PAGES), pfn(PFN_LIMIT), &info),
                     gibs * GIB_PAGES);
    assert_int_equal(take_order(&f, 0), GIB_PAGES);
    assert_int_equal(take_order(&f, 18), 2 * GIB_PAGES);
    fixture_done(&f);
}

static void an_empty_map_manages_nothing(void **state)
{
    struct page_map map = { NULL, 0, one_area, 1 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    assert_int_equal(query(&f, 5).state, PAGE_UNMANAGED);
    assert_int_equal(area_info(&f, 0).managed, 0);
    fixture_done(&f);
}

static void a_start_without_nodes_gives_back_what_it_took(void **state)
{
    struct page_range ranges[] = { { pfn(1), 1, true }, { pfn(GIB_PAGES + 1), 1, true } };
    struct page_map map = { ranges, 2, one_area, 1 };
    (void)state;
    for (size_t limit = 0; limit <= 4; limit++) {
        struct source source = { .limit = limit };
        struct node_source nodes = fixture_source(&source);
        void *memory = aligned_alloc(64, 8192);
        enum error error = page_engine_tree.init(memory, &map, &nodes);
        assert_int_equal(error, limit < 4 ? E_MEM_METADATA : OK);
        if (error == OK)
            tree_release(memory);
        assert_int_equal(source.used, 0);
        free(memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_that_breaks_the_rules_is_refused),
        both_unit_tests(an_area_table_that_does_not_ascend_is_refused),
        both_unit_tests(frames_beyond_the_last_area_are_not_managed),
        both_unit_tests(ranges_that_touch_are_one_range),
        both_unit_tests(what_early_code_used_is_not_fresh),
        both_unit_tests(a_map_that_straddles_a_limit_by_one_page_fills_both_areas),
        both_unit_tests(an_area_has_several_ranges),
        both_unit_tests(areas_are_tried_from_the_highest_down),
        both_unit_tests(a_request_fails_only_after_every_area_was_tried),
        cmocka_unit_test(two_pages_at_the_ends_of_the_address_space_cost_two_chunks),
        cmocka_unit_test(a_map_of_64_tib_needs_a_few_bytes_for_each_gib),
        both_unit_tests(an_empty_map_manages_nothing),
        cmocka_unit_test(a_start_without_nodes_gives_back_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
