/* SPDX-License-Identifier: MIT */
/* Giving back, whole and in part; reserving and unreserving; and every way to get these wrong. */
#include "tests/unit/page_support.h"

static void refuse_free(struct fixture *f, uint64_t frame, enum error error)
{
    uint64_t pages = 77;
    assert_int_equal(f->engine->free(f->memory, pfn(frame), &pages), error);
    assert_int_equal(pages, 77);
}

struct part { uint64_t head, rest, pages; };

static enum error part(struct fixture *f, uint64_t first, uint64_t pages, struct part *out)
{
    pfn_t head = pfn(71), rest = pfn(72);
    uint64_t left = 73;
    enum error error = f->engine->free_part(f->memory, pfn(first), pages, &head, &rest, &left);
    *out = (struct part){ head.n, rest.n, left };
    return error;
}

static void assert_part(struct fixture *f, uint64_t first, uint64_t pages, struct part expected)
{
    struct part got;
    assert_int_equal(part(f, first, pages, &got), OK);
    assert_int_equal(got.head, expected.head);
    assert_int_equal(got.rest, expected.rest);
    assert_int_equal(got.pages, expected.pages);
    assert_whole(f);
}

static void refuse_range(struct fixture *f, bool back, uint64_t first, uint64_t pages,
                         enum error error, uint64_t blame)
{
    pfn_t at = pfn(99);
    assert_int_equal(back ? f->engine->unreserve(f->memory, pfn(first), pages, &at)
                          : f->engine->reserve(f->memory, pfn(first), pages, &at), error);
    assert_int_equal(at.n, blame);
}

/* ---- free ---- */

static void a_wrong_pointer_is_a_distinct_error(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 100, 2000);
    reserve(&f, 200, 4);
    uint64_t small = take_order(&f, 4), large = take_order(&f, 9);
    refuse_free(&f, 0, E_MEM_UNMANAGED);
    refuse_free(&f, 99, E_MEM_UNMANAGED);
    refuse_free(&f, 2100, E_MEM_UNMANAGED);
    refuse_free(&f, PFN_LIMIT - 1, E_MEM_UNMANAGED);
    refuse_free(&f, 203, E_MEM_RESERVED);
    refuse_free(&f, 100, E_MEM_FREE);
    for (unsigned i = 1; i < 16; i++)
        refuse_free(&f, small + i, E_MEM_INSIDE);
    refuse_free(&f, large + 511, E_MEM_INSIDE);
    assert_int_equal(give(&f, small), 16);
    refuse_free(&f, small, E_MEM_FREE);
    assert_int_equal(give(&f, large), 512);
    refuse_free(&f, large, E_MEM_FREE);
    fixture_done(&f);
}

static void a_freed_page_cannot_be_freed_again_though_its_word_is_remembered(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 1024);
    take_order(&f, 0);
    uint64_t frame = take_order(&f, 0);
    assert_int_equal(give(&f, frame), 1);
    refuse_free(&f, frame, E_MEM_FREE);
    assert_int_equal(take_order(&f, 0), frame);
    uint64_t pair = take_order(&f, 1);
    refuse_free(&f, pair + 1, E_MEM_INSIDE);
    assert_int_equal(give(&f, pair), 2);
    fixture_done(&f);
}

static void what_was_remembered_is_forgotten_when_its_leaf_is_closed(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 1024);
    assert_int_equal(take_order(&f, 0), 512);
    assert_int_equal(give(&f, 512), 1);
    assert_int_equal(take_order(&f, 9), 512);
    assert_int_equal(take_order(&f, 0), 1024);
    refuse_free(&f, 513, E_MEM_INSIDE);
    assert_int_equal(give(&f, 512), 512);
    assert_int_equal(take_order(&f, 0), 1025);
    fixture_done(&f);
}

