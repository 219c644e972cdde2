/* SPDX-License-Identifier: MIT */
/*
 * The lab on a machine made of data, with the real engine: boot, command line, injected maps, and
 * that a refusal loses nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/support.h"

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

/* ---- the machine ---- */

const struct area_limit arch_areas[] = {
    { "lowest", { 16 * M >> PAGE_SHIFT } }, { "low", { 4 * G >> PAGE_SHIFT } },
    { "normal", { PFN_LIMIT } },
};
const size_t arch_areas_count = ARRAY_SIZE(arch_areas);

static const struct phys_range machine_map[] = {
    { { 4 * G }, 2 * G, RANGE_USABLE },
    { { 0 }, 640 << 10, RANGE_USABLE },
    { { M }, M, RANGE_RESERVED },
    { { M }, 255 * M, RANGE_USABLE },
};

/* Real memory for what the kernel takes at boot, everything below this end. */
#define BOOT_MEMORY_END (256 * M)
#define BOOT_MEMORY (254 * M)
static unsigned char *boot_memory;
static unsigned map_calls;
static uint64_t table_pages_wanted, table_pages_got;

void arch_memory_map(void (*range)(const struct phys_range *range, const char *name))
{
    for (size_t i = 0; i < ARRAY_SIZE(machine_map); i++)
        range(&machine_map[i], "memory");
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table_page)(void))
{
    (void)size;
    map_calls++;
    /* What lies high needs page tables. */
    for (uint64_t i = 0; start.a >= 4 * G && i < table_pages_wanted; i++) {
        unsigned char *page = table_page();

        if (page == NULL)
            return false;
        for (unsigned byte = 0; byte < PAGE_SIZE; byte++)
            assert_int_equal(page[byte], 0);
        memset(page, 0xff, PAGE_SIZE);
        table_pages_got++;
    }
    return true;
}

void *arch_pointer(phys_t start, uint64_t size)
{
    uint64_t first = BOOT_MEMORY_END - BOOT_MEMORY;

    if (start.a < first || start.a > BOOT_MEMORY_END || size > BOOT_MEMORY_END - start.a)
        return NULL;
    return boot_memory + (start.a - first);
}

static const char *panic_kind;

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    (void)fault;
    panic_kind = kind;
    mock_assert(0, kind, file, line);
    abort();
}

bool machine_zero(pfn_t first, uint64_t pages)
{
    (void)first;
    (void)pages;
    return true;
}

/* ---- short words for what follows ---- */

static char log_text[65536];
static unsigned events;

static void log_line(const char *text)
{
    size_t used = strlen(log_text);

    snprintf(log_text + used, sizeof(log_text) - used, "%s\n", text);
}

static bool logged(const char *text)
{
    for (const char *at = log_text; *at != '\0'; at++)
        if (memcmp(at, text, strlen(text)) == 0)
            return true;
    return false;
}

static void boot(const char *command_line)
{
    log_text[0] = '\0';
    lab_boot(command_line, log_line);
}

static void assert_whole(void)
{
    struct page_violation violation = { .text = "" };

    if (!lab_check(&violation))
        fail_msg("invariant %u: %s", violation.invariant, violation.text);
}

static int begin(void **unused)
{
    (void)unused;
    table_pages_wanted = table_pages_got = 0;
    boot("");
    assert_whole();
    return 0;
}

static int open_memory(void **unused)
{
    (void)unused;
    boot_memory = aligned_alloc(PAGE_SIZE, BOOT_MEMORY);
    return boot_memory == NULL;
}

static int close_memory(void **unused)
{
    (void)unused;
    free(boot_memory);
    return 0;
}

static enum error alloc(uint32_t areas, uint64_t pages, uint64_t *first)
{
    struct page_request request = {
        .areas = areas, .pages = pages, .align = order_for(pages), .max = pfn(PFN_LIMIT),
    };
    pfn_t out, blame;
    bool zeroed;
    enum error e = pages_alloc(&lab.pages, &request, 9, false, &out, &zeroed, &blame);

