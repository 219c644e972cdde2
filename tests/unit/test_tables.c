/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include <string.h>

#include "kernel/mm/tables.h"

#define K 1024u
#define UNITS 5u                      /* one of them for the records */

static unsigned char memory[UNITS * 16 * K] __attribute__((aligned(16384)));
static struct tables tables;

static int begin(void **unused)
{
    (void)unused;
    memset(memory, 0xa5, sizeof(memory));
    tables_init(&tables, memory, sizeof(memory));
    return 0;
}

static void assert_whole(void)
{
    unsigned invariant;
    uint64_t at;

    if (!tables_check(&tables, &invariant, &at))
        fail_msg("invariant %u at %u", invariant, (unsigned)at);
}

static void assert_broken(unsigned expected)
{
    unsigned invariant;
    uint64_t at;

    assert_false(tables_check(&tables, &invariant, &at));
    assert_int_equal(invariant, expected);
}

static void pieces_are_aligned_and_apart(void **unused)
{
    static const unsigned sizes[] = { 2, 16, 4, 2, 8, 4, 2, 16, 8, 2 };
    unsigned char *pieces[ARRAY_SIZE(sizes)];
    uint64_t used = 0;

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        pieces[i] = tables_take(&tables, sizes[i] * K);
        assert_non_null(pieces[i]);
        assert_true(is_aligned((uintptr_t)pieces[i], sizes[i] * K));
        memset(pieces[i], (int)i, sizes[i] * K);
        assert_int_equal(tables.used, used += sizes[i] * K);
        assert_true(tables_owns(&tables, pieces[i]));
        assert_true(tables_owns(&tables, pieces[i] + sizes[i] * K - 1));
        assert_whole();
    }
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned byte = 0; byte < sizes[i] * K; byte++)
            assert_int_equal(pieces[i][byte], i);
        tables_give(&tables, pieces[i], sizes[i] * K);
        assert_false(tables_owns(&tables, pieces[i]));
        assert_whole();
    }
    assert_int_equal(tables.used, 0);
}

static void halves_are_whole_again(void **unused)
{
    unsigned char *pieces[4 * 8];

    (void)unused;
    assert_int_equal(tables_size(&tables), 4 * 16 * K);
    for (unsigned i = 0; i < 32; i++)
        assert_non_null(pieces[i] = tables_take(&tables, 2 * K));
    assert_null(tables_take(&tables, 2 * K));
    assert_whole();
    for (unsigned i = 0; i < 32; i++)
        tables_give(&tables, pieces[i * 11 % 32], 2 * K);
    assert_whole();
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(tables_take(&tables, 16 * K));
    assert_null(tables_take(&tables, 2 * K));
    assert_whole();
}

static void what_was_never_taken_is_not_written(void **unused)
{
    (void)unused;
    assert_non_null(tables_take(&tables, 16 * K));
    for (unsigned byte = 16 * K; byte < 4 * 16 * K; byte++)
        assert_int_equal(memory[byte], 0xa5);
}

static void no_memory_is_no_piece(void **unused)
{
    (void)unused;
    tables_init(&tables, memory, 0);
    assert_null(tables_take(&tables, 2 * K));
    assert_false(tables_owns(&tables, memory));
    tables_init(&tables, memory, 16 * K);
    assert_int_equal(tables_size(&tables), 0);
    assert_null(tables_take(&tables, 16 * K));
    assert_whole();
}

static void owns_nothing_else(void **unused)
{
    unsigned char *piece = tables_take(&tables, 4 * K);

    (void)unused;
    assert_false(tables_owns(&tables, memory - 1));
    assert_false(tables_owns(&tables, piece + 4 * K));
    assert_false(tables_owns(&tables, memory + sizeof(memory)));
    assert_false(tables_owns(&tables, &tables));
}

static void a_plan_refuses(void **unused)
{
    struct fail fail;

    (void)unused;
    fail_begin(&fail, &(struct fail_plan){ .nth = 2, .what = FAIL_TABLES });
    tables.fail = &fail;
    assert_non_null(tables_take(&tables, 2 * K));
    assert_null(tables_take(&tables, 16 * K));
    assert_non_null(tables_take(&tables, 16 * K));
    assert_int_equal(tables.used, 18 * K);
}

static void wrong_pieces_are_our_mistake(void **unused)
{
    unsigned char *piece = tables_take(&tables, 4 * K);

    (void)unused;
    expect_assert_failure(tables_take(&tables, 3 * K));
    expect_assert_failure(tables_take(&tables, 32 * K));
    expect_assert_failure(tables_take(&tables, K));
    expect_assert_failure(tables_give(&tables, piece, 8 * K));
    expect_assert_failure(tables_give(&tables, piece + 2 * K, 4 * K));
    tables_give(&tables, piece, 4 * K);
    expect_assert_failure(tables_give(&tables, piece, 4 * K));
}

static void check_sees_510(void **unused)
{
    (void)unused;
    assert_non_null(tables_take(&tables, 4 * K));
    tables.used += 2 * K;
    assert_broken(510);
    tables.used -= 2 * K;
    tables.taken[3] = 1;
    assert_broken(510);
}

static void check_sees_511(void **unused)
{
    (void)unused;
    assert_non_null(tables_take(&tables, 4 * K));
    tables.virgin++;
    assert_broken(511);
    tables.virgin--;
    tables.taken[0] = 0xf0;
    tables.used = 8 * K;
    assert_broken(511);
    tables.taken[0] = 0;
    tables.used = 0;
    assert_broken(511);
}

static void check_sees_a_piece_that_forgot_the_one_before(void **unused)
{
    void *piece[3];

    (void)unused;
    for (unsigned i = 0; i < 3; i++)
        piece[i] = tables_take(&tables, 16 * K);
    for (unsigned i = 0; i < 3; i++)
        tables_give(&tables, piece[i], 16 * K);
    assert_whole();
    ((void **)piece[1])[1] = piece[0];
    assert_broken(511);
    ((void **)piece[1])[1] = piece[2];
    assert_whole();
    ((void **)piece[2])[1] = piece[1];
    assert_broken(511);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pieces_are_aligned_and_apart, begin),
        cmocka_unit_test_setup(halves_are_whole_again, begin),
        cmocka_unit_test_setup(what_was_never_taken_is_not_written, begin),
        cmocka_unit_test(no_memory_is_no_piece),
        cmocka_unit_test_setup(owns_nothing_else, begin),
        cmocka_unit_test_setup(a_plan_refuses, begin),
        cmocka_unit_test_setup(wrong_pieces_are_our_mistake, begin),
        cmocka_unit_test_setup(check_sees_510, begin),
        cmocka_unit_test_setup(check_sees_511, begin),
        cmocka_unit_test_setup(check_sees_a_piece_that_forgot_the_one_before, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