static void what_was_remembered_is_forgotten_when_a_better_leaf_appears(void **state)
{
    struct fixture f;
    uint64_t first[3];
    (void)state;
    fixture_one(&f, 512, 3 * 512);
    for (unsigned i = 0; i < 3; i++)
        first[i] = take_order(&f, 9);
    struct part ignored;
    assert_int_equal(part(&f, first[2], 256, &ignored), OK);
    assert_int_equal(take_order(&f, 0), first[2]);
    assert_int_equal(part(&f, first[1] + 8, 4, &ignored), OK);
    assert_int_equal(take_order(&f, 0), first[1] + 8);
    reserve(&f, first[1] + 9, 3);
    assert_int_equal(take_order(&f, 0), first[2] + 1);
    unreserve(&f, first[1] + 10, 1);
    assert_int_equal(take_order(&f, 0), first[1] + 10);
    fixture_done(&f);
}

static void what_was_remembered_is_forgotten_when_its_leaf_is_no_longer_the_best(void **state)
{
    struct fixture f;
    struct part ignored;
    (void)state;
    fixture_one(&f, 512, 2 * 512);
    uint64_t a = take_order(&f, 9), b = take_order(&f, 9);
    assert_int_equal(part(&f, a + 8, 4, &ignored), OK);
    assert_int_equal(take_order(&f, 0), a + 8);
    assert_int_equal(part(&f, b + 8, 2, &ignored), OK);
    assert_int_equal(take_order(&f, 0), a + 9);
    give(&f, a + 9);
    give(&f, a + 8);
    /* Leaf a has 4 pages in a row again, leaf b only 2. */
    assert_int_equal(take_order(&f, 0), b + 8);
    fixture_done(&f);
}

/* ---- free_part ---- */

static void a_part_leaves_what_is_before_and_behind_it(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 512);
    uint64_t b = take_order(&f, 4);
    assert_part(&f, b + 4, 2, (struct part){ b, b + 6, 10 });
    assert_int_equal(query(&f, b).pages, 4);
    assert_int_equal(query(&f, b + 6).pages, 10);
    assert_int_equal(query(&f, b + 6).block.n, b + 6);
    assert_int_equal(query(&f, b + 4).state, PAGE_FREE);
    assert_part(&f, b, 1, (struct part){ b, b + 1, 3 });
    assert_part(&f, b + 3, 1, (struct part){ b + 1, b + 4, 0 });
    assert_int_equal(give(&f, b + 1), 2);
    assert_int_equal(give(&f, b + 6), 10);
    fixture_done(&f);
}

static void a_part_of_a_gib_opens_what_it_must(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    uint64_t b = take_order(&f, 18);
    assert_int_equal(f.source.used, 0);
    assert_part(&f, b + 700, 1, (struct part){ b, b + 701, GIB_PAGES - 701 });
    assert_int_equal(f.source.used, 2);
    assert_part(&f, b + 1024, 512, (struct part){ b + 701, b + 1536, GIB_PAGES - 1536 });
    assert_int_equal(query(&f, b + 1536).block.n, b + 1536);
    assert_int_equal(give(&f, b), 700);
    assert_int_equal(give(&f, b + 701), 1024 - 701);
    assert_int_equal(give(&f, b + 1536), GIB_PAGES - 1536);
    assert_int_equal(f.source.used, 0);
    fixture_done(&f);
}

static void a_part_that_is_the_whole_is_a_free(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    uint64_t b = take_order(&f, 18);
    assert_part(&f, b, GIB_PAGES, (struct part){ b, b + GIB_PAGES, 0 });
    assert_int_equal(take_order(&f, 18), b);
    fixture_done(&f);
}

static void a_part_that_is_wrong_changes_nothing(void **state)
{
    struct part got;
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 512);
    uint64_t b = take_order(&f, 4);
    reserve(&f, b + 100, 1);
    assert_int_equal(part(&f, b, 0, &got), E_CALL_RANGE);
    assert_int_equal(part(&f, b + 8, 9, &got), E_MEM_BEYOND);
    assert_int_equal(got.head, b + 16);
    assert_int_equal(part(&f, b + 8, UINT64_MAX, &got), E_MEM_BEYOND);
    assert_int_equal(part(&f, b + 16, 1, &got), E_MEM_FREE);
    assert_int_equal(part(&f, b + 100, 1, &got), E_MEM_RESERVED);
    assert_int_equal(part(&f, 5, 1, &got), E_MEM_UNMANAGED);
    assert_int_equal(part(&f, 511, 1, &got), E_MEM_UNMANAGED);
    assert_int_equal(query(&f, b + 15).pages, 16);
    fixture_done(&f);
}

