/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_hot.h"

static bool spot_fresh(const struct page_tree *tree, const struct page_spot *spot)
{
    const struct page_chunk *chunk = spot->chunk;
    if (chunk == NULL)
        return tree->state[spot->place.chunk] & CHUNK_FRESH;
    if (spot->open || bitmap_test(chunk->mixed, spot->unit))
        return bitmap_test(chunk_leaf(chunk, spot->unit).fresh, spot->page);
    return bitmap_test(chunk->fresh, spot->unit);
}

static unsigned free_order(const struct page_spot *spot)
{
    if (spot->chunk == NULL)
        return MAX_ORDER;
    if (spot->open)
        return node_order_at(&spot->leaf, spot->page);
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

void tree_query(const struct page_tree *tree, uint64_t frame, struct page_info *info)
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
