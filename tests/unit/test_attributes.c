/* SPDX-License-Identifier: MIT */
#include "tests/unit/vmap_support.h"

static uint64_t alloc(uint64_t count, unsigned wanted, enum error expected)
{
    const struct page_request request = { .areas = 1, .pages = count, .max = pfn(PFN_LIMIT),
                                          .align = order_for(count) };
    pfn_t first = pfn(0), blame;
    bool zeroed;

    assert_int_equal(attributes_alloc(&attributes, &request, 3, false, wanted, &first, &zeroed,
                                      &blame), expected);
    return first.n;
}

static enum error protect(uint64_t first, uint64_t count, unsigned wanted, uint64_t *at)
{
    pfn_t blame;
    enum error e = attributes_protect(&attributes, pfn(first), count, wanted, &blame);

    *at = blame.n;
    return e;
}

static enum error give_back(uint64_t first, uint64_t count)
{
    uint64_t freed;
    pfn_t blame;

    return attributes_free(&attributes, pfn(first), count, &freed, &blame);
}

static uint64_t changed(uint64_t first, uint64_t count)
{
    uint64_t n = 0;

    for (uint64_t i = first; i < first + count; i++)
        n += fake_direct[i] != MMU_DATA;
    return n;
}

static void pages_get_them_and_free_takes_them(void **unused)
{
    uint64_t block = alloc(8, MMU_READ_ONLY | MMU_NO_EXECUTE, OK);

    (void)unused;
    assert_int_equal(changed(block, 8), 8);
    assert_int_equal(changed(0, FAKE_DIRECT), 8);
    assert_true(attributes_are_changed(&attributes, pfn(block + 7)));
    assert_false(attributes_are_changed(&attributes, pfn(block + 8)));
    assert_whole();
    assert_int_equal(give_back(block, 0), OK);
    assert_int_equal(changed(0, FAKE_DIRECT), 0);
    assert_int_equal(tables.used, 0);
    assert_whole();
}

static void a_part_that_is_freed_is_restored_alone(void **unused)
{
    uint64_t block = alloc(8, MMU_READ_ONLY, OK);

    (void)unused;
    assert_int_equal(give_back(block + 2, 3), OK);
    assert_int_equal(changed(block, 8), 5);
    assert_int_equal(changed(block + 2, 3), 0);
    assert_whole();
    assert_int_equal(give_back(block, 0), OK);
    assert_int_equal(give_back(block + 5, 0), OK);
    assert_int_equal(attributes.changed, 0);
    assert_whole();
}

static void protect_demands_owned_pages(void **unused)
{
    uint64_t block = alloc(4, MMU_DATA, OK), at;
    pfn_t blame;

    (void)unused;
    assert_int_equal(attributes.changed, 0);
    assert_int_equal(protect(block, 5, MMU_READ_ONLY, &at), E_MEM_FREE);
    assert_int_equal(at, block + 4);
    assert_int_equal(protect(block - 1, 2, MMU_READ_ONLY, &at), E_MEM_UNMANAGED);
    assert_int_equal(at, block - 1);
    assert_int_equal(protect(block, 4, MMU_WRITE_COMBINING, &at), E_CALL_UNSUPPORTED);
    assert_int_equal(pages_reserve(&pages, pfn(block + 4), 4, 0, &blame), OK);
    assert_int_equal(protect(block + 1, 6, MMU_READ_ONLY, &at), OK);
    assert_int_equal(changed(block, 9), 6);
    assert_whole();
    assert_int_equal(protect(block + 2, 1, MMU_DATA, &at), OK);
    assert_int_equal(protect(block + 3, 1, MMU_UNCACHED, &at), OK);
    assert_int_equal(attributes.changed, 5);
    assert_whole();
    assert_int_equal(attributes_unreserve(&attributes, pfn(block + 3), 2, 0, &blame),
                     E_MEM_BUSY);
    assert_int_equal(blame.n, block + 3);
    assert_int_equal(attributes.changed, 5);
    assert_int_equal(attributes_unreserve(&attributes, pfn(block + 4), 4, 0, &blame), OK);
    assert_int_equal(attributes.changed, 2);
    assert_whole();
    assert_int_equal(give_back(block, 0), OK);
    assert_int_equal(attributes.changed, 0);
    assert_whole();
}

