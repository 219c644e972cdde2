/* SPDX-License-Identifier: MIT */
/* The operations of the list engine, and its start. */
#include "kernel/mm/list.h"

#include "kernel/mm/engine_common.h"
#include "kernel/mm/list_parts.h"

/* ---- Start ---- */

#define PAGE_RECORDS (sizeof(struct list_link) + 1)   /* bytes a page */

/* Count the ranges and pages; with `engine`, also fill the ranges in. */
static uint64_t ranges_survey(const struct page_map *map, struct list_engine *engine,
                              size_t *nranges)
{
    struct map_part part = { .range = 0 }, last = { .range = 0 };
    uint64_t pages = 0;
    *nranges = 0;
    while (map_part_next(map, &part)) {
        bool joins = last.limit != 0 && last.limit == part.first && last.area == part.area;
        if (!joins)
            ++*nranges;
        if (engine != NULL && !joins)
            engine->range[*nranges - 1] = (struct list_range){
                .first = part.first, .number = (uint32_t)pages, .area = (unsigned)part.area };
        if (engine != NULL)
            engine->range[*nranges - 1].limit = part.limit;
        pages += part.limit - part.first;
        last = part;
    }
    return pages;
}

static size_t list_memory_size(const struct page_map *map)
{
    size_t nranges, size = sizeof(struct list_engine);
    if (!map_valid(map))
        return size;
    uint64_t pages = ranges_survey(map, NULL, &nranges);
    size += nranges * sizeof(struct list_range);
    if (pages >= (SIZE_MAX - size) / PAGE_RECORDS)
        return SIZE_MAX;
    return size + (size_t)pages * PAGE_RECORDS;
}

static void areas_init(struct list_engine *engine, const struct page_map *map)
{
    engine->nareas = map->nareas;
    for (size_t a = 0; a < map->nareas; a++) {
        struct list_area *area = &engine->area[a];
        for (size_t i = 0; i < AREA_NAME_SIZE; i++)
            area->name[i] = map->areas[a].name[i];
        area->first = a == 0 ? 0 : map->areas[a - 1].limit.n;
        area->limit = map->areas[a].limit.n;
        for (unsigned order = 0; order < ORDERS; order++)
            area->head[order] = NO_PAGE;
        engine->scan[a] = (uint8_t)(map->nareas - 1 - a);
    }
}

/* First the bytes of all pages, as a page that is given looks at its buddy's. */
static void pages_init_all(struct list_engine *engine, const struct page_map *map)
{
    struct map_part part = { .range = 0 };
    uint64_t number = 0;
    while (map_part_next(map, &part)) {
        unsigned fresh = map->ranges[part.range].fresh ? BYTE_FRESH : 0;
        for (uint64_t frame = part.first; frame < part.limit; frame++)
            engine->byte[number++] = (uint8_t)(fresh | PIECE_RESERVED << BYTE_KIND_SHIFT);
    }
    for (size_t r = 0; r < engine->nranges; r++) {
        const struct list_range *range = &engine->range[r];
        engine->area[range->area].managed += range->limit - range->first;
        engine->area[range->area].free += range->limit - range->first;
        pieces_give(engine, range, range->first, range->limit);
    }
}

static enum error list_init(void *memory, const struct page_map *map,
                            const struct node_source *nodes)
{
    struct list_engine *engine = memory;
    size_t nranges;
    (void)nodes;
    if (!map_valid(map))
        return E_CALL_RANGE;
    uint64_t pages = ranges_survey(map, NULL, &nranges);
    if (pages >= NO_PAGE)
        return E_MEM_METADATA;
    *engine = (struct list_engine){ .nranges = nranges };
    engine->range = (struct list_range *)(void *)(engine + 1);
    engine->link = (struct list_link *)(void *)(engine->range + nranges);
    engine->byte = (uint8_t *)(engine->link + pages);
    (void)ranges_survey(map, engine, &nranges);
    areas_init(engine, map);
    pages_init_all(engine, map);
    return OK;
}

/* ---- Alloc ---- */

static void block_take(struct list_engine *engine, const struct list_range *range, uint64_t first,
                       uint64_t pages, pfn_t *out)
{
    pieces_carve(engine, range, first, first + pages);
    pieces_mark_block(engine, range, first, first + pages);
    engine->area[range->area].free -= pages;
    *out = pfn(first);
}

/* From the lists: false if no piece is of `order` or more. */
static bool alloc_listed(struct list_engine *engine, unsigned index, unsigned order,
                         uint64_t pages, pfn_t *out)
{
    const struct list_area *area = &engine->area[index];
    while (order < ORDERS && area->head[order] == NO_PAGE)
        order++;
    if (order == ORDERS)
        return false;
    uint32_t number = area->head[order];
    const struct list_range *range = range_numbered(engine, number);
    block_take(engine, range, range->first + (number - range->number), pages, out);
    return true;
}

