/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "kernel/mm/kpool.h"
#include "kernel/mm/rows.h"

#define PAGES 1100
#define SIZE 1000u                    /* 4 rows a page */

static unsigned char memory[PAGES * 4096] __attribute__((aligned(4096)));
static struct kpool pool;
static struct rows_directory *directories[2];
static struct rows rows;

static int begin(void **unused)
{
    struct node_source nodes;

    (void)unused;
    kpool_init(&pool, memory, PAGES);
    nodes = kpool_source(&pool);
    rows_init(&rows, &nodes, SIZE, directories, 2);
    return 0;
}

static uint32_t push(void)
{
    assert_int_equal(rows_make_room(&rows), OK);
    return rows_push(&rows);
}

static void rows_are_numbered_by_page_and_place(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 11; i++) {
        uint32_t number = push();

        assert_int_equal(number, i / 4 << ROWS_SHIFT | i % 4);
        assert_int_equal(number, rows_number(&rows, i));
        *(uint32_t *)rows_at(&rows, number, SIZE) = i;
    }
    for (uint32_t i = 0; i < 11; i++)
        assert_int_equal(*(uint32_t *)rows_at(&rows, rows_number(&rows, i), SIZE), i);
    assert_int_equal(pool.used, 1 + 3);
}

static void pages_go_back_from_the_end(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < 9; i++)
        (void)push();
    rows_pop(&rows);
    assert_int_equal(pool.used, 1 + 3);
    rows_trim(&rows);
    assert_int_equal(pool.used, 1 + 2);
    for (unsigned i = 0; i < 8; i++)
        rows_pop(&rows);
    rows_trim(&rows);
    assert_int_equal(pool.used, 0);
}

static void a_table_has_a_greatest_size_over_all_directories(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < 2 * ROWS_DIRECTORY_PAGES * 4; i++)
        *(uint32_t *)rows_at(&rows, push(), SIZE) = i;
    assert_int_equal(rows_make_room(&rows), E_MEM_METADATA);
    assert_int_equal(pool.used, 2 + 2 * ROWS_DIRECTORY_PAGES);
    for (uint32_t i = 0; i < rows.count; i++)
        assert_int_equal(*(uint32_t *)rows_at(&rows, rows_number(&rows, i), SIZE), i);
    rows_pop(&rows);
    assert_int_equal(rows_make_room(&rows), OK);
}

static void room_is_refused_whole_by_a_dry_pool(void **unused)
{
    (void)unused;
    while (pool.used < PAGES - 1)
        assert_non_null(kpool_take(&pool));
    assert_int_equal(rows_make_room(&rows), E_MEM_METADATA);
    assert_int_equal(pool.used, PAGES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_are_numbered_by_page_and_place, begin),
        cmocka_unit_test_setup(pages_go_back_from_the_end, begin),
        cmocka_unit_test_setup(a_table_has_a_greatest_size_over_all_directories, begin),
        cmocka_unit_test_setup(room_is_refused_whole_by_a_dry_pool, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