/* ---- reserve ---- */

static void a_reserved_page_is_never_handed_out(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 512);
    reserve(&f, 700, 1);
    assert_int_equal(query(&f, 700).state, PAGE_RESERVED);
    assert_true(query(&f, 700).fresh);
    for (unsigned i = 0; i < 511; i++)
        assert_int_not_equal(take_order(&f, 0), 700);
    refuse(&f, request_order(0), E_MEM_NONE, 0);
    unreserve(&f, 700, 1);
    assert_int_equal(take_order(&f, 0), 700);
    fixture_done(&f);
}

static void once_freed_pages_can_be_reserved(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, 2 * GIB_PAGES);
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        uint64_t frame = take_order(&f, order);
        give(&f, frame);
        reserve(&f, frame, UINT64_C(1) << order);
        assert_whole(&f);
        assert_int_equal(query(&f, frame + (UINT64_C(1) << order) - 1).state, PAGE_RESERVED);
        unreserve(&f, frame, UINT64_C(1) << order);
        assert_whole(&f);
    }
    fixture_done(&f);
}

static void a_refused_reservation_names_the_first_page_in_the_way(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 100, 3000);
    uint64_t b = take_order(&f, 9);
    reserve(&f, b + 600, 5);
    refuse_range(&f, false, 99, 2, E_MEM_UNMANAGED, 99);
    refuse_range(&f, false, 3000, 200, E_MEM_UNMANAGED, 3100);
    refuse_range(&f, false, b - 1, 3, E_MEM_BUSY, b);
    refuse_range(&f, false, b + 512, 512, E_MEM_RESERVED, b + 600);
    refuse_range(&f, false, b + 512, 0, E_CALL_RANGE, 0);
    refuse_range(&f, false, PFN_LIMIT - 1, 2, E_CALL_RANGE, 0);
    refuse_range(&f, false, PFN_LIMIT, 1, E_CALL_RANGE, 0);
    refuse_range(&f, false, 100, UINT64_MAX, E_CALL_RANGE, 0);
    refuse_range(&f, true, 99, 2, E_MEM_UNMANAGED, 99);
    refuse_range(&f, true, b, 3, E_MEM_BUSY, b);
    refuse_range(&f, true, b + 600, 6, E_MEM_FREE, b + 605);
    refuse_range(&f, true, b + 600, 0, E_CALL_RANGE, 0);
    assert_int_equal(area_info(&f, 0).reserved, 5);
    fixture_done(&f);
}

