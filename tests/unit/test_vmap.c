/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "tests/unit/vmap_support.h"

#define G (UINT64_C(1) << 30)

static void vmalloc_maps_single_frames_in_order(void **unused)
{
    uint64_t at, info = free_frames();

    (void)unused;
    assert_int_equal(vmalloc(3 * P + 1, false, 0, &at), OK);
    assert_int_equal(at, FAKE_FIRST);
    assert_int_equal(free_frames(), info - 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(frame_at(at + i * P), FRAME_FIRST + i);
        assert_int_equal(pages_owner(&pages, pfn(FRAME_FIRST + i)), 7);
    }
    assert_whole();
    assert_int_equal(vfree(at), OK);
    assert_int_equal(vfree(at), E_MEM_FREE);
    assert_int_equal(free_frames(), info);
    assert_int_equal(tables.used, 0);
    assert_whole();
}

static void frames_are_scattered_where_memory_is(void **unused)
{
    uint64_t at;
    pfn_t out, blame;
    bool zeroed;
    struct page_request request = { .areas = ALL_AREAS, .pages = 1, .max = pfn(PFN_LIMIT),
                                    .exact = true };

    (void)unused;
    for (unsigned i = 0; i < 200; i += 2) {
        request.at = pfn(FRAME_FIRST + i);
        assert_int_equal(pages_alloc(&pages, &request, 0, true, &out, &zeroed, &blame), OK);
    }
    assert_int_equal(vmalloc(150 * P, false, 1, &at), OK);
    assert_int_equal(at, FAKE_FIRST + P);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(frame_at(at + i * P), FRAME_FIRST + 1 + 2 * i);
    assert_int_equal(frame_at(at + 149 * P), FRAME_FIRST + 249);
    assert_whole();
    assert_int_equal(vfree(at), OK);
    assert_whole();
}

static void frames_of_vmalloc_are_not_for_free(void **unused)
{
    uint64_t at, freed;
    pfn_t blame;

    (void)unused;
    assert_int_equal(vmalloc(P, false, 0, &at), OK);
    assert_int_equal(pages_free(&pages, pfn(FRAME_FIRST), 0, &freed, &blame), E_MEM_KIND);
    assert_int_equal(pages_free(&pages, pfn(FRAME_FIRST), 1, &freed, &blame), E_MEM_KIND);
    assert_int_equal(attributes_free(&attributes, pfn(FRAME_FIRST), 0, &freed, &blame), E_MEM_KIND);
    assert_int_equal(attributes_protect(&attributes, pfn(FRAME_FIRST), 1, MMU_READ_ONLY, &blame),
                     E_MEM_KIND);
    assert_int_equal(blame.n, FRAME_FIRST);
    assert_int_equal(vfree(at), OK);
}

static bool is_fresh(uint64_t frame)
{
    struct page_info info;

    pages_query(&pages, pfn(frame), &info);
    return info.fresh;
}

static void sizes_that_cannot_be_are_no_memory(void **unused)
{
    struct left before = left();
    uint64_t at;

    (void)unused;
    assert_int_equal(vmalloc(UINT64_MAX, false, 0, &at), E_MEM_NONE);
    assert_int_equal(vmalloc(UINT64_MAX - 3, true, 1, &at), E_MEM_NONE);
    assert_int_equal(vmalloc(FAKE_PAGES * P + 1, false, 0, &at), E_MEM_NONE);
    assert_int_equal(vmalloc((FRAMES + 1) * P, false, 0, &at), E_MEM_NONE);
    assert_int_equal(vmalloc(FRAMES * P, false, FAKE_PAGES, &at), E_MEM_NONE);
    assert_left(before);
    assert_int_equal(vmalloc(FRAMES * P, false, 1, &at), OK);
    assert_int_equal(free_frames(), 0);
    assert_int_equal(vfree(at), OK);
    assert_left(before);
}

/* Or they would not be fresh any more, and a large memory would take its time. */
static void frames_that_do_not_suffice_are_not_taken(void **unused)
{
    uint64_t at;

    fresh_frames = true;
    begin(unused);
    assert_int_equal(vmalloc((FRAMES + 1) * P, false, 0, &at), E_MEM_NONE);
    assert_true(is_fresh(FRAME_FIRST));
    assert_int_equal(vmalloc(FRAMES * P, false, 0, &at), OK);
    fresh_frames = false;
}