static void wrong_frees_restore_nothing(void **unused)
{
    uint64_t block = alloc(4, MMU_READ_ONLY, OK);

    (void)unused;
    assert_int_equal(give_back(block + 1, 0), E_MEM_INSIDE);
    assert_int_equal(give_back(block, 5), E_MEM_BEYOND);
    assert_int_equal(give_back(block + 4, 0), E_MEM_FREE);
    assert_int_equal(give_back(PFN_LIMIT, 0), E_MEM_UNMANAGED);
    assert_int_equal(changed(block, 4), 4);
    assert_int_equal(give_back(block, 0), OK);
    assert_int_equal(give_back(block, 0), E_MEM_FREE);
}

static void what_cannot_be_reached_has_none(void **unused)
{
    struct left before = left();

    (void)unused;
    fake_mmu.attributes = MMU_READ_ONLY;
    assert_int_equal(attributes_default(&fake_mmu), 0);
    assert_int_equal(alloc(1, MMU_NO_EXECUTE, E_CALL_UNSUPPORTED), 0);
    fake_mmu.attributes = MMU_READ_ONLY | MMU_NO_EXECUTE | MMU_UNCACHED;
    assert_left(before);
    pages.backed = false;
    assert_int_equal(alloc(1, MMU_READ_ONLY, E_CALL_UNSUPPORTED), 0);
    pages.backed = true;
    assert_left(before);
}

static void every_step_fails_without_a_trace(void **unused)
{
    struct left before = left();
    static const unsigned kinds[] = { FAIL_FRAMES, FAIL_TABLES, FAIL_POOL };

    (void)unused;
    for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
        bool untouched = false;

        for (uint64_t n = 1; !untouched; n++) {
            struct fail_plan plan = { .nth = n, .what = kinds[kind], .areas = UINT32_MAX,
                                      .order = FAIL_ANY_ORDER };
            const struct page_request request = { .areas = 1, .pages = 600, .align = 0,
                                                  .max = pfn(PFN_LIMIT) };
            pfn_t first, blame;
            bool zeroed;
            enum error e;

            fail_begin(&fail_plan, &plan);
            e = attributes_alloc(&attributes, &request, 9, false, MMU_READ_ONLY, &first, &zeroed,
                                 &blame);
            untouched = fail_plan.refusals == 0;
            fail_end(&fail_plan);
            assert_int_equal(e == OK, untouched);
            if (e == OK)
                assert_int_equal(give_back(first.n, 0), OK);
            assert_int_equal(changed(0, FAKE_DIRECT), 0);
            assert_left(before);
        }
    }
}

/* Refuse each step of a free in turn: all pages keep their attributes, until nothing is refused. */
static void assert_refusals_keep_them(uint64_t first, uint64_t count, uint64_t refusals)
{
    static unsigned had[FAKE_DIRECT];
    struct left before = left();
    uint64_t bytes = fake_bytes, n = 1;

    memcpy(had, fake_direct, sizeof(had));
    for (;; n++) {
        struct fail_plan plan = { .nth = n, .what = FAIL_POOL | FAIL_TABLES };
        enum error e;

        fail_begin(&fail_plan, &plan);
        e = give_back(first, count);
        fail_end(&fail_plan);
        if (e == OK)
            break;
        assert_int_equal(e, E_MEM_METADATA);
        assert_memory_equal(had, fake_direct, sizeof(had));
        assert_int_equal(fake_bytes, bytes);
        assert_left(before);
        assert_whole();
    }
    assert_int_equal(n, refusals + 1);
    assert_int_equal(changed(first, count), 0);
    assert_whole();
}

static void a_free_that_is_refused_keeps_them(void **unused)
{
    uint64_t block = alloc(512, MMU_READ_ONLY, OK), at;

    (void)unused;
    assert_int_equal(protect(block + 100, 1, MMU_DATA, &at), OK);
    assert_int_equal(protect(block + 102, 1, MMU_UNCACHED, &at), OK);
    assert_refusals_keep_them(block + 101, 3, 1);   /* the engine has no leaf of it yet */
    assert_int_equal(changed(block, 512), 508);
}

static void however_many_stretches_there_are(void **unused)
{
    uint64_t block = alloc(512, MMU_DATA, OK), at;

    (void)unused;
    for (uint64_t page = 0; page < 512; page += 2)
        assert_int_equal(protect(block + page, 1, MMU_READ_ONLY, &at), OK);
    assert_refusals_keep_them(block + 1, 400, 1);
    assert_int_equal(changed(block, 512), 56);
}

