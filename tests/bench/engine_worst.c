/* SPDX-License-Identifier: MIT */
/*
 * The longest operations of the page engine that are known, each in the state that makes it so, and
 * a long history of which the longest is told.
 */
#include "tests/bench/engine_bench.h"

#define CLASSES_OF_BLOCKS 19u  /* orders 0..18 */
#define WORST_STEPS 24000u    /* measured one by one */

/*
 * One page of each unit is no longer fresh, then all is free again: each keeps its leaf for that.
 * The longest operations known are blocks taken from here.
 */
void prepare_scattered(struct bench *b)
{
    struct page_request request = { .areas = ALL_AREAS, .pages = 1, .max = { PFN_LIMIT },
                                    .exact = true };
    pfn_t out, blame;
    engine_make(b, GIB_PAGES);
    for (uint64_t unit = 0; unit < 512; unit++) {
        request.at = pfn(GIB_PAGES + unit * 512 + 5);
        REQUIRE(b->engine->alloc(b->memory, &request, &out, &blame) == OK);
    }
    for (uint64_t unit = 0; unit < 512 && !b->empty; unit++)
        give(b, GIB_PAGES + unit * 512 + 5);
}

static void take_one(struct bench *b, unsigned order)
{
    take(b, order, order);
    b->ops = 1;
    b->expected = UINT64_C(1) << order;
}

void run_take0(struct bench *b) { take_one(b, 0); }
void run_take16(struct bench *b) { take_one(b, 16); }
void run_take17(struct bench *b) { take_one(b, 17); }
void run_take18(struct bench *b) { take_one(b, 18); }

/* The only block there is, in memory that was never fresh: nothing is kept when it goes. */
void prepare_last(struct bench *b)
{
    map_make(b, 65536 * GIB_PAGES);
    b->range.fresh = false;
    REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
    b->frame = take(b, 8, 8);
}

void run_give(struct bench *b)
{
    give(b, b->frame);
    b->ops = 1;
}

/* ---- The same, and before it a hot word of another area is flushed ---- */

static const struct area_limit two_areas[] = {
    { "low", { 32768 * GIB_PAGES } }, { "high", { PFN_LIMIT } },
};

static uint64_t take_of(struct bench *b, uint32_t areas, unsigned order)
{
    struct page_request request = { .areas = areas, .pages = UINT64_C(1) << order, .align = order,
                                    .max = { PFN_LIMIT } };
    pfn_t out, blame;
    REQUIRE(b->engine->alloc(b->memory, &request, &out, &blame) == OK);
    return out.n;
}

static void prepare_two(struct bench *b, bool taken)
{
    map_make(b, 65536 * GIB_PAGES);
    b->range.fresh = false;
    b->map.areas = two_areas;
    b->map.nareas = 2;
    b->memory = aligned_alloc(64, (b->engine->memory_size(&b->map) + 63) & ~(size_t)63);
    REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
    if (taken)
        b->frame = take_of(b, 1, 8);
    for (unsigned i = 0; i < 4; i++)
        take_of(b, 2, 0);
    b->expected = 4;
}

void prepare_flush_open(struct bench *b) { prepare_two(b, false); }
void prepare_flush_close(struct bench *b) { prepare_two(b, true); }

/* The same with the hot word in the very leaf that closes. */
void prepare_flush_same(struct bench *b)
{
    uint64_t frames[3];
    map_make(b, 65536 * GIB_PAGES);
    b->range.fresh = false;
    REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
    for (unsigned i = 0; i < ARRAY_SIZE(frames); i++)
        frames[i] = take(b, 0, 0);
    give(b, frames[2]);
    give(b, frames[1]);
    b->frame = frames[0];
}

void run_open_low(struct bench *b)
{
    take_of(b, 1, 0);
    b->ops = 1;
    b->expected++;
}

/* ---- A long history, each step measured alone ---- */

