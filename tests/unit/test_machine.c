/* SPDX-License-Identifier: MIT */
#include "tests/unit/machine_support.h"

static void reads_what_it_wrote(void **unused)
{
    uint64_t value;

    (void)unused;
    assert_string_equal(machine_name(), "fake");
    for (unsigned width = 1; width <= 8; width *= 2) {
        uint64_t address = FIRST * PAGE_SIZE + 8 * width;
        uint64_t wanted = UINT64_C(0x8877665544332211) >> (64 - 8 * width);

        assert_int_equal(machine_write(address, width, wanted, &where), OK);
        assert_int_equal(machine_read(address, width, &value, &where), OK);
        assert_int_equal(value, wanted);
        assert_int_equal(machine_read(address + 8, 8, &value, &where), OK);
        assert_int_equal(value, UINT64_C(0x1111111111111111));
    }
    /* The kernel's own memory may be read. */
    assert_int_equal(machine_read(19 * PAGE_SIZE, 4, &value, &where), OK);
}

static void refuses_without_trying(void **unused)
{
    uint64_t value = 99;

    (void)unused;
    assert_int_equal(machine_read(FIRST * PAGE_SIZE + 1, 8, &value, &where), E_CALL_ALIGN);
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 3, &value, &where), E_CALL_RANGE);
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 0, &value, &where), E_CALL_RANGE);
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 16, &value, &where), E_CALL_RANGE);
    assert_int_equal(machine_write(FIRST * PAGE_SIZE + 2, 4, 0, &where), E_CALL_ALIGN);
    assert_int_equal(machine_write(19 * PAGE_SIZE, 8, 0, &where), E_FAULT_PROTECTION);
    assert_true(where.has_address);
    assert_int_equal(where.address, 19 * PAGE_SIZE);
    assert_int_equal(words[3 * 512], UINT64_C(0x1111111111111111));
    assert_int_equal(machine_write(UINT64_MAX - 7, 8, 0, &where), E_FAULT_ADDRESS);
    lab.injected = true;
    assert_int_equal(machine_read(FIRST * PAGE_SIZE, 8, &value, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_write(FIRST * PAGE_SIZE, 8, 0, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(value, 99);
}

static void faults_are_values(void **unused)
{
    uint64_t value = 99;

    (void)unused;
    assert_int_equal(machine_read(8, 8, &value, &where), E_FAULT_ADDRESS);
    assert_int_equal(where.address, 8);
    assert_int_equal(where.pc, 0x77);
    broken = FIRST * PAGE_SIZE + 8;
    assert_int_equal(machine_write(broken, 8, 0, &where), E_FAULT_ADDRESS);
    assert_int_equal(where.address, broken);
    assert_int_equal(value, 99);
    assert_false(trap_guarded());
}

/* Above 4 GiB on a 32-bit machine: memory that is there is told from none. */
static void memory_out_of_reach_is_refused(void **unused)
{
    uint64_t value = 99;

    (void)unused;
    assert_int_equal(machine_read(FAR, 8, &value, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_read(FAR + PAGE_SIZE - 1, 1, &value, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(machine_write(FAR, 8, 0, &where), E_CALL_UNSUPPORTED);
    assert_int_equal(where.class, OK);
    assert_int_equal(machine_read(FAR + PAGE_SIZE, 8, &value, &where), E_FAULT_ADDRESS);
    assert_int_equal(machine_write(FAR + PAGE_SIZE, 8, 0, &where), E_FAULT_ADDRESS);
    assert_int_equal(value, 99);
}

static void read_in_a_command(void *argument)
{
    uint64_t value;

    (void)argument;
    asserts = true;
    (void)!machine_read(FIRST * PAGE_SIZE, 8, &value, &where);
}

static void assertions_reach_the_command(void **unused)
{
    (void)unused;
    /* machine.c hands it on to assert_failed(), which is the tests' own here. */
    expect_assert_failure(read_in_a_command(NULL));
    of_cpu[0].depth = nguards = 0;
}

static void patterns_tell_every_change(void **unused)
{
    phys_t at;

    (void)unused;
    assert_int_equal(machine_fill(pfn(FIRST), 3, 7, &at), OK);
    assert_int_equal(machine_verify(pfn(FIRST), 3, 7, &at), OK);
    assert_int_equal(machine_verify(pfn(FIRST + 1), 1, 7, &at), OK);
    assert_int_equal(words[3 * 512], UINT64_C(0x1111111111111111));
    assert_int_equal(machine_verify(pfn(FIRST), 3, 8, &at), E_FAULT_PATTERN);
    assert_int_equal(at.a, FIRST * PAGE_SIZE);
    words[512 + 5] ^= UINT64_C(1) << 63;
    assert_int_equal(machine_verify(pfn(FIRST), 3, 7, &at), E_FAULT_PATTERN);
    assert_int_equal(at.a, (FIRST + 1) * PAGE_SIZE + 40);
    /* A page in another's place is not taken for it. */
    memcpy(words, words + 1024, PAGE_SIZE);
    assert_int_equal(machine_verify(pfn(FIRST), 1, 7, &at), E_FAULT_PATTERN);
}

static void patterns_stay_off_what_is_not_ours(void **unused)
{
    phys_t at;

    (void)unused;
    assert_int_equal(machine_fill(pfn(FIRST), 4, 7, &at), E_FAULT_PROTECTION);
    assert_int_equal(machine_fill(pfn(FIRST), 0, 7, &at), E_CALL_RANGE);
    assert_int_equal(machine_fill(pfn(FIRST), UINT64_MAX, 7, &at), E_CALL_RANGE);
    assert_int_equal(machine_fill(pfn(PFN_LIMIT), 1, 7, &at), E_CALL_RANGE);
    assert_int_equal(machine_verify(pfn(1), 1, 7, &at), E_FAULT_ADDRESS);
    assert_int_equal(machine_fill(pfn(30), 1, 7, &at), E_CALL_UNSUPPORTED);
    lab.injected = true;
    assert_int_equal(machine_fill(pfn(FIRST), 1, 7, &at), E_CALL_UNSUPPORTED);
    for (unsigned i = 0; i < 3 * 512; i++)
        assert_int_equal(words[i], UINT64_C(0x1111111111111111));
}

/* The window gives other names to memory, and no other rights. */
static void an_alias_is_what_it_stands_for(void **unused)
{
    uint64_t value;
    phys_t at;

    (void)unused;
    assert_int_equal(machine_write(WINDOW * PAGE_SIZE + 8, 8, 5, &where), OK);
    assert_int_equal(machine_read(17 * PAGE_SIZE + 8, 8, &value, &where), OK);
    assert_int_equal(value, 5);
    assert_int_equal(machine_write((WINDOW + 1) * PAGE_SIZE, 8, 5, &where), E_FAULT_PROTECTION);
    assert_int_equal(where.pc, 0);
    assert_int_equal(machine_read((WINDOW + 1) * PAGE_SIZE, 8, &value, &where), OK);
    assert_int_equal(machine_write((WINDOW + 2) * PAGE_SIZE, 8, 5, &where), E_FAULT_PROTECTION);
    assert_int_equal(where.pc, 0x78);
    assert_int_equal(machine_write((WINDOW + 4) * PAGE_SIZE, 8, 5, &where), E_FAULT_ADDRESS);
    /* What is out of reach by its own address is within reach by another. */
    assert_int_equal(machine_write((WINDOW + 3) * PAGE_SIZE, 8, 7, &where), OK);
    assert_int_equal(far_words[0], 7);
    assert_int_equal(machine_fill(pfn(WINDOW), 1, 7, &at), OK);
    assert_int_equal(machine_verify(pfn(WINDOW), 1, 7, &at), OK);
    assert_int_equal(machine_fill(pfn(WINDOW + 3), 1, 7, &at), OK);
    assert_int_equal(machine_verify(pfn(WINDOW + 3), 1, 7, &at), OK);
    far_words[9]++;
    assert_int_equal(machine_verify(pfn(WINDOW + 3), 1, 7, &at), E_FAULT_PATTERN);
    assert_int_equal(at.a, (WINDOW + 3) * PAGE_SIZE + 72);
}

/* A read-only page, or a page that is not ours, stops a pattern; nothing dies. */
static void a_pattern_does_not_write_what_is_read_only(void **unused)
{
    phys_t at;

    (void)unused;
    assert_int_equal(machine_fill(pfn(WINDOW + 2), 1, 7, &at), E_FAULT_PROTECTION);
    assert_int_equal(at.a, (WINDOW + 2) * PAGE_SIZE);
    assert_int_equal(machine_verify(pfn(WINDOW + 2), 1, 7, &at), E_FAULT_PATTERN);
    assert_int_equal(machine_fill(pfn(WINDOW), 2, 7, &at), E_FAULT_PROTECTION);
    assert_int_equal(at.a, (WINDOW + 1) * PAGE_SIZE);
    assert_int_equal(words[512], UINT64_C(0x1111111111111111));
    assert_int_equal(machine_fill(pfn(WINDOW + 3), 2, 7, &at), E_FAULT_ADDRESS);
    assert_int_equal(at.a, (WINDOW + 4) * PAGE_SIZE);
}

static void control_c_stops_a_long_pattern(void **unused)
{
    phys_t at;

    (void)unused;
    polls_until_pressed = 3;
    assert_int_equal(machine_fill(pfn(FIRST), 3, 7, &at), E_STOP_INTERRUPTED);
    assert_int_equal(at.a, (FIRST + 2) * PAGE_SIZE);
    assert_true(machine_interrupted());
    assert_true(machine_interrupted());
    assert_int_equal(machine_verify(pfn(FIRST), 1, 7, &at), E_STOP_INTERRUPTED);
    machine_interrupt_clear();
    assert_false(machine_interrupted());
    machine_interrupt_passed();
    assert_int_equal(machine_verify(pfn(FIRST), 2, 7, &at), OK);
}

/* The next command begins. */
static bool next_is_interrupted(void)
{
    machine_interrupt_clear();
    return machine_interrupted();
}

static void control_c_stops_one_command_and_none_behind_it(void **unused)
{
    (void)unused;
    pressed = 3;
    assert_true(next_is_interrupted());
    assert_false(next_is_interrupted());
    for (unsigned i = 0; i < 3; i++)
        assert_true(machine_interrupt_passed());
    pressed = 2;
    assert_false(machine_interrupt_passed());
    assert_false(machine_interrupt_passed());
    assert_false(next_is_interrupted());
    /* One that stands behind both lines, and came in before the first one began. */
    pressed = 2;
    assert_false(machine_interrupt_passed());
    assert_true(next_is_interrupted());
    assert_false(next_is_interrupted());
    assert_true(machine_interrupt_passed());
    /* One that was never told of owes nothing to the next. */
    machine_interrupt_passed();
    pressed = 1;
    assert_true(next_is_interrupted());
    machine_interrupt_passed();
}

static void zeroes_what_it_reaches(void **unused)
{
    (void)unused;
    assert_int_equal(machine_zero(pfn(FIRST + 1), 2), OK);
    assert_int_equal(words[511], UINT64_C(0x1111111111111111));
    for (unsigned i = 512; i < 1536; i++)
        assert_int_equal(words[i], 0);
    assert_int_equal(words[1536], UINT64_C(0x1111111111111111));
    assert_int_equal(machine_zero(pfn(FIRST + 3), 2), E_CALL_UNSUPPORTED);
    reachable = false;
    assert_int_equal(machine_zero(pfn(FIRST), 1), E_CALL_UNSUPPORTED);
    assert_int_equal(words[0], UINT64_C(0x1111111111111111));
}

static void control_c_stops_a_long_zeroing(void **unused)
{
    const uint64_t pages = sizeof(large) / PAGE_SIZE;

    (void)unused;
    memset(large, 0x11, sizeof(large));
    polls_until_pressed = 1;
    assert_int_equal(machine_zero(pfn(LARGE_FIRST), pages), E_STOP_INTERRUPTED);
    assert_int_equal(large[sizeof(large) - 1], 0x11);
    machine_interrupt_clear();
    machine_interrupt_passed();
    assert_int_equal(machine_zero(pfn(LARGE_FIRST), pages), OK);
    for (size_t i = 0; i < sizeof(large); i++)
        assert_int_equal(large[i], 0);
}

static void passes_the_rest_on(void **unused)
{
    (void)unused;
    assert_int_equal(machine_ticks(), 5);
    assert_int_equal(machine_ticks_per_second(), 1000);
    if (setjmp(halted) == 0)
        machine_off(3);
    assert_int_equal(halt_status, 3);
    if (setjmp(halted) == 0)
        machine_off(0);
    assert_int_equal(halt_status, 0);
}

static void no_end_is_orderly_after_a_panic(void **unused)
{
    (void)unused;
    survived = true;
    if (setjmp(halted) == 0)
        machine_off(0);
    assert_int_equal(halt_status, 1);
    survived = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_what_it_wrote, begin),
        cmocka_unit_test_setup(refuses_without_trying, begin),
        cmocka_unit_test_setup(faults_are_values, begin),
        cmocka_unit_test_setup(memory_out_of_reach_is_refused, begin),
        cmocka_unit_test_setup(assertions_reach_the_command, begin),
        cmocka_unit_test_setup(patterns_tell_every_change, begin),
        cmocka_unit_test_setup(patterns_stay_off_what_is_not_ours, begin),
        cmocka_unit_test_setup(an_alias_is_what_it_stands_for, begin),
        cmocka_unit_test_setup(a_pattern_does_not_write_what_is_read_only, begin),
        cmocka_unit_test_setup(control_c_stops_a_long_pattern, begin),
        cmocka_unit_test_setup(control_c_stops_one_command_and_none_behind_it, begin),
        cmocka_unit_test_setup(zeroes_what_it_reaches, begin),
        cmocka_unit_test_setup(control_c_stops_a_long_zeroing, begin),
        cmocka_unit_test_setup(passes_the_rest_on, begin),
        cmocka_unit_test_setup(no_end_is_orderly_after_a_panic, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
