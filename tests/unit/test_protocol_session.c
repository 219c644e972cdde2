/* SPDX-License-Identifier: MIT */
/* What is remembered of requests, and that each runs exactly once in a strict session. */
#include "tests/unit/protocol_support.h"

static void be_strict(void)
{
    assert_non_null(ask_for(sealed(">0 sync 5"), "=0 5 proto=1 arch=fake page=4096"));
    assert_true(session_is_strict());
    forget();
}

static void the_reply_is_dressed_like_the_request(void **unused)
{
    (void)unused;
    ask("> echo 1", "= 1");
    ask(">7 echo 1", "=7 1");
    ask(sealed("> echo 1"), sealed("= 1"));
    ask(sealed(">4294967295 echo"),
        sealed("?4294967295 call.missing arg=value ; an argument is missing"));
    ask_sealed(">3 areas", ":3 high first=0x0000000001000000 limit=0x0010000000000000 "
               "managed=12288 free=12288\n:3 low first=0x0000000000000000 "
               "limit=0x0000000001000000 managed=4095 free=4095\n=3 n=2");
}

static void a_request_that_takes_long_says_so_to_a_program(void **unused)
{
    (void)unused;
    sign_is_due = true;
    ask(">1 dump pages 0x1000 1", ":1 0x0000000000001000 1 free area=low fresh=1\r\n=1 n=1");
    assert_false(sign_is_due);
    assert_null(strstr(ask_for(sealed(">0 sync 5"), "=0 5"), "signs="));
    ticks_per_second = 1000;
    assert_non_null(strstr(ask_for(sealed(">0 sync 5"), "=0 5"), " signs=10 "));
    ticks_per_second = 0;
    forget();
    sign_is_due = true;
    ask_sealed(">1 dump pages 0x1000 1",
               ":1 0x0000000000001000 1 free area=low fresh=1\n% busy tag=1\n=1 n=1");
}

static void a_wrong_checksum_runs_nothing(void **unused)
{
    (void)unused;
    ask(">1 alloc_page *0000", sealed("? link.crc last=0 ; the checksum does not match"));
    ask(">1 echo 1 *29B1", "?1 call.surplus ; one argument too many");
    ask("> dump pages 0x1000 1",
        ": 0x0000000000001000 1 free area=low fresh=1\r\n= n=1");
}

static void a_malformed_mark_is_refused(void **unused)
{
    static const char *const lines[] = {
        ">", "> ", ">  ", ">7", ">echo 1", ">07 echo 1", ">4294967296 echo 1", ">0x1 echo 1",
        ">99999999999999999999999 echo 1", ">1echo 1",
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        ask(lines[i], "? link.form last=0 ; the line is not a request");
    ask(">0 echo 1", "?0 link.form last=0 ; the line is not a request");
    ask(">9 sync 1", "?9 link.form last=0 ; the line is not a request");
}

static void results_are_kept_by_tag(void **unused)
{
    char line[64];

    (void)unused;
    ask(">7 alloc_page", "=7 0x0000000001000000");
    ask(">8 alloc_pages 19", "?8 call.range arg=order min=0 max=18 ; the value is out of range");
    ask("> echo $8", "? call.reference arg=value ; the variable holds no value");
    ask("> echo $7", "= 0x0000000001000000");
    ask(">7 check", "=7");
    ask("> echo $7", "? call.reference arg=value ; the variable holds no value");
    ask(">9 echo 33", "=9 33");
    for (unsigned i = 10; i < 9 + SLOTS; i++) {
        snprintf(line, sizeof(line), ">%u check", i);
        assert_non_null(ask_for(line, "="));
        forget();
    }
    ask("> echo $9", "= 33");
    snprintf(line, sizeof(line), ">%u echo 44", 9 + SLOTS);
    assert_non_null(ask_for(line, "="));
    forget();
    ask("> echo $9", "? call.reference arg=value ; the variable holds no value");
}

static void the_last_result_survives_success_not_failure(void **unused)
{
    (void)unused;
    ask("> echo 5", "= 5");
    ask("> check", "=");
    ask("> echo $", "= 5");
    ask("> free 0",
        "? mem.unmanaged at=0x0000000000000000 ; the allocator does not manage this page");
    ask("> echo $", "? call.reference arg=value ; the variable holds no value");
    ask("> echo 6", "= 6");
    ask("> reset", "=");
    ask("> echo $", "? call.reference arg=value ; the variable holds no value");
}

static void variables_change_by_success_and_end_with_the_instance(void **unused)
{
    static const char *const ends[] = { "> reset", "> map_machine" };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
        ask(">5 alloc_page as=3", "=5 0x0000000001000000");
        ask("> alloc_page as=3 at=0", "? mem.unmanaged at=0x0000000000000000 ; the allocator does "
            "not manage this page");
        ask("> echo $v3", "= 0x0000000001000000");
        ask(ends[i], "=");
        ask("> echo $v3", "? call.reference arg=value ; the variable holds no value");
        ask("> echo $5", "? call.reference arg=value ; the variable holds no value");
        ask("> again 5", "= 0x0000000001000000");
    }
}

