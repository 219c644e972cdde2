/* SPDX-License-Identifier: MIT */
/* Text, numbers and checksums of kernel/lib. */
#include <stdio.h>

#include "tests/unit/support.h"

#include "kernel/lib/crc.h"
#include "kernel/lib/format.h"
#include "kernel/lib/number.h"
#include "kernel/lib/string.h"

static char buffer[64];
static struct text text;

static int begin(void **unused)
{
    (void)unused;
    text_init(&text, buffer, sizeof(buffer));
    return 0;
}

static void decimals_of_every_length(void **unused)
{
    (void)unused;
    for (uint64_t n = 1, digits = 1; digits <= 20; digits++, n *= 10) {
        char expected[64];

        snprintf(expected, sizeof(expected), "%llu %llu", (unsigned long long)n,
                 (unsigned long long)n - 1);
        (void)begin(NULL);
        text_decimal(&text, n);
        text_char(&text, ' ');
        text_decimal(&text, n - 1);
        assert_string_equal(buffer, expected);
    }
    (void)begin(NULL);
    text_decimal(&text, UINT64_MAX);
    assert_string_equal(buffer, "18446744073709551615");
}

static void hex_is_padded_but_never_cut(void **unused)
{
    (void)unused;
    text_hex(&text, 0, 1);
    text_hex(&text, 0xabc, 2);
    text_hex(&text, 0xabc, 8);
    assert_string_equal(buffer, "0x00xabc0x00000abc");
    (void)begin(NULL);
    text_hex(&text, UINT64_MAX, 0);
    text_hex(&text, 5, 99);
    assert_string_equal(buffer, "0xffffffffffffffff0x0000000000000005");
}

static void text_stops_at_the_end_of_the_buffer(void **unused)
{
    (void)unused;
    text_init(&text, buffer, 5);
    text_string(&text, "abcd");
    assert_false(text.truncated);
    text_string(&text, "");
    assert_false(text.truncated);
    text_char(&text, 'e');
    assert_true(text.truncated);
    assert_string_equal(buffer, "abcd");
    assert_int_equal(text.length, 4);
    text_init(&text, buffer, 3);
    text_bytes(&text, "xyz", 3);
    assert_true(text.truncated);
    assert_string_equal(buffer, "xy");
    text_init(&text, buffer, 1);
    text_char(&text, 'x');
    assert_string_equal(buffer, "");
    assert_true(text.truncated);
}

static void checksum_is_ccitt_false(void **unused)
{
    (void)unused;
    assert_int_equal(crc16("123456789", 9), 0x29b1);
    assert_int_equal(crc16("", 0), 0xffff);
    assert_int_equal(crc16_more(crc16("1234", 4), "56789", 5), 0x29b1);
    assert_int_equal(crc16(">0 sync 0x5f3a91c2", 18), 0xc6c4);
}

static void assert_number(const char *s, enum error error, uint64_t expected)
{
    uint64_t value = 12345;

    assert_int_equal(number_parse(s, strlen(s), &value), error);
    assert_int_equal(value, error == OK ? expected : 12345);
}

static void numbers_that_are(void **unused)
{
    (void)unused;
    assert_number("0", OK, 0);
    assert_number("7", OK, 7);
    assert_number("18446744073709551615", OK, UINT64_MAX);
    assert_number("0x0", OK, 0);
    assert_number("0xffffffffffffffff", OK, UINT64_MAX);
    assert_number("0xDeadBeef", OK, 0xdeadbeef);
    assert_number("0x0000000000000001", OK, 1);
    assert_number("4K", OK, 4096);
    assert_number("3M", OK, UINT64_C(3) << 20);
    assert_number("5G", OK, UINT64_C(5) << 30);
    assert_number("64T", OK, UINT64_C(64) << 40);
    assert_number("16777215T", OK, UINT64_C(16777215) << 40);
}

static void numbers_that_are_not(void **unused)
{
    static const char *const bad[] = {
        "", "banana", "-1", "+1", "1e3", "010", "00", "0x", "0x00000000000000001", "0xg", "4Gx",
        "4g", "K", "1.5", " 1", "1 ", "0X1", "0x1K", "4GG", "1_000", "x1",
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_number(bad[i], E_CALL_NUMBER, 0);
    assert_number("18446744073709551616", E_CALL_RANGE, 0);
    assert_number("99999999999999999999999999", E_CALL_RANGE, 0);
    assert_number("16777216T", E_CALL_RANGE, 0);
    assert_number("18446744073709551610", OK, UINT64_C(18446744073709551610));
    assert_number("18446744073709551620", E_CALL_RANGE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(decimals_of_every_length, begin),
        cmocka_unit_test_setup(hex_is_padded_but_never_cut, begin),
        cmocka_unit_test_setup(text_stops_at_the_end_of_the_buffer, begin),
        cmocka_unit_test(checksum_is_ccitt_false),
        cmocka_unit_test(numbers_that_are),
        cmocka_unit_test(numbers_that_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
