/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "arch/s390x/loadparm.h"
#include "tests/unit/support.h"

static char out[LOADPARM_OPTIONS + 32];

static const char *apply(const char *loadparm, const char *command_line)
{
    loadparm_apply(loadparm, command_line, out, sizeof(out));
    return out;
}

static void test_blank_is_none(void **state)
{
    (void)state;
    assert_string_equal(apply("        ", ""), "");
    assert_string_equal(apply("        ", "scan=low"), "scan=low");
}

static void test_presets(void **state)
{
    (void)state;
    assert_string_equal(apply("AREAS16M", ""), "areas=dma:16M,low:2G,normal");
    assert_string_equal(apply("LOWFIRST", ""), "scan=low");
    assert_string_equal(apply("ONEAREA ", ""), "areas=normal");
    assert_string_equal(apply(" ONEAREA", ""), "areas=normal");
    assert_string_equal(apply("TINYPOOL", ""), "kpool=256K");
}

/* The later word wins, and that is the command line's. */
static void test_before_the_command_line(void **state)
{
    (void)state;
    assert_string_equal(apply("LOWFIRST", "scan=normal"), "scan=low scan=normal");
}

static void test_unknown_is_an_unknown_option(void **state)
{
    (void)state;
    assert_string_equal(apply("ONEARE  ", ""), "loadparm=ONEARE");
    assert_string_equal(apply("ONEAREAS", "x=1"), "loadparm=ONEAREAS x=1");
    assert_string_equal(apply("onearea ", ""), "loadparm=onearea");
}

static void test_the_longest_fit(void **state)
{
    static const char *const names[] = {
        "AREAS16M", "LOWFIRST", "ONEAREA ", "TINYPOOL", "OHNOOHNO",
    };
    static char line[128], all[LOADPARM_OPTIONS + sizeof(line)];

    (void)state;
    memset(line, 'x', sizeof(line) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        loadparm_apply(names[i], line, all, sizeof(all));
        assert_string_equal(all + strlen(all) - strlen(line), line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blank_is_none),
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_before_the_command_line),
        cmocka_unit_test(test_unknown_is_an_unknown_option),
        cmocka_unit_test(test_the_longest_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
