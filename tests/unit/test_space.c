/* SPDX-License-Identifier: MIT */
/* A port's address space: the direct map, the window's place, and what is flushed. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#include "arch/common/space.h"
#include "arch/x86/pte.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

static struct flush flush;
static uint64_t root[512];
static unsigned early_left, taken, dropped, dropped_all;
static uint64_t dropped_last;
static void *tables[64];

static void *table_of(uint64_t size)
{
    if (taken == ARRAY_SIZE(tables))
        return NULL;
    return tables[taken++] = aligned_alloc(size, size);
}

static void *take_early(void *context, uint64_t size)
{
    (void)context;
    return early_left > 0 ? early_left--, table_of(size) : NULL;
}

static void *no_table(uint64_t size)
{
    (void)size;
    return NULL;
}

static void *pointer(uint64_t address) { return (void *)(uintptr_t)address; }
static uint64_t number(const void *table) { return (uintptr_t)table; }

static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    uint64_t before = *entry;

    *entry = value;
    space_note(&flush, level, before, value, at);
}

static void table_detach(unsigned level, uint64_t *entry, uint64_t at)
{
    (void)at;
    *entry = pte_format_4_levels.empty(level);
    flush_all(&flush);
}

static void drop(uint64_t at)
{
    dropped++;
    dropped_last = at;
}

static void drop_all(void) { dropped_all++; }
static void entries_written(void) { flush_run(&flush, drop, drop_all); }

struct radix space;

static int begin(void **unused)
{
    (void)unused;
    memset(root, 0, sizeof(root));
    flush = (struct flush){ .n = 0 };
    early_left = dropped = dropped_all = 0;
    space = (struct radix){
        .format = &pte_format_4_levels, .root = root, .limit = UINT64_C(1) << 47,
        .pointer = pointer, .number = number, .write = entry_write,
        .detach = table_detach, .written = entries_written, .source = SPACE_EARLY(take_early),
    };
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    while (taken > 0)
        free(tables[--taken]);
    return 0;
}

static void memory_is_mapped_once_with_tables_that_stay(void **unused)
{
    struct mmu_mapping mapping;

    (void)unused;
    early_left = 8;
    assert_true(space_map_same(M + 1, 2 * M, MMU_DATA));
    assert_true(space_map_same(5, 5, MMU_DATA));
    /* The lab knows nothing of what is mapped already. */
    assert_true(space_map_memory(phys(M / 2), 2 * G, MMU_DATA, table_of));
    assert_true(space_is_direct(phys(M / 2), 2 * G));
    assert_false(space_is_direct(phys(M / 2), 2 * G + 1));
    assert_false(space_is_direct(phys(M / 2 - 1), 1));
    assert_false(space_is_direct(phys(M), UINT64_MAX));
    assert_true(space_query(virt(G), &mapping));
    assert_int_equal(mapping.shift, 30);
    assert_int_equal(mapping.attributes, MMU_DATA);
    assert_int_equal(space_tables_size(), 0);
    assert_ptr_equal(space.source.take, take_early);
}

static void memory_that_cannot_be_mapped_is_refused(void **unused)
{
    (void)unused;
    assert_false(space_map_memory(phys(M), 4096, MMU_DATA, no_table));
    assert_ptr_equal(space.source.take, take_early);
    assert_false(space_map_memory(phys(space.limit), 4096, MMU_DATA, table_of));
    assert_false(space_map_memory(phys(space.limit - 4096), 8192, MMU_DATA, table_of));
    assert_false(space_map_same(M, 2 * M, MMU_DATA));
}

static void a_mapping_elsewhere_is_not_direct(void **unused)
{
    (void)unused;
    early_left = 8;
    assert_int_equal(space_map(virt(8 * G), phys(M), 4096, MMU_DATA), OK);
    assert_false(space_is_direct(phys(8 * G), 1));
    assert_false(space_is_direct(phys(M), 1));
    space_unmap(virt(8 * G), 4096, NULL);
    expect_assert_failure(space_give_nothing(NULL, root, 4096));
}

static void few_translations_are_dropped_one_by_one(void **unused)
{
    (void)unused;
    early_left = 8;
    assert_int_equal(space_map(virt(G), phys(M), 40 * 4096, MMU_DATA), OK);
    assert_int_equal(flush.count, 0);
    assert_int_equal(space_protect(virt(G + 4096), FLUSH_ADDRESSES * 4096, MMU_READ_ONLY), OK);
    assert_int_equal(dropped, FLUSH_ADDRESSES);
    assert_int_equal(dropped_all, 0);
    assert_int_equal(dropped_last, G + FLUSH_ADDRESSES * 4096);
    assert_int_equal(flush.count, FLUSH_ADDRESSES);
    /* One more, and all go at once. */
    assert_int_equal(space_protect(virt(G), (FLUSH_ADDRESSES + 2) * 4096, 0), OK);
    assert_int_equal(dropped, FLUSH_ADDRESSES);
    assert_int_equal(dropped_all, 1);
    assert_int_equal(flush.count, FLUSH_ADDRESSES + 1);
    space_unmap(virt(G), 4096, NULL);
    assert_int_equal(dropped, FLUSH_ADDRESSES + 1);
    assert_int_equal(dropped_last, G);
}

static void *take(void *context, uint64_t size)
{
    (void)context;
    return table_of(size);
}

static void give(void *context, void *table, uint64_t size)
{
    (void)context, (void)table, (void)size;
}

static bool owns(void *context, const void *table)
{
    (void)context, (void)table;
    return true;
}

/* What was known of the parts is not dropped with the first address of the whole. */
static void a_table_that_becomes_a_unit_drops_all(void **unused)
{
    (void)unused;
    space_set_tables(&(struct table_source){ NULL, take, give, owns });
    assert_int_equal(space_map(virt(G), phys(G), 2 * M, MMU_DATA), OK);
    assert_int_equal(space_protect(virt(G), 4096, MMU_READ_ONLY), OK);
    assert_int_equal(dropped_all, 0);
    assert_int_equal(dropped, 2);
    assert_int_equal(space_protect(virt(G), 4096, MMU_DATA), OK);
    assert_int_equal(dropped_all, 1);
}

static void the_window_begins_behind_memory(void **unused)
{
    const struct { struct phys_range memory; uint64_t first; } cases[] = {
        { { phys(M), G, RANGE_USABLE }, 2 * G },
        { { phys(M), 2 * G - M, RANGE_USABLE }, 2 * G },
        { { phys(M), 2 * G - M + 1, RANGE_USABLE }, 2 * G + 2 * M },
        { { phys(M), 3 * G, RANGE_USABLE }, 3 * G + 2 * M },
        { { phys(M), 3 * G, RANGE_RESERVED }, 2 * G },
        { { phys(M), 8 * G, RANGE_USABLE }, 4 * G },
        { { phys(4 * G), 8 * G, RANGE_USABLE }, 2 * G },
    };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct space_window window = { 2 * G, 4 * G };

        space_window_behind(&window, &cases[i].memory);
        assert_int_equal(window.first, cases[i].first);
        assert_int_equal(window.limit, 4 * G);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_is_mapped_once_with_tables_that_stay, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_cannot_be_mapped_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(a_mapping_elsewhere_is_not_direct, begin, end),
        cmocka_unit_test_setup_teardown(few_translations_are_dropped_one_by_one, begin, end),
        cmocka_unit_test_setup_teardown(a_table_that_becomes_a_unit_drops_all, begin, end),
        cmocka_unit_test_setup_teardown(the_window_begins_behind_memory, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
