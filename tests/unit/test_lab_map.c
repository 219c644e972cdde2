/* SPDX-License-Identifier: MIT */
/* Maps over the wire; a refusal loses nothing. */
#include "tests/unit/lab_machine.h"

static void a_list_begun_is_not_the_map_in_force(void **unused)
{
    (void)unused;
    lab_map_begin();
    assert_int_equal(lab_map_add(M, M, RANGE_USABLE), OK);
    assert_int_equal(commit(STAGE_PAGE), OK);
    lab_map_begin();
    assert_int_equal(lab_map_add(G, 2 * M, RANGE_USABLE), OK);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(managed(), 256);
    assert_int_equal(state_of(M >> PAGE_SHIFT), PAGE_FREE);
    assert_int_equal(commit(STAGE_PAGE), OK);
    assert_int_equal(managed(), 512);
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
}

static void a_map_over_the_wire(void **unused)
{
    uint64_t first;

    (void)unused;
    zeroings = 0;
    assert_int_equal(lab_map_add(M, M, RANGE_USABLE), E_CALL_STATE);
    assert_int_equal(lab_map_area("low", M), E_CALL_STATE);
    assert_int_equal(commit(STAGE_PAGE), E_CALL_STATE);
    lab_map_begin();
    assert_int_equal(lab_map_add(ADDRESS_LIMIT - M, M, RANGE_USABLE), OK);
    assert_int_equal(lab_map_add(16 * M - 4096, 8192, RANGE_USABLE), OK);
    assert_int_equal(lab_map_add(ADDRESS_LIMIT - 4096, 4096, RANGE_RESERVED), OK);
    assert_int_equal(lab_map_add(ADDRESS_LIMIT, 4096, RANGE_USABLE), E_CALL_RANGE);
    assert_int_equal(lab_map_add(ADDRESS_LIMIT - M, M + 1, RANGE_USABLE), E_CALL_RANGE);
    assert_int_equal(lab_map_add(4096, UINT64_MAX, RANGE_USABLE), E_CALL_RANGE);
    assert_int_equal(lab_map_add(4096, 0, RANGE_USABLE), E_CALL_RANGE);
    assert_int_equal(commit(STAGE_PAGE), OK);
    assert_true(lab.injected);
    assert_int_equal(managed(), 257);
    assert_whole();
    assert_int_equal(alloc(1, 1, &first), OK);
    assert_int_equal(first, (16 * M >> PAGE_SHIFT) - 1);
    assert_int_equal(alloc(1, 1, &first), E_MEM_NONE);
    assert_int_equal(alloc(2, 1, &first), OK);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(managed(), 257);
    /* There is no memory to zero, until the machine's own map is back. */
    assert_int_equal(zeroings, 0);
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
    assert_false(lab.injected);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(zeroings, 1);
    assert_whole();
    assert_int_equal(commit(STAGE_PAGE), E_CALL_STATE);
}

static void a_map_with_areas_of_its_own(void **unused)
{
    (void)unused;
    lab_map_begin();
    assert_int_equal(lab_map_area("left", 8 * M), OK);
    assert_int_equal(lab_map_area("left", 9 * M), E_CALL_TWICE);
    assert_int_equal(lab_map_area("any", 9 * M), E_CALL_WORD);
    assert_int_equal(lab_map_area("", 9 * M), E_CALL_WORD);
    assert_int_equal(lab_map_area("right", 8 * M), E_CALL_RANGE);
    assert_int_equal(lab_map_area("right", 9 * M + 1), E_CALL_ALIGN);
    assert_int_equal(lab_map_area("right", ADDRESS_LIMIT), OK);
    assert_int_equal(lab_map_add(7 * M, 2 * M, RANGE_USABLE), OK);
    assert_int_equal(commit(STAGE_PAGE), OK);
    assert_int_equal(lab.nareas, 2);
    assert_int_equal(lab.scan[0], 1);
    assert_whole();
    /* The next map begins with the machine's areas again. */
    lab_map_begin();
    assert_int_equal(lab_map_add(7 * M, 2 * M, RANGE_USABLE), OK);
    assert_int_equal(commit(STAGE_EARLY), OK);
    assert_int_equal(lab.nareas, 3);
    assert_int_equal(lab.stage, STAGE_EARLY);
    for (unsigned i = 0; i < MAX_AREAS + 1; i++) {
        char name[] = { (char)('a' + i), '\0' };

        if (i == 0)
            lab_map_begin();
        assert_int_equal(lab_map_area(name, (i + 1) * M), i < MAX_AREAS ? OK : E_MEM_METADATA);
    }
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
}

/* As many ranges as a map may have, each in need of a leaf of its own. */
static void scatter(void)
{
    lab_map_begin();
    for (uint64_t i = 0; i < LAB_MAP_RANGES; i++)
        assert_int_equal(lab_map_add(G + i * 4 * M, PAGE_SIZE, RANGE_USABLE), OK);
    assert_int_equal(lab_map_add(G, PAGE_SIZE, RANGE_USABLE), E_MEM_METADATA);
}

static void a_refused_map_changes_nothing(void **unused)
{
    uint64_t first, second, freed;
    pfn_t blame;

    (void)unused;
    boot("kpool=64K");
    assert_int_equal(lab.stage, STAGE_VIRTUAL);
    assert_int_equal(alloc(ALL_AREAS, 4, &first), OK);
    scatter();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(commit(STAGE_PAGE), E_MEM_METADATA);
        assert_false(lab.injected);
        assert_int_equal(state_of(first), PAGE_ALLOCATED);
        assert_int_equal(pages_owner(&lab.pages, pfn(first)), 9);
        assert_whole();
    }
    assert_int_equal(alloc(ALL_AREAS, 4, &second), OK);
    assert_int_equal(pages_free(&lab.pages, pfn(first), 0, &freed, &blame), OK);
    assert_whole();
    /* The list is still there, and good enough for phys alone; the hand-over is refused whole. */
    assert_int_equal(commit(STAGE_EARLY), OK);
    assert_int_equal(lab_hand_over(&freed), E_MEM_METADATA);
    assert_int_equal(lab.stage, STAGE_EARLY);
    assert_false(lab.phys.handed_over);
    assert_int_equal(lab.phys.count, LAB_MAP_RANGES);
    assert_whole();
    assert_int_equal(lab_reset(STAGE_PAGE), E_MEM_METADATA);
    assert_int_equal(lab.stage, STAGE_EARLY);
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
    assert_whole();
}

static void the_largest_list_fits(void **unused)
{
    (void)unused;
    scatter();
    assert_int_equal(commit(STAGE_PAGE), OK);
    assert_int_equal(managed(), LAB_MAP_RANGES);
    assert_whole();
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
}

static void the_machines_map_ends_a_list(void **unused)
{
    (void)unused;
    lab_map_begin();
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
    assert_int_equal(lab_map_add(0, PAGE_SIZE, RANGE_USABLE), E_CALL_STATE);
    assert_int_equal(commit(STAGE_PAGE), E_CALL_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_list_begun_is_not_the_map_in_force, begin),
        cmocka_unit_test_setup(a_map_over_the_wire, begin),
        cmocka_unit_test_setup(a_map_with_areas_of_its_own, begin),
        cmocka_unit_test_setup(a_refused_map_changes_nothing, begin),
        cmocka_unit_test_setup(the_largest_list_fits, begin),
        cmocka_unit_test_setup(the_machines_map_ends_a_list, begin),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
