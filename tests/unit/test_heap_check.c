/* SPDX-License-Identifier: MIT */
/* Each invariant of the heap, broken by hand. */
#include "tests/unit/support.h"

#include "kernel/mm/heap_parts.h"
#include "tests/unit/heap_support.h"

#define CLASS 5u                      /* 128 bytes: 32 slots */

static unsigned questions, stops_at;  /* the question that is answered with yes; 0: none */

static bool stop(void)
{
    return ++questions == stops_at;
}

static unsigned broken_invariant(void)
{
    struct page_violation violation = { .invariant = 0 };

    return heap_check(&heap, stop, &violation) ? 0 : violation.invariant;
}

/* Three slabs, the second one full, and a block. */
static int begin(void **unused)
{
    uint64_t at[96];

    (void)heap_begin(unused);
    for (unsigned i = 0; i < 96; i++)
        at[i] = must_get(128);
    (void)must_get(9000);
    assert_int_equal(heap_put(at[1]), OK);
    assert_int_equal(heap_put(at[95]), OK);
    assert_int_equal(broken_invariant(), 0);
    return 0;
}

static struct slab *slab(uint32_t row)
{
    return slab_at(heap.root, CLASS, row);
}

static void number_600(void **unused)
{
    struct lookup *pages = heap_pages(&heap, false);

    (void)unused;
    assert_int_equal(lookup_add(pages, 5, value_of(0, HEAP_LARGE + 1, 0)), OK);
    assert_int_equal(broken_invariant(), 600);
    lookup_set(pages, 5, value_of(3, HEAP_LARGE, 0));
    assert_int_equal(broken_invariant(), 600);
    /* Against the contract: a key twice, so that one of them is not found. */
    assert_int_equal(lookup_add(pages, slab(0)->page, value_of(0, CLASS, 0)), OK);
    assert_int_equal(broken_invariant(), 600);
}

static void number_601(void **unused)
{
    uint64_t page = slab(1)->page;

    (void)unused;
    slab(1)->page = 77;
    assert_int_equal(broken_invariant(), 601);
    slab(1)->page = page;
    slab(1)->stage = 1;
    assert_int_equal(broken_invariant(), 601);
    slab(1)->stage = 0;
    lookup_set(heap_pages(&heap, false), page, value_of(0, CLASS, 0));
    assert_int_equal(broken_invariant(), 601);
    lookup_set(heap_pages(&heap, false), page, value_of(0, CLASS, 1));
    assert_int_equal(lookup_add(heap_pages(&heap, false), 5, value_of(0, CLASS, 1)), OK);
    assert_int_equal(broken_invariant(), 601);
}

static void number_602(void **unused)
{
    (void)unused;
    slab(0)->free[0] |= 1;
    assert_int_equal(broken_invariant(), 602);
    slab(0)->free[0] ^= 1;
    slab(0)->used--;
    assert_int_equal(broken_invariant(), 602);
    slab(0)->used++;
    /* A bit beyond the last slot makes up for one. */
    slab(0)->free[0] ^= UINT64_C(1) << 32 | 2;
    assert_int_equal(broken_invariant(), 602);
    slab(0)->free[0] = UINT32_MAX;
    slab(0)->used = 0;
    assert_int_equal(broken_invariant(), 602);
}

static void number_603(void **unused)
{
    (void)unused;
    slab(1)->place = 0;
    assert_int_equal(broken_invariant(), 603);
    slab(1)->place = NOT_QUEUED;
    slab_dequeue(heap.root, CLASS, 2);
    assert_int_equal(broken_invariant(), 603);
    slab_enqueue(heap.root, CLASS, 2);
    assert_int_equal(broken_invariant(), 0);
    heap.stage = 1;
    assert_int_equal(broken_invariant(), 603);
}

static void number_604(void **unused)
{
    struct heap_class *class = &heap.root->classes[CLASS];

    (void)unused;
    slab(0)->place = 1;
    slab(2)->place = 0;
    assert_int_equal(broken_invariant(), 604);
    slab(0)->queued = 2;
    slab(1)->queued = 0;
    assert_int_equal(broken_invariant(), 604);
    slab(0)->queued = 0;
    slab(1)->queued = 2;
    slab(0)->place = 0;
    slab(2)->place = 1;
    assert_int_equal(broken_invariant(), 0);
    class->lowest = slab(2);
    assert_int_equal(broken_invariant(), 604);
    class->lowest = slab(0);
    class->waiting = 3;
    assert_int_equal(broken_invariant(), 604);
    class->waiting = 1;
    assert_int_equal(broken_invariant(), 604);
}