/* The first frame from `from` on that is not free, or not fresh if that is wanted; or `limit`. */
static uint64_t free_limit(const struct list_engine *engine, const struct list_range *range,
                           uint64_t from, uint64_t limit, bool fresh)
{
    for (; from < limit; from++) {
        unsigned byte = page_byte(engine, range, from);
        if (byte_kind(byte) != PIECE_FREE || (fresh && !(byte & BYTE_FRESH)))
            break;
    }
    return from;
}

/* The lowest slot of a range; false if there is none. */
static bool slot_find(const struct list_engine *engine, const struct list_range *range,
                      const struct page_request *request, uint64_t *slot)
{
    uint64_t pages = request->pages, step = order_pages(request->align);
    uint64_t from = request->min.n > range->first ? request->min.n : range->first;
    uint64_t limit = request->max.n < range->limit ? request->max.n : range->limit;
    while (from < limit) {
        uint64_t first = align_up(from, step);
        if (first >= limit || limit - first < pages)
            return false;
        from = free_limit(engine, range, first, first + pages, request->fresh);
        if (from == first + pages) {
            *slot = first;
            return true;
        }
        from++;
    }
    return false;
}

static bool alloc_lowest(struct list_engine *engine, unsigned index,
                         const struct page_request *request, pfn_t *out)
{
    for (size_t r = 0; r < engine->nranges; r++) {
        const struct list_range *range = &engine->range[r];
        uint64_t slot;
        if (range->area != index || !slot_find(engine, range, request, &slot))
            continue;
        block_take(engine, range, slot, request->pages, out);
        return true;
    }
    return false;
}

static bool alloc_area(struct list_engine *engine, unsigned index,
                       const struct page_request *request, pfn_t *out)
{
    unsigned order = order_for(request->pages);
    order = order > request->align ? order : request->align;
    if (request->min.n > 0 || request->max.n < PFN_LIMIT || request->fresh)
        return alloc_lowest(engine, index, request, out);
    if (alloc_listed(engine, index, order, request->pages, out))
        return true;
    /* A naturally aligned run that is free is in a list; any other need not be in one piece. */
    return request->pages != order_pages(request->align)
           && alloc_lowest(engine, index, request, out);
}

static enum error list_alloc(void *memory, const struct page_request *request, pfn_t *out,
                             pfn_t *blame)
{
    struct list_engine *engine = memory;
    ASSERT(request->pages - 1 < MAX_BLOCK_PAGES && request->align <= MAX_ORDER);
    *blame = pfn(0);
    if (request->exact) {
        enum error error = exact_answer(engine, list_run, request, blame);
        if (error == OK)
            block_take(engine, range_find(engine, request->at.n), request->at.n, request->pages,
                       out);
        return error;
    }
    for (size_t i = 0; i < engine->nareas; i++)
        if ((request->areas >> engine->scan[i] & 1)
            && alloc_area(engine, engine->scan[i], request, out))
            return OK;
    return E_MEM_NONE;
}

/* ---- Blocks that there are: longer, or back ---- */

static void give(struct list_engine *engine, const struct list_range *range, uint64_t first,
                 uint64_t limit)
{
    engine->area[range->area].free += limit - first;
    pieces_give(engine, range, first, limit);
}

/* The range of a frame that is part of a block; else why it is not. */
static enum error find_allocated(const struct list_engine *engine, uint64_t frame,
                                 const struct list_range **range)
{
    *range = range_find(engine, frame);
    if (*range == NULL)
        return E_MEM_UNMANAGED;
    enum piece_kind kind = byte_kind(page_byte(engine, *range, frame));
    if (kind == PIECE_FREE)
        return E_MEM_FREE;
    return kind == PIECE_RESERVED ? E_MEM_RESERVED : OK;
}

/* The same of the first frame of a block. */
static enum error find_block(const struct list_engine *engine, uint64_t first,
                             const struct list_range **range)
{
    enum error error = find_allocated(engine, first, range);
    if (error != OK)
        return error;
    return list_block_first(engine, *range, first) == first ? OK : E_MEM_INSIDE;
}

static enum error list_extend(void *memory, pfn_t first, uint64_t pages, pfn_t limit,
                              pfn_t *blame)
{
    struct list_engine *engine = memory;
    struct page_request more = { .pages = pages, .max = limit };
    const struct list_range *range;
    enum error error = find_block(engine, first.n, &range);
    *blame = first;
    if (error != OK)
        return error;
    more.areas = UINT32_C(1) << range->area;
    more.at = pfn(list_block_limit(engine, range, first.n));
    error = extend_answer(engine, list_run, first, &more, blame);
    if (error != OK)
        return error;
    pieces_carve(engine, range, more.at.n, more.at.n + pages);
    pieces_mark_block(engine, range, first.n, more.at.n + pages);
    engine->area[range->area].free -= pages;
    return OK;
}

