/* SPDX-License-Identifier: MIT */
/* A picture of memory in characters: one for each unit of the same power of two of pages. */
#include "protocol/dump.h"

enum { COLUMNS = 32, LINES_MAX = 32 };

static const char legend[] = ". fresh  o free  # allocated  R reserved  x mixed  _ nothing there";

struct span {
    uint64_t first, limit;        /* frames */
};

/* The managed frames of an area, from the first one to the last; false if there are none. */
static bool managed_span(const struct span *area, struct span *span)
{
    struct page_info info;
    bool found = false;

    for (uint64_t at = area->first, n; at < area->limit; at += n) {
        n = dump_run(at, area->limit, &info);
        if (info.state == PAGE_UNMANAGED)
            continue;
        if (!found)
            span->first = at;
        span->limit = at + n;
        found = true;
    }
    return found;
}

static char letter(const struct page_info *info)
{
    switch (info->state) {
    case PAGE_FREE: return info->fresh ? '.' : 'o';
    case PAGE_ALLOCATED: return '#';
    case PAGE_RESERVED: return 'R';
    default: return '_';
    }
}

static char unit_letter(uint64_t at, uint64_t limit)
{
    struct page_info info;
    char found = '\0';

    while (at < limit) {
        uint64_t n = dump_run(at, limit, &info);
        char c = letter(&info);

        if (found != '\0' && c != found)
            return 'x';
        found = c;
        at += n;
    }
    return found;
}

static unsigned unit_order(const struct span *span)
{
    unsigned order = 0;

    while ((span->limit - align_down(span->first, (uint64_t)COLUMNS << order)) >> order
           > COLUMNS * LINES_MAX)
        order++;
    return order;
}

/* One line of the picture; false if there is nothing in it. */
static bool map_row(struct reply *reply, uint64_t at, unsigned order, const struct span *area)
{
    char letters[COLUMNS + 1] = "";
    bool any = false;

    for (unsigned i = 0; i < COLUMNS; i++, at += UINT64_C(1) << order) {
        uint64_t first = at < area->first ? area->first : at;
        uint64_t limit = at + (UINT64_C(1) << order);

        if (limit > area->limit)
            limit = area->limit;
        letters[i] = first < limit ? unit_letter(first, limit) : '_';
        any |= letters[i] != '_';
    }
    if (any)
        row_word(reply, letters);
    return any;
}

/* The rows of one area; false if the listing shall end. */
static bool area_rows(struct reply *reply, struct listing *listing, unsigned area,
                      const struct span *within)
{
    struct span span;
    unsigned order;
    uint64_t step;

    if (!managed_span(within, &span))
        return true;
    order = unit_order(&span);
    step = (uint64_t)COLUMNS << order;
    for (uint64_t at = align_down(span.first, step); at < span.limit; at += step) {
        row_begin(reply);
        row_address(reply, pfn_phys(pfn(at)).a);
        if (!map_row(reply, at, order, within))
            continue;
        row_key_word(reply, "area", lab.areas[area].name);
        row_key_number(reply, "unit", UINT64_C(1) << order);
        if (!listing_row(listing, reply))
            return false;
    }
    return true;
}

enum error dump_map(const struct dump_range *range, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    struct page_area_info info;
    bool more = true;

    for (unsigned i = 0; more && pages_area_info(&lab.pages, i, &info); i++) {
        struct span within = { info.first.n, info.limit.n };

        if (within.first < range->first.n)
            within.first = range->first.n;
        if (within.limit > range->limit.n)
            within.limit = range->limit.n;
        if (within.first < within.limit)
            more = area_rows(reply, &listing, i, &within);
    }
    reply_text(reply, legend);
    return listing_end(&listing, reply, true, 0);
}