/* Three areas whose limits cut leaves, holes, a range that was never fresh. */
static const struct area_limit worst_areas[] = {
    { "low", { GIB_PAGES / 2 + 77 } }, { "mid", { 3 * GIB_PAGES + 300 } },
    { "high", { PFN_LIMIT } },
};
static const struct page_range worst_ranges[] = {
    { { 1 }, 3000, true }, { { 5000 }, 2 * GIB_PAGES, true },
    { { 3 * GIB_PAGES - 1000 }, 2 * GIB_PAGES, false }, { { 6 * GIB_PAGES }, GIB_PAGES, true },
};

void prepare_worst(struct bench *b)
{
    map_make(b, 7 * GIB_PAGES);
    b->each = true;
    b->map = (struct page_map){ worst_ranges, ARRAY_SIZE(worst_ranges), worst_areas,
                                ARRAY_SIZE(worst_areas) };
    b->memory = aligned_alloc(64, (b->engine->memory_size(&b->map) + 63) & ~(size_t)63);
    REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
    b->frames = malloc(sizeof(b->frames[0]) * MIX_BLOCKS);
    b->orders = malloc(MIX_BLOCKS);
}

static void step_take(struct bench *b)
{
    pfn_t out = pfn(0), blame;
    b->error = b->engine->alloc(b->memory, &b->request, &out, &blame);
    b->frame = out.n;
}

static void step_give(struct bench *b)
{
    b->error = b->engine->free(b->memory, pfn(b->frame), &b->length);
}

static void step_query(struct bench *b)
{
    struct page_info info;
    b->engine->query(b->memory, pfn(b->frame), &info);
}

/* One page here and there, taken and given back: leaves open, close, and are kept. */
static void worst_disturb(struct bench *b)
{
    pfn_t frame = pfn(rnd(b) % (7 * GIB_PAGES)), out, blame;
    struct page_request request = { .areas = ALL_AREAS, .pages = 1 + rnd(b) % 2000,
                                    .max = { PFN_LIMIT }, .exact = true, .at = frame };
    uint64_t pages;
    if (b->empty || b->engine->alloc(b->memory, &request, &out, &blame) != OK)
        return;
    b->frame = frame.n + rnd(b) % request.pages;
    measured(step_query, b);
    REQUIRE(b->engine->free(b->memory, frame, &pages) == OK);
}

static void worst_take(struct bench *b, unsigned orders)
{
    unsigned order = (unsigned)(rnd(b) % orders);
    b->request = (struct page_request){
        .areas = rnd(b) % 4 == 0 ? 1 + (uint32_t)rnd(b) % 7 : ALL_AREAS,
        .pages = UINT64_C(1) << order, .align = order, .max = { PFN_LIMIT },
    };
    measured(step_take, b);
    if (b->error != OK || b->blocks == MIX_BLOCKS)
        return;
    b->frames[b->blocks] = b->frame;
    b->orders[b->blocks++] = (uint8_t)order;
    b->occupied += b->request.pages;
}

static void worst_give(struct bench *b)
{
    size_t i = rnd(b) % b->blocks;
    b->frame = b->frames[i];
    measured(step_give, b);
    REQUIRE(b->error == OK);
    b->occupied -= UINT64_C(1) << b->orders[i];
    b->frames[i] = b->frames[--b->blocks];
    b->orders[i] = b->orders[b->blocks];
}

/* Now filling, now emptying, with small blocks or with all, to the very end or in between. */
void run_worst(struct bench *b)
{
    unsigned orders = CLASSES_OF_BLOCKS;
    bool fill = true;
    for (b->ops = 0; b->ops < WORST_STEPS; b->ops++) {
        if (rnd(b) % 256 == 0) {
            fill = rnd(b) % 2;
            orders = 1 + (unsigned)(rnd(b) % CLASSES_OF_BLOCKS);
        }
        if (rnd(b) % 4 == 0)
            worst_disturb(b);
        if (b->blocks == 0 || (fill ? rnd(b) % 4 != 0 : rnd(b) % 8 == 0))
            worst_take(b, orders);
        else
            worst_give(b);
        b->frame = rnd(b) % (7 * GIB_PAGES);
        measured(step_query, b);
    }
    b->pages = 3000 + 5 * GIB_PAGES;
    b->expected = b->occupied;
}
