/* SPDX-License-Identifier: MIT */
#include "kernel/mm/engine_common.h"

bool map_valid(const struct page_map *map)
{
    uint64_t limit = 1;   /* frame 0 is never managed */
    for (size_t r = 0; r < map->nranges; r++) {
        const struct page_range *range = &map->ranges[r];
        if (range->first.n < limit || range->first.n >= PFN_LIMIT || range->pages == 0
            || range->pages > PFN_LIMIT - range->first.n)
            return false;
        limit = range->first.n + range->pages;
    }
    if (map->nareas == 0 || map->nareas > MAX_AREAS)
        return false;
    limit = 0;
    for (size_t a = 0; a < map->nareas; a++) {
        if (map->areas[a].limit.n <= limit || map->areas[a].limit.n > PFN_LIMIT)
            return false;
        limit = map->areas[a].limit.n;
    }
    return true;
}

bool map_part_next(const struct page_map *map, struct map_part *part)
{
    while (part->range < map->nranges && part->area < map->nareas) {
        const struct page_range *range = &map->ranges[part->range];
        uint64_t from = part->limit, limit = map->areas[part->area].limit.n;
        uint64_t end = range->first.n + range->pages;
        part->first = from > range->first.n ? from : range->first.n;
        part->limit = end < limit ? end : limit;
        if (part->first < part->limit)
            return true;
        part->limit = from;
        if (end <= limit)
            part->range++;
        else
            part->area++;
    }
    return false;
}

bool scan_order_valid(const uint8_t *order, size_t n)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (order[i] >= n || (seen >> order[i] & 1))
            return false;
        seen |= UINT32_C(1) << order[i];
    }
    return true;
}

/* The first free frame of first..limit-1, a run alike, that the request does not want. */
static bool unwanted(const struct page_request *request, const struct page_info *info,
                     unsigned area, uint64_t first, uint64_t limit, uint64_t *blame)
{
    bool wanted = (request->areas >> info->area & 1) && info->area == area
                  && is_aligned(request->at.n, UINT64_C(1) << request->align)
                  && (info->fresh || !request->fresh) && first >= request->min.n;
    if (wanted && limit <= request->max.n)
        return false;
    *blame = wanted && request->max.n > first ? request->max.n : first;
    return true;
}

enum error exact_answer(void *engine, uint64_t (*run)(void *engine, pfn_t from, pfn_t limit,
                                                      struct page_info *info),
                        const struct page_request *request, pfn_t *blame)
{
    uint64_t frame = request->at.n, limit = frame + request->pages;
    unsigned area = MAX_AREAS;
    while (frame < limit) {
        struct page_info info = { .state = PAGE_UNMANAGED };
        uint64_t pages = frame < PFN_LIMIT ? run(engine, pfn(frame), pfn(limit), &info) : 1;
        *blame = pfn(frame);
        if (info.state != PAGE_FREE)
            return info.state == PAGE_UNMANAGED ? E_MEM_UNMANAGED
                   : info.state == PAGE_RESERVED ? E_MEM_RESERVED : E_MEM_BUSY;
        if (area == MAX_AREAS)
            area = info.area;
        if (unwanted(request, &info, area, frame, frame + pages, &blame->n))
            return E_MEM_NONE;
        frame += pages;
    }
    *blame = pfn(0);
    return OK;
}

enum error extend_answer(void *engine, uint64_t (*run)(void *engine, pfn_t from, pfn_t limit,
                                                       struct page_info *info),
                         pfn_t first, const struct page_request *more, pfn_t *blame)
{
    enum error error;
    if (more->pages == 0 || more->pages > MAX_BLOCK_PAGES - (more->at.n - first.n))
        return E_CALL_RANGE;
    error = exact_answer(engine, run, more, blame);
    if (error == OK)
        *blame = first;
    return error;
}