static void wrong_pointers_change_nothing(void **unused)
{
    uint64_t at, alias, n;
    virt_t blame;
    struct left before;

    (void)unused;
    assert_int_equal(vmalloc(2 * P, false, 1, &at), OK);
    assert_int_equal(map(FRAME_FIRST * P, 2 * P, MMU_DATA, &alias), OK);
    before = left();
    assert_int_equal(vfree(at + P), E_MEM_INSIDE);
    assert_int_equal(vfree(at - P), E_MEM_INSIDE);
    assert_int_equal(vfree(at + 1), E_MEM_UNALIGNED);
    assert_int_equal(vfree(0), E_MEM_UNMANAGED);
    assert_int_equal(vfree(UINT64_MAX), E_MEM_UNMANAGED);
    assert_int_equal(vfree(alias), E_MEM_KIND);
    assert_int_equal(vfree(FAKE_FIRST + G / 2), E_MEM_FREE);
    assert_int_equal(vmap_unmap(&vmap, virt(at), &n), E_MEM_KIND);
    assert_int_equal(vmap_free(&vmap, virt(at), VIRT_PAGES, true, &n, &blame), E_MEM_KIND);
    assert_left(before);
    assert_int_equal(vmap_unmap(&vmap, virt(alias), &n), OK);
    assert_int_equal(n, 2);
    assert_int_equal(vmap_unmap(&vmap, virt(alias), &n), E_MEM_FREE);
    assert_int_equal(vfree(at), OK);
}

static void one_frame_is_mapped_often(void **unused)
{
    uint64_t at[100], n;
    struct left before = left();

    (void)unused;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(map(FRAME_FIRST * P, P, i % 2 ? MMU_DATA : MMU_READ_ONLY, &at[i]), OK);
        assert_int_equal(at[i], FAKE_FIRST + i * P);
    }
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(frame_at(at[i]), FRAME_FIRST);
    assert_int_equal(free_frames(), before.frames);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(vmap_unmap(&vmap, virt(at[i * 37 % 100]), &n), OK);
    assert_left(before);
}

static void attributes_that_the_machine_lacks_are_refused(void **unused)
{
    struct left before = left();
    uint64_t at;
    virt_t blame;

    (void)unused;
    assert_int_equal(map(FRAME_FIRST * P, P, MMU_WRITE_COMBINING, &at), E_CALL_UNSUPPORTED);
    assert_left(before);
    assert_int_equal(map(FRAME_FIRST * P, P, MMU_UNCACHED, &at), OK);
    assert_int_equal(vmap_protect(&vmap, virt(at), 1, MMU_WRITE_COMBINING, &blame),
                     E_CALL_UNSUPPORTED);
}

static void protect_is_all_or_nothing_and_names_the_hole(void **unused)
{
    uint64_t first, second;
    struct mmu_mapping mapping;
    virt_t blame;

    (void)unused;
    assert_int_equal(vmalloc(2 * P, false, 1, &first), OK);
    assert_int_equal(vmalloc(2 * P, false, 0, &second), OK);
    assert_int_equal(second, first + 3 * P);
    assert_int_equal(vmap_protect(&vmap, virt(first), 5, MMU_READ_ONLY, &blame), E_FAULT_ADDRESS);
    assert_int_equal(blame.a, first + 2 * P);
    assert_true(fake_query(virt(first), &mapping) && mapping.attributes == MMU_DATA);
    assert_int_equal(vmap_protect(&vmap, virt(first + P), 1, MMU_READ_ONLY, &blame), OK);
    assert_int_equal(blame.a, 0);
    assert_true(fake_query(virt(first + P), &mapping) && mapping.attributes == MMU_READ_ONLY);
    assert_true(fake_query(virt(first), &mapping) && mapping.attributes == MMU_DATA);
    assert_int_equal(vfree(first), OK);
    assert_int_equal(vfree(second), OK);
    assert_whole();
}