static void number_605(void **unused)
{
    uint64_t page = (slab(1)->page << PAGE_SHIFT) - arenas[0].base;

    (void)unused;
    arenas[0].tags[page >> PAGE_SHIFT] = 3;
    assert_int_equal(broken_invariant(), 605);
    arenas[0].tags[page >> PAGE_SHIFT] = 0;
    assert_int_equal(broken_invariant(), 0);
    arenas[0].busy[page >> PAGE_SHIFT] = false;
    assert_int_equal(broken_invariant(), 605);
}

static void number_606(void **unused)
{
    (void)unused;
    for (unsigned i = 3; i < 6; i++)
        arenas[0].busy[i] = false;
    assert_int_equal(broken_invariant(), 606);
}

static void number_607(void **unused)
{
    const struct heap_request request = { .size = 100, .align = 1, .redzone = true };
    bool zeroed;
    uint32_t zone;
    virt_t at;

    (void)unused;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), OK);
    assert_int_equal(broken_invariant(), 0);
    lookup_set(heap.root->zones[0], at.a / 16, 128);
    assert_int_equal(broken_invariant(), 607);
    lookup_set(heap.root->zones[0], at.a / 16, 15);
    assert_int_equal(broken_invariant(), 607);
    assert_true(lookup_remove(heap.root->zones[0], at.a / 16, &zone));
    assert_int_equal(broken_invariant(), 607);
    heap.root->zoned--;
    assert_int_equal(broken_invariant(), 0);
    heap.root->zoned++;
    assert_int_equal(lookup_add(heap.root->zones[0], at.a / 16 + 1, 28), OK);
    assert_int_equal(broken_invariant(), 607);
}

/* Whose record it is, which class that is of, and that it is one at all. */
static void number_608(void **unused)
{
    struct heap_recent *recent = &heap.root->recent, right = *recent;
    struct slab copy;

    (void)unused;
    assert_non_null(right.slab);
    recent->row = right.row + 1;
    assert_int_equal(broken_invariant(), 608);
    recent->row = right.row;
    recent->class = CLASS + 1;
    assert_int_equal(broken_invariant(), 608);
    recent->class = CLASS;
    recent->slab = &copy;
    copy = *right.slab;
    assert_int_equal(broken_invariant(), 608);
    copy.page = 5;
    assert_int_equal(broken_invariant(), 608);
    *recent = (struct heap_recent){ .slab = NULL };
    assert_int_equal(broken_invariant(), 0);
}

/* Finding the object of a red zone, of another slab, would mend it. */
static void number_608_beside_red_zones(void **unused)
{
    const struct heap_request request = { .size = 100, .align = 1, .redzone = true };
    bool zeroed;
    virt_t at;

    (void)unused;
    assert_int_equal(heap_alloc(&heap, &request, &at, &zeroed), OK);
    (void)must_get(20);
    (void)must_get(20);
    assert_int_equal(broken_invariant(), 0);
    (void)must_get(20);
    heap.root->recent.class = CLASS;
    assert_int_equal(broken_invariant(), 608);
}

static void it_can_be_stopped(void **unused)
{
    struct page_violation violation;
    unsigned last;

    (void)unused;
    assert_int_equal(heap_alloc(&heap, &(struct heap_request){ .size = 8, .align = 1,
                                .redzone = true }, &(virt_t){ 0 }, &(bool){ false }), OK);
    questions = 0;
    assert_int_equal(broken_invariant(), 0);
    assert_in_range(questions, 3, 6); /* among slabs of each class, pages, red zones */
    last = questions;
    for (unsigned at = 1; at <= last; at++) {
        questions = 0;
        stops_at = at;
        violation.invariant = 1;
        assert_false(heap_check(&heap, stop, &violation));
        assert_int_equal(violation.invariant, 0);
        assert_int_equal(questions, at);
    }
    stops_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(number_600, begin),
        cmocka_unit_test_setup(number_601, begin),
        cmocka_unit_test_setup(number_602, begin),
        cmocka_unit_test_setup(number_603, begin),
        cmocka_unit_test_setup(number_604, begin),
        cmocka_unit_test_setup(number_605, begin),
        cmocka_unit_test_setup(number_606, begin),
        cmocka_unit_test_setup(number_607, begin),
        cmocka_unit_test_setup(number_608, begin),
        cmocka_unit_test_setup(number_608_beside_red_zones, begin),
        cmocka_unit_test_setup(it_can_be_stopped, begin),
    };

    return cmocka_run_group_tests(tests, heap_open, heap_close);
}
