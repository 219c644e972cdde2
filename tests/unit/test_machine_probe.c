/* SPDX-License-Identifier: MIT */
/* Trying what can be done at an address, and leaving it as it was. */
#include "tests/unit/machine_support.h"

#define UNTOUCHED UINT64_C(0x1111111111111111)

static void tries_all_and_changes_nothing(void **unused)
{
    struct machine_probe probe;

    (void)unused;
    for (uint64_t at = 17 * PAGE_SIZE + 4080; at < 18 * PAGE_SIZE; at++) {
        assert_int_equal(machine_probe(at, &probe), OK);
        assert_int_equal(probe.tried, ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE);
        assert_int_equal(probe.done, ACCESS_READ | ACCESS_WRITE);
        assert_int_equal(probe.execute, E_FAULT_EXECUTE);
    }
    for (unsigned i = 0; i < 3 * 512; i++)
        assert_int_equal(words[i], UNTOUCHED);
    assert_int_equal(protects, 0);
}

static void runs_code_that_it_has_put_there(void **unused)
{
    struct machine_probe probe;

    (void)unused;
    window[0].attributes = 0;
    assert_int_equal(machine_probe(WINDOW * PAGE_SIZE + 9, &probe), OK);
    assert_int_equal(probe.done, ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE);
    assert_int_equal(executed, 1);
    /* Through a read-only page as well, which is one again afterwards. */
    window[2].attributes = MMU_READ_ONLY;
    assert_int_equal(machine_probe((WINDOW + 2) * PAGE_SIZE, &probe), OK);
    assert_int_equal(probe.done, ACCESS_READ | ACCESS_EXECUTE);
    assert_int_equal(probe.write, E_FAULT_PROTECTION);
    assert_int_equal(executed, 2);
    assert_int_equal(protects, 4);
    assert_int_equal(window[2].attributes, MMU_READ_ONLY);
    for (unsigned i = 0; i < 3 * 512; i++)
        assert_int_equal(words[i], UNTOUCHED);
}

static void without_a_table_nothing_is_changed(void **unused)
{
    struct machine_probe probe;

    (void)unused;
    tables_are_there = false;
    assert_int_equal(machine_probe((WINDOW + 2) * PAGE_SIZE, &probe), E_MEM_METADATA);
    assert_int_equal(words[2 * 512], UNTOUCHED);
}

/* A frame beyond the address bits of the processor can be mapped, and that is all. */
static void memory_that_cannot_be_touched_is_told(void **unused)
{
    struct machine_probe probe;

    (void)unused;
    broken = 17 * PAGE_SIZE;
    assert_int_equal(machine_probe(broken, &probe), OK);
    assert_int_equal(probe.tried, ACCESS_READ | ACCESS_WRITE);
    assert_int_equal(probe.done, 0);
    assert_int_equal(probe.read, E_FAULT_ADDRESS);
    assert_int_equal(executed, 0);
}

static void what_is_not_there_faults(void **unused)
{
    struct machine_probe probe;

    (void)unused;
    assert_int_equal(machine_probe((WINDOW + 4) * PAGE_SIZE, &probe), OK);
    assert_int_equal(probe.tried, ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE);
    assert_int_equal(probe.done, 0);
    assert_int_equal(probe.read, E_FAULT_ADDRESS);
    assert_int_equal(probe.write, E_FAULT_ADDRESS);
    assert_int_equal(probe.execute, E_FAULT_ADDRESS);
}

/* Nothing of the kernel's is written or run where that could succeed, but where a part says so. */
static void the_kernels_own_is_only_read(void **unused)
{
    struct machine_probe probe;

    (void)unused;
    assert_int_equal(machine_probe(19 * PAGE_SIZE + 8, &probe), OK);
    assert_int_equal(probe.tried, ACCESS_READ | ACCESS_EXECUTE);
    assert_int_equal(probe.done, ACCESS_READ);
    window[1].attributes = 0;
    assert_int_equal(machine_probe((WINDOW + 1) * PAGE_SIZE, &probe), OK);
    assert_int_equal(probe.tried, ACCESS_READ);
    assert_int_equal(machine_probe(19 * PAGE_SIZE + 64, &probe), OK);
    assert_int_equal(probe.tried, ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE);
    assert_int_equal(probe.done, ACCESS_READ | ACCESS_WRITE);
    lab.injected = true;
    assert_int_equal(machine_probe(17 * PAGE_SIZE, &probe), E_CALL_UNSUPPORTED);
}

