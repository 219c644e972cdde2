/* SPDX-License-Identifier: MIT */
/*
 * Finding one's way: from a frame to its place in the tree, to its block, and to the nodes that a
 * change of it needs.
 */
#include "kernel/mm/page_tree.h"

uint64_t tree_piece(const struct page_tree *tree, uint64_t first, uint64_t limit,
                    struct page_place *place)
{
    bool found = tree_find(tree, first, place);
    ASSERT(found);
    uint64_t end = align_down(first, CHUNK_PAGES) + CHUNK_PAGES;
    end = end < place->area->limit ? end : place->area->limit;
    return end < limit ? end : limit;
}

uint64_t tree_span_first(const struct page_tree *tree, uint32_t chunk)
{
    const struct page_span *span = tree->span;
    for (size_t n = tree->nspans; n > 1; n -= n / 2)
        if (span[n / 2].chunk <= chunk)
            span += n / 2;
    /* Chunk numbers are below 2^22. */
    return (uint64_t)(chunk - span->skew) << CHUNK_SHIFT;
}

bool tree_managed(const struct page_tree *tree, uint64_t frame, uint64_t *limit)
{
    size_t below = 0, above = tree->nranges;   /* ranges below begin at or before the frame */
    while (below < above) {
        size_t middle = below + (above - below) / 2;
        if (tree->range[middle].first <= frame)
            below = middle + 1;
        else
            above = middle;
    }
    if (below > 0 && frame < tree->range[below - 1].limit) {
        *limit = tree->range[below - 1].limit;
        return true;
    }
    *limit = below < tree->nranges ? tree->range[below].first : PFN_LIMIT;
    return false;
}

/* ---- Nodes in advance ---- */

/* Pages that opening leaves for the pages from..to-1 of a chunk takes. */
static unsigned chunk_needs(const struct page_tree *tree, uint32_t chunk, uint32_t from,
                            uint32_t to)
{
    if (to - from == CHUNK_PAGES)
        return 0;
    bool has_node = tree->node[chunk] != NULL;
    uint32_t slabs = has_node ? tree->node[chunk]->slabs : 0, wanted = 0;
    if (from % UNIT_PAGES != 0)
        wanted |= UINT32_C(1) << from / UNIT_PAGES / SLAB_LEAVES;
    if (to % UNIT_PAGES != 0)
        wanted |= UINT32_C(1) << to / UNIT_PAGES / SLAB_LEAVES;
    return bits_count(wanted & ~slabs) + !has_node;
}

uint64_t stock_count(const struct page_tree *tree, uint64_t enough)
{
    uint64_t pages = 0;
    const struct page_stock *stock = tree->stock;
    for (; stock != NULL && pages < enough; stock = stock->next)
        pages += 1 + bits_count(stock->slabs);
    return pages;
}

void stock_trim(struct page_tree *tree, uint64_t pages)
{
    for (; pages > 0 && tree->stock != NULL; pages--) {
        tree->held--;
        tree->nodes.give(tree->nodes.context, stock_take(tree));
    }
}

enum error change_trim(struct page_tree *tree)
{
    stock_trim(tree, TRIM_PAGES);
    return OK;
}

enum error stock_fill(struct page_tree *tree, uint64_t pages)
{
    if (tree->stock != NULL) {
        uint64_t stocked = stock_count(tree, pages);
        pages -= stocked < pages ? stocked : pages;
    }
    for (uint64_t taken = 0; taken < pages; taken++) {
        void *page = tree->nodes.take(tree->nodes.context);
        if (page == NULL) {
            stock_trim(tree, taken);
            return E_MEM_METADATA;
        }
        tree->held++;
        stock_put(tree, page);
    }
    return OK;
}

enum error tree_secure(struct page_tree *tree, uint64_t first, uint64_t limit)
{
    unsigned pages = 0;
    while (first < limit) {
        struct page_place place;
        uint64_t end = tree_piece(tree, first, limit, &place);
        pages += chunk_needs(tree, place.chunk, place.offset,
                             place.offset + (uint32_t)(end - first));
        first = end;
    }
    return stock_fill(tree, pages);
}

void tree_release(struct page_tree *tree)
{
    for (uint32_t c = 0; c < tree->chunks; c++) {
        struct page_chunk *chunk = tree->node[c];
        if (chunk == NULL)
            continue;
        for (unsigned s = 0; s < SLABS; s++)
            if (chunk->slabs >> s & 1)
                tree->nodes.give(tree->nodes.context, slab_page(chunk->slab.at[s]));
        tree->nodes.give(tree->nodes.context, chunk);
        tree->node[c] = NULL;
        tree->state[c] = CELL_RESERVED;
    }
    stock_trim(tree, UINT64_MAX);
    tree->held = 0;
}

/* ---- Blocks ---- */

