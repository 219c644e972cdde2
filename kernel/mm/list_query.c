/* SPDX-License-Identifier: MIT */
/* Questions to the list engine. */
#include "kernel/mm/list_parts.h"

static void describe(const struct list_engine *engine, const struct list_range *range,
                     uint64_t frame, struct page_info *info)
{
    *info = (struct page_info){ .state = PAGE_UNMANAGED, .block = pfn(frame), .pages = 1 };
    if (range == NULL)
        return;
    unsigned byte = page_byte(engine, range, frame);
    info->area = range->area;
    info->fresh = byte & BYTE_FRESH;
    if (byte_kind(byte) == PIECE_RESERVED) {
        info->state = PAGE_RESERVED;
    } else if (byte_kind(byte) == PIECE_FREE) {
        info->state = PAGE_FREE;
        info->block = pfn(piece_first(byte, frame));
        info->pages = order_pages(byte_order(byte));
    } else {
        info->state = PAGE_ALLOCATED;
        info->block = pfn(list_block_first(engine, range, frame));
        info->pages = list_block_limit(engine, range, frame) - info->block.n;
    }
}

void list_query(void *memory, pfn_t frame, struct page_info *info)
{
    describe(memory, range_find(memory, frame.n), frame.n, info);
}

uint64_t list_run(void *memory, pfn_t from, pfn_t limit, struct page_info *info)
{
    const struct list_engine *engine = memory;
    const struct list_range *range = range_find(engine, from.n);
    uint64_t end = from.n + 1;
    describe(engine, range, from.n, info);
    if (range == NULL) {
        size_t r = 0;
        while (r < engine->nranges && engine->range[r].first <= from.n)
            r++;
        end = r < engine->nranges ? engine->range[r].first : PFN_LIMIT;
    } else if (info->state == PAGE_ALLOCATED) {
        end = info->block.n + info->pages;
    } else {
        unsigned alike = (unsigned)~BYTE_ORDER, byte = page_byte(engine, range, from.n) & alike;
        while (end < range->limit && end < limit.n
               && (page_byte(engine, range, end) & alike) == byte)
            end++;
    }
    return (end < limit.n ? end : limit.n) - from.n;
}

uint64_t list_count_free(void *memory, uint32_t areas)
{
    const struct list_engine *engine = memory;
    uint64_t free = 0;

    for (unsigned i = 0; i < engine->nareas; i++)
        free += (areas >> i & 1) != 0 ? engine->area[i].free : 0;
    return free;
}

bool list_area_info(void *memory, unsigned index, struct page_area_info *info)
{
    const struct list_engine *engine = memory;
    if (index >= engine->nareas)
        return false;
    const struct list_area *area = &engine->area[index];
    *info = (struct page_area_info){
        .name = area->name, .first = pfn(area->first), .limit = pfn(area->limit),
        .managed = area->managed, .free = area->free, .reserved = area->reserved,
        .allocated = area->managed - area->free - area->reserved,
    };
    for (unsigned order = 0; order < ORDERS; order++)
        info->free_blocks[order] = area->count[order];
    return true;
}
