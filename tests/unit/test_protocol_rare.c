/* SPDX-License-Identifier: MIT */
/* What commands say where it is rare: ranges beyond the end, broken invariants, starved records. */
#include "tests/unit/protocol_support.h"

#include "protocol/protocol.h"

/* The answer begins so. */
static void expect_begin(const char *line, const char *start)
{
    assert_non_null(ask_for(line, start));
    forget();
}

static void ranges_end_with_the_address_space(void **unused)
{
    (void)unused;
    ask("> dump pages 0xffffffffff000 2",
        "? call.range arg=pages max=1 ; the value is out of range");
    ask("> fill 0xffffffffff000 2", "? call.range arg=pages max=1 ; the value is out of range");
    ask("> dump map 0xffffffffff000 1",
        "= n=0 ; . fresh  o free  # allocated  R reserved  x mixed  "
        "_ nothing there");
}

static void a_word_that_no_reply_holds_is_refused(void **unused)
{
    char line[200] = "> echo ";

    (void)unused;
    memset(line + strlen(line), 'w', 120);
    ask(line, "? call.range arg=value ; the value is out of range");
}

static void what_check_finds_is_told_everywhere(void **unused)
{
    (void)unused;
    ask("> corrupt owner", "=");
    expect_begin("> check", "? bug.check invariant=100 at=0x");
    expect_begin("> stress 1024 check=1", "? bug.check invariant=100 at=0x");
    ask("> reset", "=");
    ask("> corrupt slot", "=");
    expect_begin("> check", "? bug.check invariant=800 at=0x");
    ask("> reset", "=");
    ask("> check", "=");
}

static void nothing_that_is_not_there_is_broken(void **unused)
{
    (void)unused;
    ask("> reset stage=early", "=");
    expect_begin("> corrupt count", "? call.state");
    expect_begin("> corrupt handed", "? call.state");
    ask("> corrupt fresh", "? call.state ; not possible at this point");
    ask("> phys_alloc 67104768 align=4096", "= 0x0000000000001000");
    ask("> phys_hand_over", "=");
    ask("> corrupt handed", "? call.state ; not possible at this point");
    ask("> corrupt owner", "? call.state ; not possible at this point");
}

static void a_map_shows_reserved_pages(void **unused)
{
    (void)unused;
    ask("> reserve 1M 256", "= 0x0000000000100000");
    assert_non_null(strstr(ask_for("> dump map 1M 256", ": 0x"), "R"));
    forget();
}

static void the_picture_of_an_area_ends_where_the_area_does(void **unused)
{
    (void)unused;
    ask("> map_begin", "=");
    ask("> map_area a 0x1001000", "=");
    ask("> map_area b 0x10000000000000", "=");
    ask("> map_add 16M 1M", "=");
    ask("> map_commit", "=");
    ask("> alloc_page area=b", "= 0x0000000001001000 zeroed=0");
    assert_non_null(ask_for("> dump map 16M 2", ": 0x0000000001000000 ._"));
    forget();
}

static void a_reserved_page_is_filled_by_nobody(void **unused)
{
    (void)unused;
    ask("> reserve 1M 1", "= 0x0000000000100000");
    ask("> fill 1M", "? mem.reserved at=0x0000000000100000 ; the page is reserved");
}

static void what_was_lost_of_events_is_told_by_number(void **unused)
{
    (void)unused;
    ask("> trace 1", "=");
    for (uint64_t i = 0; i < 5000; i++)
        lab_event_record(PAGES_FREE, pfn(2 * i), 1, 3);
    forget();
    lab_tell_kept();
    assert_non_null(strstr(said, "% free addr=0x0000000000002000 pages=1 tag=3 *"));
    assert_non_null(strstr(said, "% lost events=39"));
    forget();
    ask("> trace 0", "=");
}

static void a_bad_map_is_told_what_is_wrong(void **unused)
{
    (void)unused;
    ask("> map_begin", "=");
    ask("> map_area one 8M", "=");
    ask("> map_area one 9M", "? call.twice arg=name ; given twice");
    ask("> map_area any 9M", "? call.word arg=name ; "
        "not a name for an area, or one that means some anyway");
    ask("> map_area z 12345678", "? call.align arg=limit ; the limit is not that of a page");
    ask("> map_area z 8M", "? call.range arg=limit min=8392704 max=4503599627370496 ; "
        "the limit is not above the one before, or beyond 2^52");
    ask("> map_add 0 18446744073709551615",
        "? call.range arg=size max=4503599627370496 ; the value is out of range");
    ask("> map_add 0xffffffffff000 8K",
        "? call.range arg=size max=4096 ; the value is out of range");
    ask("> map_add 0x10000000000000 4K", "? call.range arg=base max=4503599627370495 ; "
        "the value is out of range");
    ask("> map_commit", "= ; there is nothing in this map");
}

static void help_tells_words_that_fit(void **unused)
{
    (void)unused;
    forget();
    feed("help dump\n");
    assert_non_null(strstr(said, "areas, free, pages"));
    forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ranges_end_with_the_address_space, begin),
        cmocka_unit_test_setup(a_word_that_no_reply_holds_is_refused, begin),
        cmocka_unit_test_setup(what_check_finds_is_told_everywhere, begin),
        cmocka_unit_test_setup(nothing_that_is_not_there_is_broken, begin),
        cmocka_unit_test_setup(a_map_shows_reserved_pages, begin),
        cmocka_unit_test_setup(the_picture_of_an_area_ends_where_the_area_does, begin),
        cmocka_unit_test_setup(a_reserved_page_is_filled_by_nobody, begin),
        cmocka_unit_test_setup(what_was_lost_of_events_is_told_by_number, begin),
        cmocka_unit_test_setup(a_bad_map_is_told_what_is_wrong, begin),
        cmocka_unit_test_setup(help_tells_words_that_fit, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
