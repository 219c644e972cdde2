/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "kernel/mm/kpool.h"
#include "kernel/mm/lookup.h"

#define PAGES 64
#define KEYS 6000

static unsigned char memory[PAGES * 4096] __attribute__((aligned(4096)));
static struct kpool pool;
static struct lookup *lookup;

static int begin(void **unused)
{
    struct node_source nodes;

    (void)unused;
    kpool_init(&pool, memory, PAGES);
    nodes = kpool_source(&pool);
    lookup = lookup_create(&nodes);
    return lookup == NULL;
}

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 33) % n;
}

static void remembers_one(void **unused)
{
    uint32_t tag = 77;

    (void)unused;
    assert_false(lookup_find(lookup, 5, &tag));
    assert_false(lookup_remove(lookup, 5, &tag));
    assert_int_equal(tag, 77);
    assert_int_equal(lookup_add(lookup, 5, UINT32_MAX), OK);
    assert_false(lookup_find(lookup, 6, &tag));
    assert_true(lookup_find(lookup, 5, &tag));
    assert_int_equal(tag, UINT32_MAX);
    assert_int_equal(lookup_count(lookup), 1);
    tag = 0;
    assert_true(lookup_remove(lookup, 5, &tag));
    assert_int_equal(tag, UINT32_MAX);
    assert_false(lookup_remove(lookup, 5, &tag));
    assert_int_equal(lookup_count(lookup), 0);
}

static void keeps_the_highest_keys_apart(void **unused)
{
    uint32_t tag;

    (void)unused;
    assert_int_equal(lookup_add(lookup, PFN_LIMIT - 1, 1), OK);
    assert_int_equal(lookup_add(lookup, PFN_LIMIT - 2, 2), OK);
    assert_true(lookup_find(lookup, PFN_LIMIT - 1, &tag));
    assert_int_equal(tag, 1);
    assert_true(lookup_find(lookup, PFN_LIMIT - 2, &tag));
    assert_int_equal(tag, 2);
}

/* The keys: some dense, some far apart. */
static uint64_t key(uint64_t i)
{
    return i % 3 == 0 ? i : i * UINT64_C(0x1000001) % PFN_LIMIT;
}

static void assert_same_as(const uint32_t *oracle)
{
    uint64_t count = 0;
    uint64_t at;

    for (uint64_t i = 0; i < KEYS; i++) {
        uint32_t tag = 0;

        assert_int_equal(lookup_find(lookup, key(i), &tag), oracle[i] != 0);
        assert_int_equal(tag, oracle[i]);
        count += oracle[i] != 0;
    }
    assert_int_equal(lookup_count(lookup), count);
    assert_true(lookup_check(lookup, &at));
    /* 256 records a page, a directory, the root: nothing is kept that is not needed. */
    assert_int_equal(pool.used, 1 + (count > 0) + (count + 255) / 256);
}

static void agrees_with_an_array(void **unused)
{
    static uint32_t oracle[KEYS];

    (void)unused;
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned i = 0; i < 20000; i++) {
            uint64_t n = random_below(KEYS);
            bool grow = random_below(8) < (round % 2 == 0 ? 6u : 1u);
            uint32_t tag = 0;

            if (oracle[n] == 0 && grow) {
                oracle[n] = (uint32_t)random_below(UINT32_MAX) + 1;
                assert_int_equal(lookup_add(lookup, key(n), oracle[n]), OK);
            } else if (!grow) {
                assert_int_equal(lookup_remove(lookup, key(n), &tag), oracle[n] != 0);
                assert_int_equal(tag, oracle[n]);
                oracle[n] = 0;
            }
        }
        assert_same_as(oracle);
    }
}

static void a_value_can_be_replaced(void **unused)
{
    uint32_t value;

    (void)unused;
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(lookup_add(lookup, i, i), OK);
    lookup_set(lookup, 3, 77);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(lookup_find(lookup, i, &value));
        assert_int_equal(value, i == 3 ? 77 : i);
    }
}

static void lists_every_record_once(void **unused)
{
    bool seen[300] = { false };

    (void)unused;
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(lookup_add(lookup, i, i + 1), OK);
    for (uint64_t i = 0; i < lookup_count(lookup); i++) {
        uint64_t first;
        uint32_t tag;

        lookup_at(lookup, i, &first, &tag);
        assert_true(first < 300 && !seen[first]);
        assert_int_equal(tag, first + 1);
        seen[first] = true;
    }
}

static void says_when_the_pool_is_dry(void **unused)
{
    uint32_t tag;
    uint64_t n = 0;

    (void)unused;
    while (lookup_add(lookup, n, 1) == OK)
        n++;
    assert_int_equal(n, (PAGES - 2) * 256);
    assert_int_equal(lookup_count(lookup), n);
    assert_int_equal(lookup_make_room(lookup), E_MEM_METADATA);
    assert_true(lookup_remove(lookup, 0, &tag));
    assert_int_equal(lookup_make_room(lookup), OK);
    assert_int_equal(lookup_add(lookup, 0, 1), OK);
}

static void gives_back_a_directory_without_a_page(void **unused)
{
    (void)unused;
    while (pool.used < PAGES - 1)
        assert_non_null(kpool_take(&pool));
    assert_int_equal(lookup_make_room(lookup), E_MEM_METADATA);
    assert_int_equal(pool.used, PAGES - 1);
}

static void room_once_made_is_there(void **unused)
{
    (void)unused;
    assert_int_equal(lookup_make_room(lookup), OK);
    while (kpool_take(&pool) != NULL)
        ;
    assert_int_equal(lookup_add(lookup, 1, 1), OK);
    kpool_reset(&pool);
}

static void room_not_used_is_given_back(void **unused)
{
    (void)unused;
    assert_int_equal(lookup_make_room(lookup), OK);
    assert_int_equal(pool.used, 3);
    lookup_trim(lookup);
    assert_int_equal(pool.used, 1);
    assert_int_equal(lookup_add(lookup, 1, 1), OK);
    lookup_trim(lookup);
    assert_int_equal(pool.used, 3);
}

static void no_root_no_lookup(void **unused)
{
    struct node_source nodes;

    (void)unused;
    kpool_init(&pool, memory, 0);
    nodes = kpool_source(&pool);
    assert_null(lookup_create(&nodes));
}

static void check_finds_a_record_that_cannot_be_found(void **unused)
{
    uint64_t at;

    (void)unused;
    assert_int_equal(lookup_add(lookup, 8, 1), OK);
    assert_true(lookup_check(lookup, &at));
    /* Against the contract: the second record hides the first. */
    assert_int_equal(lookup_add(lookup, 8, 2), OK);
    assert_false(lookup_check(lookup, &at));
    assert_int_equal(at, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(remembers_one, begin),
        cmocka_unit_test_setup(keeps_the_highest_keys_apart, begin),
        cmocka_unit_test_setup(agrees_with_an_array, begin),
        cmocka_unit_test_setup(a_value_can_be_replaced, begin),
        cmocka_unit_test_setup(lists_every_record_once, begin),
        cmocka_unit_test_setup(says_when_the_pool_is_dry, begin),
        cmocka_unit_test_setup(gives_back_a_directory_without_a_page, begin),
        cmocka_unit_test_setup(room_once_made_is_there, begin),
        cmocka_unit_test_setup(room_not_used_is_given_back, begin),
        cmocka_unit_test_setup(no_root_no_lookup, begin),
        cmocka_unit_test_setup(check_finds_a_record_that_cannot_be_found, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
