/* SPDX-License-Identifier: MIT */
#include "tests/unit/lab_machine.h"

static uint64_t vmalloc(uint64_t size)
{
    struct vmap_request request = {
        .place.kind = VIRT_VMALLOC, .attributes = MMU_DATA, .areas = ALL_AREAS,
        .max = pfn(PFN_LIMIT),
    };
    virt_t out, blame;
    bool zeroed;

    assert_int_equal(vmap_pages(&request, size, false), OK);
    assert_int_equal(vmap_alloc(&lab.vmap, &request, &out, &zeroed, &blame), OK);
    return out.a;
}

static uint64_t read_only_page(void)
{
    const struct page_request request = { .areas = 2, .pages = 1, .max = pfn(PFN_LIMIT) };
    pfn_t first, blame;
    bool zeroed;

    assert_int_equal(attributes_alloc(&lab.attributes, &request, 3, false, MMU_READ_ONLY, &first,
                                      &zeroed, &blame), OK);
    return first.n;
}

static void the_window_is_the_machines_unless_told(void **unused)
{
    (void)unused;
    assert_int_equal(lab.window.a, FAKE_FIRST);
    assert_int_equal(vmalloc(1), FAKE_FIRST);
    boot("virt=0x10000800000:8K");
    assert_int_equal(lab.window.a, FAKE_FIRST + 8 * M);
    assert_int_equal(lab.window_limit.a, FAKE_FIRST + 8 * M + 2 * PAGE_SIZE);
    assert_false(logged("command line"));
    assert_int_equal(vmalloc(2 * PAGE_SIZE), FAKE_FIRST + 8 * M);
    assert_whole();
}

static void a_window_that_cannot_be_is_refused(void **unused)
{
    static const char *const wrong[] = {
        "virt=0:1M", "virt=1T:0", "virt=1T", "virt=1T:1M:1M", "virt=", "virt=:", "virt=1T:100",
        "virt=4095:1M", "virt=1M:1M", "virt=200M:1G", "virt=128T:4K", "virt=1T:200T",
        "virt=8388608T:1M", "virt=0xfffffffffffff000:4K", "virt=1T:-1", "virt=x:y",
    };

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        boot(wrong[i]);
        assert_true(logged("command line: virt"));
        assert_int_equal(lab.window.a, FAKE_FIRST);
        assert_int_equal(lab.window_limit.a, FAKE_FIRST + FAKE_PAGES * PAGE_SIZE);
    }
}

static void memory_for_tables_is_as_wanted(void **unused)
{
    (void)unused;
    assert_int_equal(tables_size(&lab_tables), 4 * M - TABLE_UNIT);
    boot("tables=1M");
    assert_int_equal(tables_size(&lab_tables), M - TABLE_UNIT);
    boot("tables=3G");
    assert_int_equal(tables_size(&lab_tables) >> 20, (254 * M + 2 * G) >> 24);
    boot("tables=1K");
    assert_true(logged("command line: tables=1K"));
    assert_int_equal(tables_size(&lab_tables), 4 * M - TABLE_UNIT);
}

static void a_fresh_instance_finds_nothing_mapped(void **unused)
{
    uint64_t page = read_only_page();

    (void)unused;
    vmalloc(10 * M);
    lab.fail.on = true;
    assert_true(lab_tables.used > 0);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(lab_tables.used, 0);
    assert_int_equal(fake_direct[page], MMU_DATA);
    assert_false(lab.fail.on);
    assert_whole();
    assert_int_equal(vmalloc(1), FAKE_FIRST);
    assert_int_equal(read_only_page(), page);
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    assert_int_equal(lab_tables.used, 0);
    assert_int_equal(fake_direct[page], MMU_DATA);
}

static void an_instance_in_pieces_is_undone_by_the_tables(void **unused)
{
    uint64_t page = read_only_page();

    (void)unused;
    vmalloc(10 * M);
    /* as an assertion in the middle of something may leave it */
    memset(&lab.vmap.virt, 0xff, sizeof(lab.vmap.virt));
    lab.attributes.changed = 0;
    lab.dead = true;
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(lab_tables.used, 0);
    assert_int_equal(fake_direct[page], MMU_DATA);
    assert_whole();
}

static void another_map_finds_nothing_mapped(void **unused)
{
    uint64_t page = read_only_page();

    (void)unused;
    vmalloc(M);
    lab_map_begin();
    assert_int_equal(lab_map_add(G, 64 * M, RANGE_USABLE), OK);
    /* a refusal leaves all as it is */
    assert_int_equal(lab_map_add(1, 1, RANGE_USABLE), OK);
    assert_int_equal(commit(STAGE_PAGE), OK);
    assert_int_equal(lab_tables.used, 0);
    assert_int_equal(fake_direct[page], MMU_DATA);
    assert_whole();
    vmalloc(M);
    assert_whole();
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
    assert_int_equal(lab_tables.used, 0);
    assert_whole();
}

static void a_refused_map_leaves_mappings_alone(void **unused)
{
    uint64_t used;

    (void)unused;
    vmalloc(M);
    used = lab_tables.used;
    lab_map_begin();
    assert_int_equal(lab_map_add(PAGE_SIZE, ADDRESS_LIMIT - PAGE_SIZE, RANGE_USABLE), OK);
    assert_int_equal(commit(STAGE_PAGE), E_MEM_METADATA);
    assert_int_equal(lab_tables.used, used);
    assert_whole();
}

static void check_sees_512(void **unused)
{
    struct page_violation violation = { .invariant = 0 };

    (void)unused;
    vmalloc(1);
    fake_bytes += PAGE_SIZE;
    assert_int_equal(lab_check(&violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, 512);
    fake_bytes -= PAGE_SIZE;
    assert_non_null(tables_take(&lab_tables, PAGE_SIZE));
    assert_int_equal(lab_check(&violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_window_is_the_machines_unless_told, begin),
        cmocka_unit_test_setup(a_window_that_cannot_be_is_refused, begin),
        cmocka_unit_test_setup(memory_for_tables_is_as_wanted, begin),
        cmocka_unit_test_setup(a_fresh_instance_finds_nothing_mapped, begin),
        cmocka_unit_test_setup(an_instance_in_pieces_is_undone_by_the_tables, begin),
        cmocka_unit_test_setup(another_map_finds_nothing_mapped, begin),
        cmocka_unit_test_setup(a_refused_map_leaves_mappings_alone, begin),
        cmocka_unit_test_setup(check_sees_512, begin),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
