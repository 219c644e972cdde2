/* SPDX-License-Identifier: MIT */
/* Caches of single pages, over the simplest engine there could be. */
#include "tests/unit/support.h"

#include "kernel/mm/pages.h"
#include "tests/unit/array_engine.h"

#define POOL_PAGES 40
#define KEPT 32u                      /* pages, by one CPU at most */

static unsigned char memory[POOL_PAGES * 4096] __attribute__((aligned(4096)));
static struct kpool pool;
static struct pages pages;

static bool never(void) { return false; }

static int begin(void **unused)
{
    static const struct page_range range = { { 1 }, FRAMES - 1, true };
    const struct page_map map = { .ranges = &range, .nranges = 1 };
    const struct pages_hooks hooks = { .stopped = never };
    uint64_t needed;

    (void)unused;
    refusal = OK;
    kpool_init(&pool, memory, POOL_PAGES);
    if (pages_init(&pages, &array_engine, &map, false, &pool, &hooks, &needed) != OK)
        return 1;
    return pages_use_caches(&pages, 1, &pool, &needed) != OK;
}

static pfn_t take(void)
{
    const struct page_request request = {
        .areas = ALL_AREAS, .pages = 1, .max = pfn(PFN_LIMIT),
    };
    bool zeroed;
    pfn_t out, blame;

    assert_int_equal(pages_alloc(&pages, &request, 0, true, &out, &zeroed, &blame), OK);
    return out;
}

/* Frames that the engine has. */
static uint64_t engine_free(void)
{
    return pages.engine->count_free(pages.state, ALL_AREAS);
}

static void assert_broken(unsigned invariant, pfn_t at)
{
    struct page_violation violation;

    assert_int_equal(pages_check(&pages, &violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, invariant);
    assert_int_equal(violation.at.n, at.n);
}

static void check_sees_what_caches_handed_out(void **unused)
{
    struct page_violation violation;
    pfn_t out = take();
    uint64_t freed;

    (void)unused;
    assert_int_equal(pages_check(&pages, &violation), OK);
    assert_int_equal(lookup_add(pages.owners, out.n, 5), OK);
    assert_broken(101, out);
    assert_true(lookup_remove(pages.owners, out.n, &(uint32_t){ 0 }));
    assert_int_equal(pages_check(&pages, &violation), OK);
    /* Freed behind the cache's back. */
    assert_int_equal(pages.engine->free(pages.state, out, &freed), OK);
    assert_broken(101, out);
}

static void a_full_cache_gives_some_of_its_pages_back(void **unused)
{
    struct page_violation violation;
    pfn_t taken[KEPT + 8];

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(taken); i++)
        taken[i] = take();
    pages_drain(&pages);
    assert_int_equal(engine_free(), FRAMES - 1 - ARRAY_SIZE(taken));
    for (unsigned i = 0; i < KEPT; i++)
        assert_true(pages_free_cached(&pages, taken[i]));
    assert_int_equal(engine_free(), FRAMES - 1 - ARRAY_SIZE(taken));
    assert_true(pages_free_cached(&pages, taken[KEPT]));
    assert_in_range(engine_free(), FRAMES - ARRAY_SIZE(taken), FRAMES - 2);
    assert_false(pages_free_cached(&pages, taken[0]));    /* it is free already */
    assert_in_range(pages_drain_cpu(&pages, 0), 1, KEPT);
    assert_int_equal(engine_free(), FRAMES - 1 - ARRAY_SIZE(taken) + KEPT + 1);
    assert_int_equal(pages_drain_cpu(&pages, 0), 0);
    assert_int_equal(pages_check(&pages, &violation), OK);
}

static void what_caches_keep_is_free_for_who_asks_how_much_there_is(void **unused)
{
    (void)unused;
    (void)take();
    assert_true(engine_free() < FRAMES - 2);
    assert_true(pages_have(&pages, ALL_AREAS, FRAMES - 2));
    assert_int_equal(engine_free(), FRAMES - 2);
    assert_false(pages_have(&pages, ALL_AREAS, FRAMES - 1));
}

static void a_single_page_goes_back_to_a_cache(void **unused)
{
    pfn_t out = take(), blame;
    uint64_t before = engine_free(), freed;

    (void)unused;
    assert_int_equal(pages_free(&pages, out, 1, &freed, &blame), OK);
    assert_int_equal(freed, 1);
    assert_int_equal(engine_free(), before);
    assert_int_equal(take().n, out.n);
}

/* Of the pages behind a block that cannot be had, those that a cache keeps can. */
static void what_caches_keep_is_room_behind_a_block(void **unused)
{
    const struct page_request request = {
        .areas = ALL_AREAS, .pages = 2, .max = pfn(PFN_LIMIT),
    };
    struct page_info info;
    bool zeroed;
    pfn_t block, blame;

    (void)unused;
    assert_int_equal(pages_alloc(&pages, &request, 7, true, &block, &zeroed, &blame), OK);
    assert_true(take().n != block.n + 2);
    pages.engine->query(pages.state, pfn(block.n + 2), &info);
    assert_int_equal(info.state, PAGE_ALLOCATED);
    assert_int_equal(pages_extend(&pages, block, 1, pfn(PFN_LIMIT), &blame), OK);
    pages.engine->query(pages.state, block, &info);
    assert_int_equal(info.block.n, block.n);
    assert_int_equal(info.pages, 3);
}

static void caches_without_memory_for_them_are_refused(void **unused)
{
    uint64_t needed = 0;

    (void)unused;
    assert_int_equal(pages_use_caches(&pages, 4096, &pool, &needed), E_MEM_METADATA);
    assert_true(needed > sizeof(memory));
}

/* The last test: nothing is as before. */
static void what_a_panic_left_half_changed_keeps_its_pages(void **unused)
{
    struct page_info info;
    uint64_t before;
    pfn_t out = take();

    (void)unused;
    before = engine_free();
    lock_take(&pages.lock);
    lock_break_all();
    pages_query(&pages, out, &info);
    assert_int_equal(info.state, PAGE_ALLOCATED);
    assert_int_equal(engine_free(), before);
    assert_false(pages_have(&pages, ALL_AREAS, before + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(check_sees_what_caches_handed_out, begin),
        cmocka_unit_test_setup(a_full_cache_gives_some_of_its_pages_back, begin),
        cmocka_unit_test_setup(what_caches_keep_is_free_for_who_asks_how_much_there_is, begin),
        cmocka_unit_test_setup(a_single_page_goes_back_to_a_cache, begin),
        cmocka_unit_test_setup(what_caches_keep_is_room_behind_a_block, begin),
        cmocka_unit_test_setup(caches_without_memory_for_them_are_refused, begin),
        cmocka_unit_test_setup(what_a_panic_left_half_changed_keeps_its_pages, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
