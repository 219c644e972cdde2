/* SPDX-License-Identifier: MIT */
/* From a machine's map and a command line to a lab that serves. */
#include "tests/unit/lab_machine.h"
#include "kernel/mm/page.h"

static void boots_to_the_virtual_stage(void **unused)
{
    uint64_t memory = (640 << 10) + 254 * M + 2 * G, first;

    (void)unused;
    assert_int_equal(lab.stage, STAGE_VIRTUAL);
    assert_false(lab.injected);
    assert_int_equal(lab.nareas, 3);
    assert_string_equal(lab.areas[1].name, "low");
    /* All but frame 0, the pool and 4 MiB for page tables. */
    assert_int_equal(lab.pool.pages << PAGE_SHIFT, 8 * M);
    assert_int_equal(managed() << PAGE_SHIFT, memory - PAGE_SIZE - 20 * M);
    assert_int_equal(state_of(0), PAGE_UNMANAGED);
    assert_int_equal(state_of(1), PAGE_FREE);
    assert_int_equal(state_of(M >> PAGE_SHIFT), PAGE_UNMANAGED);
    assert_int_equal(state_of((256 * M >> PAGE_SHIFT) - 1), PAGE_UNMANAGED);
    assert_int_equal(state_of((236 * M >> PAGE_SHIFT) - 1), PAGE_FREE);
    /* Highest area first. */
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(first, 4 * G >> PAGE_SHIFT);
    assert_true(logged("usable 0x0000000100000000 0x0000000080000000 memory\n"));
    assert_true(logged("reserved 0x0000000000100000 0x0000000000100000 memory\n"));
    assert_true(logged("reserved 0x000000000ec00000 0x0000000001400000 pool\n"));
}

static void the_pool_is_nobodys(void **unused)
{
    uint64_t size;

    (void)unused;
    assert_false(phys_is_memory(&lab.phys, (uint64_t)(256 * M - 8), 8));
    assert_int_equal(phys_free(&lab.phys, phys(240 * M), &size), E_MEM_RESERVED);
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    assert_int_equal(phys_free(&lab.phys, phys(240 * M), &size), E_MEM_RESERVED);
}

static void page_tables_stay_out_of_the_map(void **unused)
{
    static const uint64_t sizes[] = { PAGE_SIZE >> 1, PAGE_SIZE, 4 * PAGE_SIZE };
    uint64_t before = managed();

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint64_t size = align_up(4 * sizes[i], PAGE_SIZE);

        tables_wanted = 4;
        tables_got = 0;
        table_size = sizes[i];
        boot("");
        assert_int_equal(tables_got, 4);
        assert_int_equal(managed(), before - (size >> PAGE_SHIFT));
        assert_whole();
        assert_false(phys_is_memory(&lab.phys, 256 * M - size, 8));
        assert_int_equal(lab_reset(STAGE_PAGE), OK);
        assert_int_equal(managed(), before - (size >> PAGE_SHIFT));
    }
}

static void honours_the_command_line(void **unused)
{
    uint64_t first;
    uint32_t areas;
    pfn_t limit;

    (void)unused;
    boot("  scan=dma engine=tree areas=dma:16M,low:4G,high kpool=1M ");
    assert_int_equal(lab.pool.pages, 256);
    assert_int_equal(lab.nareas, 3);
    assert_string_equal(lab.areas[0].name, "dma");
    assert_int_equal(lab.areas[2].limit.n, PFN_LIMIT);
    assert_int_equal(lab.scan[0], 0);
    assert_int_equal(lab.scan[1], 2);
    assert_int_equal(lab.scan[2], 1);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_true(first < 16 * M >> PAGE_SHIFT);
    assert_int_equal(lab_area_set("lowest", 6, &areas, &limit), E_CALL_AREA);
    assert_false(logged("command line"));
    assert_whole();
}

static void memory_beyond_the_last_area_is_not_managed(void **unused)
{
    (void)unused;
    boot("areas=a:16M,b:128M");
    assert_int_equal(managed() << PAGE_SHIFT, (640 << 10) - PAGE_SIZE + 126 * M);
    assert_whole();
}

static void scans_the_areas_named_first(void **unused)
{
    (void)unused;
    boot("scan=low");
    assert_int_equal(lab.scan[0], 1);
    assert_int_equal(lab.scan[1], 2);
    assert_int_equal(lab.scan[2], 0);
    boot("scan=low,lowest");
    assert_int_equal(lab.scan[1], 0);
    assert_int_equal(lab.scan[2], 2);
}

