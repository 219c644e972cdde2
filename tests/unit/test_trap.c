/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_arch.h"

static unsigned reached;
static struct ending inner;

/* What panic.c would do; here only that it was called counts. */
static const char *panic_kind;
static bool panic_active;

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    (void)file, (void)line, (void)fault;
    panic_kind = kind;
    arch_halt(1);
}

bool panicking(void)
{
    return panic_active;
}

static int begin(void **unused)
{
    (void)unused;
    reached = nguards = 0;
    panic_kind = NULL;
    panic_active = false;
    of_cpu[0].depth = 0;
    return 0;
}

static void end_orderly(void *argument)
{
    reached += *(unsigned *)argument;
    assert_true(trap_guarded());
}

static void fault(void *argument)
{
    reached++;
    kernel_fault(argument);
}

static void break_rule(void *argument)
{
    (void)argument;
    reached++;
    kernel_assert_failed("x > 0", "kernel/mm/x.c", 17);
}

static const struct fault bad_address = { E_FAULT_ADDRESS, true, 0x1234, 0x5678, 14 };

static void break_rule_with_locks(void *argument)
{
    lock_take(argument);
    break_rule(NULL);
}

static void gives_back_the_locks_of_what_it_ends(void **unused)
{
    struct lock outside = LOCK_INIT(LOCK_VMAP), inside = LOCK_INIT(LOCK_PAGES);

    (void)unused;
    lock_take(&outside);
    assert_int_equal(trap_run(break_rule_with_locks, &inside).outcome, ASSERTED);
    assert_false(lock_is_mine(&inside));
    assert_true(lock_is_mine(&outside));
    lock_release(&outside);
    assert_int_equal(lock_depth(), 0);
}

static void tells_how_it_ended(void **unused)
{
    struct ending ending;
    unsigned seven = 7;

    (void)unused;
    assert_false(trap_guarded());
    ending = trap_run(end_orderly, &seven);
    assert_int_equal(ending.outcome, ENDED);
    assert_int_equal(reached, 7);
    ending = trap_run(fault, (void *)&bad_address);
    assert_int_equal(ending.outcome, FAULTED);
    assert_int_equal(ending.fault.class, E_FAULT_ADDRESS);
    assert_int_equal(ending.fault.address, 0x1234);
    assert_int_equal(ending.fault.pc, 0x5678);
    ending = trap_run(break_rule, NULL);
    assert_int_equal(ending.outcome, ASSERTED);
    assert_string_equal(ending.condition, "x > 0");
    assert_string_equal(ending.file, "kernel/mm/x.c");
    assert_int_equal(ending.line, 17);
    assert_int_equal(reached, 9);
    assert_false(trap_guarded());
}

static void guard_inside(void *argument)
{
    inner = trap_run(fault, argument);
    reached += 10;
    break_rule(NULL);
}

static void the_innermost_guard_catches(void **unused)
{
    struct ending ending;

    (void)unused;
    ending = trap_run(guard_inside, (void *)&bad_address);
    assert_int_equal(inner.outcome, FAULTED);
    assert_int_equal(ending.outcome, ASSERTED);
    assert_int_equal(reached, 12);
    assert_int_equal(nguards, 0);
    assert_false(trap_guarded());
}

static void without_a_guard_it_is_a_panic(void **unused)
{
    (void)unused;
    if (setjmp(halted) == 0)
        kernel_fault(&bad_address);
    assert_string_equal(panic_kind, "fault");
    if (setjmp(halted) == 0)
        kernel_assert_failed("x", "y.c", 1);
    assert_string_equal(panic_kind, "assert");
}

static void panic_under_guard(void *argument)
{
    (void)argument;
    panic_active = true;
    reached++;
    kernel_fault(&bad_address);
}

static void a_panic_does_not_unwind(void **unused)
{
    (void)unused;
    if (setjmp(halted) == 0) {
        (void)trap_run(panic_under_guard, NULL);
        fail_msg("it unwound");
    }
    assert_string_equal(panic_kind, "fault");
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tells_how_it_ended, begin),
        cmocka_unit_test_setup(gives_back_the_locks_of_what_it_ends, begin),
        cmocka_unit_test_setup(the_innermost_guard_catches, begin),
        cmocka_unit_test_setup(without_a_guard_it_is_a_panic, begin),
        cmocka_unit_test_setup(a_panic_does_not_unwind, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
