/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include "kernel/mm/fail.h"

static struct fail plan;

#define begin_plan(...) fail_begin(&plan, &(struct fail_plan){ \
    .what = FAIL_ALL, .areas = UINT32_MAX, .order = FAIL_ANY_ORDER, __VA_ARGS__ })

/* A letter for each of `n` attempts at a page of the pool: refused or granted. */
static const char *attempts(unsigned n)
{
    static char told[64];

    for (unsigned i = 0; i < n; i++)
        told[i] = fail_refuses(&plan, FAIL_POOL, 0, 0) ? 'r' : '.';
    told[n] = '\0';
    return told;
}

static void nothing_is_refused_without_a_plan(void **unused)
{
    struct fail none = { .on = false };

    (void)unused;
    assert_false(fail_refuses(&none, FAIL_FRAMES, 1, 0));
    assert_int_equal(none.attempts, 0);
    begin_plan(.every = 1);
    assert_string_equal(attempts(3), "rrr");
    fail_end(&plan);
    assert_string_equal(attempts(3), "...");
    assert_int_equal(plan.attempts, 3);
    assert_int_equal(plan.refusals, 3);
}

static void rules_count_from_1(void **unused)
{
    (void)unused;
    begin_plan(.nth = 1);
    assert_string_equal(attempts(4), "r...");
    begin_plan(.nth = 3);
    assert_string_equal(attempts(7), "..r....");
    begin_plan(.every = 3);
    assert_string_equal(attempts(7), "..r..r.");
    begin_plan(.nth = 1, .every = 3);
    assert_string_equal(attempts(7), "r.r..r.");
    begin_plan(.every = 2, .times = 2);
    assert_string_equal(attempts(9), ".r.r.....");
    assert_int_equal(plan.attempts, 9);
    assert_int_equal(plan.refusals, 2);
}

static void chance_is_per_million_and_repeats_by_seed(void **unused)
{
    uint64_t first = 0, second = 0;
    unsigned refused = 0;

    (void)unused;
    begin_plan(.per_million = 1000000);
    assert_string_equal(attempts(3), "rrr");
    begin_plan(.per_million = 250000, .seed = 1);
    for (unsigned i = 0; i < 64; i++)
        first |= (uint64_t)fail_refuses(&plan, FAIL_POOL, 0, 0) << i;
    begin_plan(.per_million = 250000, .seed = 1);
    for (unsigned i = 0; i < 64; i++)
        second |= (uint64_t)fail_refuses(&plan, FAIL_POOL, 0, 0) << i;
    assert_int_equal(first, second);
    begin_plan(.per_million = 250000, .seed = 0);
    for (unsigned i = 0; i < 10000; i++)
        refused += fail_refuses(&plan, FAIL_POOL, 0, 0);
    assert_in_range(refused, 2300, 2700);
}

static void only_what_is_meant_counts(void **unused)
{
    (void)unused;
    fail_begin(&plan, &(struct fail_plan){ .every = 1, .what = FAIL_FRAMES | FAIL_TABLES });
    assert_false(fail_refuses(&plan, FAIL_POOL, 0, 0));
    assert_true(fail_refuses(&plan, FAIL_TABLES, 0, 0));
    assert_int_equal(plan.attempts, 1);
    fail_begin(&plan, &(struct fail_plan){ .every = 1, .what = FAIL_ALL, .areas = 2, .order = 3 });
    assert_false(fail_refuses(&plan, FAIL_FRAMES, 5, 3));
    assert_false(fail_refuses(&plan, FAIL_FRAMES, 2, 2));
    assert_int_equal(plan.attempts, 0);
    assert_true(fail_refuses(&plan, FAIL_FRAMES, 3, 3));
    /* the others have no area and no order */
    assert_true(fail_refuses(&plan, FAIL_POOL, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_refused_without_a_plan),
        cmocka_unit_test(rules_count_from_1),
        cmocka_unit_test(chance_is_per_million_and_repeats_by_seed),
        cmocka_unit_test(only_what_is_meant_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
