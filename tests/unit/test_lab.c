/* SPDX-License-Identifier: MIT */
/* Instances, words for areas, scan orders, and what the lab's own check sees. */
#include "tests/unit/lab_machine.h"

static unsigned events;

static void event(enum pages_event what, pfn_t first, uint64_t pages, uint32_t tag)
{
    (void)what, (void)first, (void)pages, (void)tag;
    events++;
}

static void reset_begins_afresh(void **unused)
{
    struct page_info info;
    uint64_t first, before = managed();
    uint8_t order[] = { 0, 1, 2 };

    (void)unused;
    assert_int_equal(alloc(ALL_AREAS, 512, &first), OK);
    assert_int_equal(lab_scan_order(order), OK);
    assert_int_equal(lab.scan[0], 0);
    lab.dead = true;
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_false(lab.dead);
    assert_int_equal(lab.scan[0], 2);
    assert_int_equal(managed(), before);
    lab.engine->query(lab.pages.state, pfn(first), &info);
    assert_int_equal(info.state, PAGE_FREE);
    assert_true(info.fresh);
    assert_int_equal(pages_owner(&lab.pages, pfn(first)), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(lab_reset(i % 2 == 0 ? STAGE_EARLY : STAGE_PAGE), OK);
    assert_whole();
}

/* Scribbles over the pool that it is given, then asserts or refuses. */
static bool asserts;

static enum error init_that_fails(void *memory, const struct page_map *map,
                                  const struct node_source *nodes)
{
    (void)memory, (void)map;
    for (unsigned i = 0; i < 8; i++)
        memset(nodes->take(nodes->context), 0xff, PAGE_SIZE);
    ASSERT(!asserts);
    return E_MEM_METADATA;
}

static void an_instance_abandoned_half_way_does_no_harm(void **unused)
{
    const struct page_engine *whole = lab.engine;
    struct page_engine failing = *whole;
    uint64_t first;

    (void)unused;
    failing.init = init_that_fails;
    for (unsigned i = 0; i < 3; i++) {
        lab.engine = &failing;
        asserts = true;
        expect_assert_failure((void)!lab_reset(STAGE_PAGE));
        lab.engine = whole;
        assert_int_equal(lab_reset(STAGE_PAGE), OK);
        assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
        /* There are still two banks: one that is refused leaves this instance alone. */
        lab.engine = &failing;
        asserts = false;
        assert_int_equal(lab_reset(STAGE_PAGE), E_MEM_METADATA);
        lab.engine = whole;
        assert_int_equal(state_of(first), PAGE_ALLOCATED);
        assert_int_equal(pages_owner(&lab.pages, pfn(first)), 9);
        assert_whole();
    }
}

static void early_memory_is_not_handed_over(void **unused)
{
    struct phys_request request = {
        .size = 100, .align = 1, .max = ADDRESS_LIMIT, .direction = PHYS_HIGH,
    };
    struct page_info info;
    uint64_t needed, size;
    phys_t kept, freed;

    (void)unused;
    assert_int_equal(lab_hand_over(&needed), E_CALL_STATE);
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    assert_int_equal(lab_scan_order((const uint8_t[]){ 0, 1, 2 }), E_CALL_STATE);
    assert_int_equal(phys_alloc(&lab.phys, &request, &kept), OK);
    request.align = 8192;
    assert_int_equal(phys_alloc(&lab.phys, &request, &freed), OK);
    assert_int_equal(phys_free(&lab.phys, freed, &size), OK);
    assert_whole();
    assert_int_equal(lab_hand_over(&needed), OK);
    assert_int_equal(state_of(phys_pfn(kept).n), PAGE_UNMANAGED);
    lab.engine->query(lab.pages.state, phys_pfn(freed), &info);
    assert_int_equal(info.state, PAGE_FREE);
    assert_false(info.fresh);
    assert_whole();
}

static void events_survive_a_reset(void **unused)
{
    uint64_t first;

    (void)unused;
    events = 0;
    lab_set_event_hook(event);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(events, 2);
    lab_set_event_hook(NULL);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_int_equal(events, 2);
}

static void assert_set(const char *word, uint32_t areas, uint64_t limit)
{
    uint32_t got = 0;
    pfn_t got_limit = pfn(0);

    assert_int_equal(lab_area_set(word, strlen(word), &got, &got_limit), OK);
    assert_int_equal(got, areas);
    assert_int_equal(got_limit.n, limit);
}

static void words_mean_sets_of_areas(void **unused)
{
    uint32_t areas;
    pfn_t limit;

    (void)unused;
    assert_set("any", 7, PFN_LIMIT);
    assert_set("low", 2, PFN_LIMIT);
    assert_set("dma24", 1, PFN_LIMIT);
    assert_set("dma31", 3, UINT64_C(1) << 19);
    assert_set("dma32", 3, PFN_LIMIT);
    assert_int_equal(lab_area_set("lo", 2, &areas, &limit), E_CALL_AREA);
    assert_int_equal(lab_area_set("lowes", 5, &areas, &limit), E_CALL_AREA);
    assert_int_equal(lab_area_set("", 0, &areas, &limit), E_CALL_AREA);
    boot("areas=all");
    assert_set("dma24", 1, UINT64_C(1) << 12);
    assert_set("any", 1, PFN_LIMIT);
}

static void scan_orders_are_permutations(void **unused)
{
    (void)unused;
    assert_int_equal(lab_scan_order((const uint8_t[]){ 0, 1, 1 }), E_CALL_RANGE);
    assert_int_equal(lab_scan_order((const uint8_t[]){ 0, 1, 3 }), E_CALL_RANGE);
    assert_int_equal(lab.scan[0], 2);
    assert_int_equal(lab_scan_order((const uint8_t[]){ 1, 0, 2 }), OK);
    assert_int_equal(lab.scan[0], 1);
}

static void assert_broken(unsigned invariant)
{
    struct page_violation violation = { .invariant = 0 };

    assert_int_equal(lab_check(&violation), E_BUG_CHECK);
    assert_int_equal(violation.invariant, invariant);
}

static void check_names_the_broken_invariant(void **unused)
{
    uint64_t first;

    (void)unused;
    assert_int_equal(lookup_add(lab.pages.owners, 5, 1), OK);
    assert_broken(100);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.minimum_alignment = 3;
    assert_broken(208);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    /* Extent 1 is [4 KiB, 640 KiB), handed over. */
    lab.phys.extents[1].end -= PAGE_SIZE;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.extents[lab.phys.count - 1].end += PAGE_SIZE;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.count--;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    lab.phys.extents[1].used = true;
    assert_broken(301);
    assert_int_equal(lab_reset(STAGE_EARLY), OK);
    lab.phys.handed_over = true;
    assert_broken(300);
    assert_int_equal(lab_reset(STAGE_PAGE), OK);
    assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    assert_whole();
}

static void check_stops_when_asked_to(void **unused)
{
    struct page_violation violation = { .invariant = 0 };
    uint64_t first;
    unsigned of_pages, all;

    (void)unused;
    /* More runs of frames than lie between two questions: the last one is asked among them. */
    for (unsigned i = 0; i < 2048; i++)
        assert_int_equal(alloc(ALL_AREAS, 1, &first), OK);
    polls = 0;
    assert_int_equal(pages_check(&lab.pages, &violation), OK);
    of_pages = polls;
    polls = 0;
    assert_whole();
    all = polls;
    assert_true(all > of_pages);
    for (unsigned at = 1; at <= all; at += at < all - 1 ? all - 2 : 1) {
        polls = 0;
        polls_until_stopped = at;
        assert_int_equal(lab_check(&violation), E_STOP_INTERRUPTED);
        assert_int_equal(polls, at);
    }
    polls_until_stopped = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_begins_afresh, begin),
        cmocka_unit_test_setup(an_instance_abandoned_half_way_does_no_harm, begin),
        cmocka_unit_test_setup(early_memory_is_not_handed_over, begin),
        cmocka_unit_test_setup(events_survive_a_reset, begin),
        cmocka_unit_test_setup(words_mean_sets_of_areas, begin),
        cmocka_unit_test_setup(scan_orders_are_permutations, begin),
        cmocka_unit_test_setup(check_names_the_broken_invariant, begin),
        cmocka_unit_test_setup(check_stops_when_asked_to, begin),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
