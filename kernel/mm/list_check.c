/* SPDX-License-Identifier: MIT */
/* The invariants of the list engine. `text` numbers them. */
#include "kernel/lib/bitmap.h"
#include "kernel/mm/list_parts.h"

static const char *const text[] = {
    [0] = "stopped before all was looked at",
    [51] = "areas and ranges ascend, numbers follow each other, the scan order is a permutation",
    [52] = "a piece is aligned, in its range, and its pages say the same; a reserved one is a page",
    [53] = "no allocated page is fresh",
    [54] = "a piece that goes on is behind its block; no block is longer than 2^18 pages",
    [55] = "no free piece has a free buddy of its order",
    [56] = "a list holds free pieces of its order and area, linked both ways, as many as it counts",
    [57] = "every free piece is in a list",
    [58] = "the totals of an area are the sums of its pages",
};

#define STOP_PAGES 512u       /* between two questions whether to stop, about */

struct sums { uint64_t managed, free, reserved, pieces[ORDERS]; };

struct checker {
    const struct list_engine *engine;
    bool (*stop)(void);
    struct page_violation *violation;
    struct sums sums[MAX_AREAS];
    uint64_t block;           /* pages of the block so far that ends here; 0: none does */
    uint64_t looked;          /* pages since stop() was asked */
};

static bool holds(struct checker *c, bool condition, unsigned invariant, uint64_t frame)
{
    if (!condition)
        *c->violation = (struct page_violation){ invariant, pfn(frame), text[invariant] };
    return condition;
}

static bool goes_on(struct checker *c, uint64_t pages)
{
    c->looked += pages;
    if (c->looked < STOP_PAGES)
        return true;
    c->looked = 0;
    return holds(c, !c->stop(), 0, 0);
}

/* ---- Pieces ---- */

static bool check_alike(struct checker *c, const struct list_range *range, uint64_t first,
                        uint64_t limit, unsigned byte)
{
    for (uint64_t frame = first; frame < limit; frame++) {
        unsigned other = page_byte(c->engine, range, frame);
        bool allocated = byte_kind(byte) == PIECE_FIRST || byte_kind(byte) == PIECE_NEXT;
        if (!holds(c, ((other ^ byte) & ~BYTE_FRESH) == 0, 52, frame)
            || !holds(c, !allocated || !(other & BYTE_FRESH), 53, frame))
            return false;
    }
    return true;
}

static bool check_block(struct checker *c, uint64_t first, uint64_t pages, enum piece_kind kind)
{
    if (kind == PIECE_NEXT && !holds(c, c->block != 0, 54, first))
        return false;
    if (kind == PIECE_FREE || kind == PIECE_RESERVED)
        c->block = 0;
    else
        c->block = kind == PIECE_FIRST ? pages : c->block + pages;
    return holds(c, c->block <= MAX_BLOCK_PAGES, 54, first);
}

static bool check_buddy(struct checker *c, const struct list_range *range, uint64_t first,
                        unsigned order)
{
    uint64_t pages = order_pages(order), buddy = first ^ pages;
    return order == MAX_ORDER || buddy < range->first || buddy + pages > range->limit
           || holds(c, (page_byte(c->engine, range, buddy) & ~BYTE_FRESH) != order, 55, first);
}

static bool check_piece(struct checker *c, const struct list_range *range, uint64_t first,
                        uint64_t *limit)
{
    unsigned byte = page_byte(c->engine, range, first), order = byte_order(byte);
    enum piece_kind kind = byte_kind(byte);
    uint64_t pages = order_pages(order);
    struct sums *sums = &c->sums[range->area];
    *limit = first + pages;
    sums->managed += pages;
    sums->free += kind == PIECE_FREE ? pages : 0;
    sums->reserved += kind == PIECE_RESERVED ? pages : 0;
    sums->pieces[order % ORDERS] += kind == PIECE_FREE;
    return holds(c, order <= MAX_ORDER && is_aligned(first, pages) && *limit <= range->limit
                    && (kind != PIECE_RESERVED || order == 0), 52, first)
           && check_alike(c, range, first, *limit, byte)
           && check_block(c, first, pages, kind)
           && (kind != PIECE_FREE || check_buddy(c, range, first, order))
           && goes_on(c, pages);
}