/* What has no pointer by its frame has its address in the window. */
static void frames_that_only_the_window_reaches_are_written_there(void **unused)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMALLOC }, .areas = 2, .max = pfn(PFN_LIMIT),
    };
    struct left before = left();
    struct mmu_mapping mapping;
    virt_t at, blame;
    uint64_t n;
    bool zeroed;

    (void)unused;
    for (unsigned set = 0; set < 2; set++) {
        request.attributes = set == 0 ? MMU_DATA : MMU_DATA | MMU_READ_ONLY;
        memset(far_memory, 0xee, sizeof(far_memory));
        assert_int_equal(vmap_pages(&request, 3 * P + 5, true), OK);
        assert_int_equal(vmap_alloc(&vmap, &request, &at, &zeroed, &blame), OK);
        assert_true(zeroed);
        assert_int_equal(frame_at(at.a), FRAME_FIRST + REAL);
        for (unsigned byte = 0; byte < 3 * P + 5; byte++)
            assert_int_equal(far_memory[byte], 0);
        assert_true(fake_query(at, &mapping) && mapping.attributes == request.attributes);
        far_memory[3 * P + 5] ^= 1;
        assert_int_equal(vmap_free(&vmap, at, VIRT_VMALLOC, false, &n, &blame), E_MEM_OVERRUN);
        assert_int_equal(blame.a, at.a + 3 * P + 5);
        far_memory[3 * P + 5] ^= 1;
        assert_int_equal(vfree(at.a), OK);
        assert_left(before);
    }
}

static void without_memory_zeroes_are_told_and_a_red_zone_is_refused(void **unused)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMALLOC }, .attributes = MMU_DATA, .areas = ALL_AREAS,
        .max = pfn(PFN_LIMIT),
    };
    struct left before = left();
    virt_t at, blame;
    bool zeroed;

    (void)unused;
    pages.backed = false;
    assert_int_equal(vmap_pages(&request, 5, true), OK);
    assert_int_equal(vmap_alloc(&vmap, &request, &at, &zeroed, &blame), E_CALL_UNSUPPORTED);
    assert_left(before);
    request.place.redzone = false;
    assert_int_equal(vmap_alloc(&vmap, &request, &at, &zeroed, &blame), OK);
    assert_false(zeroed);
}

/* As on a processor of 32 bits whose memory goes on. */
static void what_no_entry_can_name_is_not_mapped(void **unused)
{
    const uint64_t limit = FRAME_FIRST + 100;
    struct left before;
    uint64_t at;

    (void)unused;
    fake_mmu.phys_limit = pfn_phys(pfn(limit));
    begin(NULL);
    before = left();
    assert_int_equal(map(limit * P, P, 0, &at), E_CALL_UNSUPPORTED);
    assert_int_equal(map((limit - 1) * P, 2 * P, 0, &at), E_CALL_UNSUPPORTED);
    assert_int_equal(map((PFN_LIMIT - 1) * P, P, 0, &at), E_CALL_UNSUPPORTED);
    assert_int_equal(vmalloc(101 * P, false, 0, &at), E_MEM_NONE);
    assert_left(before);
    assert_int_equal(map((limit - 1) * P, P, 0, &at), OK);
    assert_int_equal(vmalloc(100 * P, false, 0, &at), OK);
    assert_int_equal(frame_at(at + 99 * P), limit - 1);
    assert_int_equal(vmalloc(P, false, 0, &at), E_MEM_NONE);
    assert_whole();
    fake_mmu.phys_limit = phys(ADDRESS_LIMIT);
}

/* Nobody follows an entry there: all machines answer alike. */
static void an_injected_map_has_no_such_limit(void **unused)
{
    uint64_t at;

    (void)unused;
    fake_mmu.phys_limit = pfn_phys(pfn(FRAME_FIRST));
    begin(NULL);
    pages.backed = false;
    assert_int_equal(map(FRAME_FIRST * P, P, 0, &at), OK);
    fake_mmu.phys_limit = phys(ADDRESS_LIMIT);
}

