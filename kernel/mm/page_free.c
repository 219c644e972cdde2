/* SPDX-License-Identifier: MIT */
/* A block is given back: as page_block.c, and within the same bound. */
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"

/* Why `frame` is not part of an allocated block. */
enum error not_allocated(const struct page_tree *tree, uint64_t frame, enum page_cell cell)
{
    uint64_t limit;
    if (cell == CELL_FREE)
        return E_MEM_FREE;
    return tree_managed(tree, frame, &limit) ? E_MEM_RESERVED : E_MEM_UNMANAGED;
}

/* A block of any length, and what is none. */
static NOINLINE enum error free_any(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_spot spot;
    hot_drop(tree);
    if (!tree_spot(tree, first, &spot))
        return E_MEM_UNMANAGED;
    if (spot.cell == CELL_CONTINUED)
        return E_MEM_INSIDE;
    if (spot.cell != CELL_HEAD)
        return not_allocated(tree, first, spot.cell);
    *pages = block_limit(tree, &spot, first) - first;
    tree_change(tree, first, first + *pages, CHANGE_GIVE);
    return OK;
}

/* The word of `page`, in an open leaf, now holds a larger free run, of that order. */
static NOINLINE enum error free_larger(struct page_tree *tree, struct page_chunk *chunk,
                                       unsigned page, unsigned order)
{
    unsigned unit = page / UNIT_PAGES;
    uint8_t *class = chunk_leaf_class(chunk, unit);
    uint64_t *orders = chunk_leaf(chunk, unit).orders;
    orders_add(orders, page / WORD_BITS % NODE_WORDS, order);
    if (*orders == ALL_FREE)
        return leaf_empty(tree, chunk, unit);
    if (*class == NO_ORDER && order < WORD_ORDERS) {
        *class = (uint8_t)order;
        leaf_enter(chunk, unit, order);
    } else if (order > *class || order == WORD_ORDERS) {
        return leaf_changed(tree, chunk, unit);
    }
    return change_end(tree);
}

/* True if `length` entries from `entry` on make a block of some order. */
static inline bool is_natural(unsigned entry, unsigned length)
{
    return ((entry | length) & (length - 1)) == 0;
}

/* A block of an open leaf that reaches the end of its word. */
static NOINLINE enum error free_long(struct page_tree *tree, struct page_chunk *chunk,
                                     uint64_t first, uint64_t *pages)
{
    unsigned page = (uint32_t)first % UNIT_PAGES, unit = (uint32_t)first / UNIT_PAGES % CHUNK_UNITS;
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned end = node_edge_words(&leaf, page / WORD_BITS + 1), length = end - page;
    if (!is_natural(page, length)
        || (end == UNIT_PAGES && unit_continues(tree, chunk, unit + 1)))
        return free_any(tree, first, pages);
    *pages = length;
    chunk->area->free += length;
    if (page == 0)
        bitmap_set(chunk->lead, unit);
    if (length >= WORD_BITS)
        node_give_words(&leaf, page / WORD_BITS, bit_lowest(length));
    else
        (void)node_give(&leaf, page, bit_lowest(length));
    return *leaf.orders == ALL_FREE ? leaf_empty(tree, chunk, unit)
                                    : leaf_changed(tree, chunk, unit);
}

/* A block of whole units. */
static NOINLINE enum error free_units(struct page_tree *tree, struct page_chunk *chunk,
                                      uint64_t first, uint64_t *pages)
{
    struct page_node units = chunk_units(chunk);
    unsigned unit = (uint32_t)first / UNIT_PAGES % CHUNK_UNITS;
    if (first % UNIT_PAGES != 0 || node_cell(&units, unit) != CELL_HEAD)
        return free_any(tree, first, pages);
    unsigned end = node_next_edge(&units, unit + 1), length = end - unit;
    bool ends = end < CHUNK_UNITS && !bitmap_test(chunk->open, end);
    if (!is_natural(unit, length) || (!ends && unit_continues(tree, chunk, end)))
        return free_any(tree, first, pages);
    *pages = (uint64_t)length * UNIT_PAGES;
    chunk->area->free += *pages;
    return node_give(&units, unit, bit_lowest(length)) ? chunk_given(tree, chunk)
                                                       : change_end(tree);
}

/* A block that is a chunk, or nothing that is known of. */
static NOINLINE enum error free_chunk(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_place place;
    if (!tree_find(tree, first, &place) || place.offset != 0
        || (tree->state[place.chunk] & CHUNK_CELL) != CELL_HEAD)
        return free_any(tree, first, pages);
    *pages = CHUNK_PAGES;
    place.area->free += CHUNK_PAGES;
    tree->state[place.chunk] = CELL_FREE;
    row_add(place.area, place.chunk, MAX_ORDER);
    return change_end(tree);
}

/*
 * A block of an open leaf. Nothing is called on the common way, and what is rare computes anew, so
 * that nothing is to be saved.
 */
static inline enum error free_page(struct page_tree *tree, struct page_chunk *chunk,
                                     uint64_t *pages, uint64_t first)
{
    struct page_slab *slab = chunk->slab.at[first / UNIT_PAGES / SLAB_LEAVES % SLABS];
    struct page_pair *pair = &slab->pair[first / WORD_BITS % (SLAB_LEAVES * NODE_WORDS)];
    unsigned bit = (uint32_t)first % WORD_BITS;
    if (!((pair->head & ~pair->free) >> bit & 1))
        return free_any(tree, first, pages);
    uint64_t behind = pair_edges(pair) >> bit >> 1;
    if (behind == 0)
        return free_long(tree, chunk, first, pages);
    unsigned length = bit_lowest(behind) + 1;
    if (!is_natural(bit, length))
        return free_any(tree, first, pages);
    unsigned order = word_give(pair, bit, behind ^ (behind - 1));
    *pages = length;
    chunk->area->free += length;
    if (first % UNIT_PAGES == 0)
        bitmap_set(chunk->lead, (uint32_t)first / UNIT_PAGES % CHUNK_UNITS);
    if (orders_tell(slab->orders[first / UNIT_PAGES % SLAB_LEAVES],
                    first / WORD_BITS % NODE_WORDS, order))
        return change_end(tree);
    return free_larger(tree, chunk, first % CHUNK_PAGES, order);
}

/* block_free() in the chunk of the hot word. */
static NOINLINE enum error free_hot(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    hot_drop(tree);
    return block_free(tree, first, pages);
}

enum error block_free(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_chunk *chunk = tree_chunk(tree, first);
    tree->hot.pages = UINT64_MAX;
    if (chunk == NULL)
        return free_chunk(tree, first, pages);
    if (chunk == tree->hot.chunk)
        return free_hot(tree, first, pages);
    return bitmap_test(chunk->open, first / UNIT_PAGES % CHUNK_UNITS)
           ? free_page(tree, chunk, pages, first) : free_units(tree, chunk, first, pages);
}
