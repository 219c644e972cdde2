/* SPDX-License-Identifier: MIT */
/*
 * Bits of the entries of x86, written out as the manual numbers them (Intel SDM volume 3, tables
 * "Format of a PAE Page-Directory Entry that Maps a 2-MByte Page", "Format of a PAE Page-Table
 * Entry that Maps a 4-KByte Page" in section 4.4.2, and those of 4.5 with a page of 1 GByte).
 */
#include "arch/x86/pte.h"
#include "tests/unit/support.h"

#define FRAME UINT64_C(0x0009876543210000)        /* each unit begins at such a multiple of it */
#define PRESENT UINT64_C(1)
#define WRITE (UINT64_C(1) << 1)
#define PWT (UINT64_C(1) << 3)
#define PCD (UINT64_C(1) << 4)
#define ACCESSED (UINT64_C(1) << 5)
#define DIRTY (UINT64_C(1) << 6)
#define PAGE_SIZE_BIT (UINT64_C(1) << 7)          /* of a directory's entry */
#define PAT_4K (UINT64_C(1) << 7)                 /* the same bit of a page table's */
#define PAT_LARGE (UINT64_C(1) << 12)
#define XD (UINT64_C(1) << 63)

/* Memory types as IA32_PAT numbers them (section "Programming the PAT"). */
enum { UC = 0, WC = 1, WB = 6 };

static const struct {
    const struct radix_format *format;
    unsigned level;
    uint64_t size;
} units[] = {
    { &pte_format_pae, 1, UINT64_C(1) << 12 },
    { &pte_format_pae, 2, UINT64_C(1) << 21 },
    { &pte_format_4_levels, 1, UINT64_C(1) << 12 },
    { &pte_format_4_levels, 2, UINT64_C(1) << 21 },
    { &pte_format_4_levels, 3, UINT64_C(1) << 30 },
};

static uint64_t unit_with(unsigned n, unsigned attributes)
{
    return units[n].format->unit(units[n].level, align_down(FRAME, units[n].size), attributes);
}

static void test_what_every_unit_has(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ARRAY_SIZE(units); n++) {
        uint64_t plain = align_down(FRAME, units[n].size) | PRESENT | WRITE | ACCESSED | DIRTY
            | (units[n].level > 1 ? PAGE_SIZE_BIT : 0);

        assert_int_equal(unit_with(n, 0), plain);
        assert_int_equal(unit_with(n, MMU_READ_ONLY), plain & ~WRITE);
        assert_int_equal(unit_with(n, MMU_NO_EXECUTE), plain | XD);
        assert_int_equal(unit_with(n, MMU_UNCACHED), plain | PCD | PWT);
        assert_int_equal(unit_with(n, MMU_WRITE_COMBINING),
                         plain | (units[n].level > 1 ? PAT_LARGE : PAT_4K));
    }
}

/* The memory type that the processor takes (section "Selecting a Memory Type from the PAT"). */
static unsigned type_of(unsigned level, uint64_t entry)
{
    unsigned index = ((entry & (level > 1 ? PAT_LARGE : PAT_4K)) != 0 ? 4 : 0)
        + ((entry & PCD) != 0 ? 2 : 0) + ((entry & PWT) != 0 ? 1 : 0);

    return PTE_PAT >> index * 8 & 7;
}

static void test_caching_is_what_the_pat_says(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ARRAY_SIZE(units); n++) {
        assert_int_equal(type_of(units[n].level, unit_with(n, MMU_ALL & ~12u)), WB);
        assert_int_equal(type_of(units[n].level, unit_with(n, MMU_UNCACHED)), UC);
        assert_int_equal(type_of(units[n].level, unit_with(n, MMU_WRITE_COMBINING)), WC);
    }
    /* After reset 0x0007040600070406: nothing else is different (section "Programming the PAT"). */
    assert_int_equal(PTE_PAT ^ UINT64_C(0x0007040600070406), UINT64_C(0x0000000700000000));
}

static void test_units_are_read_back(void **state)
{
    (void)state;
    for (unsigned n = 0; n < ARRAY_SIZE(units); n++)
        for (unsigned set = 0; set <= MMU_ALL; set++) {
            const struct radix_format *f = units[n].format;
            uint64_t entry = unit_with(n, set);

            if ((set & MMU_UNCACHED) != 0 && (set & MMU_WRITE_COMBINING) != 0)
                continue;
            assert_true(radix_is_present(f, units[n].level, entry));
            assert_true(radix_is_unit(f, units[n].level, entry));
            assert_int_equal(radix_address(f, units[n].level, entry),
                             align_down(FRAME, units[n].size));
            assert_int_equal(f->attributes(units[n].level, entry), set);
        }
}

/* What is below a table decides: it forbids nothing itself, and a user may not go there. */
static void test_tables_allow_all(void **state)
{
    const struct radix_format *f = &pte_format_4_levels;
    uint64_t entry = f->table(4, FRAME);

    (void)state;
    assert_int_equal(entry, FRAME | PRESENT | WRITE);
    assert_int_equal(pte_format_pae.table(2, FRAME), entry);
    for (unsigned level = 2; level <= 4; level++) {
        assert_true(radix_is_present(f, level, entry) && !radix_is_unit(f, level, entry));
        assert_int_equal(radix_address(f, level, entry), FRAME);
        assert_false(radix_is_present(f, level, f->empty(level)));
    }
    /* Bits 11:9 of such an entry are ignored. */
    assert_int_equal(f->split & ~UINT64_C(0xe00), 0);
    assert_int_equal(pte_format_pae.split & ~UINT64_C(0xe00), 0);
}

static void assert_covers(const struct radix_format *f, uint64_t bytes)
{
    for (unsigned n = 1; n < f->levels; n++)
        assert_int_equal((uint64_t)f->level[n].entries << f->level[n].shift,
                         UINT64_C(1) << f->level[n + 1].shift);
    assert_int_equal((uint64_t)f->level[f->levels].entries << f->level[f->levels].shift, bytes);
}

static void test_levels_cover_what_addresses_there_are(void **state)
{
    (void)state;
    assert_covers(&pte_format_4_levels, UINT64_C(1) << 48);
    assert_covers(&pte_format_pae, UINT64_C(1) << 32);
    assert_false(pte_format_4_levels.level[4].maps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_every_unit_has),
        cmocka_unit_test(test_caching_is_what_the_pat_says),
        cmocka_unit_test(test_units_are_read_back),
        cmocka_unit_test(test_tables_allow_all),
        cmocka_unit_test(test_levels_cover_what_addresses_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