static enum error list_free(void *memory, pfn_t first, uint64_t *pages)
{
    struct list_engine *engine = memory;
    const struct list_range *range;
    enum error error = find_block(engine, first.n, &range);
    if (error != OK)
        return error;
    uint64_t limit = list_block_limit(engine, range, first.n);
    *pages = limit - first.n;
    give(engine, range, first.n, limit);
    return OK;
}

static enum error list_free_part(void *memory, pfn_t first, uint64_t pages, pfn_t *head,
                                 pfn_t *rest, uint64_t *rest_pages)
{
    struct list_engine *engine = memory;
    const struct list_range *range;
    enum error error = pages == 0 ? E_CALL_RANGE : find_allocated(engine, first.n, &range);
    if (error != OK)
        return error;
    uint64_t begin = list_block_first(engine, range, first.n);
    uint64_t end = list_block_limit(engine, range, first.n);
    if (pages > end - first.n) {
        *head = pfn(end);
        return E_MEM_BEYOND;
    }
    *head = pfn(begin);
    *rest = pfn(first.n + pages);
    *rest_pages = end - rest->n;
    pieces_mark_block(engine, range, begin, first.n);
    pieces_mark_block(engine, range, rest->n, end);
    give(engine, range, first.n, rest->n);
    return OK;
}

/* ---- Ranges by address ---- */

static enum error kind_error(enum piece_kind kind)
{
    return kind == PIECE_FREE ? E_MEM_FREE : kind == PIECE_RESERVED ? E_MEM_RESERVED : E_MEM_BUSY;
}

/* OK if all frames are of that kind; else why not, and where. */
static enum error range_is(const struct list_engine *engine, uint64_t first, uint64_t pages,
                           enum piece_kind kind, pfn_t *blame)
{
    const struct list_range *range = NULL;
    if (pages == 0 || first >= PFN_LIMIT || pages > PFN_LIMIT - first)
        return E_CALL_RANGE;
    for (uint64_t frame = first; frame < first + pages; frame++) {
        if (range == NULL || frame >= range->limit)
            range = range_find(engine, frame);
        enum piece_kind is = range == NULL ? kind : byte_kind(page_byte(engine, range, frame));
        if (range != NULL && is == kind)
            continue;
        *blame = pfn(frame);
        return range == NULL ? E_MEM_UNMANAGED : kind_error(is);
    }
    return OK;
}

/* Reserve what is free, or the reverse, range by range. */
static enum error list_change(struct list_engine *engine, uint64_t first, uint64_t pages,
                              bool back, pfn_t *blame)
{
    *blame = pfn(0);
    enum error error = range_is(engine, first, pages, back ? PIECE_RESERVED : PIECE_FREE, blame);
    for (uint64_t end = first + pages; error == OK && first < end;) {
        const struct list_range *range = range_find(engine, first);
        struct list_area *area = &engine->area[range->area];
        uint64_t limit = range->limit < end ? range->limit : end;
        if (back) {
            area->reserved -= limit - first;
            give(engine, range, first, limit);
        } else {
            area->reserved += limit - first;
            area->free -= limit - first;
            pieces_carve(engine, range, first, limit);
            pieces_mark_reserved(engine, range, first, limit);
        }
        first = limit;
    }
    return error;
}

static enum error list_reserve(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return list_change(memory, first.n, pages, false, blame);
}

static enum error list_unreserve(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return list_change(memory, first.n, pages, true, blame);
}

/* ---- The table ---- */

static enum error list_set_scan_order(void *memory, const uint8_t *order, size_t n)
{
    struct list_engine *engine = memory;
    if (n != engine->nareas || !scan_order_valid(order, n))
        return E_CALL_RANGE;
    for (size_t i = 0; i < n; i++)
        engine->scan[i] = order[i];
    return OK;
}

const struct page_engine page_engine_list = {
    .name = "list",
    .text = "Reference: a list of free blocks for each order, a byte a page, buddies join at once.",
    .memory_size = list_memory_size,
    .init = list_init,
    .alloc = list_alloc,
    .extend = list_extend,
    .free = list_free,
    .free_part = list_free_part,
    .reserve = list_reserve,
    .unreserve = list_unreserve,
    .query = list_query,
    .run = list_run,
    .count_free = list_count_free,
    .area_info = list_area_info,
    .check = list_check,
    .corrupt = list_corrupt,
    .set_scan_order = list_set_scan_order,
};
