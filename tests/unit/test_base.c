/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

static void test_order_for(void **state)
{
    (void)state;
    assert_int_equal(order_for(1), 0);
    assert_int_equal(order_for(2), 1);
    assert_int_equal(order_for(3), 2);
    assert_int_equal(order_for(MAX_BLOCK_PAGES), MAX_ORDER);
    assert_int_equal(order_for((UINT64_C(1) << 62) + 1), 63);
}

static void test_errors_have_names(void **state)
{
    (void)state;
    assert_string_equal(error_category(E_MEM_NONE), "mem");
    assert_string_equal(error_word(E_CALL_ALIGN), "align");
    for (int e = OK + 1; e < ERROR_COUNT; e++)
        assert_non_null(error_text((enum error)e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_for),
        cmocka_unit_test(test_errors_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
