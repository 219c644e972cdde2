/* SPDX-License-Identifier: MIT */
/* The heap over the stages of the lab. */
#include "tests/unit/lab_machine.h"

static virt_t get(uint64_t size)
{
    const struct heap_request request = { .size = size, .align = 1, .tag = 4 };
    bool zeroed;
    virt_t at;

    assert_int_equal(heap_alloc(&lab.heap, &request, &at, &zeroed), OK);
    return at;
}

static enum error put(virt_t at)
{
    uint64_t pages;
    virt_t blame;

    return heap_free(&lab.heap, at, false, &pages, &blame);
}

static bool goes_on(void)
{
    return false;
}

static bool lowest(struct heap_object *object)
{
    struct heap_walk walk;

    heap_walk_begin(&walk, &lab.heap, virt(0), goes_on);
    return heap_walk_next(&walk, object);
}

static enum error advance(void)
{
    uint64_t needed;

    return lab_advance(&needed);
}

static uint64_t free_pages(void)
{
    struct page_area_info info;
    uint64_t pages = 0;

    for (unsigned i = 0; lab.engine->area_info(lab.pages.state, i, &info); i++)
        pages += info.free;
    return pages;
}

static void objects_live_through_all_stages(void **unused)
{
    virt_t small, large, later, last;
    uint64_t before, size;

    (void)unused;
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    small = get(40);
    large = get(3 * PAGE_SIZE);
    assert_whole();
    assert_int_equal(advance(), OK);
    assert_whole();
    before = free_pages();
    later = get(40);
    assert_int_not_equal(small.a >> PAGE_SHIFT, later.a >> PAGE_SHIFT);
    assert_int_equal(state_of(small.a >> PAGE_SHIFT), PAGE_UNMANAGED);
    assert_int_equal(state_of(later.a >> PAGE_SHIFT), PAGE_ALLOCATED);
    assert_int_equal(advance(), OK);
    last = get(40);
    assert_true(last.a >= lab.window.a && last.a < lab.window_limit.a);
    assert_whole();
    assert_int_equal(put(large), OK);
    assert_int_equal(put(small), OK);
    assert_int_equal(put(later), OK);
    assert_int_equal(put(last), OK);
    assert_int_equal(free_pages(), before);
    assert_int_equal(phys_free(&lab.phys, phys(large.a), &size), E_MEM_FREE);
    assert_whole();
}

/* Whole areas are left out, and what of an area lies beyond is no place for a page. */
static void the_heap_takes_pages_only_where_it_reaches_them(void **unused)
{
    struct heap_frames frames;

    (void)unused;
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    heap_frames_init(&frames, &lab.attributes, phys(5 * G));
    assert_int_equal(frames.areas, ALL_AREAS);
    assert_int_equal(frames.max.n, 5 * G >> PAGE_SHIFT);
    heap_frames_init(&frames, &lab.attributes, phys(4 * G));
    assert_int_equal(frames.areas, ALL_AREAS & ~UINT32_C(4));
    assert_int_equal(frames.max.n, PFN_LIMIT);
}

static void a_hand_over_refused_leaves_the_heap_as_it_was(void **unused)
{
    virt_t small, large;
    uint64_t needed, size;

    (void)unused;
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    small = get(40);
    large = get(3 * PAGE_SIZE);
    size = lab.pool.used;
    /* Pages that were given back, and nothing else. */
    for (unsigned i = 0; i < 9; i++)
        (void)get(700);
    for (uint64_t left = lab.pool.ceiling - lab.pool.virgin; left > 1; left--)
        (void)kpool_take(&lab.pool);
    for (struct heap_object object; lowest(&object);) {
        if (object.size != 768)
            break;
        assert_int_equal(put(object.at), OK);
    }
    for (unsigned round = 0; round < 2; round++) {
        assert_int_equal(lab_hand_over(&needed), E_MEM_METADATA);
        assert_int_equal(lab.stage, STAGE_EARLY);
        assert_int_equal(lab.heap.stage, STAGE_EARLY);
        assert_whole();
    }
    assert_int_equal(put(get(100)), OK);
    assert_int_equal(put(small), OK);
    assert_int_equal(put(large), OK);
    assert_whole();
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_true(lab.pool.used < size + 100);
    assert_whole();
}

static void a_reset_forgets_the_heap(void **unused)
{
    virt_t at;

    (void)unused;
    at = get(40);
    assert_true(at.a >= lab.window.a && at.a < lab.window_limit.a);
    assert_int_equal(lab_reset(STAGE_VIRTUAL), OK);
    assert_null(lab.heap.root);
    assert_int_equal(put(at), E_MEM_FREE);
    assert_int_equal(get(40).a, at.a);
    assert_whole();
}

static void check_sees_the_heap(void **unused)
{
    struct page_violation violation;
    virt_t at;
    uint64_t freed;
    pfn_t blame;

    (void)unused;
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    at = get(40);
    assert_int_equal(pages_free(&lab.pages, phys_pfn(phys(at.a)), 0, &freed, &blame),
                     OK);
    assert_int_equal(lab_check(&violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, 605);
    assert_int_equal(violation.at.n, at.a >> PAGE_SHIFT);
}

static void the_last_stage_is_the_last(void **unused)
{
    (void)unused;
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    while (lab.stage != STAGE_VIRTUAL)
        assert_int_equal(advance(), OK);
    assert_int_equal(advance(), E_CALL_STATE);
    assert_whole();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(objects_live_through_all_stages, begin),
        cmocka_unit_test_setup(the_heap_takes_pages_only_where_it_reaches_them, begin),
        cmocka_unit_test_setup(a_hand_over_refused_leaves_the_heap_as_it_was, begin),
        cmocka_unit_test_setup(a_reset_forgets_the_heap, begin),
        cmocka_unit_test_setup(check_sees_the_heap, begin),
        cmocka_unit_test_setup(the_last_stage_is_the_last, begin),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
