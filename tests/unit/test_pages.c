/* SPDX-License-Identifier: MIT */
/*
 * What pages.c adds to an engine, over the simplest engine there could be: an array of frames. What
 * is tested is that it keeps to the contract, so the array keeps to it, too.
 */
#include "tests/unit/support.h"

#include "kernel/mm/pages.h"
#include "tests/unit/array_engine.h"

#define POOL_PAGES 8

/* ---- hooks that remember ---- */

static unsigned char pool_memory[POOL_PAGES * 4096] __attribute__((aligned(4096)));
static struct kpool pool;
static struct pages pages;
static unsigned zeroings, events;
static uint64_t zeroed_frames;
static enum error zero_result;
static bool stops;
static struct { enum pages_event event; uint64_t first, count; uint32_t tag; } last;

static enum error zero(pfn_t first, uint64_t count)
{
    (void)first;
    zeroings++;
    zeroed_frames = count;
    return zero_result;
}

static bool stopped(void)
{
    return stops;
}

static void event(enum pages_event what, pfn_t first, uint64_t count, uint32_t tag)
{
    events++;
    last.event = what;
    last.first = first.n;
    last.count = count;
    last.tag = tag;
}

static void assert_event(enum pages_event what, uint64_t first, uint64_t count, uint32_t tag)
{
    assert_int_equal(events, 1);
    assert_int_equal(last.event, what);
    assert_int_equal(last.first, first);
    assert_int_equal(last.count, count);
    assert_int_equal(last.tag, tag);
    events = 0;
}

static enum error init(size_t nranges, bool backed, uint64_t *needed)
{
    static const struct page_range ranges[2] = { { { 1 }, FRAMES - 1, true } };
    const struct page_map map = { .ranges = ranges, .nranges = nranges };
    const struct pages_hooks hooks = { .zero = zero, .stopped = stopped, .event = event };

    kpool_init(&pool, pool_memory, POOL_PAGES);
    return pages_init(&pages, &array_engine, &map, backed, &pool, &hooks, needed);
}

static int begin(void **unused)
{
    uint64_t needed;

    (void)unused;
    refusal = OK;
    zeroings = events = 0;
    zero_result = OK;
    stops = false;
    return init(1, true, &needed) != OK;
}

static enum error alloc(uint64_t count, uint32_t tag, uint64_t *first)
{
    struct page_request request = { .areas = 1, .pages = count, .max = pfn(PFN_LIMIT) };
    pfn_t out, blame;
    bool zeroed;
    enum error e = pages_alloc(&pages, &request, tag, false, &out, &zeroed, &blame);

    if (e == OK)
        *first = out.n;
    return e;
}

static uint64_t blamed;               /* frame */

static enum error give(pfn_t first, uint64_t count, uint64_t *freed)
{
    pfn_t blame;
    enum error e = pages_free(&pages, first, count, freed, &blame);

    blamed = blame.n;
    return e;
}

/* ---- the tests ---- */

static void init_says_what_it_needs(void **unused)
{
    uint64_t needed = 1;

    (void)unused;
    assert_int_equal(init(1, true, &needed), OK);
    assert_int_equal(needed, 0);
    assert_int_equal(init(2, true, &needed), E_MEM_METADATA);
    assert_int_equal(needed, sizeof(struct array_engine) + SECOND_RANGE_SIZE);
    refusal = E_CALL_RANGE;
    assert_int_equal(init(1, true, &needed), E_CALL_RANGE);
    assert_int_equal(needed, 0);
}

