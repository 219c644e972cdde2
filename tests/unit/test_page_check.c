/* SPDX-License-Identifier: MIT */
/* Each invariant of kernel/mm/page_check.c, broken by hand: check() names exactly that one. */
#include <string.h>

#include "tests/unit/page_support.h"

/*
 * Two areas. In the high one: chunk 1 is active, with unit 0 open (a page and a block of 4 taken, a
 * page reserved), unit 1 closed for its fresh bits, units 2 and 3 a block; chunk 2 is free and kept
 * for its fresh bits; chunk 3 is free. In the low one: an edge.
 */
static void prepare(struct fixture *f)
{
    static const struct page_range ranges[] = { { { 100 }, 2000, true },
                                                { { GIB_PAGES }, 3 * GIB_PAGES, true } };
    static const struct area_limit areas[] = { { "low", { 5000 } }, { "high", { PFN_LIMIT } } };
    struct page_map map = { ranges, 2, areas, 2 };
    struct page_request used = request_pages(1);
    fixture_init(f, &map);
    used.exact = true;
    used.at = pfn(2 * GIB_PAGES + 5);
    give(f, take(f, used));
    used.at = pfn(GIB_PAGES + 512 + 5);
    give(f, take(f, used));
    used.at = pfn(GIB_PAGES + 1024);
    used.pages = 1024;
    take(f, used);
    used.at = pfn(GIB_PAGES + 7);
    used.pages = 1;
    take(f, used);
    used.at = pfn(GIB_PAGES + 8);
    used.pages = 4;
    take(f, used);
    reserve(f, GIB_PAGES + 20, 1);
    assert_whole(f);
}

static struct page_area *high(struct fixture *f) { return &fixture_tree(f)->area[1]; }

/* The first chunk of the last area. */
static struct page_chunk *active(struct fixture *f)
{
    struct page_tree *tree = fixture_tree(f);
    struct page_chunk *chunk = tree->node[tree->area[tree->nareas - 1].chunk];
    assert_non_null(chunk);
    return chunk;
}

static struct page_node open(struct fixture *f) { return chunk_leaf(active(f), 0); }

static void assert_broken(struct fixture *f, unsigned invariant)
{
    struct page_violation violation = { .text = NULL };
    assert_false(f->engine->check(f->memory, never, &violation));
    if (violation.invariant != invariant)
        fail_msg("invariant %u (%s), expected %u", violation.invariant, violation.text, invariant);
    assert_non_null(violation.text);
}

/* Break `what` to `value`, see that `invariant` is named, and mend it again. */
#define BREAK(f, what, value, invariant) do { \
        __typeof__(what) kept_ = (what); \
        (what) = (value); \
        assert_true((what) != kept_); \
        assert_broken(f, invariant); \
        (what) = kept_; \
        assert_whole(f); \
    } while (0)

static void roots_out_of_order_are_1(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    struct page_tree *tree = fixture_tree(&f);
    BREAK(&f, tree->scan[0], 0, 1);
    BREAK(&f, tree->span[0].first, 6000, 1);
    BREAK(&f, tree->span[1].chunk, 0, 1);
    BREAK(&f, tree->span[1].limit, 2 * GIB_PAGES, 1);
    BREAK(&f, tree->range[1].first, 50, 1);
    BREAK(&f, tree->area[0].limit, 4999, 1);
    BREAK(&f, tree->chunks, 5, 1);
    fixture_done(&f);
}

static void orders_that_are_not_those_of_the_bits_are_2(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    BREAK(&f, *open(&f).orders, *open(&f).orders ^ 0x40, 2);
    BREAK(&f, active(&f)->orders, active(&f)->orders ^ 0x01, 2);
    fixture_done(&f);
}