/* ---- truth ---- */

static struct machine_truth rows[32];
static size_t nrows, rows_wanted;

static bool take_row(void *context, const struct machine_truth *truth)
{
    assert_ptr_equal(context, &nrows);
    rows[nrows++] = *truth;
    return nrows < rows_wanted;
}

static enum error truth(size_t wanted)
{
    nrows = 0;
    rows_wanted = wanted;
    return machine_truth(take_row, &nrows);
}

static void every_set_is_tried_and_taken_away(void **unused)
{
    (void)unused;
    assert_int_equal(truth(32), OK);
    /* Eight sets of three attributes, what is left of them, two parts. */
    assert_int_equal(nrows, 11);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(rows[i].attributes, i);
        assert_int_equal(rows[i].entry, i);
        assert_int_equal(rows[i].promised, mmu_accesses((unsigned)i));
        assert_int_equal(rows[i].observed, rows[i].promised);
    }
    assert_string_equal(rows[8].part, "unmapped");
    assert_int_equal(rows[8].first.a, (WINDOW + 5) * PAGE_SIZE);
    assert_int_equal(rows[8].promised | rows[8].observed, 0);
    assert_string_equal(rows[9].part, "null");
    assert_int_equal(rows[9].observed, 0);
    assert_string_equal(rows[10].part, "data");
    assert_int_equal(rows[10].observed, ACCESS_READ | ACCESS_WRITE);
    assert_memory_equal(window, window_at_start, sizeof(window));
    assert_int_equal(truth(3), OK);
    assert_int_equal(nrows, 3);
    assert_memory_equal(window, window_at_start, sizeof(window));
}

static void a_broken_promise_is_seen(void **unused)
{
    (void)unused;
    forgets_no_execute = true;
    assert_int_equal(truth(32), OK);
    assert_int_equal(rows[MMU_NO_EXECUTE].promised, ACCESS_READ | ACCESS_WRITE);
    assert_int_equal(rows[MMU_NO_EXECUTE].observed, ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE);
}

static void a_translation_that_was_not_dropped_is_seen(void **unused)
{
    (void)unused;
    forgets_to_flush = true;
    assert_int_equal(truth(32), OK);
    assert_string_equal(rows[8].part, "unmapped");
    assert_int_equal(rows[8].observed, ACCESS_READ | ACCESS_WRITE);
}

static void truth_needs_an_address_and_a_table(void **unused)
{
    (void)unused;
    tables_are_there = false;
    assert_int_equal(truth(32), E_MEM_METADATA);
    window[4].frame = window[5].frame = 17;
    assert_int_equal(truth(32), E_MEM_NONE);
    assert_int_equal(nrows, 0);
}

/* The last test: nothing is as before. */
static void after_a_panic_in_a_change_tables_are_only_looked_at(void **unused)
{
    struct machine_probe probe;
    jmp_buf panic;

    (void)unused;
    panic_in_map = &panic;
    if (setjmp(panic) == 0)
        assert_int_equal(truth(32), OK);
    panic_in_map = NULL;
    assert_int_equal(truth(32), E_BUG_DEAD);
    assert_int_equal(nrows, 0);
    window[2].attributes = MMU_READ_ONLY;
    assert_int_equal(machine_probe((WINDOW + 2) * PAGE_SIZE, &probe), OK);
    assert_int_equal(probe.done, ACCESS_READ);
    assert_int_equal(protects, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tries_all_and_changes_nothing, begin),
        cmocka_unit_test_setup(runs_code_that_it_has_put_there, begin),
        cmocka_unit_test_setup(without_a_table_nothing_is_changed, begin),
        cmocka_unit_test_setup(memory_that_cannot_be_touched_is_told, begin),
        cmocka_unit_test_setup(what_is_not_there_faults, begin),
        cmocka_unit_test_setup(the_kernels_own_is_only_read, begin),
        cmocka_unit_test_setup(every_set_is_tried_and_taken_away, begin),
        cmocka_unit_test_setup(a_broken_promise_is_seen, begin),
        cmocka_unit_test_setup(a_translation_that_was_not_dropped_is_seen, begin),
        cmocka_unit_test_setup(truth_needs_an_address_and_a_table, begin),
        cmocka_unit_test_setup(after_a_panic_in_a_change_tables_are_only_looked_at, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
