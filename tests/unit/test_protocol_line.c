/* SPDX-License-Identifier: MIT */
/* From bytes to lines: quiet ones, typed ones, damaged ones, and a terminal to look at them. */
#include "tests/unit/protocol_support.h"

#define BYTE_ERROR "? link.byte last=0 ; the line holds a byte that is not printable ASCII\r\n"
#define LONG_ERROR "? link.long last=0 ; the line is longer than the announced limit\r\n"

/* ---- a terminal of one line: what a person sees in the line of the cursor ---- */

static char screen[2048];

static const char *look(void)
{
    size_t column = 0, length = 0;

    for (size_t i = 0; i < said_length; i++) {
        char c = said[i];

        if (c == '\r' || c == '\n') {
            column = 0;
            length = c == '\n' ? 0 : length;
        } else if (c == '\b') {
            assert_true(column > 0);
            column--;
        } else if (c != '\a') {
            screen[column++] = c;
            length = column > length ? column : length;
        }
    }
    while (length > column && screen[length - 1] == ' ')
        length--;
    snprintf(screen + length, sizeof(screen) - length, "@%zu", column);
    return screen;
}

/* Type `keys` at a fresh prompt; the line then looks like this, "@" and the cursor's column. */
static void see(const char *keys, const char *line)
{
    feed("\x15");
    forget();
    feed("\r");
    feed(keys);
    assert_string_equal(look(), line);
}

/* ---- quiet lines ---- */

static void any_end_of_line_will_do(void **unused)
{
    (void)unused;
    feed("> echo 1\r> echo 2\n> echo 3\r\n\r\n> echo 4\n");
    assert_string_equal(strstr(said, "= 1"), "= 1\r\n= 2\r\n= 3\r\n> \r\n= 4\r\n");
}

static void a_line_may_come_in_pieces(void **unused)
{
    static const char line[] = ">7 echo 1234\r\n";

    (void)unused;
    for (size_t i = 0; i + 2 < sizeof(line); i++) {
        line_feed(line + i, 1);
        assert_int_equal(said_length, i + 3 < sizeof(line) ? 0 : strlen("=7 1234\r\n"));
    }
}

static void answers_are_never_answered(void **unused)
{
    (void)unused;
    feed("= 5\n? call.range\n: 1 2\n% boot\n; text\n=\n?\x01\xff\n");
    for (int i = 0; i < 3000; i++)
        feed("?");
    feed("\n");
    expect("");
}

static void an_echo_falls_silent(void **unused)
{
    static char heard[sizeof(said)];

    (void)unused;
    feed("> echo 1\n> nonsense\n\necho 2\n>\n");
    for (int round = 0; round < 20 && said_length > 0; round++) {
        strcpy(heard, said);
        forget();
        feed(heard);
    }
    expect("");
}

static void control_bytes_spoil_a_quiet_line_once(void **unused)
{
    (void)unused;
    feed("> echo \x01 1\n");
    expect(BYTE_ERROR);
    line_feed("> echo \0 1\n", 11);
    expect(BYTE_ERROR);
    feed("> echo \x7f 1\n> echo \x80\xff 1\n");
    expect(BYTE_ERROR BYTE_ERROR);
    ask(">\techo\t1", "= 1");
}

static void a_long_line_is_one_error(void **unused)
{
    char text[LINE_LENGTH + 2];

    (void)unused;
    memset(text, ' ', sizeof(text));
    memcpy(text, "> echo 1", 8);
    text[LINE_LENGTH] = '\0';
    ask(text, "= 1");
    text[LINE_LENGTH] = ' ';
    text[LINE_LENGTH + 1] = '\0';
    feed(text);
    for (int i = 0; i < 5000; i++)
        feed("> echo 1 ");
    feed("\n");
    expect(LONG_ERROR);
    ask("> echo 1", "= 1");
}

static void interrupt_drops_a_quiet_line(void **unused)
{
    (void)unused;
    feed("> echo 1\x03> echo 2\n");
    assert_non_null(strstr(said, "= 2\r\n"));
    assert_null(strstr(said, "= 1"));
}

/* Whatever line it stands in: the machine is to know which ^C are behind. */
static void each_interrupt_is_passed_once(void **unused)
{
    (void)unused;
    interrupts_passed = 0;
    feed("\003\003> echo\003\003echo \003; noise\003\n\033\003");
    assert_int_equal(interrupts_passed, 7);
}

/* ---- typed lines ---- */

