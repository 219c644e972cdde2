/* SPDX-License-Identifier: MIT */
#include "arch/s390x/ebcdic.h"
#include "tests/unit/support.h"

static void test_known_characters(void **state)
{
    (void)state;
    assert_int_equal(ebcdic_from_ascii(' '), 0x40);
    assert_int_equal(ebcdic_from_ascii('0'), 0xf0);
    assert_int_equal(ebcdic_from_ascii('A'), 0xc1);
    assert_int_equal(ebcdic_from_ascii('a'), 0x81);
    assert_int_equal(ebcdic_from_ascii('z'), 0xa9);
    assert_int_equal(ebcdic_from_ascii('{'), 0xc0);
    assert_int_equal(ebcdic_from_ascii('}'), 0xd0);
    assert_int_equal(ebcdic_from_ascii('~'), 0xa1);
    /* What tells code page 037 from 500. */
    assert_int_equal(ebcdic_from_ascii('['), 0xba);
    assert_int_equal(ebcdic_from_ascii(']'), 0xbb);
    assert_int_equal(ebcdic_from_ascii('!'), 0x5a);
    assert_int_equal(ebcdic_from_ascii('|'), 0x4f);
    assert_int_equal(ebcdic_from_ascii('^'), 0xb0);
}

/* Sigils, the checksum's star and digits are the same in every EBCDIC code page. */
static void test_invariant_characters(void **state)
{
    static const struct { char ascii; uint8_t ebcdic; } invariant[] = {
        { '>', 0x6e }, { ':', 0x7a }, { '=', 0x7e }, { '?', 0x6f }, { '%', 0x6c }, { ';', 0x5e },
        { '*', 0x5c },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(invariant); i++)
        assert_int_equal(ebcdic_from_ascii(invariant[i].ascii), invariant[i].ebcdic);
}

static void test_printable_round_trip(void **state)
{
    (void)state;
    for (int c = ' '; c <= '~'; c++)
        assert_int_equal(ebcdic_to_ascii(ebcdic_from_ascii((char)c)), c);
}

static void test_the_rest(void **state)
{
    (void)state;
    assert_int_equal(ebcdic_from_ascii('\n'), 0x40);
    assert_int_equal(ebcdic_from_ascii('\x7f'), 0x40);
    assert_int_equal(ebcdic_from_ascii((char)0xe4), 0x40);
    assert_int_equal(ebcdic_to_ascii(0x03), 0x03);
    assert_int_equal(ebcdic_to_ascii(0x00), ASCII_SUBSTITUTE);
    assert_int_equal(ebcdic_to_ascii(0xff), ASCII_SUBSTITUTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_characters),
        cmocka_unit_test(test_invariant_characters),
        cmocka_unit_test(test_printable_round_trip),
        cmocka_unit_test(test_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