/* ---- Lists ---- */

static bool check_list(struct checker *c, unsigned index, unsigned order)
{
    const struct list_area *area = &c->engine->area[index];
    uint32_t number = area->head[order], previous = NO_PAGE;
    const struct list_range *last = &c->engine->range[c->engine->nranges];
    uint64_t total = last > c->engine->range ? last[-1].number + (last[-1].limit - last[-1].first)
                                             : 0;
    for (uint64_t n = 0; n < area->count[order]; n++) {
        if (!holds(c, number < total, 56, area->first))
            return false;
        const struct list_range *range = range_numbered(c->engine, number);
        uint64_t frame = range->first + (number - range->number);
        if (!holds(c, range->area == index && is_aligned(frame, order_pages(order))
                      && (page_byte(c->engine, range, frame) & ~BYTE_FRESH) == order
                      && c->engine->link[number].previous == previous, 56, frame)
            || !goes_on(c, 1))
            return false;
        previous = number;
        number = c->engine->link[number].next;
    }
    return holds(c, number == NO_PAGE, 56, area->first)
           && holds(c, c->sums[index].pieces[order] == area->count[order], 57, area->first);
}

/* ---- Roots ---- */

static bool check_areas(struct checker *c)
{
    const struct list_engine *engine = c->engine;
    uint64_t limit = 0;
    for (size_t a = 0; a < engine->nareas; a++) {
        const struct list_area *area = &engine->area[a];
        if (!holds(c, area->first == limit && area->limit > limit, 51, area->first))
            return false;
        limit = area->limit;
    }
    uint32_t scanned = 0;
    for (size_t a = 0; a < engine->nareas; a++)
        scanned |= UINT32_C(1) << engine->scan[a];
    return holds(c, scanned == (UINT32_C(1) << engine->nareas) - 1, 51, 0);
}

static bool check_ranges(struct checker *c)
{
    const struct list_engine *engine = c->engine;
    uint64_t limit = 1, number = 0;
    for (size_t r = 0; r < engine->nranges; r++) {
        const struct list_range *range = &engine->range[r];
        const struct list_area *area = &engine->area[range->area];
        if (!holds(c, range->first >= limit && range->limit > range->first
                      && range->number == number && range->first >= area->first
                      && range->limit <= area->limit, 51, range->first))
            return false;
        limit = range->limit;
        number += range->limit - range->first;
    }
    return true;
}

static bool check_totals(struct checker *c, unsigned index)
{
    const struct list_area *area = &c->engine->area[index];
    const struct sums *sums = &c->sums[index];
    return holds(c, area->managed == sums->managed && area->free == sums->free
                    && area->reserved == sums->reserved, 58, area->first);
}

bool list_check(const void *memory, bool (*stop)(void), struct page_violation *violation)
{
    struct checker c = { .engine = memory, .stop = stop, .violation = violation };
    if (!goes_on(&c, STOP_PAGES) || !check_areas(&c) || !check_ranges(&c))
        return false;
    for (size_t r = 0; r < c.engine->nranges; r++) {
        const struct list_range *range = &c.engine->range[r];
        c.block = 0;
        for (uint64_t frame = range->first; frame < range->limit;)
            if (!check_piece(&c, range, frame, &frame))
                return false;
    }
    for (unsigned a = 0; a < c.engine->nareas; a++) {
        for (unsigned order = 0; order < ORDERS; order++)
            if (!check_list(&c, a, order))
                return false;
        if (!check_totals(&c, a))
            return false;
    }
    return true;
}
