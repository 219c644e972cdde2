/* SPDX-License-Identifier: MIT */
/* Random histories over the tables of every machine; each change is refused its tables first. */
#include <limits.h>

#include "tests/unit/radix_support.h"

static uint64_t random_pages(void)
{
    static const uint64_t limits[] = { 4, 700, 2 * MIB2, 40 * MIB2 };
    static const uint64_t aligns[] = { KIB4, KIB4, MIB2 };

    if (world_has_unit(30) && world_random(8) == 0)
        return GIB1 + world_random(2) * world_random(GIB1);
    return align_up(1 + world_random(limits[world_random(4)]), aligns[world_random(3)]);
}

static uint64_t random_page(void)
{
    static const uint64_t aligns[] = { KIB4, MIB2, GIB1 };

    return align_down(world_random(WORLD_PAGES), aligns[world_random(3)]);
}

/* How many of at most `pages` pages from `page` on are mapped, or are not. */
static uint64_t run(uint64_t page, uint64_t pages, bool mapped)
{
    uint64_t n = 0;

    while (n < pages && page + n < WORLD_PAGES && world_is_mapped(page + n) == mapped)
        n++;
    return n;
}

static unsigned random_attributes(void)
{
    unsigned attributes;

    do {
        attributes = (unsigned)world_random(MMU_ALL + 1) & machine->attributes;
    } while ((attributes & MMU_UNCACHED) != 0 && (attributes & MMU_WRITE_COMBINING) != 0);
    return attributes;
}

static enum error random_change(bool protect, uint64_t page, uint64_t pages, uint64_t offset,
                                unsigned attributes)
{
    if (protect)
        return world_protect(page, pages, attributes);
    return world_map(page, FAR + ((page + offset) << PAGE_SHIFT), pages, attributes);
}

/* Map or protect, after it was refused a table at every place where it takes one. */
static void step_change(bool protect, uint64_t page, uint64_t pages)
{
    static const uint64_t offsets[] = { 0, MIB2, 1 };
    uint64_t offset = offsets[world_random(3)], before = world_hash();
    unsigned attributes = random_attributes(), refused = 0;
    enum error e = E_MEM_METADATA;

    while (e != OK) {
        tables_left = refused < 4 ? refused : UINT_MAX;
        refused++;
        e = random_change(protect, page, pages, offset, attributes);
        tables_left = UINT_MAX;
        assert_true(e == OK || world_hash() == before);
    }
}

/* No unit is cut: the range grows. */
static void step_unmap(uint64_t page, uint64_t pages)
{
    struct mmu_mapping first = world_query(page), last = world_query(page + pages - 1);
    uint64_t end = page + pages;

    if (first.shift != 0)
        page = (first.unit.a - world) >> PAGE_SHIFT;
    if (last.shift != 0)
        end = ((last.unit.a - world) >> PAGE_SHIFT)
            + (UINT64_C(1) << (last.shift - PAGE_SHIFT));
    (world_random(2) == 0 ? world_unmap : world_unmap_asking)(page, end - page);
}

static void random_histories(void **unused)
{
    uint64_t start = world_hash();

    (void)unused;
    for (unsigned i = 0; i < 1200; i++) {
        uint64_t page = random_page(), pages = random_pages(), mapped, kind = world_random(4);

        pages = pages < WORLD_PAGES - page ? pages : WORLD_PAGES - page;
        mapped = run(page, pages, true);
        if (kind == 0)
            step_unmap(page, pages);
        else if (mapped > 0)
            step_change(true, page, mapped);
        else
            step_change(false, page, run(page, pages, false));
        if (i % 16 == 0)
            world_check();
    }
    world_check();
    world_unmap(0, WORLD_PAGES);
    assert_int_equal(tables_live, 0);
    assert_int_equal(radix_tables_size(&radix), 0);
    assert_int_equal(world_hash(), start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories),
    };

    return world_run(tests);
}
