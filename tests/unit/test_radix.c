/* SPDX-License-Identifier: MIT */
/* The walker over the tables of every machine. Each test runs once for each geometry. */
#include <limits.h>

#include "tests/unit/radix_support.h"

static uint64_t one_table(unsigned level)
{
    return machine->format->level[level].entries * 8;
}

/* Tables on the way down to a page, the root not counted. */
static uint64_t way_down(void)
{
    uint64_t size = 0;

    for (unsigned level = 1; level < machine->format->levels; level++)
        size += one_table(level);
    return size;
}

static void maps_and_unmaps_a_page(void **unused)
{
    uint64_t start = world_hash();

    (void)unused;
    assert_int_equal(world_map(5, FAR, 1, MMU_DATA), OK);
    assert_int_equal(world_query(5).phys.a, FAR);
    assert_int_equal(world_query(5).attributes, MMU_DATA);
    assert_int_equal(world_query(5).unit.a, world + 5 * PAGE_SIZE);
    assert_int_equal(world_query(4).shift, 0);
    assert_int_equal(world_query(6).shift, 0);
    assert_int_equal(radix_tables_size(&radix), way_down());
    world_check();
    /* Nothing was there that a CPU could have known of. */
    assert_int_equal(flushes, 0);
    world_unmap(5, 1);
    assert_int_equal(flushes, 1);
    assert_int_equal(tables_live, 0);
    assert_int_equal(radix_tables_size(&radix), 0);
    assert_int_equal(world_hash(), start);
    world_unmap(5, 1);
    assert_int_equal(flushes, 1);
}

static void keeps_every_attribute_at_every_level(void **unused)
{
    static const uint64_t sizes[] = { KIB4, MIB2, GIB1 };

    (void)unused;
    for (unsigned attributes = 0; attributes <= MMU_ALL; attributes++) {
        if ((attributes & ~machine->attributes) != 0
            || (attributes & (MMU_UNCACHED | MMU_WRITE_COMBINING))
                == (MMU_UNCACHED | MMU_WRITE_COMBINING))
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            assert_int_equal(world_map(GIB1, FAR + (sizes[i] << PAGE_SHIFT), sizes[i], attributes),
                             OK);
            assert_int_equal(world_query(GIB1).attributes, attributes);
            assert_int_equal(world_query(GIB1).phys.a, FAR + (sizes[i] << PAGE_SHIFT));
            world_unmap(GIB1, sizes[i]);
        }
    }
    world_check();
}

static void takes_the_largest_units_that_fit(void **unused)
{
    (void)unused;
    /* From a page before a GiB to a page behind it, and on through 2 MiB. */
    assert_int_equal(world_map(GIB1 - 1, FAR - PAGE_SIZE, 1 + GIB1 + MIB2 + 1, MMU_DATA), OK);
    assert_int_equal(world_query(GIB1 - 1).shift, 12);
    assert_int_equal(world_query(GIB1 + 3).shift, world_has_unit(30) ? 30
                                              : world_has_unit(21) ? 21 : 12);
    assert_int_equal(world_query(2 * GIB1).shift, world_has_unit(21) ? 21 : 12);
    assert_int_equal(world_query(2 * GIB1 + MIB2).shift, 12);
    world_unmap_asking(GIB1 - 1, 1 + GIB1 + MIB2 + 1);
    /* The physical address decides as well. */
    assert_int_equal(world_map(GIB1, FAR + (MIB2 << PAGE_SHIFT), GIB1, MMU_DATA), OK);
    assert_int_equal(world_query(GIB1).shift, world_has_unit(21) ? 21 : 12);
    world_unmap(GIB1, GIB1);
    assert_int_equal(world_map(GIB1, FAR + PAGE_SIZE, MIB2, MMU_DATA), OK);
    assert_int_equal(world_query(GIB1).shift, 12);
    world_unmap_asking(GIB1 - 1, 1 + MIB2);
    assert_int_equal(tables_live, 0);
    world_check();
}

static void one_frame_is_mapped_many_times(void **unused)
{
    (void)unused;
    for (uint64_t page = 0; page < 1000; page++)
        assert_int_equal(world_map(page, FAR, 1, page % 2 == 0 ? MMU_READ_ONLY : 0), OK);
    world_check();
    world_unmap(0, 1000);
    assert_int_equal(tables_live, 0);
}