static void zeroes_unless_told_not_to(void **unused)
{
    struct page_request request = { .areas = 1, .pages = 3, .max = pfn(PFN_LIMIT) };
    pfn_t out, blame;
    bool zeroed;

    (void)unused;
    assert_int_equal(pages_alloc(&pages, &request, 0, false, &out, &zeroed, &blame), OK);
    assert_true(zeroed);
    assert_int_equal(zeroings, 1);
    assert_int_equal(zeroed_frames, 3);
    assert_int_equal(pages_alloc(&pages, &request, 0, true, &out, &zeroed, &blame), OK);
    assert_true(zeroed);
    assert_int_equal(zeroings, 1);
    zero_result = E_CALL_UNSUPPORTED;
    assert_int_equal(pages_alloc(&pages, &request, 0, false, &out, &zeroed, &blame), OK);
    assert_false(zeroed);
    pages.backed = false;
    zero_result = OK;
    assert_int_equal(pages_alloc(&pages, &request, 0, false, &out, &zeroed, &blame), OK);
    assert_false(zeroed);
    assert_int_equal(zeroings, 2);
}

static void stopped_in_zeroing_a_block_is_free_again(void **unused)
{
    struct page_info info;
    uint64_t first, again = 99, used;

    (void)unused;
    assert_int_equal(alloc(4, 5, &first), OK);
    used = pool.used;
    events = 0;
    zero_result = E_STOP_INTERRUPTED;
    assert_int_equal(alloc(4, 6, &again), E_STOP_INTERRUPTED);
    assert_int_equal(again, 99);
    /* It was somebody's, and is not any more: both are told. */
    assert_int_equal(events, 2);
    events = 1;
    assert_event(PAGES_FREE, first + 4, 4, 6);
    assert_int_equal(lookup_count(pages.owners), 1);
    assert_int_equal(pool.used, used);
    pages.engine->query(pages.state, pfn(first + 4), &info);
    assert_int_equal(info.state, PAGE_FREE);
    zero_result = OK;
    assert_int_equal(alloc(4, 6, &again), OK);
    assert_int_equal(again, first + 4);
    assert_event(PAGES_ALLOC, again, 4, 6);
}

static void blocks_have_owners(void **unused)
{
    uint64_t first, nobodys, freed = 0;

    (void)unused;
    assert_int_equal(alloc(4, 17, &first), OK);
    assert_event(PAGES_ALLOC, first, 4, 17);
    assert_int_equal(alloc(1, 0, &nobodys), OK);
    assert_event(PAGES_ALLOC, nobodys, 1, 0);
    assert_int_equal(pages_owner(&pages, pfn(first)), 17);
    assert_int_equal(pages_owner(&pages, pfn(first + 1)), 0);
    assert_int_equal(pages_owner(&pages, pfn(nobodys)), 0);
    assert_int_equal(lookup_count(pages.owners), 1);
    assert_int_equal(give(pfn(first + 1), 0, &freed), E_MEM_INSIDE);
    assert_int_equal(events, 0);
    assert_int_equal(give(pfn(first), 0, &freed), OK);
    assert_int_equal(freed, 4);
    assert_event(PAGES_FREE, first, 4, 17);
    assert_int_equal(pages_owner(&pages, pfn(first)), 0);
    assert_int_equal(give(pfn(first), 0, &freed), E_MEM_FREE);
    assert_int_equal(give(pfn(nobodys), 0, &freed), OK);
    assert_event(PAGES_FREE, nobodys, 1, 0);
    assert_int_equal(lookup_count(pages.owners), 0);
}

static void parts_keep_the_owner(void **unused)
{
    uint64_t first, freed;

    (void)unused;
    assert_int_equal(alloc(10, 5, &first), OK);
    events = 0;
    assert_int_equal(give(pfn(first + 4), 2, &freed), OK);
    assert_int_equal(freed, 2);
    assert_event(PAGES_FREE, first + 4, 2, 5);
    assert_int_equal(pages_owner(&pages, pfn(first)), 5);
    assert_int_equal(pages_owner(&pages, pfn(first + 6)), 5);
    assert_int_equal(lookup_count(pages.owners), 2);
    assert_int_equal(give(pfn(first + 6), 1, &freed), OK);
    assert_int_equal(pages_owner(&pages, pfn(first + 6)), 0);
    assert_int_equal(pages_owner(&pages, pfn(first + 7)), 5);
    assert_int_equal(give(pfn(first + 9), 1, &freed), OK);
    assert_int_equal(give(pfn(first), 4, &freed), OK);
    assert_int_equal(lookup_count(pages.owners), 1);
    assert_int_equal(give(pfn(first + 7), 2, &freed), OK);
    assert_int_equal(lookup_count(pages.owners), 0);
}

