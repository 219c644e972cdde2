/* SPDX-License-Identifier: MIT */
/*
 * What the tests of early memory share: one allocator with few records, and its calls made short.
 */
#ifndef PFNLAB_UNIT_PHYS_SUPPORT_H
#define PFNLAB_UNIT_PHYS_SUPPORT_H

#include "tests/unit/support.h"

#include "kernel/mm/phys.h"

#define K UINT64_C(1024)
#define G (K * K * K)
#define CAPACITY 16

static struct phys_extent records[CAPACITY];
static struct phys_allocator allocator;

static inline int begin(void **unused)
{
    (void)unused;
    phys_init(&allocator, records, CAPACITY);
    return 0;
}

static inline enum error add(uint64_t start, uint64_t size, enum range_kind kind)
{
    return phys_add(&allocator, &(struct phys_range){ phys(start), size, kind });
}

static inline enum error alloc_in(uint64_t size, uint64_t align, uint64_t min, uint64_t max,
                                     enum phys_direction direction, uint64_t *at)
{
    struct phys_request request = { size, align, min, max, direction };
    phys_t out = phys(1);
    enum error e = phys_alloc(&allocator, &request, &out);

    assert_true(e == OK || out.a == 1);
    *at = out.a;
    return e;
}

static inline uint64_t alloc(uint64_t size, uint64_t align, enum phys_direction direction)
{
    uint64_t at;

    assert_int_equal(alloc_in(size, align, 0, ADDRESS_LIMIT, direction, &at), OK);
    return at;
}

static inline void refused(uint64_t size, uint64_t align, enum error error)
{
    uint64_t at;

    assert_int_equal(alloc_in(size, align, 0, ADDRESS_LIMIT, PHYS_HIGH, &at), error);
    assert_int_equal(alloc_in(size, align, 0, ADDRESS_LIMIT, PHYS_LOW, &at), error);
}

static inline enum error release(uint64_t start)
{
    uint64_t size;

    return phys_free(&allocator, phys(start), &size);
}

static inline void assert_extents(const struct phys_extent *expected, size_t n)
{
    unsigned number;
    phys_t at;

    assert_int_equal(allocator.count, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(records[i].start, expected[i].start);
        assert_int_equal(records[i].end, expected[i].end);
        assert_int_equal(records[i].state, expected[i].state);
        assert_int_equal(records[i].used, expected[i].used);
    }
    assert_true(phys_check(&allocator, &number, &at));
}

#define EXTENTS(...) do { \
        const struct phys_extent expected_[] = { __VA_ARGS__ }; \
        assert_extents(expected_, ARRAY_SIZE(expected_)); \
    } while (0)

#endif