static void a_leaf_in_a_wrong_class_is_3(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    struct page_chunk *chunk = active(&f);
    assert_int_equal(*chunk_leaf_class(active(&f), 0), 8);
    BREAK(&f, *chunk_leaf_class(active(&f), 0), 7, 3);
    BREAK(&f, chunk->class_row[8][0], 2, 3);
    BREAK(&f, chunk->class_row[8][0], 3, 3);
    fixture_done(&f);
}

static void a_lead_that_is_none_is_4(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    struct page_chunk *chunk = active(&f);
    BREAK(&f, chunk->lead[0], chunk->lead[0] ^ 1, 4);
    BREAK(&f, chunk->lead[0], chunk->lead[0] ^ 2, 4);
    fixture_done(&f);
}

static void a_chunk_in_a_wrong_class_is_5(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    BREAK(&f, active(&f)->class, 12, 5);
    BREAK(&f, active(&f)->first, 0, 5);
    BREAK(&f, active(&f)->area, &fixture_tree(&f)->area[0], 5);
    BREAK(&f, active(&f)->index, 0, 5);
    fixture_done(&f);
}

static void a_row_that_disagrees_is_6(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    BREAK(&f, high(&f)->available, high(&f)->available ^ 1, 6);
    BREAK(&f, area_row(high(&f), 18)[1], 0, 6);
    BREAK(&f, area_row(high(&f), 17)[1], 5, 6);
    BREAK(&f, area_row(high(&f), 8)[1], 0, 6);
    BREAK(&f, area_row(high(&f), 8)[0], 2, 6);
    fixture_done(&f);
}

static void a_summary_that_disagrees_is_6(void **state)
{
    static const struct area_limit area = { "all", { PFN_LIMIT } };
    struct page_range range = { pfn(GIB_PAGES), 2000 * GIB_PAGES, true };
    struct page_map map = { &range, 1, &area, 1 };
    struct fixture f;
    (void)state;
    fixture_init(&f, &map);
    uint64_t *row = area_row(&fixture_tree(&f)->area[0], 18);
    BREAK(&f, row[fixture_tree(&f)->area[0].shape.offset[1]], 1, 6);
    fixture_done(&f);
}

static void an_open_leaf_that_is_uniform_is_7(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    struct page_node leaf = open(&f);
    struct page_slab *slab = active(&f)->slab.at[0], kept = *slab;
    for (unsigned i = 0; i < 3; i++) {
        node_fill_all(&leaf, (enum page_cell[]){ CELL_CONTINUED, CELL_FREE, CELL_RESERVED }[i]);
        assert_broken(&f, 7);
    }
    *slab = kept;
    BREAK(&f, active(&f)->pair[0].head, active(&f)->pair[0].head ^ 1, 7);
    fixture_done(&f);
}

static void an_active_chunk_that_is_uniform_is_8(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    /* The chunk that is kept for one page alone that is not fresh. */
    struct page_chunk *free = fixture_tree(&f)->node[high(&f)->chunk + 1], kept = *free;
    memset(free->mixed, 0, sizeof(free->mixed));
    struct page_node units = chunk_units(free);
    node_fresh_all(&units, true);
    free->slabs = 0;
    assert_broken(&f, 8);
    node_fill_all(&units, CELL_RESERVED);
    free->class = NO_ORDER;
    assert_broken(&f, 8);
    *free = kept;
    fixture_done(&f);
}

static void a_leaf_kept_for_nothing_is_9(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    struct page_chunk *chunk = active(&f);
    struct page_node leaf = chunk_leaf(chunk, 1);
    assert_true(bitmap_test(chunk->mixed, 1));
    BREAK(&f, leaf.fresh[0], ~UINT64_C(0), 9);
    BREAK(&f, leaf.pair[7].head, 1, 9);   /* reserved */
    BREAK(&f, chunk->mixed[0], chunk->mixed[0] | 1, 9);
    fixture_done(&f);
}

static void a_node_that_is_not_accounted_for_is_10(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    BREAK(&f, active(&f)->slabs, 3, 10);
    BREAK(&f, fixture_tree(&f)->held, 1, 10);
    fixture_done(&f);
}

