/* SPDX-License-Identifier: MIT */
/* realloc. */
#include <string.h>

#include "tests/unit/support.h"

#include "tests/unit/heap_support.h"

static void realloc_stays_where_it_can(void **unused)
{
    uint64_t a = must_get(33), big = must_get(5 * PAGE_SIZE), after = must_get(PAGE_SIZE), out;

    (void)unused;
    assert_int_equal(heap_move(a, 48, &out), OK);
    assert_int_equal(out, a);
    assert_int_equal(heap_move(big, 5 * PAGE_SIZE - 4095, &out), OK);
    assert_int_equal(out, big);
    assert_int_equal(arenas_used(), 7);
    assert_int_equal(heap_move(big, 2 * PAGE_SIZE, &out), OK);
    assert_int_equal(out, big);
    assert_int_equal(arenas_used(), 4);
    assert_int_equal(heap_move(big, 5 * PAGE_SIZE, &out), OK);
    assert_int_equal(out, big);
    assert_int_equal(heap_move(big, 5 * PAGE_SIZE + 1, &out), OK);
    assert_true(out > after);
    heap_assert_whole();
}

static void realloc_grows_into_the_free_pages_behind(void **unused)
{
    uint64_t big = must_get(2 * PAGE_SIZE), next = must_get(3 * PAGE_SIZE), out;
    struct heap_object object;

    (void)unused;
    memset(arena_byte(virt(big)), 0x44, 2 * PAGE_SIZE);
    assert_int_equal(heap_put(next), OK);
    assert_int_equal(heap_move(big, 9 * PAGE_SIZE - 5, &out), OK);
    assert_int_equal(out, big);
    assert_int_equal(*arena_byte(virt(big + 2 * PAGE_SIZE - 1)), 0x44);
    assert_int_equal(arenas_used(), 9);
    assert_true(heap_next(virt(0), &object));
    assert_int_equal(object.size, 9 * PAGE_SIZE);
    assert_int_equal(object.tag, 7);
    heap_assert_whole();
    /* An object of an earlier stage grows there, or moves to the present one. */
    heap_advance(&heap, 1);
    assert_int_equal(heap_move(big, ARENA_PAGES << PAGE_SHIFT, &out), OK);
    assert_int_equal(out, big);
    assert_int_equal(heap_move(big, PAGE_SIZE, &out), OK);
    assert_int_equal(heap_move(big, (ARENA_PAGES << PAGE_SHIFT) + 1, &out), E_MEM_NONE);
    assert_int_equal(heap_move(big, UINT64_MAX - 3, &out), E_MEM_NONE);
    assert_int_equal(arenas_used(), 1);
    assert_int_equal(heap_put(big), OK);
    assert_int_equal(arenas_used(), 0);
    heap_assert_whole();
}

static void what_cannot_grow_moves(void **unused)
{
    uint64_t big = must_get(2 * PAGE_SIZE), next = must_get(PAGE_SIZE), out;

    (void)unused;
    memset(arena_byte(virt(big)), 0x55, 2 * PAGE_SIZE);
    assert_int_equal(heap_move(big, 3 * PAGE_SIZE, &out), OK);
    assert_true(out > next);
    assert_int_equal(*arena_byte(virt(out + 2 * PAGE_SIZE - 1)), 0x55);
    assert_int_equal(arenas_used(), 4);
    /* The one refusal is of the pages behind; there are others. */
    takes_until_failure = 1;
    assert_int_equal(heap_move(out, 4 * PAGE_SIZE, &big), OK);
    assert_true(big != out);
    assert_int_equal(arenas_used(), 5);
    assert_int_equal(heap_put(big), OK);
    assert_int_equal(heap_put(next), OK);
    heap_assert_whole();
}

static void realloc_moves_the_content_and_keeps_the_owner(void **unused)
{
    static const uint64_t sizes[] = { 1, 17, 500, 2048, 2049, 20000, 4096, 300, 16 };
    uint64_t at = must_get(16), had = 16;
    struct heap_object object;

    (void)unused;
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (unsigned byte = 0; byte < had; byte++)
            arena_byte(virt(at))[byte] = (unsigned char)(7 * byte + i);
        assert_int_equal(heap_move(at, sizes[i], &at), OK);
        assert_true(heap_next(virt(0), &object));
        assert_int_equal(object.at.a, at);
        assert_int_equal(object.tag, 7);
        for (unsigned byte = 0; byte < had && byte < sizes[i]; byte++)
            assert_int_equal(arena_byte(virt(at))[byte], (unsigned char)(7 * byte + i));
        had = sizes[i];
        heap_assert_whole();
    }
    assert_int_equal(heap_put(at), OK);
    assert_int_equal(arenas_used(), 0);
}

static void realloc_says_that_there_is_nothing_to_copy(void **unused)
{
    virt_t out, blame;
    bool copied;

    (void)unused;
    there_is_memory = false;
    assert_int_equal(heap_realloc(&heap, virt(must_get(16)), 99, &out, &copied, &blame), OK);
    assert_false(copied);
    assert_int_equal(heap_realloc(&heap, out, 100, &out, &copied, &blame), OK);
    assert_true(copied);
}