static void a_red_zone_sees_each_byte_behind_the_end(void **unused)
{
    static const uint64_t sizes[] = { 1, 100, P - 16, P - 15, P - 1, P, P + 1, 2 * P };
    virt_t blame;
    uint64_t at, n;

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint64_t size = sizes[i], all = align_up(size + 16, P);

        assert_int_equal(vmalloc(size, true, 0, &at), OK);
        for (uint64_t byte = size; byte < all; byte += 13) {
            unsigned char *hit = memory + (frame_at(align_down(at + byte, P)) - FRAME_FIRST) * P
                + byte % P;

            *hit ^= 1;
            assert_int_equal(vmap_free(&vmap, virt(at), VIRT_VMALLOC, false, &n, &blame),
                             E_MEM_OVERRUN);
            assert_int_equal(blame.a, at + byte);
            *hit ^= 1;
        }
        memory[(frame_at(at) - FRAME_FIRST) * P] = 0xff;
        assert_int_equal(vmap_free(&vmap, virt(at), VIRT_VMALLOC, false, &n, &blame), OK);
        assert_int_equal(n, all / P);
    }
    assert_int_equal(vmalloc(9, true, 0, &at), OK);
    memory[9] = 0;
    assert_int_equal(vmap_free(&vmap, virt(at), VIRT_VMALLOC, true, &n, &blame), OK);
    assert_whole();
}

static void clearing_does_without_the_records(void **unused)
{
    uint64_t at;

    (void)unused;
    assert_int_equal(vmalloc(700 * P, false, 1, &at), OK);
    assert_int_equal(map(G, 3 * P, 0, &at), OK);
    memset(pool_memory, 0xff, sizeof(pool_memory));
    vmap_clear(&vmap);
    assert_int_equal(fake_bytes, 0);
    assert_int_equal(tables.used, 0);
}

static void many_rounds_end_as_they_began(void **unused)
{
    const char *told = getenv("PFNLAB_ROUNDS");
    uint64_t rounds = told != NULL ? strtoull(told, NULL, 0) : 20000, kept[64] = { 0 };
    struct left before = left();
    uint64_t x = 1;

    (void)unused;
    for (uint64_t i = 0; i < rounds; i++) {
        unsigned slot;

        x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
        slot = (unsigned)(x >> 58);
        if (kept[slot] != 0)
            assert_int_equal(vfree(kept[slot]), OK);
        assert_int_equal(vmalloc(1 + (x >> 20) % (4 * P), false, (x >> 40) % 2, &kept[slot]), OK);
        if (i % 1000 == 0)
            assert_whole();
    }
    for (unsigned slot = 0; slot < 64; slot++)
        if (kept[slot] != 0)
            assert_int_equal(vfree(kept[slot]), OK);
    assert_left(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(vmalloc_maps_single_frames_in_order, begin),
        cmocka_unit_test_setup(frames_are_scattered_where_memory_is, begin),
        cmocka_unit_test_setup(frames_of_vmalloc_are_not_for_free, begin),
        cmocka_unit_test_setup(sizes_that_cannot_be_are_no_memory, begin),
        cmocka_unit_test(frames_that_do_not_suffice_are_not_taken),
        cmocka_unit_test_setup(wrong_pointers_change_nothing, begin),
        cmocka_unit_test_setup(one_frame_is_mapped_often, begin),
        cmocka_unit_test_setup(attributes_that_the_machine_lacks_are_refused, begin),
        cmocka_unit_test_setup(protect_is_all_or_nothing_and_names_the_hole, begin),
        cmocka_unit_test_setup(frames_that_only_the_window_reaches_are_written_there, begin),
        cmocka_unit_test_setup(without_memory_zeroes_are_told_and_a_red_zone_is_refused, begin),
        cmocka_unit_test_setup(what_no_entry_can_name_is_not_mapped, begin),
        cmocka_unit_test_setup(an_injected_map_has_no_such_limit, begin),
        cmocka_unit_test_setup(a_red_zone_sees_each_byte_behind_the_end, begin),
        cmocka_unit_test_setup(clearing_does_without_the_records, begin),
        cmocka_unit_test_setup(many_rounds_end_as_they_began, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