static void complains_and_takes_the_default(void **unused)
{
    static const struct { const char *line, *complaint; } bad[] = {
        { "kpool=banana", "command line: kpool=banana: not a number" },
        { "kpool=1K", "command line: kpool=1K: the value is out of range" },
        { "tables=1", "command line: tables=1: the value is out of range" },
        { "tables=31K", "command line: tables=31K: the value is out of range" },
        { "kpool=", "command line: kpool=: not a number" },
        { "kpool", "command line: kpool: an argument is missing" },
        { "kpol=1M", "command line: kpol=1M: no such option" },
        { "=", "command line: =: no such option" },
        { "areas=", "command line: areas=: an area without a name" },
        { "areas=a:1G,,b", "command line: areas=a:1G,,b: an area without a name" },
        { "areas=low:4G,low", "command line: areas=low:4G,low: given twice" },
        { "areas=any", "command line: areas=any: not a name for an area, or one that means some" },
        { "areas=dma31:2G", "command line: areas=dma31:2G: not a name for an area" },
        { "areas=4ever", "command line: areas=4ever: not a name for an area" },
        { "areas=Low", "command line: areas=Low: not a name for an area" },
        { "areas=a234567890123456", "command line: areas=a234567890123456: not a name for an" },
        { "areas=a:1M,b:2M,c:3M,d:4M,e:5M,f:6M,g:7M,h:8M,i:9M,j:10M,k:11M,l:12M,m:13M,n:14M,"
          "o:15M,p:16M,q",
          "command line: areas=a:1M,b:2M,c:3M,d:4M,e:5M,f:6M,g:7M,h:8M,i:9M,j:10M,k:11M,l: "
          "16 areas at most" },
        { "areas=a:,b", "command line: areas=a:,b: not a number" },
        { "areas=a:4G,b:4G", "command line: areas=a:4G,b:4G: the limit is not above the one" },
        { "areas=a,b", "command line: areas=a,b: the limit is not above the one" },
        { "areas=a:0", "command line: areas=a:0: the limit is not above the one" },
        { "areas=a:8192T", "command line: areas=a:8192T: the limit is not above the one before, "
          "or beyond 2^52" },
        { "areas=a:1000", "command line: areas=a:1000: the limit is not that of a page" },
        { "areas=a:1M:2M", "command line: areas=a:1M:2M: not a number" },
        { "scan=high", "command line: scan=high: no such area" },
        { "scan=low,low", "command line: scan=low,low: given twice" },
        { "scan=", "command line: scan=: no such area" },
        { "engine=lists", "command line: engine=lists: not one of" },
        { "onpanic=go", "command line: onpanic=go: not one of" },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        boot(bad[i].line);
        if (!logged(bad[i].complaint))
            fail_msg("'%s' was not complained of:\n%s", bad[i].line, log_text);
        assert_int_equal(lab.pool.pages << PAGE_SHIFT, 8 * M);
        assert_int_equal(lab.nareas, 3);
        assert_string_equal(lab.areas[0].name, "lowest");
        assert_int_equal(lab.scan[0], 2);
        assert_string_equal(lab.engine->name, "tree");
    }
}

static void lists_engines_and_takes_the_default(void **unused)
{
    char line[160];

    (void)unused;
    boot("engine=help");
    snprintf(line, sizeof(line), "engine tree %s", page_engine_tree.text);
    assert_true(logged(line));
    assert_false(logged("command line"));
    assert_ptr_equal(lab.engine, &page_engine_tree);
}

static void stays_after_a_panic_if_told(void **unused)
{
    (void)unused;
    boot("onpanic=stay");
    assert_true(lab.stays);
    boot("onpanic=halt");
    assert_false(lab.stays);
    assert_false(logged("command line"));
    lab.stays = true;
    boot("");
    assert_false(lab.stays);
}

static void a_pool_too_large_is_made_smaller(void **unused)
{
    (void)unused;
    boot("kpool=4G");
    assert_int_equal(lab.stage, STAGE_VIRTUAL);
    /* Two of them within a quarter of the memory, and in one piece below 4 GiB. */
    assert_true(lab.pool.pages << PAGE_SHIFT <= 127 * M);
    assert_true(lab.pool.pages << PAGE_SHIFT > 32 * M);
}

static void a_small_machine_keeps_most_of_itself(void **unused)
{
    static const struct phys_range small = { { 16 * M }, 16 * M, RANGE_USABLE };
    static const struct phys_range tiny = { { 16 * M }, M >> 2, RANGE_USABLE };

    (void)unused;
    machine_map = &small;
    machine_ranges = 1;
    boot("");
    assert_int_equal(lab.pool.pages << PAGE_SHIFT, 2 * M);
    assert_int_equal(tables_size(&lab_tables), M - TABLE_UNIT);
    assert_int_equal(managed() << PAGE_SHIFT, 11 * M);
    machine_map = &tiny;
    expect_assert_failure(boot(""));
    assert_string_equal(panic_kind, "memory");
    machine_ranges = 0;
    panic_kind = NULL;
    expect_assert_failure(boot(""));
    assert_string_equal(panic_kind, "memory");
}

static void a_map_too_long_is_not_taken_on_trust(void **unused)
{
    static struct phys_range many[LAB_MAP_RANGES + 1];

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (struct phys_range){ phys(8 * M + i * M / 8), M / 8 - PAGE_SIZE, RANGE_USABLE };
    /* Where the pool fits. */
    many[0] = (struct phys_range){ phys(160 * M), 64 * M, RANGE_USABLE };
    machine_map = many;
    machine_ranges = ARRAY_SIZE(many) - 2;
    boot("");
    assert_false(logged("one range too many"));
    /* Memory may be left out; what must not be used may not. */
    machine_ranges = ARRAY_SIZE(many);
    many[LAB_MAP_RANGES].kind = RANGE_RESERVED;
    expect_assert_failure(boot(""));
    assert_string_equal(panic_kind, "map");
    assert_true(logged("one range too many"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(boots_to_the_virtual_stage, begin),
        cmocka_unit_test_setup(the_pool_is_nobodys, begin),
        cmocka_unit_test_setup(page_tables_stay_out_of_the_map, begin),
        cmocka_unit_test_setup(honours_the_command_line, begin),
        cmocka_unit_test_setup(memory_beyond_the_last_area_is_not_managed, begin),
        cmocka_unit_test_setup(scans_the_areas_named_first, begin),
        cmocka_unit_test_setup(complains_and_takes_the_default, begin),
        cmocka_unit_test_setup(lists_engines_and_takes_the_default, begin),
        cmocka_unit_test_setup(stays_after_a_panic_if_told, begin),
        cmocka_unit_test_setup(a_pool_too_large_is_made_smaller, begin),
        cmocka_unit_test_setup(a_small_machine_keeps_most_of_itself, begin),
        cmocka_unit_test_setup(a_map_too_long_is_not_taken_on_trust, begin),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
