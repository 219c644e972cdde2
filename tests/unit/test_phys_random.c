/* SPDX-License-Identifier: MIT */
/*
 * Early memory against an oracle that keeps every byte of a small address space: at the bottom,
 * across 2^32, and up to 2^52.
 */
#include "tests/unit/support.h"

#include "kernel/mm/phys.h"

#define BYTES 49152u              /* 12 pages */
#define CAPACITY 400
#define HOLE 9

struct oracle_byte {
    uint8_t state;                /* enum phys_state or HOLE */
    bool used;
    uint16_t id;                  /* of the early allocation */
};

static struct oracle_byte oracle[BYTES];
static uint64_t base;
static uint16_t next_id;
static bool handed;
static uint64_t minimum;
static struct phys_extent records[CAPACITY];
static struct phys_allocator allocator;
static uint64_t random_state = 12345;

static uint64_t random_below(uint64_t n)
{
    uint64_t x = random_state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) % n;
}

static bool same_extent(const struct oracle_byte *a, const struct oracle_byte *b)
{
    return a->state == b->state && a->used == b->used && a->id == b->id;
}

static void assert_same(void)
{
    size_t n = 0;
    unsigned number;
    phys_t at;

    for (unsigned i = 0, end; i < BYTES; i = end) {
        for (end = i + 1; end < BYTES && same_extent(&oracle[i], &oracle[end]);)
            end++;
        if (oracle[i].state == HOLE)
            continue;
        assert_true(n < allocator.count);
        assert_int_equal(records[n].start, base + i);
        assert_int_equal(records[n].end, base + end);
        assert_int_equal(records[n].state, oracle[i].state);
        assert_int_equal(records[n].used, oracle[i].used);
        n++;
    }
    assert_int_equal(n, allocator.count);
    assert_true(phys_check(&allocator, &number, &at));
}

static void add(void)
{
    uint64_t start = random_below(BYTES), size = random_below(BYTES - start) >> random_below(5);
    enum range_kind kind = random_below(3) == 0 ? RANGE_RESERVED : RANGE_USABLE;
    struct phys_range range = { phys(base + start), size, kind };

    assert_int_equal(phys_add(&allocator, &range), OK);
    for (uint64_t i = start; i < start + size; i++) {
        bool reserved = kind == RANGE_RESERVED || base + i < PAGE_SIZE;

        if (reserved || oracle[i].state == HOLE)
            oracle[i] = (struct oracle_byte){ .state = reserved ? PHYS_RESERVED : PHYS_FREE };
    }
}

/* Whether the block at `offset` could be had: the rules of phys.h, byte by byte. */
static bool could_be(const struct phys_request *request, uint64_t offset)
{
    uint64_t align = request->align > minimum ? request->align : minimum, at = base + offset;

    if (at % align != 0 || at < request->min || request->size > BYTES - offset
        || at + request->size > request->max)
        return false;
    for (uint64_t i = 0; i < request->size; i++)
        if (oracle[offset + i].state != PHYS_FREE)
            return false;
    return true;
}

static enum error oracle_alloc(const struct phys_request *request, uint64_t *at)
{
    for (uint64_t i = 0; i < BYTES; i++) {
        uint64_t offset = request->direction == PHYS_LOW ? i : BYTES - 1 - i;

        if (could_be(request, offset)) {
            next_id++;
            for (uint64_t j = offset; j < offset + request->size; j++)
                oracle[j] = (struct oracle_byte){ PHYS_EARLY, true, next_id };
            *at = base + offset;
            return OK;
        }
    }
    return E_MEM_NONE;
}

static void allocate(void)
{
    struct phys_request request = {
        .size = 1 + (random_below(BYTES / 4) >> random_below(12)),
        .align = UINT64_C(1) << random_below(15),
        .min = random_below(3) == 0 ? base + random_below(BYTES) : 0,
        .max = random_below(3) == 0 ? base + random_below(BYTES) : ADDRESS_LIMIT,
        .direction = random_below(2) == 0 ? PHYS_LOW : PHYS_HIGH,
    };
    uint64_t expected = 1;
    phys_t got = phys(1);
    enum error e;

    /* A window so narrow that alignment decides. */
    if (random_below(3) == 0) {
        request.min = base + random_below(BYTES);
        request.max = request.min + request.size + random_below(request.align);
    }
    e = oracle_alloc(&request, &expected);
    assert_int_equal(phys_alloc(&allocator, &request, &got), e);
    assert_int_equal(got.a, expected);
}

