/* SPDX-License-Identifier: MIT */
#include "tests/unit/virt_support.h"

#include "kernel/mm/virt_node.h"

static void the_lowest_address_comes_first_and_is_used_again(void **unused)
{
    (void)unused;
    assert_int_equal(take(.pages = 1), FIRST);
    assert_int_equal(take(.pages = 3), FIRST + P);
    assert_int_equal(take(.pages = 1), FIRST + 4 * P);
    drop(FIRST + P);
    assert_int_equal(take(.pages = 4), FIRST + 5 * P);
    assert_int_equal(take(.pages = 2), FIRST + P);
    assert_int_equal(take(.pages = 1), FIRST + 3 * P);
    assert_whole();
}

static void guards_are_nobody_elses(void **unused)
{
    (void)unused;
    assert_int_equal(take(.pages = 1, .front = 1, .back = 2), FIRST + P);
    assert_int_equal(take(.pages = 1), FIRST + 4 * P);
    assert_int_equal(find(FIRST, VIRT_VMALLOC), E_MEM_INSIDE);
    assert_int_equal(find(FIRST + 3 * P, VIRT_VMALLOC), E_MEM_INSIDE);
    refused(E_MEM_BUSY, FIRST + 2 * P, .pages = 1, .exact = true, .at = virt(FIRST + 2 * P));
    drop(FIRST + P);
    assert_int_equal(take(.pages = 4), FIRST);
    assert_whole();
}

static void the_first_usable_page_is_aligned_not_its_guard(void **unused)
{
    uint64_t at;

    (void)unused;
    take(.pages = 1);
    at = take(.pages = 3, .align = 9, .front = 1);
    assert_int_equal(at, FIRST + 512 * P);
    /* what the alignment left out stays free */
    assert_int_equal(take(.pages = 510), FIRST + P);
    refused(E_MEM_NONE, 0, .pages = 1, .align = 18, .front = 1);
    assert_whole();
}

static void alignment_goes_to_2_gib_and_beyond(void **unused)
{
    (void)unused;
    open_window(FIRST + P, UINT64_C(1) << 22, 8);
    assert_int_equal(take(.pages = 1, .align = 19), FIRST + (UINT64_C(2) << 30));
    assert_int_equal(take(.pages = 1 << 18, .align = 18), FIRST + (UINT64_C(1) << 30));
    assert_int_equal(take(.pages = 1, .align = 21), FIRST + (UINT64_C(8) << 30));
    refused(E_MEM_NONE, 0, .pages = 1, .align = 23);
    refused(E_MEM_NONE, 0, .pages = 1, .align = 51);
    assert_whole();
}

static void a_full_window_refuses_and_recovers(void **unused)
{
    uint64_t n = 0;

    (void)unused;
    open_window(FIRST, 7, 4);
    refused(E_MEM_NONE, 0, .pages = 8);
    refused(E_MEM_NONE, 0, .pages = 6, .front = 1, .back = 1);
    refused(E_MEM_NONE, 0, .pages = 1, .back = 7);
    refused(E_MEM_NONE, 0, .pages = UINT64_C(1) << 52, .front = 1, .back = 1);
    assert_int_equal(take(.pages = 5, .front = 1, .back = 1), FIRST + P);
    refused(E_MEM_NONE, 0, .pages = 1);
    drop(FIRST + P);
    for (; n < 7; n++)
        assert_int_equal(take(.pages = 1), FIRST + n * P);
    refused(E_MEM_NONE, 0, .pages = 1);
    drop(FIRST + 3 * P);
    assert_int_equal(take(.pages = 1), FIRST + 3 * P);
    assert_whole();
}

static void an_exact_address_is_taken_or_the_page_in_the_way_named(void **unused)
{
    const uint64_t limit = FIRST + WINDOW_PAGES * P, at = FIRST + 16 * P;

    (void)unused;
    assert_int_equal(take(.pages = 4, .exact = true, .at = virt(at), .front = 1), at);
    refused(E_MEM_BUSY, at - P, .pages = 8, .exact = true, .at = virt(at - 3 * P));
    refused(E_MEM_BUSY, at + 3 * P, .pages = 8, .exact = true, .at = virt(at + 4 * P), .front = 1);
    refused(E_MEM_BUSY, at - P, .pages = 1, .exact = true, .at = virt(at - 2 * P), .back = 1);
    refused(E_MEM_UNMANAGED, FIRST - P, .pages = 1, .exact = true, .at = virt(FIRST), .front = 1);
    refused(E_MEM_UNMANAGED, 0, .pages = 1, .exact = true, .at = virt(P), .front = 9);
    refused(E_MEM_UNMANAGED, limit, .pages = 2, .exact = true, .at = virt(limit - P));
    refused(E_MEM_UNMANAGED, limit, .pages = 1, .exact = true, .at = virt(limit - P), .back = 1);
    refused(E_MEM_UNMANAGED, limit, .pages = 1, .exact = true, .at = virt(limit));
    refused(E_MEM_NONE, at + 5 * P, .pages = 1, .exact = true, .at = virt(at + 5 * P), .align = 1);
    assert_int_equal(take(.pages = 1, .exact = true, .at = virt(limit - P)), limit - P);
    assert_int_equal(take(.pages = 1, .exact = true, .at = virt(FIRST)), FIRST);
    assert_whole();
}