static void a_failure_leaves_no_trace(void **unused)
{
    unsigned limit = 0;
    uint64_t before;

    (void)unused;
    /* Into what is partly there: its tables must stay. */
    assert_int_equal(world_map(GIB1 - 2, FAR, 1, MMU_DATA), OK);
    assert_int_equal(world_map(GIB1 + 2 * MIB2, FAR, 1, MMU_DATA), OK);
    before = world_hash();
    for (enum error e = E_MEM_METADATA; e != OK; limit++) {
        tables_left = limit;
        e = world_map(GIB1 - 1, FAR - PAGE_SIZE, MIB2 + MIB2 / 2, MMU_DATA);
        tables_left = UINT_MAX;
        assert_int_equal(e, e == OK ? OK : E_MEM_METADATA);
        assert_true(e == OK || world_hash() == before);
        world_check();
    }
    assert_true(limit > 1);
}

static void protects_a_part_and_joins_it_again(void **unused)
{
    uint64_t whole;

    (void)unused;
    assert_int_equal(world_map(GIB1, FAR, GIB1, MMU_DATA), OK);
    whole = world_hash();
    assert_int_equal(world_protect(GIB1 + MIB2 + 7, 3, MMU_READ_ONLY), OK);
    assert_int_equal(world_query(GIB1 + MIB2 + 6).attributes, MMU_DATA);
    assert_int_equal(world_query(GIB1 + MIB2 + 7).attributes, MMU_READ_ONLY);
    assert_int_equal(world_query(GIB1 + MIB2 + 10).attributes, MMU_DATA);
    assert_int_equal(world_query(GIB1 + MIB2 + 8).shift, 12);
    assert_int_equal(world_query(GIB1).shift, world_has_unit(21) ? 21 : 12);
    assert_true(flushes > 0);
    world_check();
    assert_int_equal(world_protect(GIB1 + MIB2 + 6, 3, MMU_READ_ONLY), OK);
    world_check();
    /* In two steps, and by more than was changed. */
    assert_int_equal(world_protect(GIB1 + MIB2 + 6, 2, MMU_DATA), OK);
    assert_int_not_equal(world_hash(), whole);
    assert_int_equal(world_protect(GIB1 + MIB2, MIB2, MMU_DATA), OK);
    assert_int_equal(world_hash(), whole);
    world_unmap(GIB1, GIB1);
    assert_int_equal(tables_live, 0);
}

static void protect_with_the_same_splits_nothing(void **unused)
{
    uint64_t before;

    (void)unused;
    assert_int_equal(world_map(GIB1, FAR, GIB1, MMU_READ_ONLY), OK);
    before = world_hash();
    tables_left = 0;
    assert_int_equal(world_protect(GIB1 + 1, 2 * MIB2, MMU_READ_ONLY), OK);
    assert_int_equal(world_hash(), before);
    assert_int_equal(flushes, 0);
    /* Whole units need no table, either. */
    assert_int_equal(world_protect(GIB1, GIB1, 0), OK);
    world_check();
}

static void protect_is_all_or_nothing(void **unused)
{
    unsigned limit = 0;
    uint64_t before;

    (void)unused;
    assert_int_equal(world_map(0, FAR, 2 * GIB1, MMU_DATA), OK);
    before = world_hash();
    for (enum error e = E_MEM_METADATA; e != OK; limit++) {
        tables_left = limit;
        e = world_protect(MIB2 + 5, GIB1 + 9, MMU_READ_ONLY);
        tables_left = UINT_MAX;
        assert_true(e == OK || (e == E_MEM_METADATA && world_hash() == before));
        world_check();
    }
    /* Of 1 GiB units two at each edge are split; of 2 MiB units one. */
    assert_int_equal(limit - 1, world_has_unit(30) ? 4 : world_has_unit(21) ? 2 : 0);
}

/* Two mappings side by side that would make a unit together must not become one. */
static void never_joins_what_was_not_split(void **unused)
{
    (void)unused;
    assert_int_equal(world_map(GIB1, FAR, MIB2 / 2, MMU_DATA), OK);
    assert_int_equal(world_map(GIB1 + MIB2 / 2, FAR + (MIB2 / 2 << PAGE_SHIFT), MIB2 / 2, MMU_DATA),
                     OK);
    assert_int_equal(world_protect(GIB1, 1, MMU_READ_ONLY), OK);
    assert_int_equal(world_protect(GIB1, 1, MMU_DATA), OK);
    assert_int_equal(world_query(GIB1).shift, 12);
    world_unmap(GIB1, MIB2 / 2);
    /* Nor when the hole that was left in a split unit was filled by another. */
    world_unmap(GIB1 + MIB2 / 2, MIB2 / 2);
    assert_int_equal(world_map(GIB1, FAR, MIB2, MMU_DATA), OK);
    assert_int_equal(world_protect(GIB1, 1, MMU_READ_ONLY), OK);
    world_unmap(GIB1, 1);
    assert_int_equal(world_map(GIB1, FAR, 1, MMU_READ_ONLY), OK);
    assert_int_equal(world_protect(GIB1, 1, MMU_DATA), OK);
    assert_int_equal(world_query(GIB1).shift, 12);
    world_unmap(GIB1, 1);
    world_check();
}

