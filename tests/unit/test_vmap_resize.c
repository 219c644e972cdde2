/* SPDX-License-Identifier: MIT */
/* Ranges with frames behind them become longer and shorter, where they are. */
#include "tests/unit/vmap_support.h"

static void shrinking_gives_the_end_back(void **unused)
{
    struct left before = left();
    uint64_t at, next;
    struct virt_range range;

    (void)unused;
    assert_int_equal(vmalloc(200 * P, false, 2, &at), OK);
    assert_int_equal(vmap_shrink(&vmap, virt(at), VIRT_VMALLOC, 3), OK);
    assert_int_equal(free_frames(), before.frames - 3);
    assert_true(vmap_next(&vmap, virt(at), &range));
    assert_int_equal(range.pages, 3);
    assert_int_equal(range.size, 3 * P);
    /* The guard behind it came along. */
    assert_int_equal(vmalloc(2 * P, false, 0, &next), OK);
    assert_int_equal(next, at + 5 * P);
    assert_whole();
    assert_int_equal(vmap_shrink(&vmap, virt(at), VIRT_VMAP, 1), E_MEM_KIND);
    assert_int_equal(vmap_shrink(&vmap, virt(at + P), VIRT_VMALLOC, 1), E_MEM_INSIDE);
    assert_int_equal(vfree(at), OK);
    assert_int_equal(vfree(next), OK);
    assert_left(before);
}

static enum error extend(uint64_t at, uint64_t count)
{
    const struct vmap_request request = {
        .place = { .pages = count, .size = count * P }, .attributes = MMU_DATA,
        .areas = ALL_AREAS, .max = pfn(PFN_LIMIT),
    };

    return vmap_extend(&vmap, virt(at), VIRT_VMALLOC, &request);
}

static void a_range_grows_into_the_addresses_behind_it(void **unused)
{
    struct left before = left();
    uint64_t at, next;

    (void)unused;
    assert_int_equal(vmalloc(2 * P, false, 1, &at), OK);
    assert_int_equal(extend(at, 200), OK);
    assert_int_equal(free_frames(), before.frames - 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(pages_owner(&pages, pfn(frame_at(at + i * P))), 7);
    assert_whole();
    /* The guard behind it went along. */
    assert_int_equal(vmalloc(P, false, 0, &next), OK);
    assert_int_equal(next, at + 201 * P);
    assert_int_equal(extend(at, 201), E_MEM_NONE);
    assert_int_equal(vfree(next), OK);
    assert_int_equal(extend(at, 201), OK);
    assert_int_equal(extend(at + P, 300), E_MEM_INSIDE);
    assert_int_equal(extend(at, UINT64_C(1) << 40), E_MEM_NONE);
    assert_whole();
    assert_int_equal(vfree(at), OK);
    assert_left(before);
}

static void a_range_that_cannot_have_more_stays_as_it_is(void **unused)
{
    uint64_t at;
    enum error e;

    (void)unused;
    assert_int_equal(vmalloc(5000, false, 2, &at), OK);
    for (unsigned kind = FAIL_FRAMES; kind <= FAIL_POOL; kind <<= 1) {
        for (uint64_t n = 1;; n++) {
            struct virt_range was, is;
            struct left before = left();

            assert_true(vmap_next(&vmap, virt(at), &was));
            fail_begin(&fail_plan, &(struct fail_plan){
                .nth = n, .what = kind, .areas = UINT32_MAX, .order = FAIL_ANY_ORDER });
            e = extend(at, 700);
            fail_end(&fail_plan);
            if (e == OK)
                break;
            assert_true(e == E_MEM_INJECTED || e == E_MEM_METADATA);
            assert_left(before);
            assert_true(vmap_next(&vmap, virt(at), &is));
            assert_memory_equal(&was, &is, sizeof(was));
            assert_whole();
        }
        assert_whole();
        assert_int_equal(vmap_shrink(&vmap, virt(at), VIRT_VMALLOC, 2), OK);
    }
    assert_int_equal(vfree(at), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(shrinking_gives_the_end_back, begin),
        cmocka_unit_test_setup(a_range_grows_into_the_addresses_behind_it, begin),
        cmocka_unit_test_setup(a_range_that_cannot_have_more_stays_as_it_is, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
