/* SPDX-License-Identifier: MIT */
/*
 * The simplest engine there could be: an array of frames, which serves from the lowest slot. For
 * tests of what lies above an engine; freshness, areas and alignment are not its matter.
 */
#ifndef PFNLAB_UNIT_ARRAY_ENGINE_H
#define PFNLAB_UNIT_ARRAY_ENGINE_H

#include "kernel/lib/string.h"
#include "kernel/mm/engine.h"

#define FRAMES 64
#define SECOND_RANGE_SIZE 32768u  /* memory that a map of two ranges asks for: too much */

struct array_engine {
    enum page_state state[FRAMES];
    uint64_t block[FRAMES];       /* first frame of the block that holds an allocated frame */
    bool broken;
};

static enum error refusal;        /* what init() or the next alloc() refuses with */

static size_t array_memory_size(const struct page_map *map)
{
    return sizeof(struct array_engine) + (map->nranges > 1 ? SECOND_RANGE_SIZE : 0);
}

static enum error array_init(void *memory, const struct page_map *map,
                             const struct node_source *nodes)
{
    struct array_engine *engine = memory;

    (void)nodes;
    memset(engine, 0, sizeof(*engine));
    for (uint64_t i = 0; i < map->ranges[0].pages; i++)
        engine->state[map->ranges[0].first.n + i] = PAGE_FREE;
    return refusal;
}

static bool slot_free(const struct array_engine *engine, uint64_t at, uint64_t pages)
{
    for (uint64_t i = at; i < at + pages; i++)
        if (i >= FRAMES || engine->state[i] != PAGE_FREE)
            return false;
    return true;
}

static enum error array_alloc(void *memory, const struct page_request *request, pfn_t *out,
                              pfn_t *blame)
{
    struct array_engine *engine = memory;
    uint64_t at = 0;

    *blame = pfn(0);
    if (refusal != OK)
        return refusal;
    while (at < FRAMES && !slot_free(engine, at, request->pages))
        at++;
    if (at == FRAMES)
        return E_MEM_NONE;
    for (uint64_t i = at; i < at + request->pages; i++) {
        engine->state[i] = PAGE_ALLOCATED;
        engine->block[i] = at;
    }
    *out = pfn(at);
    return OK;
}

static uint64_t block_end(const struct array_engine *engine, uint64_t at)
{
    uint64_t end = at;

    while (end < FRAMES && engine->state[end] == PAGE_ALLOCATED
           && engine->block[end] == engine->block[at])
        end++;
    return end;
}

static enum error array_extend(void *memory, pfn_t first, uint64_t pages, pfn_t limit,
                               pfn_t *blame)
{
    struct array_engine *engine = memory;
    uint64_t end;

    *blame = first;
    if (refusal != OK)
        return refusal;
    if (engine->state[first.n] != PAGE_ALLOCATED)
        return E_MEM_FREE;
    end = block_end(engine, first.n);
    *blame = pfn(end);
    if (!slot_free(engine, end, pages) || end + pages > limit.n)
        return E_MEM_BUSY;
    for (uint64_t i = end; i < end + pages; i++) {
        engine->state[i] = PAGE_ALLOCATED;
        engine->block[i] = first.n;
    }
    return OK;
}

static enum error array_free_part(void *memory, pfn_t first, uint64_t pages, pfn_t *head,
                                  pfn_t *rest, uint64_t *rest_pages)
{
    struct array_engine *engine = memory;
    uint64_t end;

    if (first.n >= FRAMES || engine->state[first.n] == PAGE_UNMANAGED)
        return E_MEM_UNMANAGED;
    if (engine->state[first.n] != PAGE_ALLOCATED)
        return E_MEM_FREE;
    end = block_end(engine, first.n);
    *head = pfn(end);
    if (pages > end - first.n)
        return E_MEM_BEYOND;
    *head = pfn(engine->block[first.n]);
    *rest = pfn(first.n + pages);
    *rest_pages = end - rest->n;
    for (uint64_t i = first.n; i < end; i++) {
        engine->state[i] = i < rest->n ? PAGE_FREE : PAGE_ALLOCATED;
        engine->block[i] = rest->n;
    }
    return OK;
}

static enum error array_free(void *memory, pfn_t first, uint64_t *pages)
{
    struct array_engine *engine = memory;
    pfn_t head, rest;
    uint64_t rest_pages;

    if (first.n < FRAMES && engine->state[first.n] == PAGE_ALLOCATED) {
        if (engine->block[first.n] != first.n)
            return E_MEM_INSIDE;
        *pages = block_end(engine, first.n) - first.n;
    }
    return array_free_part(memory, first, *pages, &head, &rest, &rest_pages);
}

static enum error array_change(void *memory, pfn_t first, uint64_t pages, enum page_state from,
                               enum page_state to, pfn_t *blame)
{
    struct array_engine *engine = memory;

    for (*blame = first; blame->n < first.n + pages; blame->n++)
        if (engine->state[blame->n] != from)
            return E_MEM_BUSY;
    for (uint64_t i = first.n; i < first.n + pages; i++)
        engine->state[i] = to;
    return OK;
}

static enum error array_reserve(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return array_change(memory, first, pages, PAGE_FREE, PAGE_RESERVED, blame);
}

static enum error array_unreserve(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return array_change(memory, first, pages, PAGE_RESERVED, PAGE_FREE, blame);
}

static void array_query(void *memory, pfn_t frame, struct page_info *info)
{
    const struct array_engine *engine = memory;

    *info = (struct page_info){ .state = PAGE_UNMANAGED, .block = frame, .pages = 1 };
    assert_true(frame.n < PFN_LIMIT);
    if (frame.n >= FRAMES)
        return;
    info->state = engine->state[frame.n];
    if (info->state == PAGE_ALLOCATED) {
        info->block = pfn(engine->block[frame.n]);
        info->pages = block_end(engine, frame.n) - info->block.n;
    }
}

static bool array_check(const void *memory, bool (*stop)(void), struct page_violation *violation)
{
    const struct array_engine *engine = memory;
    bool stopped = stop();

    *violation = (struct page_violation){ stopped ? 0 : 42, pfn(7), "broken by hand" };
    return !stopped && !engine->broken;
}

static uint64_t array_count_free(void *memory, uint32_t areas)
{
    const struct array_engine *engine = memory;
    uint64_t n = 0;

    (void)areas;
    for (unsigned i = 0; i < FRAMES; i++)
        n += engine->state[i] == PAGE_FREE;
    return n;
}

static const struct page_engine array_engine = {
    .name = "array", .text = "An array of frames.", .memory_size = array_memory_size,
    .init = array_init, .alloc = array_alloc, .extend = array_extend, .free = array_free,
    .free_part = array_free_part,
    .reserve = array_reserve, .unreserve = array_unreserve, .query = array_query,
    .check = array_check, .count_free = array_count_free,
};

#endif
