/* SPDX-License-Identifier: MIT */
/*
 * The engines against the oracle: random maps, random operations, every answer compared. The oracle
 * has the placement of the tree; of the list it is told where a block was placed, and says whether
 * there was such a slot. The run in `make unit` is short; PFNLAB_ORACLE_OPS=N asks for N operations
 * at least (a quarter of that of the list), PFNLAB_ORACLE_SEED=N for another first seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/page_oracle.h"
#include "tests/unit/page_random.h"
#include "tests/unit/page_support.h"

#define SEEDS 40u
#define MAX_LIVE 4096u

struct twin {
    struct fixture f;
    struct oracle o;
    uint64_t live[MAX_LIVE];      /* first frames of blocks, some already gone */
    size_t nlive;
    bool large;
};

/* ---- Maps ---- */

static void twin_init(struct twin *t, uint64_t seed)
{
    struct page_range ranges[MAX_RANGES];
    struct area_limit areas[MAX_AREAS];
    struct page_map map = { .ranges = ranges, .areas = areas };
    static const uint64_t bases[] = { 0, 3, 512, GIB_PAGES - 2048, 5 * GIB_PAGES - 700,
                                      PFN_LIMIT - 10 * 512 };
    uint64_t base = bases[rnd(ARRAY_SIZE(bases))], room = (4 + rnd(13)) * 512;
    t->large = seed % 8 == 7;
    if (t->large) {
        base = rnd(2) ? GIB_PAGES : 2 * GIB_PAGES - 1000;
        room = GIB_PAGES + rnd(3) * 4096 + rnd(2) * 333;
        ranges[0] = (struct page_range){ pfn(base), room, true };
        map.nranges = 1;
        map.nareas = 1;
        areas[0] = (struct area_limit){ "z", { PFN_LIMIT } };
    } else {
        if (room > PFN_LIMIT - base)
            room = PFN_LIMIT - base;
        map.nranges = random_ranges(ranges, base, room);
        map.nareas = random_areas(areas, base, room);
    }
    t->nlive = 0;
    fixture_init(&t->f, &map);
    oracle_init(&t->o, &map);
    if (seed % 5 == 3)
        t->f.source.limit = t->f.source.used + rnd(4);
}

/* ---- Comparing ---- */

static void assert_info(uint64_t frame, const struct page_info *a, const struct page_info *b)
{
    if (a->state != b->state || a->fresh != b->fresh || a->block.n != b->block.n
        || a->pages != b->pages || (a->state != PAGE_UNMANAGED && a->area != b->area))
        fail_msg("frame %llx: %d %d %llx %llu, oracle %d %d %llx %llu", (unsigned long long)frame,
                 a->state, a->fresh, (unsigned long long)a->block.n, (unsigned long long)a->pages,
                 b->state, b->fresh, (unsigned long long)b->block.n, (unsigned long long)b->pages);
}

static void compare_runs(struct twin *t)
{
    uint64_t frame = 0;
    while (frame < PFN_LIMIT) {
        struct page_info a, b;
        uint64_t n = t->f.engine->run(t->f.memory, pfn(frame), pfn(PFN_LIMIT), &a);
        uint64_t m = oracle_run(&t->o, pfn(frame), pfn(PFN_LIMIT), &b);
        assert_info(frame, &a, &b);
        assert_int_equal(n, m);
        frame += n;
    }
}

static uint64_t random_frame(const struct twin *t)
{
    if (t->o.pages == 0 || rnd(50) == 0)
        return rnd(PFN_LIMIT);
    return t->o.page[rnd(t->o.pages)].frame;
}

static void compare_some(struct twin *t)
{
    for (unsigned i = 0; i < 32; i++) {
        struct page_info b, a;
        uint64_t frame = random_frame(t);
        t->f.engine->query(t->f.memory, pfn(frame), &a);
        oracle_query(&t->o, pfn(frame), &b);
        assert_info(frame, &a, &b);
    }
}

static void compare_areas(struct twin *t)
{
    for (unsigned i = 0; i <= t->o.nareas; i++) {
        struct page_area_info a, b;
        bool there = oracle_area_info(&t->o, i, &b);
        assert_int_equal(t->f.engine->area_info(t->f.memory, i, &a), there);
        if (!there)
            continue;
        assert_string_equal(a.name, b.name);
        assert_int_equal(a.first.n, b.first.n);
        assert_int_equal(a.limit.n, b.limit.n);
        assert_int_equal(a.managed, b.managed);
        assert_int_equal(a.free, b.free);
        assert_int_equal(t->f.engine->count_free(t->f.memory, 1u << i), b.free);
        assert_int_equal(a.allocated, b.allocated);
        assert_int_equal(a.reserved, b.reserved);
        for (unsigned order = 0; order <= MAX_ORDER; order++)
            assert_int_equal(a.free_blocks[order], b.free_blocks[order]);
    }
}

/* True if the engine wanted a node and there was none: then nothing may have changed. */
static bool starved(struct twin *t, enum error error)
{
    if (error != E_MEM_METADATA)
        return false;
    assert_true(t->f.source.refused);
    t->f.source.refused = false;
    compare_some(t);
    return true;
}

