/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "arch/s390x/screen.h"
#include "tests/unit/support.h"

static struct screen screen;
static char lines[8192];

static void put(const char *line, size_t length)
{
    size_t at = strlen(lines);

    assert_true(length <= SCREEN_COLUMNS && at + length + 2 <= sizeof(lines));
    memcpy(lines + at, line, length);
    memcpy(lines + at + length, "|", 2);
}

static const char *write_text(const char *text)
{
    lines[0] = '\0';
    screen_write(&screen, text, strlen(text), put);
    return lines;
}

static int clear(void **state)
{
    (void)state;
    memset(&screen, 0, sizeof(screen));
    return 0;
}

static void test_lines(void **state)
{
    (void)state;
    assert_string_equal(write_text("= 1\r\n; log\n"), "= 1|; log|");
    assert_string_equal(write_text("% half"), "");
    assert_string_equal(write_text(" a line\r\n"), "% half a line|");
}

static void test_prompt_alone_is_no_line(void **state)
{
    (void)state;
    assert_string_equal(write_text("> \r\n\r\n>\n   \n"), "");
    assert_string_equal(write_text("> echo 1\r\n"), "> echo 1|");
    assert_string_equal(write_text(">>\n"), ">>|");
}

static void test_editing_shows_its_result(void **state)
{
    (void)state;
    assert_string_equal(write_text("> ecxo\b\bh\n"), "> echo|");
    assert_string_equal(write_text("> abc\b \b\b \b\n"), "> a|");
    assert_string_equal(write_text("\b\bx\n"), "x|");
    assert_string_equal(write_text("12345\rab\n"), "ab345|");
}

static void test_control_bytes_vanish(void **state)
{
    (void)state;
    assert_string_equal(write_text("a\a\tb\x7f\n"), "ab|");
}

static void test_long_lines_are_folded(void **state)
{
    static char text[SCREEN_COLUMNS + 8];

    (void)state;
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    write_text(text);
    assert_int_equal(strlen(lines), SCREEN_COLUMNS + 6 + 2);
    assert_int_equal(lines[SCREEN_COLUMNS], '|');
}

static void test_flush(void **state)
{
    (void)state;
    lines[0] = '\0';
    screen_flush(&screen, put);
    assert_string_equal(lines, "");
    write_text("rest");
    screen_flush(&screen, put);
    assert_string_equal(lines, "rest|");
    assert_string_equal(write_text("\n"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, clear),
        cmocka_unit_test_setup(test_prompt_alone_is_no_line, clear),
        cmocka_unit_test_setup(test_editing_shows_its_result, clear),
        cmocka_unit_test_setup(test_control_bytes_vanish, clear),
        cmocka_unit_test_setup(test_long_lines_are_folded, clear),
        cmocka_unit_test_setup(test_flush, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
