/* SPDX-License-Identifier: MIT */
/* The journal: a ring of events, names by tags. */
#include "tests/unit/support.h"

#include <string.h>

#include "kernel/mm/journal.h"

static struct journal journal;

static int begin(void **unused)
{
    (void)unused;
    journal_clear(&journal);
    return 0;
}

static void the_latest_events_are_kept(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < JOURNAL_EVENTS + 10; i++)
        journal_event(&journal, PAGES_FREE, pfn(i), i + 1, 2 * i);
    assert_int_equal(journal.count, JOURNAL_EVENTS + 10);
    assert_int_equal(journal_at(&journal, 10)->first.n, 10);
    assert_int_equal(journal_at(&journal, JOURNAL_EVENTS + 9)->tag, 2 * (JOURNAL_EVENTS + 9));
    expect_assert_failure(journal_at(&journal, 9));
    expect_assert_failure(journal_at(&journal, JOURNAL_EVENTS + 10));
}

static void name_at(uint32_t tag, const char *name)
{
    assert_int_equal(journal_name(&journal, tag, name, strlen(name)), OK);
}

static void a_name_holds_from_its_request_to_the_next_name(void **unused)
{
    (void)unused;
    assert_null(journal_name_of(&journal, 7));
    name_at(5, "first");
    name_at(9, "");
    name_at(12, "last");
    assert_null(journal_name_of(&journal, 4));
    assert_string_equal(journal_name_of(&journal, 5), "first");
    assert_string_equal(journal_name_of(&journal, 8), "first");
    assert_null(journal_name_of(&journal, 9));
    assert_string_equal(journal_name_of(&journal, UINT32_MAX), "last");
    assert_null(journal_name_of(&journal, 0));
    name_at(9, "again");
    assert_string_equal(journal_name_of(&journal, 12), "again");
}

static void names_are_refused_when_there_are_enough_or_too_long(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < JOURNAL_NAMES; i++)
        name_at(i + 1, "name");
    assert_int_equal(journal_name(&journal, JOURNAL_NAMES + 1, "x", 1), E_MEM_METADATA);
    assert_string_equal(journal_name_of(&journal, JOURNAL_NAMES + 1), "name");
    assert_int_equal(journal_name(&journal, 1, "sixteen_letters_", 16), E_CALL_WORD);
    name_at(1, "fifteen_letters");
    assert_string_equal(journal_name_of(&journal, 2), "fifteen_letters");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_latest_events_are_kept, begin),
        cmocka_unit_test_setup(a_name_holds_from_its_request_to_the_next_name, begin),
        cmocka_unit_test_setup(names_are_refused_when_there_are_enough_or_too_long, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
