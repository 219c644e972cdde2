/* SPDX-License-Identifier: MIT */
/* Bits of the entries of s390x, written out as the Principles of Operation number them. */
#include "arch/s390x/pte.h"
#include "tests/unit/support.h"

#define FRAME UINT64_C(0x123456789000)

/* Bit `n` of a doubleword, counted from the most significant one, as the manual does. */
static uint64_t bit(unsigned n)
{
    return UINT64_C(1) << (63 - n);
}

static void test_a_page(void **state)
{
    const struct radix_format *f = &pte_format_region_third;

    (void)state;
    assert_int_equal(f->unit(PTE_PAGE, FRAME, 0), FRAME);
    assert_int_equal(f->unit(PTE_PAGE, FRAME, MMU_READ_ONLY), FRAME | bit(54));
    assert_int_equal(f->unit(PTE_PAGE, FRAME, MMU_NO_EXECUTE), FRAME | bit(55));
    assert_int_equal(f->empty(PTE_PAGE), bit(53));
}

static void test_tables_tell_type_and_length(void **state)
{
    const struct radix_format *f = &pte_format_region_third;

    (void)state;
    /* A page table is aligned to 2 KiB: bit 52 is part of its address. */
    assert_int_equal(f->table(PTE_SEGMENT, FRAME | bit(52)), FRAME | bit(52));
    assert_int_equal(f->empty(PTE_SEGMENT), bit(58));
    assert_int_equal(f->table(PTE_REGION_THIRD, FRAME), FRAME | bit(61) | bit(62) | bit(63));
    assert_int_equal(f->empty(PTE_REGION_THIRD), bit(58) | bit(61));
    assert_int_equal(pte_designation(PTE_REGION_THIRD, FRAME),
                     FRAME | bit(61) | bit(62) | bit(63));
    assert_int_equal(pte_designation(PTE_SEGMENT, FRAME), FRAME | bit(62) | bit(63));
}

static void test_entries_are_read_back(void **state)
{
    const struct radix_format *f = &pte_format_region_third;

    (void)state;
    for (unsigned level = PTE_PAGE; level <= PTE_REGION_THIRD; level++)
        assert_false(radix_is_present(f, level, f->empty(level)));
    for (unsigned set = 0; set <= (MMU_READ_ONLY | MMU_NO_EXECUTE); set++) {
        uint64_t entry = f->unit(PTE_PAGE, FRAME, set);

        assert_true(radix_is_present(f, PTE_PAGE, entry) && radix_is_unit(f, PTE_PAGE, entry));
        assert_int_equal(radix_address(f, PTE_PAGE, entry), FRAME);
        assert_int_equal(f->attributes(PTE_PAGE, entry), set);
    }
    for (unsigned level = PTE_SEGMENT; level <= PTE_REGION_THIRD; level++) {
        uint64_t at = level == PTE_SEGMENT ? FRAME | bit(52) : FRAME;
        uint64_t entry = f->table(level, at);

        assert_true(radix_is_present(f, level, entry));
        assert_false(radix_is_unit(f, level, entry));
        assert_int_equal(radix_address(f, level, entry), at);
    }
}

/* The last byte of a page's entry is left to programs. */
static void test_other_bits_do_not_matter(void **state)
{
    const struct radix_format *f = &pte_format_region_third;

    (void)state;
    assert_true(radix_is_present(f, PTE_PAGE, FRAME | 0xff));
    assert_int_equal(radix_address(f, PTE_PAGE, FRAME | 0xff), FRAME);
    assert_int_equal(f->attributes(PTE_PAGE, FRAME | 0xff), 0);
}

static void test_levels_cover_4_tib(void **state)
{
    const struct radix_level *level = pte_format_region_third.level;

    (void)state;
    assert_int_equal(pte_format_region_third.levels, PTE_REGION_THIRD);
    assert_true(level[PTE_PAGE].maps && !level[PTE_SEGMENT].maps && !level[PTE_REGION_THIRD].maps);
    for (unsigned n = PTE_PAGE; n < PTE_REGION_THIRD; n++)
        assert_int_equal((uint64_t)level[n].entries << level[n].shift,
                         UINT64_C(1) << level[n + 1].shift);
    assert_int_equal(PTE_LIMIT, UINT64_C(4) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page),
        cmocka_unit_test(test_tables_tell_type_and_length),
        cmocka_unit_test(test_entries_are_read_back),
        cmocka_unit_test(test_other_bits_do_not_matter),
        cmocka_unit_test(test_levels_cover_4_tib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
