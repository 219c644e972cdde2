/* SPDX-License-Identifier: MIT */
/* Questions. The common ones, of pages whose block lies in a word, look at nothing else. */
#include "kernel/mm/page_hot.h"
#include "kernel/mm/page_scan.h"

static bool spot_fresh(const struct page_tree *tree, const struct page_spot *spot)
{
    const struct page_chunk *chunk = spot->chunk;
    if (chunk == NULL)
        return tree->state[spot->place.chunk] & CHUNK_FRESH;
    if (spot->open || bitmap_test(chunk->mixed, spot->unit))
        return bitmap_test(chunk_leaf(chunk, spot->unit).fresh, spot->page);
    return bitmap_test(chunk->fresh, spot->unit);
}

/* Of a free page in a closed unit or chunk: in an open leaf query_run() has told. */
static unsigned free_order(const struct page_spot *spot)
{
    if (spot->chunk == NULL)
        return MAX_ORDER;
    ASSERT(!spot->open);
    struct page_node units = chunk_units(spot->chunk);
    return UNIT_SHIFT + node_order_at(&units, spot->unit);
}

static void describe(const struct page_tree *tree, const struct page_spot *spot, uint64_t frame,
                     struct page_info *info)
{
    info->area = spot->place.area->index;
    info->fresh = spot_fresh(tree, spot);
    if (spot->cell == CELL_FREE) {
        info->state = PAGE_FREE;
        info->pages = UINT64_C(1) << free_order(spot);
        info->block = pfn(align_down(frame, info->pages));
    } else if (spot->cell == CELL_RESERVED) {
        info->state = PAGE_RESERVED;
    } else {
        info->state = PAGE_ALLOCATED;
        info->block = pfn(spot->cell == CELL_HEAD ? frame : block_first(tree, spot, frame));
        info->pages = block_limit(tree, spot, frame) - info->block.n;
    }
}

static NOINLINE void query_any(const struct page_tree *tree, uint64_t frame,
                               struct page_info *info)
{
    struct page_spot spot;
    uint64_t limit;
    *info = (struct page_info){ .state = PAGE_UNMANAGED, .block = pfn(frame), .pages = 1 };
    if (!tree_spot(tree, frame, &spot))
        return;
    if (spot.cell == CELL_RESERVED && !tree_managed(tree, frame, &limit))
        return;
    describe(tree, &spot, frame, info);
}

static inline void info_free(struct page_info *info, uint64_t frame, bool fresh, unsigned order)
{
    uint64_t pages = UINT64_C(1) << order;
    info->state = PAGE_FREE;
    info->fresh = fresh;
    info->block = pfn(frame & -pages);
    info->pages = pages;
}

static inline void info_block(struct page_info *info, uint64_t first, uint64_t pages)
{
    info->state = PAGE_ALLOCATED;
    info->fresh = false;
    info->block = pfn(first);
    info->pages = pages;
}

/*
 * The ways below end in one another, so that the short ones have nothing to save, and none begins
 * anew what another has done: what is common is a page whose block or free run lies in its word, or
 * a closed unit.
 */

/* A page of an open leaf, in a block that reaches beyond its word. */
static NOINLINE void query_long(const struct page_tree *tree, uint64_t frame,
                                struct page_info *info, const struct page_chunk *chunk)
{
    unsigned unit = frame / UNIT_PAGES % CHUNK_UNITS, page = frame % UNIT_PAGES;
    struct page_node leaf = chunk_leaf(chunk, unit);
    uint64_t start = frame - page, first = node_last_edge(&leaf, page);
    uint64_t limit = start + node_next_edge(&leaf, page + 1);
    first = first < UNIT_PAGES ? start + first : reach_first(tree, chunk, unit);
    if (limit == start + UNIT_PAGES)
        limit = reach_limit(tree, chunk, unit + 1);
    info_block(info, first, limit - first);
}

/* A page of an open leaf, in a word that is wholly free or has reserved pages. */
static NOINLINE void query_run(const struct page_tree *tree, uint64_t frame,
                               struct page_info *info, const struct page_chunk *chunk)
{
    struct page_node leaf = chunk_leaf(chunk, frame / UNIT_PAGES % CHUNK_UNITS);
    unsigned page = frame % UNIT_PAGES;
    if (node_cell(&leaf, page) == CELL_FREE)
        info_free(info, frame, bitmap_test(leaf.fresh, page), node_order_at(&leaf, page));
    else
        query_any(tree, frame, info);
}

static inline void query_page(const struct page_tree *tree, uint64_t frame,
                                struct page_info *info, const struct page_chunk *chunk)
{
    const struct page_slab *slab = chunk->slab.at[frame / UNIT_PAGES / SLAB_LEAVES % SLABS];
    unsigned word = frame / WORD_BITS % (SLAB_LEAVES * NODE_WORDS), bit = frame % WORD_BITS;
    const struct page_pair *pair = &slab->pair[word];
    uint64_t edges = pair_edges(pair), behind = edges >> bit >> 1, before = edges << (63 - bit);
    info->area = chunk->area->index;
    if (pair->free >> bit & 1) {
        if ((pair->head >> bit & 1) || pair_free(pair) + 1 == 0)
            query_run(tree, frame, info, chunk);
        else
            info_free(info, frame, slab->fresh[word] >> bit & 1,
                      word_order_at(pair_free(pair), bit));
    } else if (behind == 0 || before == 0) {
        query_long(tree, frame, info, chunk);
    } else {
        uint64_t start = frame - (63 - bit_highest(before));
        info_block(info, start, frame + bit_lowest(behind) + 1 - start);
    }
}