static enum error oracle_free(uint64_t offset, uint64_t *size)
{
    static const enum error errors[] = {
        [PHYS_FREE] = E_MEM_FREE, [PHYS_RESERVED] = E_MEM_RESERVED, [PHYS_HANDED] = E_MEM_BUSY,
        [HOLE] = E_MEM_UNMANAGED,
    };
    struct oracle_byte byte = oracle[offset];

    if (byte.state != PHYS_EARLY)
        return errors[byte.state];
    if (offset > 0 && same_extent(&oracle[offset - 1], &byte))
        return E_MEM_INSIDE;
    for (*size = 0; offset + *size < BYTES && same_extent(&oracle[offset + *size], &byte);)
        oracle[offset + (*size)++] = (struct oracle_byte){ .state = PHYS_FREE, .used = true };
    return OK;
}

static void release(void)
{
    uint64_t offset = random_below(BYTES), expected = 0, got = 0;
    enum error e;

    /* Mostly what can be freed: the first byte of an extent. */
    if (random_below(4) != 0 && allocator.count > 0)
        offset = records[random_below(allocator.count)].start - base;
    e = oracle_free(offset, &expected);
    assert_int_equal(phys_free(&allocator, phys(base + offset), &got), e);
    assert_int_equal(got, expected);
}

/* Takes the pages out of the oracle one by one; `ranges` must tell the same. */
static void oracle_hand_over(const struct page_range *ranges, size_t n)
{
    size_t range = 0;
    uint64_t before = UINT64_MAX, in_range = 0;

    for (uint64_t page = 0; page < BYTES; page += PAGE_SIZE) {
        uint64_t frame = (base + page) >> PAGE_SHIFT;
        bool free = true, used = false;

        for (uint64_t i = page; i < page + PAGE_SIZE; i++) {
            free &= oracle[i].state == PHYS_FREE;
            used |= oracle[i].used;
        }
        if (!free)
            continue;
        if (before + 1 != frame || ranges[range].fresh == used) {
            range += before != UINT64_MAX;
            assert_true(range < n);
            assert_int_equal(ranges[range].first.n, frame);
            in_range = 0;
        }
        assert_int_equal(ranges[range].fresh, !used);
        assert_true(++in_range <= ranges[range].pages);
        for (uint64_t i = page; i < page + PAGE_SIZE; i++)
            oracle[i] = (struct oracle_byte){ .state = PHYS_HANDED, .used = used };
        before = frame;
    }
    assert_int_equal(n, before == UINT64_MAX ? 0 : range + 1);
}

static void hand_over(void)
{
    struct page_range ranges[BYTES / 4096];
    size_t n;

    assert_int_equal(phys_hand_over(&allocator, ranges, ARRAY_SIZE(ranges), &n),
                     handed ? E_CALL_STATE : OK);
    if (!handed)
        oracle_hand_over(ranges, n);
    handed = true;
}

static void one_life(void)
{
    phys_init(&allocator, records, CAPACITY);
    for (unsigned i = 0; i < BYTES; i++)
        oracle[i] = (struct oracle_byte){ .state = HOLE };
    handed = false;
    minimum = 32;
    for (uint64_t n = 2 + random_below(8); n > 0; n--) {
        add();
        assert_same();
    }
    for (unsigned i = 0; i < 100; i++) {
        uint64_t what = random_below(100);

        if (what == 0) {
            hand_over();
        } else if (what < 4) {
            minimum = UINT64_C(1) << random_below(8);
            assert_int_equal(phys_set_minimum_alignment(&allocator, minimum), OK);
        } else if (what < 55) {
            allocate();
        } else {
            release();
        }
        assert_same();
    }
}

static void agrees_with_bytes(void **unused)
{
    static const uint64_t bases[] = {
        0, (UINT64_C(1) << 32) - 5 * 4096, ADDRESS_LIMIT - BYTES,
    };

    (void)unused;
    for (unsigned i = 0; i < 90; i++) {
        base = bases[i % ARRAY_SIZE(bases)];
        one_life();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
