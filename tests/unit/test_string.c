/* SPDX-License-Identifier: MIT */
/* The kernel's memory functions against the C library's, at every alignment. */
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strcmp kernel_strcmp
#include "kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp

#include "tests/unit/support.h"

#define SIZE 96

static unsigned char got[SIZE], expected[SIZE];

static void scramble(void)
{
    for (unsigned i = 0; i < SIZE; i++)
        got[i] = expected[i] = (unsigned char)(i * 37 + 11);
}

static void copies_every_alignment(void **unused)
{
    unsigned char from[SIZE];

    (void)unused;
    for (unsigned i = 0; i < SIZE; i++)
        from[i] = (unsigned char)(i * 91 + 3);
    for (unsigned to = 0; to < 9; to++)
        for (unsigned at = 0; at < 9; at++)
            for (unsigned n = 0; n < 40; n++) {
                scramble();
                for (unsigned i = 0; i < n; i++)
                    expected[to + i] = from[at + i];
                assert_ptr_equal(kernel_memcpy(got + to, from + at, n), got + to);
                assert_memory_equal(got, expected, SIZE);
            }
}

static void moves_both_ways_over_itself(void **unused)
{
    (void)unused;
    for (unsigned to = 0; to < 33; to++)
        for (unsigned from = 0; from < 33; from++)
            for (unsigned n = 0; n < 50; n++) {
                unsigned char copy[SIZE];

                scramble();
                for (unsigned i = 0; i < SIZE; i++)
                    copy[i] = expected[i];
                for (unsigned i = 0; i < n; i++)
                    expected[to + i] = copy[from + i];
                assert_ptr_equal(kernel_memmove(got + to, got + from, n), got + to);
                assert_memory_equal(got, expected, SIZE);
            }
}

static void sets_only_what_it_is_told(void **unused)
{
    (void)unused;
    for (unsigned at = 0; at < 17; at++)
        for (unsigned n = 0; n < 60; n++) {
            scramble();
            for (unsigned i = 0; i < n; i++)
                expected[at + i] = 0xa5;
            /* Only the low byte counts. */
            assert_ptr_equal(kernel_memset(got + at, 0x7a5, n), got + at);
            assert_memory_equal(got, expected, SIZE);
        }
}

static void compares_bytes_without_a_sign(void **unused)
{
    (void)unused;
    assert_int_equal(kernel_memcmp("abc", "abd", 2), 0);
    assert_true(kernel_memcmp("abc", "abd", 3) < 0);
    assert_true(kernel_memcmp("\x80", "\x7f", 1) > 0);
    assert_int_equal(kernel_memcmp("x", "y", 0), 0);
}

static void measures_and_compares_strings(void **unused)
{
    (void)unused;
    assert_int_equal(kernel_strlen(""), 0);
    assert_int_equal(kernel_strlen("page"), 4);
    assert_int_equal(kernel_strcmp("low", "low"), 0);
    assert_true(kernel_strcmp("low", "lowest") < 0);
    assert_true(kernel_strcmp("lowest", "low") > 0);
    assert_true(kernel_strcmp("\xff", "a") > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_every_alignment),
        cmocka_unit_test(moves_both_ways_over_itself),
        cmocka_unit_test(sets_only_what_it_is_told),
        cmocka_unit_test(compares_bytes_without_a_sign),
        cmocka_unit_test(measures_and_compares_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