static void realloc_keeps_what_it_cannot_copy(void **unused)
{
    uint64_t at = must_get(40), large = must_get(5000), behind = must_get(5000);
    virt_t out, blame;
    bool copied;

    (void)unused;
    memset(arena_byte(virt(at)), 0x33, 40);
    reachable = false;
    assert_int_equal(heap_realloc(&heap, virt(at), 99, &out, &copied, &blame),
                     E_FAULT_PROTECTION);
    assert_int_not_equal(blame.a, 0);
    assert_int_equal(heap_realloc(&heap, virt(large), 50000, &out, &copied, &blame),
                     E_FAULT_PROTECTION);
    reachable = true;
    assert_int_equal(arenas_used(), 5);
    assert_int_equal(*arena_byte(virt(at + 39)), 0x33);
    heap_assert_whole();
    assert_int_equal(heap_put(at), OK);
    assert_int_equal(heap_put(large), OK);
    assert_int_equal(heap_put(behind), OK);
    assert_int_equal(arenas_used(), 0);
}

/* What is there has room for it, whatever cannot be had or written elsewhere. */
static void a_smaller_size_is_never_refused(void **unused)
{
    const struct heap_request zoned = { .size = 3000, .align = 1, .redzone = true };
    uint64_t slot = must_get(500), block = must_get(5 * PAGE_SIZE), out, used, pages;
    bool zeroed;
    virt_t red, blame;

    (void)unused;
    assert_int_equal(heap_alloc(&heap, &zoned, &red, &zeroed), OK);
    for (unsigned way = 0; way < 2; way++) {
        used = heap_pool.used;
        takes_until_failure = way == 0;
        reachable = way == 0;
        assert_int_equal(heap_move(slot, 30 - way, &out), OK);
        assert_int_equal(out, slot);
        takes_until_failure = way == 0;
        assert_int_equal(heap_move(block, 30 - way, &out), OK);
        assert_int_equal(out, block);
        takes_until_failure = 0;
        assert_int_equal(heap_pool.used, used);
        assert_int_equal(arenas_used(), 3);
        heap_assert_whole();
    }
    reachable = true;
    takes_until_failure = 1;
    assert_int_equal(heap_move(red.a, 100, &out), OK);
    takes_until_failure = 0;
    assert_int_equal(out, red.a);
    *arena_byte(virt(red.a + 100)) ^= 1;
    assert_int_equal(heap_free(&heap, red, false, &pages, &blame), E_MEM_OVERRUN);
    assert_int_equal(blame.a, red.a + 100);
    *arena_byte(blame) ^= 1;
    assert_int_equal(heap_put(slot), OK);
    assert_int_equal(heap_put(block), OK);
    assert_int_equal(heap_put(red.a), OK);
    assert_int_equal(arenas_used(), 0);
}

static void a_page_that_cannot_be_given_back_keeps_the_object(void **unused)
{
    uint64_t small = must_get(64), big = must_get(3 * PAGE_SIZE), out, used;

    (void)unused;
    used = heap_pool.used;
    arenas[0].give_error = E_MEM_METADATA;
    assert_int_equal(heap_put(small), E_MEM_METADATA);
    assert_int_equal(heap_put(big), E_MEM_METADATA);
    assert_int_equal(heap_move(big, 5000, &out), OK);
    assert_int_equal(out, big);
    heap_advance(&heap, 1);
    assert_int_equal(heap_move(small, 5000, &out), E_MEM_METADATA);
    assert_int_equal(heap_move(small, 16, &out), OK);
    assert_int_equal(out, small);
    assert_int_equal(heap_move(big, (ARENA_PAGES << PAGE_SHIFT) - 5, &out), E_MEM_METADATA);
    assert_int_equal(heap_pool.used, used);
    assert_int_equal(arenas_used(), 4);
    heap_assert_whole();
    arenas[0].give_error = OK;
    assert_int_equal(heap_put(small), OK);
    assert_int_equal(heap_put(big), OK);
    assert_int_equal(arenas_used(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(realloc_stays_where_it_can, heap_begin),
        cmocka_unit_test_setup(realloc_grows_into_the_free_pages_behind, heap_begin),
        cmocka_unit_test_setup(what_cannot_grow_moves, heap_begin),
        cmocka_unit_test_setup(realloc_moves_the_content_and_keeps_the_owner, heap_begin),
        cmocka_unit_test_setup(realloc_says_that_there_is_nothing_to_copy, heap_begin),
        cmocka_unit_test_setup(realloc_keeps_what_it_cannot_copy, heap_begin),
        cmocka_unit_test_setup(a_smaller_size_is_never_refused, heap_begin),
        cmocka_unit_test_setup(a_page_that_cannot_be_given_back_keeps_the_object, heap_begin),
    };

    return cmocka_run_group_tests(tests, heap_open, heap_close);
}