static void an_unmanaged_page_that_is_free_or_fresh_is_11(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    struct page_node edge = chunk_leaf(fixture_tree(&f)->node[0], 0);
    /* Page 99, before the low range. */
    assert_int_equal(node_cell(&edge, 99), CELL_RESERVED);
    BREAK(&f, edge.fresh[1], edge.fresh[1] | UINT64_C(1) << 35, 11);
    BREAK(&f, edge.pair[1].head, edge.pair[1].head & ~(UINT64_C(1) << 35), 11);
    fixture_done(&f);
}

static void an_allocated_page_that_is_fresh_is_12(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    BREAK(&f, open(&f).fresh[0], open(&f).fresh[0] | 1 << 7, 12);
    BREAK(&f, active(&f)->fresh[0], active(&f)->fresh[0] | 1 << 2, 12);
    fixture_done(&f);
}

static void a_continued_page_without_a_block_is_13(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    uint64_t *head = &open(&f).pair[0].head;
    /* Page 20, reserved, becomes a page that continues nothing: its neighbour is free. */
    uint64_t *free = &open(&f).pair[0].free;
    *free &= ~(UINT64_C(1) << 20);
    *head &= ~(UINT64_C(1) << 20);
    open(&f).fresh[0] &= ~(UINT64_C(1) << 20);
    assert_broken(&f, 13);
    *free |= UINT64_C(1) << 20;
    *head |= UINT64_C(1) << 20;
    open(&f).fresh[0] |= UINT64_C(1) << 20;
    BREAK(&f, fixture_tree(&f)->state[high(&f)->chunk + 2], CELL_CONTINUED, 13);
    fixture_done(&f);
}

static void totals_that_are_not_the_sums_are_14(void **state)
{
    struct fixture f;
    (void)state;
    prepare(&f);
    BREAK(&f, high(&f)->free, 1, 14);
    BREAK(&f, high(&f)->reserved, 2, 14);
    BREAK(&f, high(&f)->managed, 3, 14);
    fixture_done(&f);
}

/* Word 0 of chunk 1's first leaf, hot for single pages: 0 is taken, 1 unseen, 2 came back. */
static struct page_hot *prepare_hot(struct fixture *f)
{
    prepare(f);
    take_order(f, 0);
    take_order(f, 0);
    give(f, take_order(f, 0));
    struct page_hot *hot = &fixture_tree(f)->hot;
    assert_int_equal(hot->first, GIB_PAGES);
    assert_int_equal(hot->used, 6);
    assert_whole(f);
    return hot;
}

static void a_hot_word_that_the_tree_contradicts_is_15(void **state)
{
    struct fixture f;
    (void)state;
    struct page_hot *hot = prepare_hot(&f);
    BREAK(&f, hot->free, hot->free | 2, 15);
    BREAK(&f, hot->free, hot->free & ~UINT64_C(8), 15);
    BREAK(&f, hot->tree, hot->tree & ~UINT64_C(8), 15);
    BREAK(&f, hot->slots, hot->slots | 1 << 8, 15);   /* of another order */
    BREAK(&f, hot->used, hot->used | 1 << 20, 15);    /* reserved */
    BREAK(&f, hot->fresh, 0, 15);
    BREAK(&f, hot->given, 1, 15);
    BREAK(&f, hot->first, 2 * GIB_PAGES, 15);
    BREAK(&f, hot->first, hot->first + 1, 15);
    BREAK(&f, hot->order, 1, 15);
    BREAK(&f, hot->shift, 9, 15);
    BREAK(&f, hot->chunk, NULL, 15);
    BREAK(&f, hot->pages, 2, 15);
    fixture_done(&f);
}

