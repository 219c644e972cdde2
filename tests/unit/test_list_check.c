/* SPDX-License-Identifier: MIT */
/* Each invariant of kernel/mm/list_check.c, broken by hand: check() names exactly that one. */
#include "kernel/mm/list_parts.h"
#include "tests/unit/page_support.h"

/*
 * Two areas; the page before the high one's range is not managed. Of the high one 4096..4099 and
 * 4104..4106 are blocks, 4107 is reserved, and one page of what is free was used before.
 */
static struct list_engine *prepare(struct fixture *f)
{
    static const struct page_range ranges[] = { { { 100 }, 200, true }, { { 4096 }, 1024, true } };
    static const struct area_limit areas[] = { { "low", { 1000 } }, { "high", { PFN_LIMIT } } };
    struct page_map map = { ranges, 2, areas, 2 };
    struct page_request request = request_pages(4);
    with_list(NULL);
    fixture_init(f, &map);
    request.exact = true;
    request.at = pfn(4096);
    take(f, request);
    request.at = pfn(4104);
    request.pages = 3;
    take(f, request);
    request.at = pfn(4200);
    give(f, take(f, request));
    reserve(f, 4107, 1);
    assert_whole(f);
    return f->memory;
}

static uint8_t *byte_of(struct list_engine *engine, uint64_t frame)
{
    return &engine->byte[page_number(range_find(engine, frame), frame)];
}

/* Break `what` to `value`, see that `invariant` is named, and mend it again. */
#define BREAK(f, what, value, number) do { \
        __typeof__(what) kept_ = (what); \
        struct page_violation violation_ = { .text = NULL }; \
        (what) = (__typeof__(what))(value); \
        assert_true((what) != kept_); \
        assert_false((f)->engine->check((f)->memory, never, &violation_)); \
        assert_int_equal(violation_.invariant, (number)); \
        (what) = kept_; \
        assert_whole(f); \
    } while (0)

static void each_invariant_is_named(void **state)
{
    struct fixture f;
    struct list_engine *engine = prepare(&f);
    struct list_area *high = &engine->area[1];
    (void)state;
    BREAK(&f, engine->scan[0], 0, 51);
    BREAK(&f, high->first, 999, 51);
    BREAK(&f, engine->range[1].number, 7, 51);
    BREAK(&f, engine->range[1].limit, 4096, 51);
    BREAK(&f, *byte_of(engine, 4097), PIECE_FIRST << BYTE_KIND_SHIFT, 52);
    BREAK(&f, *byte_of(engine, 4107), 1 | PIECE_RESERVED << BYTE_KIND_SHIFT, 52);
    BREAK(&f, *byte_of(engine, 4104), 4 | PIECE_FIRST << BYTE_KIND_SHIFT, 52);
    BREAK(&f, *byte_of(engine, 4106), BYTE_FRESH | PIECE_NEXT << BYTE_KIND_SHIFT, 53);
    BREAK(&f, *byte_of(engine, 4107), PIECE_NEXT << BYTE_KIND_SHIFT, 58);
    BREAK(&f, *byte_of(engine, 4106), PIECE_RESERVED << BYTE_KIND_SHIFT, 58);
    BREAK(&f, high->count[2], high->count[2] - 1, 56);
    BREAK(&f, high->head[2], NO_PAGE, 56);
    BREAK(&f, engine->link[high->head[2]].previous, 5, 56);
    BREAK(&f, engine->link[high->head[2]].next, 1u << 30, 56);
    BREAK(&f, high->free, 1, 58);
    BREAK(&f, high->reserved, 2, 58);
    BREAK(&f, engine->area[0].managed, 2, 58);
    fixture_done(&f);
}

/* What one byte cannot break. */
static void what_is_continued_needs_a_head(void **state)
{
    struct fixture f;
    struct list_engine *engine = prepare(&f);
    struct page_violation violation;
    (void)state;
    for (uint64_t frame = 4096; frame < 4100; frame++)
        *byte_of(engine, frame) |= PIECE_NEXT << BYTE_KIND_SHIFT;
    for (uint64_t frame = 4096; frame < 4100; frame++)
        *byte_of(engine, frame) &= (uint8_t)~(PIECE_FIRST << BYTE_KIND_SHIFT);
    assert_false(f.engine->check(f.memory, never, &violation));
    assert_int_equal(violation.invariant, 54);
    for (uint64_t frame = 4096; frame < 4100; frame++)
        *byte_of(engine, frame) = 2 | PIECE_FIRST << BYTE_KIND_SHIFT;
    fixture_done(&f);
}

static void buddies_that_did_not_join_are_55(void **state)
{
    struct fixture f;
    struct list_engine *engine = prepare(&f);
    struct page_violation violation;
    (void)state;
    give(&f, 4104);
    unreserve(&f, 4107, 1);
    /* 4104..4111 is one free piece: say that it is two. */
    for (uint64_t frame = 4104; frame < 4112; frame++)
        *byte_of(engine, frame) = 2;
    assert_false(f.engine->check(f.memory, never, &violation));
    assert_int_equal(violation.invariant, 55);
    for (uint64_t frame = 4104; frame < 4112; frame++)
        *byte_of(engine, frame) = 3;
    fixture_done(&f);
}

static void a_free_piece_in_no_list_is_57(void **state)
{
    struct fixture f;
    struct list_engine *engine = prepare(&f);
    struct page_violation violation;
    (void)state;
    struct list_area *high = &engine->area[1];
    uint32_t lost = high->head[2], next = engine->link[lost].next;
    high->head[2] = next;
    high->count[2]--;
    if (next != NO_PAGE)
        engine->link[next].previous = NO_PAGE;
    assert_false(f.engine->check(f.memory, never, &violation));
    assert_int_equal(violation.invariant, 57);
    high->head[2] = lost;
    high->count[2]++;
    if (next != NO_PAGE)
        engine->link[next].previous = lost;
    fixture_done(&f);
}

static bool at_once(void)
{
    return true;
}

static void a_check_that_is_stopped_says_so(void **state)
{
    struct fixture f;
    struct page_violation violation = { .invariant = 99 };
    (void)state;
    prepare(&f);
    assert_false(f.engine->check(f.memory, at_once, &violation));
    assert_int_equal(violation.invariant, 0);
    fixture_done(&f);
}

/* More pages than numbers: refused before any record is written. */
static void more_pages_than_numbers_are_refused(void **state)
{
    struct page_range range = { { 1 }, UINT32_MAX, true };
    static const struct area_limit area = { "all", { PFN_LIMIT } };
    struct page_map map = { &range, 1, &area, 1 };
    struct source source = { .limit = SIZE_MAX };
    struct node_source nodes = fixture_source(&source);
    char memory[1];
    (void)state;
    assert_true(page_engine_list.memory_size(&map) > 9 * (uint64_t)UINT32_MAX);
    assert_int_equal(page_engine_list.init(memory, &map, &nodes), E_MEM_METADATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_invariant_is_named),
        cmocka_unit_test(what_is_continued_needs_a_head),
        cmocka_unit_test(buddies_that_did_not_join_are_55),
        cmocka_unit_test(a_free_piece_in_no_list_is_57),
        cmocka_unit_test(a_check_that_is_stopped_says_so),
        cmocka_unit_test(more_pages_than_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