static void a_typed_line_is_echoed_and_prompted(void **unused)
{
    (void)unused;
    feed("echo 5\r\n");
    expect("> echo 5\r\n= 5\r\n> ");
    feed("\r");
    expect("\r\n> ");
    feed("   \n");
    expect("   \r\n> ");
    feed("> echo 6\n");
    expect("\r\n= 6\r\n");
}

static void a_typed_line_is_spoiled_or_too_long(void **unused)
{
    (void)unused;
    line_feed("ec\0ho 1\n", 8);
    expect("> ec\aho 1\r\n" BYTE_ERROR "> ");
    feed("\xc3\xa9\n");
    assert_non_null(strstr(said, BYTE_ERROR));
    forget();
    feed("echo 1");
    for (unsigned i = 6; i < LINE_LENGTH; i++)
        feed(" ");
    feed("\n");
    assert_non_null(strstr(said, "\r\n= 1\r\n"));
    forget();
    feed("echo 1");
    for (unsigned i = 6; i < 3 * LINE_LENGTH; i++)
        feed("1");
    feed("\n");
    assert_non_null(strstr(said, LONG_ERROR));
    feed("echo 7\n");
    assert_non_null(strstr(said, "\r\n= 7\r\n"));
}

/* What is said comes back, as from a plug or a terminal that echoes; true if it falls silent. */
static bool loop_falls_silent(const char *begin)
{
    static char back[4096];

    feed("\x03\n");
    forget();
    feed(begin);
    for (unsigned i = 0; i < 5000 && said_length > 0; i++) {
        if (said_length >= sizeof(back))
            return false;
        memcpy(back, said, said_length + 1);
        forget();
        feed(back);
    }
    return said_length == 0;
}

static void a_loop_falls_silent(void **unused)
{
    static const char *const noise[] = {
        "x", " ", "\x80", "\a", "ab\x80 c", "\x1b[Z", "echo 1\n", "echo 1", "> echo 1\n",
        ">", "bogus\n", "\n", "\x1b[A", "e\x0c", "\x03", "\x1b~",
    };

    (void)unused;
    feed("echo 9\n");
    for (size_t i = 0; i < ARRAY_SIZE(noise); i++)
        assert_true(loop_falls_silent(noise[i]));
}

static void keys_edit_the_line(void **unused)
{
    (void)unused;
    see("abc", "> abc@5");
    see("abc\b", "> ab@4");
    see("abc\x7f\x7f\x7f\x7f", "> @2");
    see("abc\x1b[D\x1b[Dx", "> axbc@4");
    see("abc\x1bOD\b", "> ac@3");
    see("abc\x1b[D\x1b[D\x1b[D\x1b[D\x1b[3~", "> bc@2");
    see("abc\x1b[Hx\x1b[Fy", "> xabcy@7");
    see("abc\x01x\x05y", "> xabcy@7");
    see("abc\x1b[1~\x1b[C\x0b", "> a@3");
    see("abc\x02\x02\x04\x06z", "> acz@5");
    see("abc def  \x17", "> abc @6");
    see("abc def\x02\x02\x17", "> abc ef@6");
    see("abc\x15" "d", "> d@3");
    see("abc\x1b[5~d", "> abcd@6");
    see("abc\x1b[999999999Zd", "> abc999Zd@10");
    see("abc\x02\x0c", "> abc@4");
    see("abc\x1b[D\x1b[D\x1b~x", "> axbc@4");
}

static void history_goes_up_and_down(void **unused)
{
    (void)unused;
    feed("echo 1\recho 2\recho 2\recho 3\r");
    see("\x1b[A", "> echo 3@8");
    see("\x10\x10", "> echo 2@8");
    see("\x10\x10\x10", "> echo 1@8");
    see("\x10\x10\x10\x10", "> echo 1@8");
    see("\x10\x10\x1b[B", "> echo 3@8");
    see("\x10\x0e", "> @2");
    see("\x0e", "> @2");
    feed("echo a\recho b\recho c\recho d\recho e\recho f\recho g\recho h\r");
    feed("echo i\recho j\recho k\recho l\recho m\recho n\recho o\recho p\r");
    see("\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10\x10", "> echo a@8");
}