static void tables_of_the_boot_stay(void **unused)
{
    uint64_t before, made;

    (void)unused;
    tables_are_owned = false;
    assert_int_equal(world_map(GIB1, FAR + PAGE_SIZE, MIB2, MMU_DATA), OK);
    tables_are_owned = true;
    assert_int_equal(radix_tables_size(&radix), 0);
    before = world_hash();
    world_unmap(GIB1, MIB2);
    made = world_hash();
    assert_int_not_equal(made, before);
    /* What comes in their place uses them. */
    tables_left = 0;
    assert_int_equal(world_map(GIB1, FAR + PAGE_SIZE, MIB2, MMU_DATA), OK);
    assert_int_equal(world_hash(), before);
    assert_int_equal(world_protect(GIB1, 1, MMU_READ_ONLY), OK);
    assert_int_equal(world_protect(GIB1, 1, MMU_DATA), OK);
    assert_int_equal(world_hash(), before);
}

static void gives_back_more_tables_than_it_collects(void **unused)
{
    (void)unused;
    for (uint64_t page = 0; page < 64 * MIB2; page += MIB2)
        assert_int_equal(world_map(page, FAR, 1, MMU_DATA), OK);
    assert_true(tables_live >= 64);
    world_unmap(0, 64 * MIB2);
    assert_int_equal(tables_live, 0);
    assert_true(flushes <= 64 / 16 + 2);
    world_check();
}

/* Entries of tables that go as a whole cost nothing of their own, be they pages or tables. */
static void unmapping_costs_by_the_table_and_not_by_the_page(void **unused)
{
    static const struct { uint64_t page, pages; } ranges[] = {
        { GIB1, GIB1 }, { GIB1 - 3, GIB1 + 7 }, { 0, 3 * GIB1 }, { GIB1 + MIB2, 9 * MIB2 },
    };
    const uint64_t start = world_hash();

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        uint64_t first = ranges[i].page, pages = ranges[i].pages, tables;

        /* Of pages: the physical address fits no larger unit. */
        assert_int_equal(world_map(first, FAR + PAGE_SIZE, pages, MMU_DATA), OK);
        tables = tables_live;
        flushes = invalidations = 0;
        world_unmap(first, pages);
        /* And the pages at the borders of the range. */
        assert_true(invalidations <= tables + 3 + 4);
        assert_true(flushes <= tables / 16 + 2);
        assert_int_equal(tables_live, 0);
        assert_int_equal(world_hash(), start);
    }
}

/* In what goes as a whole there are units of all sizes, holes, and tables that were split. */
static void a_table_goes_with_all_that_is_below_it(void **unused)
{
    const uint64_t start = world_hash();

    (void)unused;
    assert_int_equal(world_map(GIB1 + 1, FAR, 1, MMU_DATA), OK);
    assert_int_equal(world_map(GIB1 + 2 * MIB2, FAR, 5 * MIB2, MMU_DATA), OK);
    assert_int_equal(world_protect(GIB1 + 3 * MIB2 + 1, 1, MMU_READ_ONLY), OK);
    assert_int_equal(world_map(2 * GIB1, FAR, GIB1, MMU_DATA), OK);
    assert_int_equal(world_protect(2 * GIB1 + 1, 1, MMU_READ_ONLY), OK);
    assert_int_equal(world_map(2 * GIB1 - 1, FAR, 1, MMU_DATA), OK);
    world_unmap(GIB1, 2 * GIB1);
    assert_int_equal(tables_live, 0);
    assert_int_equal(world_hash(), start);
    world_check();
}