static void a_refused_free_puts_units_together_again(void **unused)
{
    uint64_t block = alloc(2048, MMU_READ_ONLY, OK);

    (void)unused;
    assert_refusals_keep_them(block + 500, 1100, 3);   /* and a table at each edge */
    assert_int_equal(changed(block, 2048), 2048 - 1100);
    assert_int_equal(fake_bytes, 2 * PAGE_SIZE);
    assert_refusals_keep_them(block, 500, 0);
    assert_refusals_keep_them(block + 1600, 0, 0);
    assert_int_equal(fake_bytes, 0);
}

static void an_unreserve_that_is_refused_keeps_them(void **unused)
{
    struct fail_plan plan = { .nth = 1, .what = FAIL_POOL };
    uint64_t first = FRAME_FIRST + 1024, at;
    pfn_t blame;

    (void)unused;
    assert_int_equal(pages_reserve(&pages, pfn(first), 1024, 0, &blame), OK);
    assert_int_equal(protect(first, 1024, MMU_READ_ONLY, &at), OK);
    assert_int_equal(protect(first + 300, 1, MMU_UNCACHED, &at), OK);
    fail_begin(&fail_plan, &plan);
    assert_int_equal(attributes_unreserve(&attributes, pfn(first + 250), 400, 0, &blame),
                     E_MEM_METADATA);
    fail_end(&fail_plan);
    assert_int_equal(changed(first, 1024), 1024);
    assert_int_equal(fake_direct[first + 300], MMU_UNCACHED);
    assert_int_equal(fake_bytes, PAGE_SIZE);
    assert_whole();
    assert_int_equal(attributes_unreserve(&attributes, pfn(first + 250), 400, 0, &blame), OK);
    assert_int_equal(changed(first, 1024), 624);
    assert_whole();
}

static void clearing_takes_all(void **unused)
{
    uint64_t block = alloc(64, MMU_READ_ONLY, OK);

    (void)unused;
    fake_direct[block + 3] = MMU_UNCACHED;
    attributes_clear(&attributes, pfn(FRAME_FIRST), FRAMES);
    assert_int_equal(changed(0, FAKE_DIRECT), 0);
    assert_int_equal(fake_bytes, 0);
}

static void assert_attributes_broken(unsigned invariant)
{
    struct page_violation violation = { .invariant = 0 };
    uint64_t n = 0;

    if (attributes_check_range(&attributes, pfn(FRAME_FIRST), FRAMES, &n, &violation))
        assert_false(attributes_check_total(&attributes, n, &violation));
    assert_int_equal(violation.invariant, invariant);
}

static void check_sees_700(void **unused)
{
    uint64_t block = alloc(4, MMU_READ_ONLY, OK);

    (void)unused;
    fake_direct[block + 4] = MMU_READ_ONLY;
    attributes.changed++;
    assert_attributes_broken(700);
}

static void check_sees_701(void **unused)
{
    uint64_t block = alloc(4, MMU_READ_ONLY, OK);

    (void)unused;
    attributes.changed--;
    assert_attributes_broken(701);
    attributes.changed++;
    fake_direct[block] = MMU_DATA;
    assert_attributes_broken(701);
}

static void check_can_be_stopped(void **unused)
{
    struct page_violation violation = { .invariant = 1 };
    uint64_t n = 0;

    (void)unused;
    questions = 0;
    stops_at = 1;
    assert_false(attributes_check_range(&attributes, pfn(FRAME_FIRST), FRAMES, &n, &violation));
    assert_int_equal(violation.invariant, 0);
    stops_at = 0;
    assert_true(attributes_check_range(&attributes, pfn(FRAME_FIRST), FRAMES, &n, &violation));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pages_get_them_and_free_takes_them, begin),
        cmocka_unit_test_setup(a_part_that_is_freed_is_restored_alone, begin),
        cmocka_unit_test_setup(protect_demands_owned_pages, begin),
        cmocka_unit_test_setup(wrong_frees_restore_nothing, begin),
        cmocka_unit_test_setup(what_cannot_be_reached_has_none, begin),
        cmocka_unit_test_setup(every_step_fails_without_a_trace, begin),
        cmocka_unit_test_setup(a_free_that_is_refused_keeps_them, begin),
        cmocka_unit_test_setup(however_many_stretches_there_are, begin),
        cmocka_unit_test_setup(a_refused_free_puts_units_together_again, begin),
        cmocka_unit_test_setup(an_unreserve_that_is_refused_keeps_them, begin),
        cmocka_unit_test_setup(clearing_takes_all, begin),
        cmocka_unit_test_setup(check_sees_700, begin),
        cmocka_unit_test_setup(check_sees_701, begin),
        cmocka_unit_test_setup(check_can_be_stopped, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
