/* SPDX-License-Identifier: MIT */
#include "tests/unit/page_oracle.h"

static bool free_in(const struct oracle *o, size_t i, unsigned area)
{
    return o->page[i].state == PAGE_FREE && o->page[i].area == area;
}

/* True if the aligned run of 2^order frames at `frame` is free and of one area. */
static bool block_free(const struct oracle *o, uint64_t frame, unsigned order, unsigned area)
{
    struct oracle_page *p = oracle_find(o, frame);
    uint64_t pages = UINT64_C(1) << order;
    if (p == NULL)
        return false;
    size_t first = (size_t)(p - o->page);
    if (o->pages - first < pages || o->page[first + pages - 1].frame != frame + pages - 1)
        return false;
    for (size_t i = first; i < first + pages; i++)
        if (!free_in(o, i, area))
            return false;
    return true;
}

static unsigned free_order(const struct oracle *o, const struct oracle_page *p)
{
    unsigned order = 0;
    while (order < MAX_ORDER
           && block_free(o, align_down(p->frame, UINT64_C(2) << order), order + 1, p->area))
        order++;
    return order;
}

void oracle_query(const struct oracle *o, pfn_t frame, struct page_info *info)
{
    size_t start, end;
    const struct oracle_page *p = oracle_find(o, frame.n);
    *info = (struct page_info){ .state = PAGE_UNMANAGED, .block = frame, .pages = 1 };
    if (p == NULL || p->state == PAGE_UNMANAGED)
        return;
    info->state = (enum page_state)p->state;
    info->area = p->area;
    info->fresh = p->fresh;
    if (p->state == PAGE_FREE) {
        info->pages = UINT64_C(1) << free_order(o, p);
        info->block = pfn(align_down(frame.n, info->pages));
    } else if (oracle_block(o, frame.n, &start, &end) == OK) {
        info->block = pfn(o->page[start].frame);
        info->pages = end - start;
    }
}

/* The first managed frame from `from` on, or PFN_LIMIT. */
static uint64_t next_managed(const struct oracle *o, uint64_t from)
{
    for (size_t i = 0; i < o->pages; i++)
        if (o->page[i].frame >= from && o->page[i].state != PAGE_UNMANAGED)
            return o->page[i].frame;
    return PFN_LIMIT;
}

uint64_t oracle_run(const struct oracle *o, pfn_t from, pfn_t limit, struct page_info *info)
{
    uint64_t end;
    oracle_query(o, from, info);
    if (info->state == PAGE_UNMANAGED) {
        end = next_managed(o, from.n);
    } else if (info->state == PAGE_ALLOCATED) {
        end = info->block.n + info->pages;
    } else {
        const struct oracle_page *p = oracle_find(o, from.n), *q = p;
        do
            q++;
        while (q < o->page + o->pages && oracle_adjoins(o, (size_t)(q - o->page))
               && q->state == p->state && q->fresh == p->fresh);
        end = from.n + (uint64_t)(q - p);
    }
    return (end < limit.n ? end : limit.n) - from.n;
}

bool oracle_area_info(const struct oracle *o, unsigned area, struct page_area_info *info)
{
    if (area >= o->nareas)
        return false;
    *info = (struct page_area_info){
        .name = o->area[area].name, .limit = o->area[area].limit,
        .first = pfn(area == 0 ? 0 : o->area[area - 1].limit.n),
    };
    for (size_t i = 0; i < o->pages; i++) {
        const struct oracle_page *p = &o->page[i];
        if (p->area != area || p->state == PAGE_UNMANAGED)
            continue;
        info->managed++;
        info->free += p->state == PAGE_FREE;
        info->reserved += p->state == PAGE_RESERVED;
        info->allocated += p->state == PAGE_ALLOCATED;
        unsigned order = p->state == PAGE_FREE ? free_order(o, p) : 0;
        if (p->state == PAGE_FREE && is_aligned(p->frame, UINT64_C(1) << order))
            info->free_blocks[order]++;
    }
    return true;
}