static void again_repeats_finals_of_mutators(void **unused)
{
    (void)unused;
    ask(">5 alloc_page", "=5 0x0000000001000000");
    ask(">6 free 0x1001",
        "?6 mem.unaligned at=0x0000000000001001 ; the address is not that of a page");
    ask(">7 echo 1", "=7 1");
    ask(">20 again 5", "=20 0x0000000001000000");
    ask("> echo $20", "= 0x0000000001000000");
    ask("> again 6", "? mem.unaligned at=0x0000000000001001 ; the address is not that of a page");
    ask("> again 7", "? call.reference arg=request ; the variable holds no value");
    ask("> again 261", "? call.reference arg=request ; the variable holds no value");
}

static void a_strict_line_runs_once(void **unused)
{
    (void)unused;
    be_strict();
    ask_sealed(">1 alloc_page", "=1 0x0000000001000000");
    ask_sealed(">1 alloc_page", "=1 0x0000000001000000");
    ask_sealed(">2 alloc_page", "=2 0x0000000001001000");
    ask_sealed(">1 alloc_page", "?1 link.seq last=2 ; the tag is not the one after the last");
    ask_sealed(">4 alloc_page", "?4 link.seq last=2 ; the tag is not the one after the last");
    ask_sealed(">2 free $1", "?2 link.seq last=2 ; the tag is not the one after the last");
    ask_sealed("> alloc_page", "? link.seq last=2 ; the tag is not the one after the last");
    ask(">3 alloc_page", sealed("? link.crc last=2 ; the checksum does not match"));
    ask(">3 alloc_page *0000", sealed("? link.crc last=2 ; the checksum does not match"));
    ask_sealed(">3 free $1", "=3 1");
    ask_sealed(">3 free $1", "=3 1");
    ask_sealed(">4 free $1", "?4 mem.free at=0x0000000001000000 ; the page is free already");
    ask_sealed(">4 free $1", "?4 mem.free at=0x0000000001000000 ; the page is free already");
}

/* A final that is nothing but its sigil is one, too. */
static void a_strict_line_that_returns_nothing_runs_once(void **unused)
{
    (void)unused;
    be_strict();
    ask_sealed(">1 map_begin", "=1");
    ask_sealed(">2 map_add 1M 1M", "=2");
    ask_sealed(">3 map_commit", "=3");
    ask_sealed(">3 map_commit", "=3");
    ask_sealed(">4 again 3", "=4");
    ask_sealed(">5 reserve 1M 1", "=5 0x0000000000100000");
    ask_sealed(">6 unreserve 1M 1", "=6");
    ask_sealed(">6 unreserve 1M 1", "=6");
}

static void a_repeated_query_runs_again(void **unused)
{
    (void)unused;
    be_strict();
    ask_sealed(">1 dump pages 0x1000 1", ":1 0x0000000000001000 1 free area=low fresh=1\n=1 n=1");
    ask_sealed(">1 dump pages 0x1000 1", ":1 0x0000000000001000 1 free area=low fresh=1\n=1 n=1");
    ask_sealed(">1 dump pages 0x2000 1",
               "?1 link.seq last=1 ; the tag is not the one after the last");
}

/* Half a line, cut by a false line end, must not look like an answer to its tag. */
static void a_torn_strict_line_has_no_tag(void **unused)
{
    static const char *const torn[] = {
        ">", ">1", ">1 ", ">1 alloc_page", ">0 ", ">0 alloc_page", ">7 sync 1", "alloc_page",
    };
    const char *answer = "? link.crc last=0 ; the checksum does not match";

    (void)unused;
    be_strict();
    for (size_t i = 0; i + 1 < ARRAY_SIZE(torn); i++)
        ask(torn[i], sealed(answer));
    ask("alloc_page", sealed("? link.crc last=0 ; strict session: type sync 0 to end it"));
    ask_sealed(">", "? link.form last=0 ; the line is not a request");
    ask_sealed(">1", "? link.form last=0 ; the line is not a request");
    ask_sealed(">1 alloc_page", "=1 0x0000000001000000");
}