static void a_block_that_takes_more_keeps_its_owner(void **unused)
{
    uint64_t at;
    pfn_t first, blame;

    (void)unused;
    assert_int_equal(alloc(3, 9, &at), OK);
    first = pfn(at);
    events = zeroings = 0;
    assert_int_equal(pages_extend(&pages, first, 2, pfn(PFN_LIMIT), &blame), OK);
    assert_event(PAGES_ALLOC, first.n + 3, 2, 9);
    assert_int_equal(zeroings, 0);
    assert_int_equal(pages_owner(&pages, first), 9);
    assert_int_equal(pages_extend(&pages, first, 1, pfn(first.n + 5), &blame), E_MEM_BUSY);
    assert_int_equal(blame.n, first.n + 5);
    assert_int_equal(pages_extend(&pages, first, FRAMES, pfn(PFN_LIMIT), &blame), E_MEM_BUSY);
    assert_int_equal(events, 0);
    refusal = E_MEM_METADATA;
    assert_int_equal(pages_extend(&pages, first, 1, pfn(PFN_LIMIT), &blame), E_MEM_METADATA);
    lookup_mark(pages.owners, at, PAGES_MAPPED);
    assert_int_equal(pages_extend(&pages, first, 1, pfn(PFN_LIMIT), &blame), E_MEM_KIND);
}

static void refused_parts_change_nothing(void **unused)
{
    uint64_t first, freed = 99;

    (void)unused;
    assert_int_equal(alloc(4, 5, &first), OK);
    events = 0;
    assert_int_equal(give(pfn(first + 1), 4, &freed), E_MEM_BEYOND);
    assert_int_equal(blamed, first + 4);
    assert_int_equal(give(pfn(first + 1), UINT64_MAX, &freed), E_MEM_BEYOND);
    assert_int_equal(give(pfn(first + 4), 1, &freed), E_MEM_FREE);
    assert_int_equal(blamed, first + 4);
    assert_int_equal(give(pfn(UINT64_MAX), 1, &freed), E_MEM_UNMANAGED);
    assert_int_equal(freed, 99);
    assert_int_equal(events, 0);
    assert_int_equal(pages_owner(&pages, pfn(first)), 5);
    assert_int_equal(lookup_count(pages.owners), 1);
}

static void reservations_are_told(void **unused)
{
    pfn_t blame;

    (void)unused;
    assert_int_equal(pages_reserve(&pages, pfn(8), 4, 3, &blame), OK);
    assert_event(PAGES_RESERVE, 8, 4, 3);
    assert_int_equal(pages_reserve(&pages, pfn(6), 4, 3, &blame), E_MEM_BUSY);
    assert_int_equal(blame.n, 8);
    assert_int_equal(pages_unreserve(&pages, pfn(10), 4, 4, &blame), E_MEM_BUSY);
    assert_int_equal(blame.n, 12);
    assert_int_equal(events, 0);
    assert_int_equal(pages_unreserve(&pages, pfn(9), 2, 4, &blame), OK);
    assert_event(PAGES_UNRESERVE, 9, 2, 4);
}

static void dry_pool(void)
{
    while (kpool_take(&pool) != NULL)
        ;
}

static void without_a_record_nothing_is_allocated(void **unused)
{
    uint64_t first, freed;

    (void)unused;
    dry_pool();
    assert_int_equal(alloc(1, 5, &first), E_MEM_METADATA);
    assert_int_equal(events, 0);
    assert_int_equal(alloc(4, 0, &first), OK);
    assert_int_equal(first, 1);
    /* Nobody's block needs no record for its rest. */
    assert_int_equal(give(pfn(2), 1, &freed), OK);
}

