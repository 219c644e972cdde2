/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "tests/unit/support.h"

#include "arch/arch.h"
#include "kernel/lock.h"

/* A machine of a few CPUs, of which one is `self`, and which relaxes by giving a lock back. */
static unsigned self, relaxed;
static bool in_interrupt;
static struct lock *to_free;

unsigned arch_cpu_self(void) { return self; }
bool arch_in_interrupt(void) { return in_interrupt; }

void arch_cpu_relax(void)
{
    relaxed++;
    atomic_store(&to_free->holder, 0);
}

static struct lock heap = LOCK_INIT(LOCK_HEAP), pages = LOCK_INIT(LOCK_PAGES),
    other_pages = LOCK_INIT(LOCK_PAGES), pool = LOCK_INIT(LOCK_POOL);

static int begin(void **unused)
{
    (void)unused;
    for (self = 3; self > 0; self--)
        lock_release_to(0);
    lock_release_to(0);
    in_interrupt = false;
    relaxed = 0;
    return 0;
}

static void locks_nest_in_their_order(void **unused)
{
    (void)unused;
    lock_take(&heap);
    lock_take(&pages);
    lock_take(&pool);
    assert_int_equal(lock_depth(), 3);
    assert_true(lock_is_mine(&pages));
    lock_release(&pool);
    lock_release(&pages);
    assert_false(lock_is_mine(&pages));
    lock_take(&pages);
    lock_release(&pages);
    lock_release(&heap);
    assert_int_equal(lock_depth(), 0);
}

/* The text of the assertion that fails names what was wanted and what was held. */
static const char *wrong(void (*act)(void))
{
    static char text[80];

    if (setjmp(global_expect_assert_env) != 0) {
        global_expecting_assert = 0;
        snprintf(text, sizeof(text), "%s", global_last_failed_assert);
        return text;
    }
    global_expecting_assert = 1;
    act();
    global_expecting_assert = 0;
    return "nothing";
}

static void pages_under_pool(void) { lock_take(&pool); lock_take(&pages); }
static void pages_under_pages(void) { lock_take(&pages); lock_take(&other_pages); }
static void pages_twice(void) { lock_take(&pages); lock_take(&pages); }
static void in_a_handler(void) { in_interrupt = true; lock_take(&pool); }
static void of_no_order(void) { lock_take(&(struct lock){ .rank = LOCK_NONE }); }
static void not_the_last(void) { lock_take(&heap); lock_take(&pages); lock_release(&heap); }
static void talk_under_pages(void) { lock_take(&pages); lock_hold_none("talk"); }
static void never_taken(void) { lock_release(&heap); }

static void another_order_is_refused_with_both_names(void **unused)
{
    const struct { void (*act)(void); const char *text; } cases[] = {
        { pages_under_pool, "lock order: pages wanted while holding pool" },
        { pages_under_pages, "lock order: pages wanted while holding pages" },
        { pages_twice, "lock order: pages wanted while holding pages" },
        { in_a_handler, "lock order: pool wanted in an interrupt, holding nothing" },
        { of_no_order, "lock order: none wanted while holding nothing" },
        { not_the_last, "lock order: heap given back while holding pages" },
        { talk_under_pages, "lock order: talk while holding pages" },
        { never_taken, "lock order: heap given back while holding nothing" },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(wrong(cases[i].act), cases[i].text);
        lock_release_to(0);
        in_interrupt = false;
    }
}

static void each_cpu_has_its_own(void **unused)
{
    (void)unused;
    self = 1;
    lock_take(&pool);
    self = 2;
    assert_int_equal(lock_depth(), 0);
    assert_false(lock_is_mine(&pool));
    lock_take(&heap);
    lock_take(&pages);
    lock_release_to(1);
    assert_true(lock_is_mine(&heap));
    self = 1;
    assert_int_equal(lock_depth(), 1);
}

static void who_finds_it_taken_waits(void **unused)
{
    (void)unused;
    self = 1;
    lock_take(&pages);
    to_free = &pages;
    self = 2;
    lock_take(&pages);
    assert_int_equal(relaxed, 1);
    assert_true(lock_is_mine(&pages));
    /* CPU 1's was taken away by the test. */
    lock_release(&pages);
    self = 1;
    atomic_store(&pages.holder, 2);
}

/* The last test: nothing is as before. */
static void the_cpu_that_is_left_waits_for_nobody(void **unused)
{
    (void)unused;
    self = 1;
    lock_take(&heap);
    self = 0;
    lock_take(&pool);
    assert_false(lock_was_broken(&heap));
    lock_break_all();
    assert_true(lock_was_broken(&heap) && lock_was_broken(&pool));
    assert_false(lock_was_broken(&pages));
    assert_int_equal(lock_depth(), 0);
    lock_take(&heap);
    lock_release(&heap);
    assert_int_equal(relaxed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(locks_nest_in_their_order, begin),
        cmocka_unit_test_setup(another_order_is_refused_with_both_names, begin),
        cmocka_unit_test_setup(each_cpu_has_its_own, begin),
        cmocka_unit_test_setup(who_finds_it_taken_waits, begin),
        cmocka_unit_test_setup(the_cpu_that_is_left_waits_for_nobody, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
