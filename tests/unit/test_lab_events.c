/* SPDX-License-Identifier: MIT */
/* What happened on several CPUs is told in its order, without a lock, and never twice. */
#include "tests/unit/support.h"

#include "arch/arch.h"
#include "kernel/lab_parts.h"
#include "kernel/lock.h"
#include "kernel/smp.h"

/* A machine of a few CPUs, of which one is `self`; CPU 0 does at once what it is called for. */
static unsigned self, calls;
struct journal lab_journal;

unsigned arch_cpu_self(void) { return self; }
bool arch_in_interrupt(void) { return false; }
void arch_cpu_relax(void) { }

void smp_call(void (*function)(void *argument), void *argument)
{
    unsigned caller = self;

    assert_int_equal(lock_depth(), 0);
    calls++;
    self = 0;
    function(argument);
    self = caller;
}

/* ---- who listens ---- */

#define TOLD 6000u

static struct journal_event told[TOLD];
static unsigned ntold;

static void listen(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag)
{
    assert_int_equal(self, 0);
    assert_true(ntold < TOLD);
    told[ntold++] = (struct journal_event){ event, tag, first, pages };
}

static struct lock heap = LOCK_INIT(LOCK_HEAP), others = LOCK_INIT(LOCK_HEAP);

static int begin(void **unused)
{
    (void)unused;
    journal_clear(&lab_journal);
    lab_set_event_hook(listen);
    lab_tell_kept();
    self = ntold = calls = 0;
    return 0;
}

static void assert_told(unsigned i, enum pages_event event, uint64_t first, uint32_t tag)
{
    assert_true(i < ntold);
    assert_int_equal(told[i].event, event);
    assert_int_equal(told[i].first.n, first);
    assert_int_equal(told[i].tag, tag);
}

/* A page goes from CPU 1, which cannot talk yet, to CPU 2, which can. */
static void a_page_is_told_of_in_its_order(void **unused)
{
    (void)unused;
    self = 1;
    lock_take(&heap);
    lab_event_record(PAGES_FREE, pfn(7), 1, 5);
    lab_tell_kept();
    assert_int_equal(ntold, 0);
    self = 2;
    lab_event_record(PAGES_ALLOC, pfn(7), 1, 6);
    lab_tell_kept();
    assert_int_equal(ntold, 2);
    assert_told(0, PAGES_FREE, 7, 5);
    assert_told(1, PAGES_ALLOC, 7, 6);
    self = 1;
    lock_release(&heap);
    lab_tell_kept();
    assert_int_equal(ntold, 2);
}

static void many_pages_in_a_row_wait_for_a_lock(void **unused)
{
    (void)unused;
    lock_take(&others);
    for (uint64_t i = 0; i < TOLD; i++) {
        lab_event_record(PAGES_ALLOC, pfn(100 + i), 1, 9);
        lab_tell_kept();
    }
    assert_int_equal(ntold, 0);
    lock_release(&others);
    lab_tell_kept();
    assert_int_equal(ntold, TOLD);
    for (unsigned i = 0; i < TOLD; i++)
        assert_told(i, PAGES_ALLOC, 100 + i, 9);
}

/* A new entry begins where anything differs. */
static void only_what_follows_is_one(void **unused)
{
    static const struct journal_event events[] = {
        { PAGES_ALLOC, 1, { 10 }, 4 }, { PAGES_ALLOC, 1, { 14 }, 4 }, { PAGES_ALLOC, 2, { 18 }, 4 },
        { PAGES_ALLOC, 2, { 22 }, 2 }, { PAGES_FREE, 2, { 24 }, 2 }, { PAGES_FREE, 2, { 24 }, 2 },
        { PAGES_FREE, 2, { 22 }, 2 }, { PAGES_RESERVE, 2, { 24 }, 2 },
    };

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
        lab_event_record(events[i].event, events[i].first, events[i].pages, events[i].tag);
    lab_tell_kept();
    assert_int_equal(ntold, ARRAY_SIZE(events));
    for (unsigned i = 0; i < ntold; i++) {
        assert_told(i, events[i].event, events[i].first.n, events[i].tag);
        assert_int_equal(told[i].pages, events[i].pages);
    }
}

static void what_finds_no_room_is_counted_in_its_place(void **unused)
{
    uint64_t known = 0, lost = 0;

    (void)unused;
    for (uint64_t i = 0; i < 3000; i++)
        lab_event_record(PAGES_FREE, pfn(3 * i), 1, 1);
    lab_tell_kept();
    lab_event_record(PAGES_ALLOC, pfn(1), 1, 2);
    lab_tell_kept();
    for (; known < ntold && told[known].event == PAGES_FREE; known++)
        assert_told((unsigned)known, PAGES_FREE, 3 * known, 1);
    assert_int_equal(ntold, known + 2);
    assert_int_equal(told[known].event, PAGES_LOST);
    lost = told[known].pages;
    assert_int_equal(known + lost, 3000);
    assert_true(known >= 1000);
    assert_told((unsigned)known + 1, PAGES_ALLOC, 1, 2);
}

static void for_nobody_nothing_is_kept(void **unused)
{
    (void)unused;
    lab_set_event_hook(NULL);
    lab_event_record(PAGES_FREE, pfn(7), 1, 5);
    lab_tell_kept();
    assert_int_equal(calls, 0);
    lab_set_event_hook(listen);
    lab_tell_kept();
    assert_int_equal(ntold, 0);
    assert_int_equal(lab_journal.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_page_is_told_of_in_its_order, begin),
        cmocka_unit_test_setup(many_pages_in_a_row_wait_for_a_lock, begin),
        cmocka_unit_test_setup(only_what_follows_is_one, begin),
        cmocka_unit_test_setup(what_finds_no_room_is_counted_in_its_place, begin),
        cmocka_unit_test_setup(for_nobody_nothing_is_kept, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