/* What has been forgotten is not run twice for that. */
static void a_lost_final_is_no_licence_to_run_again(void **unused)
{
    (void)unused;
    be_strict();
    ask_sealed(">1 alloc_page", "=1 0x0000000001000000");
    assert_non_null(ask_for("> sync 1", "= 1"));
    forget();
    ask(">257 check", "=257");
    be_strict();
    ask_sealed(">1 alloc_page", "?1 link.seq last=1 ; the tag is not the one after the last");
    ask_sealed(">2 alloc_page", "=2 0x0000000001001000");
}

static void a_refused_command_uses_its_tag(void **unused)
{
    (void)unused;
    be_strict();
    ask_sealed(">1 nonsense", "?1 call.command ; no such command");
    ask_sealed(">1 nonsense", "?1 call.command ; no such command");
    ask_sealed(">2 alloc_pages 99",
               "?2 call.range arg=order min=0 max=18 ; the value is out of range");
    ask_sealed(">2 alloc_pages 99",
               "?2 call.range arg=order min=0 max=18 ; the value is out of range");
    ask_sealed(">3 again 2", "?3 call.range arg=order min=0 max=18 ; the value is out of range");
}

static void tags_go_on_over_reset_and_sync(void **unused)
{
    (void)unused;
    be_strict();
    ask_sealed(">1 reset", "=1");
    assert_non_null(strstr(ask_for(sealed(">0 sync 9"), "=0 9 "), " last=1 "));
    forget();
    ask_sealed(">1 reset", "=1");
    ask_sealed(">2 alloc_page", "=2 0x0000000001000000");
}

static void a_damaged_sync_changes_nothing(void **unused)
{
    (void)unused;
    ask(">0 sync 5 *0000", sealed("? link.crc last=0 ; the checksum does not match"));
    assert_false(session_is_strict());
    be_strict();
    ask(">0 sync 5 *0000", sealed("? link.crc last=0 ; the checksum does not match"));
    assert_true(session_is_strict());
    ask_sealed(">0 sync banana", "?0 call.number arg=nonce ; not a number");
    assert_true(session_is_strict());
}

static void a_failed_assertion_is_an_answer_and_ends_mutators(void **unused)
{
    static const char *const dead = "? bug.dead ; refused after a failed assertion: reset first";

    (void)unused;
    ask(">3 panic assert", "?3 bug.assert at=some_file.c:7 ; an_assertion_on_request");
    assert_true(lab.dead);
    ask("> alloc_page", dead);
    ask("> map_begin", dead);
    ask("> echo 1", "= 1");
    ask("> check", "=");
    ask("> reset", "=");
    ask("> alloc_page", "= 0x0000000001000000");
}

static void after_a_panic_nothing_makes_it_afresh(void **unused)
{
    static const char *const dead = "? bug.dead ; refused after a panic: poweroff is all that is "
                                    "left";

    (void)unused;
    lab.dead = survived = true;
    ask("> alloc_page", dead);
    ask("> reset", dead);
    ask("> map_machine", dead);
    ask("> check", "=");
    lab.dead = survived = false;
}

static void poweroff_answers_first(void **unused)
{
    (void)unused;
    if (setjmp(off) == 0) {
        feed(">1 poweroff\n");
        fail();
    }
    assert_int_equal(off_status, 0);
    expect("=1\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_reply_is_dressed_like_the_request, begin),
        cmocka_unit_test_setup(a_request_that_takes_long_says_so_to_a_program, begin),
        cmocka_unit_test_setup(a_wrong_checksum_runs_nothing, begin),
        cmocka_unit_test_setup(a_malformed_mark_is_refused, begin),
        cmocka_unit_test_setup(results_are_kept_by_tag, begin),
        cmocka_unit_test_setup(the_last_result_survives_success_not_failure, begin),
        cmocka_unit_test_setup(variables_change_by_success_and_end_with_the_instance, begin),
        cmocka_unit_test_setup(again_repeats_finals_of_mutators, begin),
        cmocka_unit_test_setup(a_strict_line_runs_once, begin),
        cmocka_unit_test_setup(a_strict_line_that_returns_nothing_runs_once, begin),
        cmocka_unit_test_setup(a_repeated_query_runs_again, begin),
        cmocka_unit_test_setup(a_lost_final_is_no_licence_to_run_again, begin),
        cmocka_unit_test_setup(a_torn_strict_line_has_no_tag, begin),
        cmocka_unit_test_setup(a_refused_command_uses_its_tag, begin),
        cmocka_unit_test_setup(tags_go_on_over_reset_and_sync, begin),
        cmocka_unit_test_setup(a_damaged_sync_changes_nothing, begin),
        cmocka_unit_test_setup(a_failed_assertion_is_an_answer_and_ends_mutators, begin),
        cmocka_unit_test_setup(after_a_panic_nothing_makes_it_afresh, begin),
        cmocka_unit_test_setup(poweroff_answers_first, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
