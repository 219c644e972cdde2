/* SPDX-License-Identifier: MIT */
/* Refusals at any step, and the invariants. */
#include "tests/unit/vmap_support.h"

#define G (UINT64_C(1) << 30)

/* ---- what is refused at any step leaves nothing behind ---- */

/* The nth attempt of a kind is refused; or of all kinds, and all that follow. */
static bool try_everything(uint64_t n, unsigned what)
{
    const bool all = what == FAIL_ALL;
    struct fail_plan plan = { .nth = all ? 0 : n, .every = all, .what = what,
                              .areas = UINT32_MAX, .order = FAIL_ANY_ORDER };
    struct left before = left();
    uint64_t at, alias = 0;
    virt_t blame;
    enum error e;

    fail_begin(&fail_plan, &plan);
    fail_plan.until = n;
    e = vmalloc(600 * P, true, 1, &at);
    if (e == OK)
        e = map(FRAME_FIRST * P, 1500 * P, MMU_DATA, &alias);
    if (e == OK)
        e = vmap_protect(&vmap, virt(alias), 7, MMU_READ_ONLY, &blame);
    fail_end(&fail_plan);
    if (e != OK)
        assert_true((e == E_MEM_INJECTED && (what & FAIL_FRAMES) != 0)
                    || (e == E_MEM_METADATA && what != FAIL_FRAMES));
    if (alias != 0)
        assert_int_equal(vmap_unmap(&vmap, virt(alias), &n), OK);
    if (at != 0)
        assert_int_equal(vfree(at), OK);
    assert_left(before);
    return e == OK;
}

static void every_step_fails_without_a_trace(void **unused)
{
    static const struct { unsigned what; uint64_t least; } kinds[] = {
        { FAIL_FRAMES, 601 }, { FAIL_TABLES, 5 }, { FAIL_POOL, 4 }, { FAIL_ALL, 610 },
    };

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        uint64_t n = 1;

        while (!try_everything(n, kinds[i].what))
            n++;
        assert_true(n >= kinds[i].least);
    }
}

static void an_empty_pool_does_not_keep_from_giving_back(void **unused)
{
    struct fail_plan plan = { .every = 1, .what = FAIL_POOL | FAIL_TABLES };
    struct left before = left();
    uint64_t at, n, alias;

    (void)unused;
    assert_int_equal(vmalloc(1000 * P, false, 0, &at), OK);
    assert_int_equal(map(FRAME_FIRST * P, 10 * P, MMU_DATA, &alias), OK);
    fail_begin(&fail_plan, &plan);
    assert_int_equal(vfree(at), OK);
    assert_int_equal(vmap_unmap(&vmap, virt(alias), &n), OK);
    fail_end(&fail_plan);
    assert_left(before);
}

/* ---- each invariant, broken by hand ---- */

static uint64_t broken_at;

static int begin_with_ranges(void **unused)
{
    begin(unused);
    assert_int_equal(vmalloc(3 * P, false, 1, &broken_at), OK);
    assert_whole();
    return 0;
}

/* virt's last one, which only vmap can break. */
static void check_sees_405(void **unused)
{
    const struct virt_range *range = virt_next(&vmap.virt, virt(broken_at));

    (void)unused;
    assert_non_null(range);
    virt_set_busy(range, true);
    assert_broken(405);
    virt_set_busy(range, false);
    assert_whole();
}

static void check_sees_500(void **unused)
{
    virt_t out, blame;
    struct virt_request addresses = { .pages = 4, .kind = VIRT_PAGES };

    (void)unused;
    assert_int_equal(fake_map(virt(broken_at - P), phys(G), P, 0), OK);
    assert_broken(500);
    fake_unmap(virt(broken_at - P), P, NULL);
    assert_int_equal(fake_map(virt(FAKE_FIRST + (FAKE_PAGES - 1) * P), phys(G), P, 0), OK);
    assert_broken(500);
    fake_unmap(virt(FAKE_FIRST + (FAKE_PAGES - 1) * P), P, NULL);
    assert_int_equal(virt_alloc(&vmap.virt, &addresses, &out, &blame), OK);
    assert_whole();
    assert_int_equal(fake_map(virt(out.a + P), phys(G), P, 0), OK);
    assert_broken(500);
}

static void check_sees_501(void **unused)
{
    (void)unused;
    fake_unmap(virt(broken_at + P), P, NULL);
    assert_broken(501);
}

static void check_sees_502(void **unused)
{
    (void)unused;
    lookup_mark(pages.owners, FRAME_FIRST + 1, PAGES_PLAIN);
    assert_broken(502);
    lookup_mark(pages.owners, FRAME_FIRST + 1, PAGES_MAPPED);
    fake_pages[1].frame = FRAME_FIRST + 9;
    assert_broken(502);
    fake_pages[1].frame = 1;
    assert_broken(502);
}

static void check_sees_503(void **unused)
{
    const struct page_request one = { .areas = 1, .pages = 1, .max = pfn(PFN_LIMIT) };
    pfn_t out, blame;
    bool zeroed;

    (void)unused;
    assert_int_equal(pages_alloc_use(&pages, &one, 0, PAGES_MAPPED, true, &out, &zeroed, &blame),
                     OK);
    assert_broken(503);
}

static void check_can_be_stopped(void **unused)
{
    struct page_violation violation;
    uint64_t more;

    (void)unused;
    assert_int_equal(vmalloc(1024 * P, false, 0, &more), OK);
    questions = 0;
    assert_true(vmap_check(&vmap, &violation));
    assert_int_equal(questions, 3);   /* one among the pages, two among the records */
    for (unsigned at = 1; at <= 3; at++) {
        questions = 0;
        stops_at = at;
        violation.invariant = 1;
        assert_false(vmap_check(&vmap, &violation));
        assert_int_equal(violation.invariant, 0);
        assert_int_equal(questions, at);
    }
    stops_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_step_fails_without_a_trace, begin),
        cmocka_unit_test_setup(an_empty_pool_does_not_keep_from_giving_back, begin),
        cmocka_unit_test_setup(check_sees_405, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_500, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_501, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_502, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_503, begin_with_ranges),
        cmocka_unit_test_setup(check_can_be_stopped, begin_with_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