    if (e == OK)
        *first = out.n;
    return e;
}

static enum page_state state_of(uint64_t frame)
{
    struct page_info info;

    lab.engine->query(lab.pages.state, pfn(frame), &info);
    return info.state;
}

static uint64_t managed(void)
{
    struct page_area_info info;
    uint64_t pages = 0;

    for (unsigned i = 0; lab.engine->area_info(lab.pages.state, i, &info); i++)
        pages += info.managed;
    return pages;
}

static void event(enum pages_event what, pfn_t first, uint64_t pages, uint32_t tag)
{
    (void)what, (void)first, (void)pages, (void)tag;
    events++;
}

/* ---- boot ---- */

static void boots_to_the_page_stage(void **unused)
{
    uint64_t memory = (640 << 10) + 254 * M + 2 * G, first;

    (void)unused;
    assert_int_equal(lab.stage, STAGE_PAGE);
    assert_false(lab.injected);
    assert_int_equal(lab.nareas, 3);
    assert_string_equal(lab.areas[1].name, "low");
    /* All but frame 0 and the pool. */
    assert_int_equal(lab.pool.pages << PAGE_SHIFT, 8 * M);
    assert_int_equal(managed() << PAGE_SHIFT, memory - PAGE_SIZE - 16 * M);
    assert_int_equal(state_of(0), PAGE_UNMANAGED);
    assert_int_equal(state_of(1), PAGE_FREE);
    assert_int_equal(state_of(M >> PAGE_SHIFT), PAGE_UNMANAGED);
    assert_int_equal(state_of((256 * M >> PAGE_SHIFT) - 1), PAGE_UNMANAGED);
    assert_int_equal(state_of((240 * M >> PAGE_SHIFT) - 1), PAGE_FREE);
    /* Highest area first. */
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(first, 4 * G >> PAGE_SHIFT);
    assert_true(logged("usable 0x0000000100000000 0x0000000080000000 memory\n"));
    assert_true(logged("reserved 0x0000000000100000 0x0000000000100000 memory\n"));
    assert_true(logged("reserved 0x000000000f000000 0x0000000001000000 pool\n"));
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
    uint64_t before = managed();

    (void)unused;
    table_pages_wanted = 3;
    boot("");
    assert_int_equal(table_pages_got, 3);
    assert_int_equal(managed(), before - 3);
    assert_whole();
    assert_false(phys_is_memory(&lab.phys, 256 * M - 3 * PAGE_SIZE, 8));
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(managed(), before - 3);
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

static void complains_and_takes_the_default(void **unused)
{
    static const struct { const char *line, *complaint; } bad[] = {
        { "kpool=banana", "command line: kpool=banana: not a number" },
        { "kpool=1K", "command line: kpool=1K: the value is out of range" },
        { "kpool=", "command line: kpool=: not a number" },
        { "kpool", "command line: kpool: an argument is missing" },
        { "kpol=1M", "command line: kpol=1M: no such option" },
        { "=", "command line: =: no such option" },
        { "areas=", "command line: areas=: not one of" },
        { "areas=low:4G,low", "command line: areas=low:4G,low: not one of" },
        { "areas=any", "command line: areas=any: not one of" },
        { "areas=dma31:2G", "command line: areas=dma31:2G: not one of" },
        { "areas=4ever", "command line: areas=4ever: not one of" },
        { "areas=Low", "command line: areas=Low: not one of" },
        { "areas=a234567890123456", "command line: areas=a234567890123456: not one of" },
        { "areas=a:,b", "command line: areas=a:,b: not a number" },
        { "areas=a:4G,b:4G", "command line: areas=a:4G,b:4G: the value is out of range" },
        { "areas=a,b", "command line: areas=a,b: the value is out of range" },
        { "areas=a:0", "command line: areas=a:0: the value is out of range" },
        { "areas=a:8192T", "command line: areas=a:8192T: the value is out of range" },
        { "areas=a:1000", "command line: areas=a:1000: not a power of two, or" },
        { "areas=a:1M:2M", "command line: areas=a:1M:2M: not a number" },
        { "scan=high", "command line: scan=high: no such area" },
        { "scan=low,low", "command line: scan=low,low: the key was given twice" },
        { "scan=", "command line: scan=: no such area" },
        { "engine=list", "command line: engine=list: not one of" },
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

static void a_pool_too_large_is_made_smaller(void **unused)
{
    (void)unused;
    boot("kpool=4G");
    assert_int_equal(lab.stage, STAGE_PAGE);
    /* Two of them within a quarter of the memory, and in one piece below 4 GiB. */
    assert_true(lab.pool.pages << PAGE_SHIFT <= 127 * M);
    assert_true(lab.pool.pages << PAGE_SHIFT > 32 * M);
}

/* ---- instances ---- */

static void reset_begins_afresh(void **unused)
{
    struct page_info info;
    uint64_t first, before = managed();
    uint8_t order[] = { 0, 1, 2 };

    (void)unused;
    assert_int_equal(alloc(ALL_AREAS, 512, &first), OK);
    assert_int_equal(lab_scan_order(order), OK);
    assert_int_equal(lab.scan[0], 0);
    lab.dead = true;
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_false(lab.dead);
    assert_int_equal(lab.scan[0], 2);
    assert_int_equal(managed(), before);
    lab.engine->query(lab.pages.state, pfn(first), &info);
    assert_int_equal(info.state, PAGE_FREE);
    assert_true(info.fresh);
    assert_int_equal(pages_owner(&lab.pages, pfn(first)), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(lab_reset(i % 2 == 0 ? STAGE_EARLY : STAGE_PAGE), OK);
    assert_whole();
}

static void early_memory_is_not_handed_over(void **unused)
{
    struct phys_request request = {
        .size = 100, .align = 1, .max = ADDRESS_LIMIT, .direction = PHYS_HIGH,
    };
    struct page_info info;
    uint64_t needed, size;
    phys_t kept, freed;

    (void)unused;
    assert_int_equal(lab_hand_over(&needed), E_CALL_STATE);
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    assert_int_equal(lab_scan_order((const uint8_t[]){ 0, 1, 2 }), E_CALL_STATE);
    assert_int_equal(phys_alloc(&lab.phys, &request, &kept), OK);
    request.align = 8192;
    assert_int_equal(phys_alloc(&lab.phys, &request, &freed), OK);
    assert_int_equal(phys_free(&lab.phys, freed, &size), OK);
    assert_whole();
    assert_int_equal(lab_hand_over(&needed), OK);
    assert_int_equal(state_of(phys_pfn(kept).n), PAGE_UNMANAGED);
    lab.engine->query(lab.pages.state, phys_pfn(freed), &info);
    assert_int_equal(info.state, PAGE_FREE);
    assert_false(info.fresh);
    assert_whole();
}

static void events_survive_a_reset(void **unused)
{
    uint64_t first;

    (void)unused;
    events = 0;
    lab_set_event_hook(event);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(events, 2);
    lab_set_event_hook(NULL);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(events, 2);
}

/* ---- injected maps ---- */

static enum error commit(enum lab_stage stage)
{
    uint64_t needed;

    return lab_map_commit(stage, &needed);
}

static void a_map_over_the_wire(void **unused)
{
    uint64_t first;

    (void)unused;
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
    assert_int_equal(lab_map_machine(STAGE_PAGE), OK);
    assert_false(lab.injected);
    assert_whole();
    assert_int_equal(commit(STAGE_PAGE), E_CALL_STATE);
}

static void a_map_with_areas_of_its_own(void **unused)
{
    (void)unused;
    lab_map_begin();
    assert_int_equal(lab_map_area("left", 8 * M), OK);
    assert_int_equal(lab_map_area("left", 9 * M), E_CALL_WORD);
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

    (void)unused;
    boot("kpool=64K");
    assert_int_equal(lab.stage, STAGE_PAGE);
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
    assert_int_equal(pages_free(&lab.pages, pfn(first), 0, &freed), OK);
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

/* ---- areas ---- */

static void assert_set(const char *word, uint32_t areas, uint64_t limit)
{
    uint32_t got = 0;
    pfn_t got_limit = pfn(0);

    assert_int_equal(lab_area_set(word, strlen(word), &got, &got_limit), OK);
    assert_int_equal(got, areas);
    assert_int_equal(got_limit.n, limit);
}

static void words_mean_sets_of_areas(void **unused)
{
    uint32_t areas;
    pfn_t limit;

    (void)unused;
    assert_set("any", 7, PFN_LIMIT);
    assert_set("low", 2, PFN_LIMIT);
    assert_set("dma24", 1, PFN_LIMIT);
    assert_set("dma31", 3, UINT64_C(1) << 19);
    assert_set("dma32", 3, PFN_LIMIT);
    assert_int_equal(lab_area_set("lo", 2, &areas, &limit), E_CALL_AREA);
    assert_int_equal(lab_area_set("lowes", 5, &areas, &limit), E_CALL_AREA);
    assert_int_equal(lab_area_set("", 0, &areas, &limit), E_CALL_AREA);
    boot("areas=all");
    assert_set("dma24", 1, UINT64_C(1) << 12);
    assert_set("any", 1, PFN_LIMIT);
}

static void scan_orders_are_permutations(void **unused)
{
    (void)unused;
    assert_int_equal(lab_scan_order((const uint8_t[]){ 0, 1, 1 }), E_CALL_RANGE);
    assert_int_equal(lab_scan_order((const uint8_t[]){ 0, 1, 3 }), E_CALL_RANGE);
    assert_int_equal(lab.scan[0], 2);
    assert_int_equal(lab_scan_order((const uint8_t[]){ 1, 0, 2 }), OK);
    assert_int_equal(lab.scan[0], 1);
}

/* ---- check ---- */

static void assert_broken(unsigned invariant)
{
    struct page_violation violation = { .invariant = 0 };

    assert_false(lab_check(&violation));
    assert_int_equal(violation.invariant, invariant);
}

static void check_names_the_broken_invariant(void **unused)
{
    uint64_t first;

    (void)unused;
    assert_int_equal(owners_add(lab.pages.owners, pfn(5), 1), OK);
    assert_broken(100);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.minimum_alignment = 3;
    assert_broken(208);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    /* Extent 1 is [4 KiB, 640 KiB), handed over. */
    lab.phys.extents[1].end -= PAGE_SIZE;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.extents[lab.phys.count - 1].end += PAGE_SIZE;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.extents[1].used = true;
    assert_broken(301);
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    lab.phys.handed_over = true;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_whole();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(boots_to_the_page_stage, begin),
        cmocka_unit_test_setup(the_pool_is_nobodys, begin),
        cmocka_unit_test_setup(page_tables_stay_out_of_the_map, begin),
        cmocka_unit_test_setup(honours_the_command_line, begin),
        cmocka_unit_test_setup(memory_beyond_the_last_area_is_not_managed, begin),
        cmocka_unit_test_setup(complains_and_takes_the_default, begin),
        cmocka_unit_test_setup(a_pool_too_large_is_made_smaller, begin),
        cmocka_unit_test_setup(reset_begins_afresh, begin),
        cmocka_unit_test_setup(early_memory_is_not_handed_over, begin),
        cmocka_unit_test_setup(events_survive_a_reset, begin),
        cmocka_unit_test_setup(a_map_over_the_wire, begin),
        cmocka_unit_test_setup(a_map_with_areas_of_its_own, begin),
        cmocka_unit_test_setup(a_refused_map_changes_nothing, begin),
        cmocka_unit_test_setup(the_largest_list_fits, begin),
        cmocka_unit_test_setup(words_mean_sets_of_areas, begin),
        cmocka_unit_test_setup(scan_orders_are_permutations, begin),
        cmocka_unit_test_setup(check_names_the_broken_invariant, begin),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