/* ---- Operations ---- */

static uint64_t random_pages(const struct twin *t)
{
    if (t->large && rnd(3) == 0)
        return 1 + rnd(rnd(4) == 0 ? MAX_BLOCK_PAGES : 8192);
    return 1 + rnd(UINT64_C(1) << rnd(12));
}

static struct page_request random_request(struct twin *t)
{
    unsigned order = rnd(t->large ? 19 : 12);
    struct page_request q = request_order(rnd(2) ? order : rnd(order + 1));
    if (rnd(3) == 0)
        q.pages = random_pages(t);
    if (rnd(3) == 0)
        q.align = rnd(rnd(8) == 0 ? 19 : 11);
    if (rnd(6) == 0)
        q.areas = (uint32_t)rnd(16);
    if (rnd(8) == 0)
        q.min = pfn(random_frame(t));
    if (rnd(8) == 0)
        q.max = pfn(random_frame(t));
    q.fresh = rnd(8) == 0;
    q.exact = rnd(8) == 0;
    q.at = pfn(random_frame(t));
    if (rnd(2))
        q.at.n = align_down(q.at.n, UINT64_C(1) << q.align);
    return q;
}

static void remember(struct twin *t, uint64_t frame)
{
    if (t->nlive == MAX_LIVE)
        t->live[rnd(MAX_LIVE)] = frame;
    else
        t->live[t->nlive++] = frame;
}

/* True if both handed out the same slot: *out. */
static bool both_alloc(struct twin *t, struct page_request q, uint64_t *out)
{
    pfn_t a = pfn(0), b = pfn(0), blame = pfn(1), other = pfn(1);
    enum error error = t->f.engine->alloc(t->f.memory, &q, &a, &blame);
    if (starved(t, error))
        return false;
    if (error == OK && t->f.engine != &page_engine_tree && !q.exact) {
        q.exact = true;
        q.at = a;
    }
    assert_int_equal(error, oracle_alloc(&t->o, &q, &b, &other));
    if (error != OK)
        assert_int_equal(blame.n, other.n);
    assert_int_equal(a.n, b.n);
    *out = a.n;
    return error == OK;
}

static void step_alloc(struct twin *t)
{
    uint64_t frame;
    if (both_alloc(t, random_request(t), &frame))
        remember(t, frame);
}

static uint64_t random_block(struct twin *t)
{
    if (t->nlive == 0 || rnd(10) == 0)
        return random_frame(t);
    size_t i = rnd(t->nlive);
    uint64_t frame = t->live[i];
    t->live[i] = t->live[--t->nlive];
    return frame;
}

static void both_free(struct twin *t, uint64_t frame)
{
    uint64_t a = 0, b = 0;
    enum error error = t->f.engine->free(t->f.memory, pfn(frame), &a);
    if (starved(t, error))
        return;
    assert_int_equal(error, oracle_free(&t->o, pfn(frame), &b));
    assert_int_equal(a, b);
}

static void step_free(struct twin *t)
{
    both_free(t, random_block(t));
}

/*
 * Many blocks of one order: what the hot word is for. Some go back at once, some later, some twice,
 * some by an address within; blocks from before the burst go back as well.
 */
static void step_burst(struct twin *t)
{
    unsigned order = (unsigned)(rnd(t->large ? 16 : 12) * rnd(2)), steps = 1 + (unsigned)rnd(100);
    struct page_request q = request_order(order);
    unsigned keep = 1 + (unsigned)rnd(4);
    if (rnd(4) == 0)
        q.areas = (uint32_t)rnd(16);
    for (; steps > 0; steps--) {
        uint64_t frame;
        if (rnd(4) < keep && both_alloc(t, q, &frame))
            remember(t, frame);
        if (t->nlive == 0)
            continue;
        if (rnd(8) == 0)
            both_free(t, t->live[rnd(t->nlive)] + rnd(2));
        else if (rnd(4) >= keep)
            both_free(t, t->live[--t->nlive]);
    }
}

static void step_free_part(struct twin *t)
{
    uint64_t frame = random_block(t);
    struct page_info info;
    pfn_t head[2] = { pfn(0), pfn(0) }, rest[2] = { pfn(0), pfn(0) };
    uint64_t left[2] = { 0, 0 };
    oracle_query(&t->o, pfn(frame), &info);
    if (info.state == PAGE_ALLOCATED)
        frame = info.block.n + rnd(info.pages);
    uint64_t pages = rnd(1 + (info.state == PAGE_ALLOCATED ? info.pages : 4));
    if (rnd(2) && pages > 512)
        pages = align_up(frame + pages, 512) - frame;
    enum error error = t->f.engine->free_part(t->f.memory, pfn(frame), pages, &head[0], &rest[0],
                                              &left[0]);
    if (starved(t, error))
        return;
    assert_int_equal(error, oracle_free_part(&t->o, pfn(frame), pages, &head[1], &rest[1],
                                             &left[1]));
    if (error == OK || error == E_MEM_BEYOND)
        assert_int_equal(head[0].n, head[1].n);
    assert_int_equal(left[0], left[1]);
    assert_int_equal(rest[0].n, rest[1].n);
    if (error == OK && left[0] > 0)
        remember(t, rest[0].n);
    if (error == OK && head[0].n < frame)
        remember(t, head[0].n);
}