void place_spot(const struct page_tree *tree, struct page_spot *spot)
{
    const struct page_chunk *chunk = tree->node[spot->place.chunk];
    spot->unit = spot->place.offset / UNIT_PAGES;
    spot->page = spot->place.offset % UNIT_PAGES;
    spot->chunk = chunk;
    spot->open = chunk != NULL && bitmap_test(chunk->open, spot->unit);
    if (spot->open) {
        spot->leaf = chunk_leaf(chunk, spot->unit);
        spot->cell = node_cell(&spot->leaf, spot->page);
        return;
    }
    if (chunk != NULL) {
        struct page_node units = chunk_units(chunk);
        spot->cell = node_cell(&units, spot->unit);
    } else {
        spot->cell = (enum page_cell)(tree->state[spot->place.chunk] & CHUNK_CELL);
    }
    /* The head of a larger entry is its first page; the pages behind continue the block. */
    unsigned within = chunk != NULL ? spot->page : spot->place.offset;
    if (spot->cell == CELL_HEAD && within != 0)
        spot->cell = CELL_CONTINUED;
}

bool tree_spot(const struct page_tree *tree, uint64_t frame, struct page_spot *spot)
{
    if (!tree_find(tree, frame, &spot->place))
        return false;
    place_spot(tree, spot);
    return true;
}

bool unit_continues(const struct page_tree *tree, const struct page_chunk *chunk, unsigned unit)
{
    if (unit == CHUNK_UNITS) {
        const struct page_area *area = chunk->area;
        const struct page_chunk *next = chunk->index + 1 < area->chunk + area->chunks
                                        ? tree->node[chunk->index + 1] : NULL;
        return next != NULL && next->first == chunk->first + CHUNK_PAGES
               && unit_continues(tree, next, 0);
    }
    bool open = bitmap_test(chunk->open, unit);
    struct page_node node = open ? chunk_leaf(chunk, unit) : chunk_units(chunk);
    return node_cell(&node, open ? 0 : unit) == CELL_CONTINUED;
}

/* The page of the chunk, from unit `unit` on, at which a block that reaches it ends. */
static uint64_t chunk_edge(const struct page_chunk *chunk, unsigned unit)
{
    struct page_node units = chunk_units(chunk);
    for (; unit < CHUNK_UNITS; unit++) {
        unit = node_next_edge(&units, unit);
        if (unit == CHUNK_UNITS || !bitmap_test(chunk->open, unit))
            break;
        struct page_node leaf = chunk_leaf(chunk, unit);
        unsigned page = node_next_edge(&leaf, 0);
        if (page < UNIT_PAGES)
            return unit * UNIT_PAGES + page;
    }
    return unit * UNIT_PAGES;
}

uint64_t reach_limit(const struct page_tree *tree, const struct page_chunk *chunk, unsigned unit)
{
    uint64_t pages = chunk_edge(chunk, unit), limit = chunk->first + pages;
    if (pages < CHUNK_PAGES)
        return limit;
    /* It may go on in the next chunk, but not to its end: a block has 2^18 pages at most. */
    const struct page_area *area = chunk->area;
    uint32_t next = chunk->index + 1;
    if (next == area->chunk + area->chunks || tree->node[next] == NULL
        || tree->node[next]->first != limit)
        return limit;
    return limit + chunk_edge(tree->node[next], 0);
}

uint64_t block_limit(const struct page_tree *tree, const struct page_spot *spot, uint64_t frame)
{
    if (spot->chunk == NULL)
        return frame - spot->place.offset + CHUNK_PAGES;
    if (spot->open) {
        unsigned page = node_next_edge(&spot->leaf, spot->page + 1);
        if (page < UNIT_PAGES)
            return frame - spot->page + page;
    }
    return reach_limit(tree, spot->chunk, spot->unit + 1);
}

/* The page of the chunk, up to unit `unit`, at which a block that continues behind it begins. */
static uint64_t chunk_head(const struct page_chunk *chunk, unsigned unit)
{
    struct page_node units = chunk_units(chunk);
    for (;;) {
        unit = node_last_edge(&units, unit);
        if (unit == CHUNK_UNITS)
            return CHUNK_PAGES;
        if (!bitmap_test(chunk->open, unit))
            return unit * UNIT_PAGES;
        struct page_node leaf = chunk_leaf(chunk, unit);
        unsigned page = node_last_edge(&leaf, UNIT_PAGES - 1);
        if (page < UNIT_PAGES)
            return unit * UNIT_PAGES + page;
        if (unit-- == 0)
            return CHUNK_PAGES;
    }
}

uint64_t reach_first(const struct page_tree *tree, const struct page_chunk *chunk, unsigned unit)
{
    uint64_t page = unit > 0 ? chunk_head(chunk, unit - 1) : CHUNK_PAGES;
    if (page < CHUNK_PAGES)
        return chunk->first + page;
    const struct page_chunk *previous = tree_chunk(tree, chunk->first - 1);
    ASSERT(previous != NULL);
    return previous->first + chunk_head(previous, CHUNK_UNITS - 1);
}

uint64_t block_first(const struct page_tree *tree, const struct page_spot *spot, uint64_t frame)
{
    if (spot->chunk == NULL)
        return frame - spot->place.offset;
    if (!spot->open)
        return reach_first(tree, spot->chunk, spot->unit + 1);
    unsigned page = node_last_edge(&spot->leaf, spot->page);
    return page < UNIT_PAGES ? frame - spot->page + page
                             : reach_first(tree, spot->chunk, spot->unit);
}
