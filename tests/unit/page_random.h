/* SPDX-License-Identifier: MIT */
/* Random numbers and maps of the engine's oracle test. */
#ifndef PFNLAB_PAGE_RANDOM_H
#define PFNLAB_PAGE_RANDOM_H

#include "kernel/mm/engine.h"

#define MAX_RANGES 12u

static uint64_t random_state;

static uint64_t rnd(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % below;
}

/* Ranges from `base` on, with holes, one-page ranges, and ranges that only touch. */
static size_t random_ranges(struct page_range *ranges, uint64_t base, uint64_t room)
{
    size_t n = 0, want = 1 + rnd(MAX_RANGES - 1);
    uint64_t at = base, limit = base + room;
    while (n < want && at < limit) {
        static const uint64_t gaps[] = { 0, 0, 1, 7, 512, 700, 2048 };
        at += gaps[rnd(ARRAY_SIZE(gaps))];
        if (rnd(3) == 0)
            at = align_up(at, 512);
        uint64_t pages = rnd(4) == 0 ? 1 : 1 + rnd(room / 2);
        if (rnd(3) == 0)
            pages = align_up(pages, 512);
        if (at == 0)
            at = 1;
        if (at + pages > limit || at >= limit)
            pages = at < limit ? limit - at : 0;
        if (pages > 0)
            ranges[n++] = (struct page_range){ pfn(at), pages, rnd(3) != 0 };
        at += pages;
    }
    return n;
}

/* Areas from `base` on; the last one ends where frames do. */
static size_t random_areas(struct area_limit *areas, uint64_t base, uint64_t room)
{
    size_t n = 0, want = rnd(4);
    uint64_t limit = base;
    for (; n < want; n++) {
        limit += 1 + rnd(room / 2);
        if (rnd(3) == 0)
            limit = align_up(limit, 512);
        if (limit >= PFN_LIMIT)
            break;
        areas[n] = (struct area_limit){ "a", { limit } };
    }
    areas[n] = (struct area_limit){ "z", { PFN_LIMIT } };
    return n + 1;
}

#endif
