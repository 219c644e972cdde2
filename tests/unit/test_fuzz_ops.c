/* SPDX-License-Identifier: MIT */
/* What fuzz_ops tells of an assertion: the one that failed, whatever its input held then. */
#include "tests/unit/support.h"

#include <stdio.h>
#include <string.h>

#include "kernel/lock.h"

/* Its own, not the tests'. */
#define assert_failed target_assert_failed
_Noreturn void assert_failed(const char *condition, const char *file, int line);
#include "tests/fuzz/fuzz_ops.c"
#undef assert_failed

static struct lock outer, inner;
static unsigned runs;
static char told[100];
static jmp_buf ended;

void fuzz_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(told, sizeof(told), format, arguments);
    va_end(arguments);
    longjmp(ended, 1);
}

static void begin_run(struct input *in)
{
    (void)in;
    runs++;
    outer = (struct lock)LOCK_INIT(LOCK_HEAP);
    inner = (struct lock)LOCK_INIT(LOCK_PAGES);
}

static void fail_with_locks(struct input *in)
{
    (void)take_byte(in);
    lock_take(&outer);
    lock_take(&inner);
    target_assert_failed("x > 0", "x.c", 17);
}

static void nothing(void) { }

const struct ops ops_page = { "page", begin_run, fail_with_locks, nothing, nothing };
const struct ops ops_phys, ops_virt, ops_heap;

static void an_assertion_is_told_that_failed_with_locks(void **unused)
{
    static const uint8_t input[] = { 0, 1 };

    (void)unused;
    if (setjmp(ended) == 0)
        LLVMFuzzerTestOneInput(input, sizeof(input));
    assert_string_equal(told, "x.c:17: x > 0");
    assert_int_equal(runs, 2);        /* once more, for the transcript */
}

/* It is told again, once it was not refused. */
static void a_remark_keeps_its_tag_for_the_next_request(void **unused)
{
    uint32_t held;

    (void)unused;
    script_hold("where there is no room");
    held = script_request("malloc 1");
    script_hold(NULL);
    assert_int_equal(script_request("malloc 1"), held);
    assert_int_equal(script_request("malloc 1"), held + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_assertion_is_told_that_failed_with_locks),
        cmocka_unit_test(a_remark_keeps_its_tag_for_the_next_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