static void tab_completes_from_the_table(void **unused)
{
    (void)unused;
    see("all\t", "> alloc_@8");
    see("alloc_p\t", "> alloc_page@12");
    see("alloc_pages_a\t", "> alloc_pages_area @19");
    see("alloc_pages_area l\t", "> alloc_pages_area low@22");
    see("alloc_pages_area low|h\t", "> alloc_pages_area low|high@27");
    see("on 2 alloc_pages_a\tl\t", "> on 2 alloc_pages_area low@27");
    see("store 3 on 1 all\t", "> store 3 on 1 alloc_@21");
    see("on 1 alloc_pages 3 ali\t4K", "> on 1 alloc_pages 3 align=4K@29");
    see("mark all\t", "> mark all@10");
    see("on on\t", "> on on@7");
    see("alloc_pages 3 ali\t4K", "> alloc_pages 3 align=4K@24");
    see("alloc_pages 3 area=lo\t", "> alloc_pages 3 area=low@24");
    see("alloc_page attributes=unc\t|n\t", "> alloc_page attributes=uncached|nx@35");
    see("dump f\t", "> dump free @12");
    see("map_add 0 1M kind=r\t", "> map_add 0 1M kind=reserved @29");
    see("help chec\t", "> help check @13");
    see("echo x\t", "> echo x@8");
    see("reset\x01\x06\x06\x06\t", "> reseet@6");
    feed("\x15" "dump \t");
    assert_non_null(strstr(said, "\r\n  areas  free  pages  phys  map  pagetables  virt  heap\r\n"
                                 "> dump "));
    feed("\x15");
    forget();
    feed("\t");
    for (const char *at = said; at != NULL; at = strchr(at + 1, '\n'))
        assert_true(strcspn(at + 1, "\r\n") < 80);
    assert_non_null(strstr(said, "memalign_pages\r\n> "));
}

static void interrupt_drops_a_typed_line(void **unused)
{
    (void)unused;
    feed("echo 1\x03");
    expect("> echo 1^C\r\n> ");
    feed("echo 2\r");
    expect("echo 2\r\n= 2\r\n> ");
}

/* It had its effect, and the prompt behind the answer is the one that counts. */
static void interrupt_that_stopped_a_command_is_not_shown(void **unused)
{
    (void)unused;
    feed("check\r");
    forget();
    interrupt_stopped = true;
    feed("\x03");
    expect("");
    feed("echo 1\x03");
    expect("echo 1^C\r\n> ");
    interrupt_stopped = false;
    feed("\x03");
    expect("^C\r\n> ");
}

static void the_log_does_not_tear_a_typed_line(void **unused)
{
    (void)unused;
    feed("echo 42\x02");
    forget();
    protocol_log("timer\ttick\x80");
    expect("\r\n; timer.tick.\r\n> echo 42\b");
    feed("3\r");
    assert_non_null(strstr(said, "= 432\r\n"));
    feed("> echo 1\n");
    forget();
    protocol_log("alone");
    expect("; alone\r\n");
}

static void a_strict_session_shows_a_person_nothing_but_the_way_out(void **unused)
{
    (void)unused;
    feed(sealed(">0 sync 1"));
    feed("\n");
    forget();
    feed("ec");
    feed("\x1b[A\t\b\x03\r\n");
    expect("");
    ask("echo 1", sealed("? link.crc last=0 ; strict session: type sync 0 to end it"));
    ask("ec\xe9", sealed("? link.byte last=0 ; strict session: type sync 0 to end it"));
    feed("sync 0\r");
    assert_string_equal(said + said_length - 4, "\r\n> ");
    assert_false(session_is_strict());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(any_end_of_line_will_do, begin),
        cmocka_unit_test_setup(a_line_may_come_in_pieces, begin),
        cmocka_unit_test_setup(answers_are_never_answered, begin),
        cmocka_unit_test_setup(an_echo_falls_silent, begin),
        cmocka_unit_test_setup(control_bytes_spoil_a_quiet_line_once, begin),
        cmocka_unit_test_setup(a_long_line_is_one_error, begin),
        cmocka_unit_test_setup(interrupt_drops_a_quiet_line, begin),
        cmocka_unit_test_setup(each_interrupt_is_passed_once, begin),
        cmocka_unit_test_setup(a_typed_line_is_echoed_and_prompted, begin),
        cmocka_unit_test_setup(a_typed_line_is_spoiled_or_too_long, begin),
        cmocka_unit_test_setup(a_loop_falls_silent, begin),
        cmocka_unit_test_setup(keys_edit_the_line, begin),
        cmocka_unit_test_setup(history_goes_up_and_down, begin),
        cmocka_unit_test_setup(tab_completes_from_the_table, begin),
        cmocka_unit_test_setup(interrupt_drops_a_typed_line, begin),
        cmocka_unit_test_setup(interrupt_that_stopped_a_command_is_not_shown, begin),
        cmocka_unit_test_setup(the_log_does_not_tear_a_typed_line, begin),
        cmocka_unit_test_setup(a_strict_session_shows_a_person_nothing_but_the_way_out, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