static void every_wrong_pointer_is_another_error(void **unused)
{
    const uint64_t limit = FIRST + WINDOW_PAGES * P;
    uint64_t at = take(.pages = 3, .back = 1, .kind = VIRT_VMAP);

    (void)unused;
    assert_int_equal(find(FIRST - P, VIRT_VMAP), E_MEM_UNMANAGED);
    assert_int_equal(find(limit, VIRT_VMAP), E_MEM_UNMANAGED);
    assert_int_equal(find(UINT64_MAX, VIRT_VMAP), E_MEM_UNMANAGED);
    assert_int_equal(find(at + 8, VIRT_VMAP), E_MEM_UNALIGNED);
    assert_int_equal(find(at + P, VIRT_VMAP), E_MEM_INSIDE);
    assert_int_equal(find(at + 3 * P, VIRT_VMAP), E_MEM_INSIDE);
    assert_int_equal(find(at + 4 * P, VIRT_VMAP), E_MEM_FREE);
    assert_int_equal(find(at, VIRT_VMALLOC), E_MEM_KIND);
    assert_int_equal(find(at, VIRT_PAGES), E_MEM_KIND);
    assert_int_equal(find(at, VIRT_VMAP), OK);
    drop(at);
    assert_int_equal(find(at, VIRT_VMAP), E_MEM_FREE);
    assert_whole();
}

static void what_was_asked_for_is_remembered(void **unused)
{
    const struct virt_range *range;
    uint64_t at = take(.pages = 2, .front = 3, .back = 4, .kind = VIRT_VMALLOC, .size = 5000,
                       .redzone = true, .tag = 77);

    (void)unused;
    range = virt_next(&window, virt(0));
    assert_non_null(range);
    assert_int_equal(range->first.a, at);
    assert_int_equal(range->pages, 2);
    assert_int_equal(range->front, 3);
    assert_int_equal(range->back, 4);
    assert_int_equal(range->size, 5000);
    assert_int_equal(range->tag, 77);
    assert_true(range->redzone);
    assert_ptr_equal(virt_next(&window, virt(at + 5 * P)), range);
    assert_null(virt_next(&window, virt(at + 6 * P)));
}

static void records_come_and_go_with_the_ranges(void **unused)
{
    uint64_t n = 0;
    virt_t out, blame;

    (void)unused;
    open_window(FIRST, WINDOW_PAGES, 2);
    while (virt_alloc(&window, &(struct virt_request){ .pages = 2 }, &out, &blame) == OK)
        n++;
    assert_true(n >= 50);
    assert_int_equal(pool.used, 2);
    refused(E_MEM_METADATA, 0, .pages = 1);
    refused(E_MEM_METADATA, 0, .pages = 1, .exact = true, .at = virt(FIRST + 2 * n * P));
    assert_whole();
    for (uint64_t i = 0; i < n; i++)
        drop(FIRST + 2 * P * (i * 7 % n));
    assert_int_equal(pool.used, 0);
    assert_int_equal(window.used, 0);
    assert_null(virt_next(&window, virt(0)));
    assert_whole();
}

/* ---- each invariant, broken by hand ---- */

static struct virt_node *root;

static int begin_with_ranges(void **unused)
{
    begin(unused);
    for (unsigned i = 0; i < 20; i++)
        take(.pages = 1 + i % 3, .back = i % 2, .front = 1);
    root = window.root;
    assert_whole();
    return 0;
}

static void assert_broken(unsigned invariant)
{
    struct page_violation violation = { .invariant = 0 };

    assert_false(virt_check(&window, &violation));
    assert_int_equal(violation.invariant, invariant);
}

static void check_sees_400(void **unused)
{
    struct virt_node *first = root;

    (void)unused;
    while (first->left != NULL)
        first = first->left;
    first->range.first.a -= P;
    assert_broken(400);
    first->range.first.a += P;
    first->range.pages = 0;
    assert_broken(400);
    first->range.pages = WINDOW_PAGES;
    assert_broken(400);
}

static void check_sees_401(void **unused)
{
    (void)unused;
    root->left->range.back += 1;
    assert_broken(401);
}

static void check_sees_402(void **unused)
{
    (void)unused;
    root->height++;
    assert_broken(402);
    root->height--;
    root->left->left = NULL;
    assert_broken(402);
}

static void check_sees_403(void **unused)
{
    (void)unused;
    root->left->low++;
    assert_broken(403);
    root->left->low--;
    root->gap++;
    assert_broken(403);
    root->gap--;
    root->right->high--;
    assert_broken(403);
}

static void check_sees_404(void **unused)
{
    (void)unused;
    window.used++;
    assert_broken(404);
    window.used--;
    window.records.used++;
    assert_broken(404);
}

/* Whoever made it, or took it back, has gone without a word. */
static void check_sees_405(void **unused)
{
    (void)unused;
    virt_set_busy(&root->left->range, true);
    assert_broken(405);
    virt_set_busy(&root->left->range, false);
    assert_whole();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_lowest_address_comes_first_and_is_used_again, begin),
        cmocka_unit_test_setup(guards_are_nobody_elses, begin),
        cmocka_unit_test_setup(the_first_usable_page_is_aligned_not_its_guard, begin),
        cmocka_unit_test(alignment_goes_to_2_gib_and_beyond),
        cmocka_unit_test(a_full_window_refuses_and_recovers),
        cmocka_unit_test_setup(an_exact_address_is_taken_or_the_page_in_the_way_named, begin),
        cmocka_unit_test_setup(every_wrong_pointer_is_another_error, begin),
        cmocka_unit_test_setup(what_was_asked_for_is_remembered, begin),
        cmocka_unit_test(records_come_and_go_with_the_ranges),
        cmocka_unit_test_setup(check_sees_400, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_401, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_402, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_403, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_404, begin_with_ranges),
        cmocka_unit_test_setup(check_sees_405, begin_with_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