static void a_reservation_crosses_blocks_leaves_chunks_and_areas(void **state)
{
    struct page_range range = { pfn(GIB_PAGES - 5000), 3 * GIB_PAGES, true };
    struct area_limit areas[] = { { "low", { GIB_PAGES - 700 } }, { "mid", { GIB_PAGES + 300 } },
                                  { "high", { PFN_LIMIT } } };
    struct page_map map = { &range, 1, areas, 3 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    uint64_t first = GIB_PAGES - 1000, pages = 2 * GIB_PAGES + 10;
    reserve(&f, first, pages);
    assert_whole(&f);
    assert_int_equal(area_info(&f, 0).reserved, 300);
    assert_int_equal(area_info(&f, 1).reserved, 1000);
    unreserve(&f, first + 900, 500);
    unreserve(&f, first, 900);
    unreserve(&f, first + 1400, pages - 1400);
    for (unsigned a = 0; a < 3; a++)
        assert_int_equal(area_info(&f, a).reserved, 0);
    fixture_done(&f);
}

static void reserving_does_not_clear_freshness(void **state)
{
    struct page_request fresh = request_order(18);
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    fresh.fresh = true;
    reserve(&f, GIB_PAGES + 5, 3);
    reserve(&f, GIB_PAGES + 512, 512);
    unreserve(&f, GIB_PAGES + 5, 3);
    unreserve(&f, GIB_PAGES + 512, 512);
    reserve(&f, GIB_PAGES, GIB_PAGES);
    unreserve(&f, GIB_PAGES, GIB_PAGES);
    assert_int_equal(f.source.used, 0);
    assert_int_equal(take(&f, fresh), GIB_PAGES);
    fixture_done(&f);
}

/* ---- extend ---- */

static void extend(struct fixture *f, uint64_t first, uint64_t pages, enum error error,
                   uint64_t blame)
{
    pfn_t at = pfn(99);
    assert_int_equal(f->engine->extend(f->memory, pfn(first), pages, pfn(3000), &at), error);
    assert_int_equal(at.n, blame);
    assert_whole(f);
}

static uint64_t take_at(struct fixture *f, uint64_t at, uint64_t pages)
{
    struct page_request request = request_pages(pages);
    request.exact = true;
    request.at = pfn(at);
    return take(f, request);
}

static void a_block_takes_the_free_pages_behind_it(void **state)
{
    struct fixture f;
    struct page_info info;
    (void)state;
    fixture_one(&f, 512, 2048);
    uint64_t block = take_at(&f, 512, 8);
    extend(&f, block, 5, OK, block);
    f.engine->query(f.memory, pfn(block + 12), &info);
    assert_int_equal(info.block.n, block);
    assert_int_equal(info.pages, 13);
    assert_false(info.fresh);
    assert_int_equal(f.engine->count_free(f.memory, ALL_AREAS), 2048 - 13);
    /* To the end of its unit, then whole units, then a part of one. */
    extend(&f, block, 512 - 13, OK, block);
    extend(&f, block, 512, OK, block);
    extend(&f, block, 100, OK, block);
    uint64_t next = take_at(&f, block + 1124, 1);
    extend(&f, block, 1, E_MEM_BUSY, next);
    assert_int_equal(give(&f, next), 1);
    assert_int_equal(give(&f, block), 1124);
    assert_int_equal(f.engine->count_free(f.memory, ALL_AREAS), 2048);
    assert_whole(&f);
    fixture_done(&f);
}

static void a_block_that_cannot_have_more_names_the_page_in_the_way(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, 512, 4096);
    uint64_t block = take_at(&f, 512, 8);
    reserve(&f, block + 20, 1);
    extend(&f, block, 0, E_CALL_RANGE, block);
    extend(&f, block, MAX_BLOCK_PAGES - 7, E_CALL_RANGE, block);
    extend(&f, block, 13, E_MEM_RESERVED, block + 20);
    extend(&f, block + 1, 1, E_MEM_INSIDE, block + 1);
    extend(&f, block + 8, 1, E_MEM_FREE, block + 8);
    extend(&f, block + 20, 1, E_MEM_RESERVED, block + 20);
    extend(&f, 5000, 1, E_MEM_UNMANAGED, 5000);
    extend(&f, block, 12, OK, block);
    unreserve(&f, block + 20, 1);
    extend(&f, block, 2981 - block, E_MEM_NONE, 3000);
    extend(&f, block, 2980 - block, OK, block);
    assert_int_equal(give(&f, block), 3000 - block);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        both_unit_tests(a_wrong_pointer_is_a_distinct_error),
        both_unit_tests(a_freed_page_cannot_be_freed_again_though_its_word_is_remembered),
        cmocka_unit_test(what_was_remembered_is_forgotten_when_its_leaf_is_closed),
        cmocka_unit_test(what_was_remembered_is_forgotten_when_a_better_leaf_appears),
        cmocka_unit_test(what_was_remembered_is_forgotten_when_its_leaf_is_no_longer_the_best),
        both_unit_tests(a_part_leaves_what_is_before_and_behind_it),
        cmocka_unit_test(a_part_of_a_gib_opens_what_it_must),
        both_unit_tests(a_part_that_is_the_whole_is_a_free),
        both_unit_tests(a_part_that_is_wrong_changes_nothing),
        both_unit_tests(a_block_takes_the_free_pages_behind_it),
        both_unit_tests(a_block_that_cannot_have_more_names_the_page_in_the_way),
        both_unit_tests(a_reserved_page_is_never_handed_out),
        both_unit_tests(once_freed_pages_can_be_reserved),
        both_unit_tests(a_refused_reservation_names_the_first_page_in_the_way),
        both_unit_tests(a_reservation_crosses_blocks_leaves_chunks_and_areas),
        both_unit_tests(reserving_does_not_clear_freshness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
