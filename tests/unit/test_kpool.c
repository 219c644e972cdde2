/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "kernel/lock.h"
#include "kernel/mm/kpool.h"

#define PAGES 5

static unsigned char memory[PAGES * 4096] __attribute__((aligned(4096)));
static struct kpool pool;

static int begin(void **unused)
{
    (void)unused;
    kpool_init(&pool, memory, PAGES);
    return 0;
}

static void takes_each_page_once(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < PAGES; i++) {
        assert_ptr_equal(kpool_take(&pool), memory + i * 4096);
        assert_int_equal(pool.used, i + 1);
    }
    assert_null(kpool_take(&pool));
    assert_int_equal(pool.used, PAGES);
}

static void takes_again_what_was_given(void **unused)
{
    void *first, *second;

    (void)unused;
    first = kpool_take(&pool);
    second = kpool_take(&pool);
    kpool_give(&pool, first);
    kpool_give(&pool, second);
    assert_int_equal(pool.used, 0);
    assert_ptr_equal(kpool_take(&pool), second);
    assert_ptr_equal(kpool_take(&pool), first);
    assert_ptr_equal(kpool_take(&pool), memory + 2 * 4096);
}

static void carves_from_the_top_down_to_the_pages(void **unused)
{
    (void)unused;
    assert_ptr_equal(kpool_carve(&pool, 1), memory + 4 * 4096);
    assert_ptr_equal(kpool_carve(&pool, 4097), memory + 2 * 4096);
    assert_int_equal(pool.used, 3);
    assert_non_null(kpool_take(&pool));
    assert_null(kpool_carve(&pool, 4097));
    assert_ptr_equal(kpool_carve(&pool, 4096), memory + 4096);
    assert_null(kpool_take(&pool));
    assert_null(kpool_carve(&pool, 1));
    assert_int_equal(pool.used, PAGES);
}

static void does_not_carve_what_would_wrap(void **unused)
{
    (void)unused;
    assert_null(kpool_carve(&pool, UINT64_MAX));
    assert_null(kpool_carve(&pool, PAGES * 4096 + 1));
    assert_int_equal(pool.used, 0);
    assert_ptr_equal(kpool_carve(&pool, PAGES * 4096), memory);
}

static void reset_forgets_without_touching(void **unused)
{
    (void)unused;
    assert_non_null(kpool_carve(&pool, 4096));
    kpool_give(&pool, kpool_take(&pool));
    memory[0] = 0x5a;
    kpool_reset(&pool);
    assert_int_equal(memory[0], 0x5a);
    assert_int_equal(pool.used, 0);
    for (unsigned i = 0; i < PAGES; i++)
        assert_ptr_equal(kpool_take(&pool), memory + i * 4096);
}

static void refuses_a_page_that_is_not_its_own(void **unused)
{
    (void)unused;
    assert_non_null(kpool_take(&pool));
    assert_non_null(kpool_carve(&pool, 4096));
    expect_assert_failure(kpool_give(&pool, memory + 8));
    lock_release_to(0);
    expect_assert_failure(kpool_give(&pool, memory + 4096));
    lock_release_to(0);
    expect_assert_failure(kpool_give(&pool, memory + 4 * 4096));
    lock_release_to(0);
    expect_assert_failure(kpool_init(&pool, memory + 16, 1));
}

static void is_a_source_of_nodes(void **unused)
{
    struct node_source nodes;
    void *page;

    (void)unused;
    nodes = kpool_source(&pool);
    page = nodes.take(nodes.context);
    assert_ptr_equal(page, memory);
    assert_int_equal(pool.used, 1);
    nodes.give(nodes.context, page);
    assert_int_equal(pool.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_each_page_once, begin),
        cmocka_unit_test_setup(takes_again_what_was_given, begin),
        cmocka_unit_test_setup(carves_from_the_top_down_to_the_pages, begin),
        cmocka_unit_test_setup(does_not_carve_what_would_wrap, begin),
        cmocka_unit_test_setup(reset_forgets_without_touching, begin),
        cmocka_unit_test_setup(refuses_a_page_that_is_not_its_own, begin),
        cmocka_unit_test_setup(is_a_source_of_nodes, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
