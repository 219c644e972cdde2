/* SPDX-License-Identifier: MIT */
/* A mapping that is taken away under another CPU: here a function that is called and ends. */
#include "tests/unit/machine_support.h"

#include "kernel/smp.h"

#define PATIENCE 1000u

static unsigned relaxed;

unsigned smp_count(void) { return 2; }
unsigned smp_self(void) { return 0; }
bool smp_is_alone(void) { return true; }
void smp_ask(void (*function)(void)) { function(); }
void smp_call(void (*function)(void *argument), void *argument) { function(argument); }
bool smp_has(pfn_t frame) { (void)frame; return false; }
void smp_wait(unsigned cpu) { (void)cpu; }

/* The other CPU finds the page gone before anybody took it away. */
void smp_post(unsigned cpu, void (*function)(void *argument), void *argument)
{
    assert_int_equal(cpu, 1);
    memset(window, 0, sizeof(window));
    function(argument);
}

bool smp_done(unsigned cpu)
{
    (void)cpu;
    return true;
}

void smp_relax(void)
{
    assert_true(++relaxed < PATIENCE);
}

static void a_cpu_that_cannot_touch_the_page_ends_it(void **unused)
{
    struct machine_shootdown result;

    (void)unused;
    assert_int_equal(machine_shootdown(1, 3, &result), E_FAULT_ADDRESS);
    assert_int_equal(result.rounds, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_cpu_that_cannot_touch_the_page_ends_it, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