static void a_hot_word_on_which_a_class_depends_is_16(void **state)
{
    struct fixture f;
    (void)state;
    fixture_one(&f, GIB_PAGES, GIB_PAGES);
    for (unsigned i = 0; i < 449; i++)
        take_order(&f, 0);
    struct page_hot *hot = &fixture_tree(&f)->hot;
    while (hot->first != GIB_PAGES + 448)
        take_order(&f, 0);
    hot_settle(fixture_tree(&f));
    assert_whole(&f);
    /* The last half of the leaf's last word is its last run of 32 pages. */
    assert_int_equal(*chunk_leaf_class(active(&f), 0), 5);
    assert_int_equal(hot->slots >> 32, 0);
    hot->slots |= UINT64_C(0xffffffff) << 32;
    hot->fresh = hot->slots;
    hot->tree = hot->free |= UINT64_C(0xffffffff) << 32;
    assert_broken(&f, 16);
    hot_forget(hot);
    fixture_done(&f);
}

static void a_hot_word_that_the_rule_would_not_choose_is_17(void **state)
{
    struct fixture f;
    (void)state;
    struct page_hot *hot = prepare_hot(&f);
    BREAK(&f, hot->areas, 1, 17);
    BREAK(&f, hot->slots, hot->slots & ~UINT64_C(12), 15);
    hot_settle(fixture_tree(&f));
    /* A page below the slots is free, too. */
    hot->slots &= ~UINT64_C(4);
    hot->fresh &= hot->slots;
    hot->tree = hot->free &= hot->slots;
    assert_broken(&f, 17);
    /* Another word of the leaf. */
    hot->first += 64;
    hot->slots = hot->free = hot->tree = hot->fresh = ~UINT64_C(0);
    assert_broken(&f, 17);
    hot_forget(hot);
    fixture_done(&f);
}

static unsigned questions, questions_until_stop;

static bool in_time(void)
{
    return ++questions == questions_until_stop;
}

static void a_check_stops_wherever_it_is_asked_to(void **state)
{
    struct page_violation violation;
    struct fixture f;
    (void)state;
    prepare(&f);
    assert_true(f.engine->check(f.memory, in_time, &violation));
    unsigned all = questions;
    /* Of each chunk, and of each unit of the three that are active. */
    assert_int_equal(all, fixture_tree(&f)->chunks + 3 * CHUNK_UNITS);
    for (questions_until_stop = 1; questions_until_stop <= all; questions_until_stop++) {
        questions = 0;
        assert_false(f.engine->check(f.memory, in_time, &violation));
        assert_int_equal(violation.invariant, 0);
        assert_int_equal(questions, questions_until_stop);
    }
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_out_of_order_are_1),
        cmocka_unit_test(orders_that_are_not_those_of_the_bits_are_2),
        cmocka_unit_test(a_leaf_in_a_wrong_class_is_3),
        cmocka_unit_test(a_lead_that_is_none_is_4),
        cmocka_unit_test(a_chunk_in_a_wrong_class_is_5),
        cmocka_unit_test(a_row_that_disagrees_is_6),
        cmocka_unit_test(a_summary_that_disagrees_is_6),
        cmocka_unit_test(an_open_leaf_that_is_uniform_is_7),
        cmocka_unit_test(an_active_chunk_that_is_uniform_is_8),
        cmocka_unit_test(a_leaf_kept_for_nothing_is_9),
        cmocka_unit_test(a_node_that_is_not_accounted_for_is_10),
        cmocka_unit_test(an_unmanaged_page_that_is_free_or_fresh_is_11),
        cmocka_unit_test(an_allocated_page_that_is_fresh_is_12),
        cmocka_unit_test(a_continued_page_without_a_block_is_13),
        cmocka_unit_test(totals_that_are_not_the_sums_are_14),
        cmocka_unit_test(a_hot_word_that_the_tree_contradicts_is_15),
        cmocka_unit_test(a_hot_word_on_which_a_class_depends_is_16),
        cmocka_unit_test(a_hot_word_that_the_rule_would_not_choose_is_17),
        cmocka_unit_test(a_check_stops_wherever_it_is_asked_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