static void shows_the_entries_of_every_level(void **unused)
{
    unsigned levels = machine->format->levels;
    struct mmu_entry entry;

    (void)unused;
    assert_int_equal(world_map(MIB2, FAR, 1, MMU_DATA), OK);
    for (unsigned level = levels; level >= 1; level--) {
        assert_true(radix_entry(&radix, world + (MIB2 << PAGE_SHIFT), level, &entry));
        assert_int_equal(entry.level, level);
        assert_int_equal(entry.shift, machine->format->level[level].shift);
        assert_int_equal(entry.kind, level == 1 ? MMU_UNIT : MMU_TABLE);
        assert_true(is_aligned(entry.start.a, UINT64_C(1) << entry.shift));
    }
    assert_int_equal(entry.phys.a, FAR);
    assert_int_equal(entry.attributes, MMU_DATA);
    assert_true(radix_entry(&radix, 0, 1, &entry));
    assert_int_equal(entry.level, levels);
    assert_int_equal(entry.kind, MMU_EMPTY);
    assert_false(radix_entry(&radix, machine->limit, 1, &entry));
    assert_false(radix_entry(&radix, UINT64_MAX, 1, &entry));
}

static void maps_to_itself_what_is_not_mapped(void **unused)
{
    uint64_t start = world + (GIB1 << PAGE_SHIFT), end = start + (2 * MIB2 << PAGE_SHIFT);

    (void)unused;
    assert_int_equal(world_map(GIB1 + MIB2 + 3, FAR, 2, MMU_READ_ONLY), OK);
    assert_int_equal(radix_map_same(&radix, start + PAGE_SIZE, end, MMU_DATA), OK);
    assert_int_equal(radix_map_same(&radix, start, end, MMU_DATA), OK);
    for (uint64_t page = GIB1; page < GIB1 + 2 * MIB2; page++) {
        struct mmu_mapping mapping = world_query(page);
        bool ours = page - (GIB1 + MIB2 + 3) < 2;

        assert_true(mapping.shift >= PAGE_SHIFT);
        assert_int_equal(mapping.attributes, ours ? MMU_READ_ONLY : MMU_DATA);
        assert_true(ours || mapping.phys.a == mapping.unit.a);
    }
    assert_int_equal(radix_map_same(&radix, end, end + (2 * MIB2 << PAGE_SHIFT), MMU_DATA), OK);
    assert_int_equal(world_query(GIB1 + 2 * MIB2).shift, world_has_unit(21) ? 21 : 12);
    tables_left = 0;
    assert_int_equal(radix_map_same(&radix, world, start, MMU_DATA),
                     world_has_unit(21) ? OK : E_MEM_METADATA);
}

static void refuses_what_is_no_range(void **unused)
{
    (void)unused;
    assert_int_equal(world_map(0, FAR, MIB2, MMU_DATA), OK);
    expect_assert_failure(world_unmap(0, 0));
    expect_assert_failure(radix_unmap(&radix, world + 1, PAGE_SIZE, NULL));
    expect_assert_failure(radix_unmap(&radix, machine->limit - PAGE_SIZE, 2 * PAGE_SIZE, NULL));
    expect_assert_failure(radix_unmap(&radix, UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, NULL));
    if (world_has_unit(21))
        expect_assert_failure(world_unmap(1, 1));
    expect_assert_failure((void)!world_map(7, FAR, 1, MMU_DATA));
    expect_assert_failure((void)!world_map(MIB2, FAR + 1, 1, MMU_DATA));
    expect_assert_failure((void)!world_protect(MIB2 - 1, 2, MMU_READ_ONLY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_and_unmaps_a_page),
        cmocka_unit_test(keeps_every_attribute_at_every_level),
        cmocka_unit_test(takes_the_largest_units_that_fit),
        cmocka_unit_test(one_frame_is_mapped_many_times),
        cmocka_unit_test(a_failure_leaves_no_trace),
        cmocka_unit_test(protects_a_part_and_joins_it_again),
        cmocka_unit_test(protect_with_the_same_splits_nothing),
        cmocka_unit_test(protect_is_all_or_nothing),
        cmocka_unit_test(never_joins_what_was_not_split),
        cmocka_unit_test(tables_of_the_boot_stay),
        cmocka_unit_test(gives_back_more_tables_than_it_collects),
        cmocka_unit_test(unmapping_costs_by_the_table_and_not_by_the_page),
        cmocka_unit_test(a_table_goes_with_all_that_is_below_it),
        cmocka_unit_test(shows_the_entries_of_every_level),
        cmocka_unit_test(maps_to_itself_what_is_not_mapped),
        cmocka_unit_test(refuses_what_is_no_range),
    };

    return world_run(tests);
}
