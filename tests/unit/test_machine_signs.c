/* SPDX-License-Identifier: MIT */
/* Signs of life: who gives them, of CPU 0 and another one, and with which locks. */
#include "tests/unit/machine_support.h"

#include "kernel/lock.h"
#include "kernel/smp.h"

/* ---- CPUs of which one looks, and what it asks of CPU 0 ---- */

static unsigned self;
static bool is_alone;
static void (*wanted)(void);
static unsigned signs;

unsigned arch_cpu_self(void) { return self; }
bool arch_in_interrupt(void) { return false; }
void arch_cpu_relax(void) { }
void arch_cpus_halt(void) { }
unsigned smp_count(void) { return 2; }
unsigned smp_self(void) { return self; }
bool smp_is_alone(void) { return is_alone; }
bool smp_has(pfn_t frame) { (void)frame; return false; }
void smp_ask(void (*function)(void)) { wanted = function; }

static void count_sign(void)
{
    assert_true(machine_gives_sign());
    signs++;
}

static int begin_alone(void **state)
{
    static uint64_t start;

    self = 0;
    is_alone = true;
    wanted = NULL;
    (void)begin(state);
    ticks = start += 10000;
    machine_on_sign(count_sign);
    machine_interrupt_clear();
    return 0;
}

/* CPU 0 serves the other one. */
static void serve(void)
{
    unsigned cpu = self;

    self = 0;
    if (wanted != NULL)
        wanted();
    wanted = NULL;
    self = cpu;
}

/* The signs given in so many looks for a ^C, one each tick. */
static unsigned signs_in(unsigned looks, bool (*look)(void))
{
    signs = 0;
    for (unsigned i = 0; i < looks; i++, ticks++) {
        assert_false(look());
        serve();
    }
    return signs;
}

static void who_is_at_work_gives_signs_of_life(void **unused)
{
    (void)unused;
    assert_int_equal(signs_in(99, machine_interrupted), 0);
    assert_in_range(signs_in(1000, machine_interrupted), MACHINE_SIGNS - 1, MACHINE_SIGNS);
    assert_int_equal(signs_in(1000, machine_wait_interrupted), 0);
    assert_false(machine_gives_sign());
    machine_interrupt_clear();
    assert_int_equal(signs_in(99, machine_interrupted), 0);
    ticks_per_second = 0;
    assert_int_equal(signs_in(1000, machine_interrupted), 0);
}

/* It costs as much as many of them do. */
static void the_clock_is_not_read_for_a_short_command(void **unused)
{
    (void)unused;
    (void)signs_in(8, machine_interrupted);
    clock_reads = 0;
    machine_interrupt_clear();
    assert_int_equal(clock_reads, 0);
    (void)signs_in(8, machine_interrupted);
    assert_int_equal(clock_reads, 1);
}

/* Nobody waits for a lock of one that talks: not if there is nobody else. */
static void cpu_0_gives_none_with_a_lock_that_others_may_want(void **unused)
{
    static struct lock lock = LOCK_INIT(LOCK_PAGES);

    (void)unused;
    lock_take(&lock);
    is_alone = false;
    assert_int_equal(signs_in(1000, machine_interrupted), 0);
    is_alone = true;
    assert_int_equal(signs_in(8, machine_interrupted), 1);
    lock_release(&lock);
    is_alone = false;
    assert_in_range(signs_in(1000, machine_interrupted), MACHINE_SIGNS - 1, MACHINE_SIGNS);
}

/* And goes on at once, with whatever it holds. */
static void another_cpu_has_cpu_0_give_them(void **unused)
{
    static struct lock lock = LOCK_INIT(LOCK_PAGES);

    (void)unused;
    is_alone = false;
    self = 1;
    lock_take(&lock);
    assert_in_range(signs_in(1000, machine_interrupted), MACHINE_SIGNS - 1, MACHINE_SIGNS);
    assert_int_equal(signs_in(1000, machine_wait_interrupted), 0);
    lock_release(&lock);
}

/* What was wanted in the command before is not given in this one. */
static void a_sign_that_comes_late_is_none(void **unused)
{
    (void)unused;
    self = 1;
    for (unsigned i = 0; i < 8; i++, ticks++)
        assert_false(machine_interrupted());
    assert_non_null(wanted);
    self = 0;
    signs = 0;
    machine_interrupt_clear();
    serve();
    assert_int_equal(signs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_is_at_work_gives_signs_of_life, begin_alone),
        cmocka_unit_test_setup(the_clock_is_not_read_for_a_short_command, begin_alone),
        cmocka_unit_test_setup(cpu_0_gives_none_with_a_lock_that_others_may_want, begin_alone),
        cmocka_unit_test_setup(another_cpu_has_cpu_0_give_them, begin_alone),
        cmocka_unit_test_setup(a_sign_that_comes_late_is_none, begin_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