static void without_a_record_nothing_is_split(void **unused)
{
    uint64_t blocks[256], freed = 0;

    (void)unused;
    /* A full page of records: 50 blocks on the frames, the others made up. */
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(alloc(1, 5, &blocks[i]), OK);
    assert_int_equal(alloc(4, 6, &blocks[50]), OK);
    for (unsigned i = 51; i < 256; i++)
        assert_int_equal(lookup_add(pages.owners, 1000 + i, 7), OK);
    dry_pool();
    events = 0;
    assert_int_equal(give(pfn(blocks[50] + 1), 1, &freed), E_MEM_METADATA);
    assert_int_equal(freed, 0);
    assert_int_equal(events, 0);
    /* What needs no record more goes on: the tail, and the front as long as it is full. */
    assert_int_equal(give(pfn(blocks[50] + 3), 1, &freed), OK);
    assert_int_equal(pages_owner(&pages, pfn(blocks[50])), 6);
    assert_int_equal(give(pfn(blocks[50] + 3), 1, &freed), E_MEM_FREE);
}

static void a_refused_request_keeps_no_room(void **unused)
{
    uint64_t first, used = pool.used;

    (void)unused;
    assert_int_equal(alloc(FRAMES, 5, &first), E_MEM_NONE);
    assert_int_equal(pool.used, used);
    refusal = E_MEM_METADATA;
    assert_int_equal(alloc(1, 5, &first), E_MEM_METADATA);
    assert_int_equal(pool.used, used);
}

static void check_passes_on_and_adds(void **unused)
{
    struct page_violation violation;
    uint64_t first;

    (void)unused;
    assert_int_equal(pages_check(&pages, &violation), OK);
    assert_int_equal(alloc(4, 5, &first), OK);
    assert_int_equal(pages_check(&pages, &violation), OK);
    assert_int_equal(lookup_add(pages.owners, first + 1, 5), OK);
    assert_int_equal(pages_check(&pages, &violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, 100);
    assert_int_equal(violation.at.n, first + 1);
    /* Against the contract: a key twice, so that one of them is not found. */
    assert_int_equal(lookup_add(pages.owners, first, 5), OK);
    assert_int_equal(pages_check(&pages, &violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, 100);
    assert_int_equal(violation.at.n, first);
    ((struct array_engine *)pages.state)->broken = true;
    assert_int_equal(pages_check(&pages, &violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, 42);
}

static bool second_question(void)
{
    static unsigned questions;

    return ++questions == 2;
}

static void check_can_be_stopped(void **unused)
{
    struct page_violation violation;
    uint64_t first;

    (void)unused;
    assert_int_equal(alloc(4, 5, &first), OK);
    stops = true;
    assert_int_equal(pages_check(&pages, &violation), E_STOP_INTERRUPTED);
    /* Not before the engine was through: among the records. */
    pages.hooks.stopped = second_question;
    assert_int_equal(pages_check(&pages, &violation), E_STOP_INTERRUPTED);
    assert_int_equal(pages_check(&pages, &violation), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(init_says_what_it_needs, begin),
        cmocka_unit_test_setup(zeroes_unless_told_not_to, begin),
        cmocka_unit_test_setup(stopped_in_zeroing_a_block_is_free_again, begin),
        cmocka_unit_test_setup(blocks_have_owners, begin),
        cmocka_unit_test_setup(parts_keep_the_owner, begin),
        cmocka_unit_test_setup(a_block_that_takes_more_keeps_its_owner, begin),
        cmocka_unit_test_setup(refused_parts_change_nothing, begin),
        cmocka_unit_test_setup(reservations_are_told, begin),
        cmocka_unit_test_setup(without_a_record_nothing_is_allocated, begin),
        cmocka_unit_test_setup(without_a_record_nothing_is_split, begin),
        cmocka_unit_test_setup(a_refused_request_keeps_no_room, begin),
        cmocka_unit_test_setup(check_passes_on_and_adds, begin),
        cmocka_unit_test_setup(check_can_be_stopped, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