/* A closed unit of which not all is alike: reserved, free and mixed, or of a block. */
static NOINLINE void query_closed(const struct page_tree *tree, uint64_t frame,
                                  struct page_info *info, const struct page_chunk *chunk)
{
    unsigned unit = frame / UNIT_PAGES % CHUNK_UNITS;
    if (chunk->pair[unit / WORD_BITS].free >> unit % WORD_BITS & 1) {
        query_any(tree, frame, info);
    } else {
        uint64_t first = reach_first(tree, chunk, unit + 1);
        info_block(info, first, reach_limit(tree, chunk, unit + 1) - first);
    }
}

/* A closed unit, free and not mixed, in a word of which not all is free. */
static NOINLINE void query_units(const struct page_tree *tree, uint64_t frame,
                                 struct page_info *info, const struct page_chunk *chunk)
{
    (void)tree;
    unsigned unit = frame / UNIT_PAGES % CHUNK_UNITS;
    uint64_t free = pair_free(&chunk->pair[unit / WORD_BITS]);
    info_free(info, frame, bitmap_test(chunk->fresh, unit),
              UNIT_SHIFT + word_order_at(free, unit % WORD_BITS));
}

static inline void query_unit(const struct page_tree *tree, uint64_t frame,
                                struct page_info *info, const struct page_chunk *chunk)
{
    unsigned unit = frame / UNIT_PAGES % CHUNK_UNITS, word = unit / WORD_BITS;
    uint64_t free = pair_free(&chunk->pair[word]);
    info->area = chunk->area->index;
    if (!((free & ~chunk->mixed[word]) >> unit % WORD_BITS & 1))
        query_closed(tree, frame, info, chunk);
    else if (free + 1 != 0)
        query_units(tree, frame, info, chunk);
    else
        info_free(info, frame, chunk->fresh[word] >> unit % WORD_BITS & 1,
                  UNIT_SHIFT + words_order_at(chunk->orders, word));
}

void tree_query(const struct page_tree *tree, uint64_t frame, struct page_info *info)
{
    const struct page_chunk *chunk = tree_chunk(tree, frame);
    if (chunk == NULL)
        query_any(tree, frame, info);
    else if (bitmap_test(chunk->open, frame / UNIT_PAGES % CHUNK_UNITS))
        query_page(tree, frame, info, chunk);
    else
        query_unit(tree, frame, info, chunk);
}

static NOINLINE void query_flushed(struct page_tree *tree, uint64_t frame, struct page_info *info)
{
    hot_flush(tree);
    tree_query(tree, frame, info);
}

void page_query(void *engine, pfn_t frame, struct page_info *info)
{
    struct page_tree *tree = engine;
    if (hot_pending(&tree->hot))
        query_flushed(tree, frame.n, info);
    else
        tree_query(tree, frame.n, info);
}

uint64_t page_run(void *engine, pfn_t from, pfn_t limit, struct page_info *info)
{
    hot_settle(engine);
    return tree_run(engine, from.n, limit.n, info);
}

uint64_t tree_run(const struct page_tree *tree, uint64_t from, uint64_t limit,
                  struct page_info *info)
{
    uint64_t end;
    bool managed = tree_managed(tree, from, &end);
    tree_query(tree, from, info);
    end = end < limit ? end : limit;
    if (!managed)
        return end - from;
    if (info->state == PAGE_ALLOCATED) {
        uint64_t block_end = info->block.n + info->pages;
        return (block_end < limit ? block_end : limit) - from;
    }
    const struct page_area *area = &tree->area[info->area];
    end = end < area->limit ? end : area->limit;
    enum page_cell cell = info->state == PAGE_FREE ? CELL_FREE : CELL_RESERVED;
    return scan_end(tree, from, end, cell, info->fresh ? FRESH_ONLY : FRESH_NONE) - from;
}

static void count_chunk(const struct page_chunk *chunk, struct page_area_info *info)
{
    struct page_node units = chunk_units(chunk);
    node_count_runs(&units, &info->free_blocks[UNIT_SHIFT]);
    for (unsigned w = 0; w < NODE_WORDS; w++)
        for (uint64_t open = chunk->open[w]; open != 0; open &= open - 1) {
            struct page_node leaf = chunk_leaf(chunk, w * WORD_BITS + bit_lowest(open));
            node_count_runs(&leaf, info->free_blocks);
        }
}

uint64_t page_count_free(void *engine, uint32_t areas)
{
    struct page_tree *tree = engine;
    uint64_t free = 0;

    hot_settle(tree);
    for (unsigned i = 0; i < tree->nareas; i++)
        free += (areas >> i & 1) != 0 ? tree->area[i].free : 0;
    return free;
}

bool page_area_info(void *engine, unsigned index, struct page_area_info *info)
{
    struct page_tree *tree = engine;
    hot_settle(tree);
    if (index >= tree->nareas)
        return false;
    const struct page_area *area = &tree->area[index];
    *info = (struct page_area_info){
        .name = area->name, .first = pfn(area->first), .limit = pfn(area->limit),
        .managed = area->managed, .free = area->free, .reserved = area->reserved,
        .allocated = area->managed - area->free - area->reserved,
    };
    for (uint32_t c = area->chunk; c < area->chunk + area->chunks; c++) {
        if (tree->node[c] != NULL)
            count_chunk(tree->node[c], info);
        else if ((tree->state[c] & CHUNK_CELL) == CELL_FREE)
            info->free_blocks[MAX_ORDER]++;
    }
    return true;
}