/* Mostly what is free behind a block, or a part of it, or a page more. */
static void step_extend(struct twin *t)
{
    uint64_t frame = t->nlive > 0 ? t->live[rnd(t->nlive)] : random_frame(t), pages = rnd(700);
    pfn_t a = pfn(1), b = pfn(1), limit = pfn(rnd(8) == 0 ? random_frame(t) : PFN_LIMIT);
    struct page_info info;
    oracle_query(&t->o, pfn(frame), &info);
    if (rnd(4) != 0 && info.state == PAGE_ALLOCATED)
        pages = oracle_run(&t->o, pfn(info.block.n + info.pages), pfn(PFN_LIMIT), &info);
    pages = (pages + rnd(2)) >> rnd(3);
    enum error error = t->f.engine->extend(t->f.memory, pfn(frame), pages, limit, &a);
    if (starved(t, error))
        return;
    assert_int_equal(error, oracle_extend(&t->o, pfn(frame), pages, limit, &b));
    assert_int_equal(a.n, b.n);
}

static void step_reserve(struct twin *t, bool back)
{
    uint64_t frame = random_frame(t), pages = rnd((unsigned[]){ 3, 70, 600, 5000 }[rnd(4)]);
    pfn_t a = pfn(1), b = pfn(1);
    struct page_info info;
    uint64_t run = oracle_run(&t->o, pfn(frame), pfn(PFN_LIMIT), &info);
    if (rnd(3) != 0 && info.state == (back ? PAGE_RESERVED : PAGE_FREE) && pages > run)
        pages = 1 + rnd(run);
    enum error error = back ? t->f.engine->unreserve(t->f.memory, pfn(frame), pages, &a)
                            : t->f.engine->reserve(t->f.memory, pfn(frame), pages, &a);
    if (starved(t, error))
        return;
    assert_int_equal(error, back ? oracle_unreserve(&t->o, pfn(frame), pages, &b)
                                 : oracle_reserve(&t->o, pfn(frame), pages, &b));
    assert_int_equal(a.n, b.n);
}

static void step_scan_order(struct twin *t)
{
    uint8_t order[MAX_AREAS];
    for (size_t i = 0; i < t->o.nareas; i++)
        order[i] = (uint8_t)i;
    for (size_t i = t->o.nareas; i > 1; i--) {
        size_t j = rnd(i);
        uint8_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    memcpy(t->o.scan, order, sizeof(order));
    assert_int_equal(t->f.engine->set_scan_order(t->f.memory, order, t->o.nareas), OK);
}

/* Phases that fill and phases that drain, so that leaves and chunks open and close. */
static void step(struct twin *t, unsigned fill)
{
    unsigned kind = (unsigned)rnd(100);
    if (rnd(16) == 0)
        step_burst(t);
    else if (kind < fill)
        step_alloc(t);
    else if (kind < 80)
        step_free(t);
    else if (kind < 83)
        step_extend(t);
    else if (kind < 87)
        step_free_part(t);
    else if (kind < 92)
        step_reserve(t, false);
    else if (kind < 99)
        step_reserve(t, true);
    else
        step_scan_order(t);
}

/* Returns how many operations were compared: fewer of large maps, where each takes longer. */
static unsigned twin_run(uint64_t seed, unsigned ops)
{
    static struct twin t;
    unsigned fill = 40;
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    twin_init(&t, seed);
    if (t.large)
        ops = ops / 32;
    compare_runs(&t);
    for (unsigned i = 0; i < ops; i++) {
        if (rnd(200) == 0)
            fill = 5 + (unsigned)rnd(75);
        step(&t, fill);
        if (i % 16 == 0) {
            assert_whole(&t.f);
            compare_some(&t);
        }
        if (i % 128 == 0)
            compare_runs(&t);
        if (i % 1024 == 0 && !t.large)
            compare_areas(&t);
    }
    compare_runs(&t);
    oracle_destroy(&t.o);
    fixture_done(&t.f);
    return ops;
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void every_answer_is_the_oracles(void **state)
{
    (void)state;
    uint64_t ops = environment("PFNLAB_ORACLE_OPS", SEEDS * 2000), done = 0;
    uint64_t seed = environment("PFNLAB_ORACLE_SEED", 1);
    if (fixture_engine() != &page_engine_tree)
        ops /= 4;
    unsigned each = (unsigned)(ops / SEEDS) + 1;
    for (; done < ops; seed++) {
        done += twin_run(seed, each);
        print_message("seed %llu: %llu operations, all as the oracle says\n",
                      (unsigned long long)seed, (unsigned long long)done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { both_unit_tests(every_answer_is_the_oracles) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
