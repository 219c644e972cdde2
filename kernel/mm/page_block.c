/* SPDX-License-Identifier: MIT */
/*
 * One naturally aligned block, straight to its place: what most requests are, and what the bound on
 * the cost of an operation is about (page.h).
 */
#include "kernel/mm/page_hot.h"

/* ---- Alloc ---- */

/* Blocks of a word can be hot; those of whole words are too rare. */
static inline bool is_part_of_word(unsigned order) { return order < WORD_ORDERS; }

/* A block of whole words from the leaf of `unit`. */
static NOINLINE enum error words_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                       unsigned unit, unsigned order, pfn_t *out)
{
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned word = node_find_word(*leaf.orders, order);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(chunk->first + unit * UNIT_PAGES + word * WORD_BITS);
    if (word == 0)
        bitmap_clear(chunk->lead, unit);
    node_take_words(&leaf, word, order);
    leaf_class(chunk, unit);
    change_end(tree);
    return OK;
}

/* What is left to do when the largest free run of a leaf is gone, or there is stock. */
static NOINLINE enum error alloc_settle(struct page_tree *tree, struct page_chunk *chunk,
                                        unsigned unit)
{
    leaf_class(chunk, unit);
    change_end(tree);
    return OK;
}

/* From the lowest open leaf of `class`, in it the lowest slot. */
static NOINLINE enum error leaf_alloc(struct page_tree *tree, const struct page_area *area,
                                      unsigned class, unsigned order, pfn_t *out)
{
    struct page_chunk *chunk = tree->node[best_chunk(area, class)];
    unsigned unit = best_leaf(chunk, class);
    if (!is_part_of_word(order))
        return words_alloc(tree, chunk, unit, order, out);
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned word = node_find_word(*leaf.orders, order);
    uint64_t first = chunk->first + unit * UNIT_PAGES + word * WORD_BITS;
    uint64_t free = node_free_bits(&leaf, word), slots = word_runs(free, order);
    unsigned bit = bit_lowest(slots);
    hot_set(&tree->hot, chunk, first, slots, order);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(first + bit);
    word_take(&leaf, word, bit, order);
    if ((word | bit) == 0)
        bitmap_clear(chunk->lead, unit);
    /* As long as the word has another run of the leaf's class, no summary changes. */
    if (class == order && tree->hot.free != 0)
        return OK;
    orders_write(leaf.orders, word, word_orders(free & ~(run_bits(order) << bit)));
    if (class <= WORD_ORDERS && (*leaf.orders >> class & EACH_WORD) != 0)
        return OK;
    return alloc_settle(tree, chunk, unit);
}

uint64_t best_units(const struct page_tree *tree, struct page_area *area, unsigned class,
                    unsigned order, struct page_place *place)
{
    unsigned k = order > UNIT_SHIFT ? order - UNIT_SHIFT : 0, word = 0;
    uint32_t index = best_chunk(area, class);
    const struct page_chunk *chunk = tree->node[index];
    uint64_t first, slots = is_part_of_word(k) ? run_starts(k) : 1;
    if (chunk == NULL) {
        first = tree_span_first(tree, index);
    } else {
        first = chunk->first;
        word = node_find_word(chunk->orders, k);
        if (is_part_of_word(k))
            slots = word_runs(pair_free(&chunk->pair[word]), k);
    }
    uint32_t unit = word * WORD_BITS + (is_part_of_word(k) ? bit_lowest(slots) : 0);
    *place = (struct page_place){ area, first, index, unit * UNIT_PAGES };
    return slots;
}

/* From free units. Below their size, the block opens one and is the first in it. */
static NOINLINE enum error units_alloc(struct page_tree *tree, struct page_area *area,
                                       unsigned class, unsigned order, pfn_t *out)
{
    struct page_place place;
    uint64_t slots = best_units(tree, area, class, order, &place);
    uint64_t first = place.first + place.offset;
    enum error error = place_secure(tree, &place, order);
    if (error != OK)
        return error;
    *out = pfn(first);
    place_take(tree, &place, order);
    if (is_part_of_word(order))
        hot_set(&tree->hot, tree->node[place.chunk], first, run_starts(order), order);
    else if (order >= UNIT_SHIFT && is_part_of_word(order - UNIT_SHIFT))
        hot_set(&tree->hot, tree->node[place.chunk], align_down(first, WORD_BITS * UNIT_PAGES),
                slots, order);
    return OK;
}

enum error block_alloc(struct page_tree *tree, const struct page_request *request, pfn_t *out)
{
    unsigned order = request->align;
    hot_forget(&tree->hot);
    tree->hot.areas = request->areas;
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = &tree->area[tree->scan[i]];
        uint32_t classes = area->available >> order;
        if (!(request->areas >> tree->scan[i] & 1) || classes == 0)
            continue;
        unsigned class = order + bit_lowest(classes);
        return class < LEAF_CLASSES ? leaf_alloc(tree, area, class, order, out)
                                    : units_alloc(tree, area, class, order, out);
    }
    return E_MEM_NONE;
}

/* ---- Free ---- */

/* Why `frame` is not part of an allocated block. */
enum error not_allocated(const struct page_tree *tree, uint64_t frame, enum page_cell cell)
{
    uint64_t limit;
    if (cell == CELL_FREE)
        return E_MEM_FREE;
    return tree_managed(tree, frame, &limit) ? E_MEM_RESERVED : E_MEM_UNMANAGED;
}

/* Any block, and what is none. */
static NOINLINE enum error free_any(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_spot spot;
    if (!tree_spot(tree, first, &spot))
        return E_MEM_UNMANAGED;
    if (spot.cell == CELL_CONTINUED)
        return E_MEM_INSIDE;
    if (spot.cell != CELL_HEAD)
        return not_allocated(tree, first, spot.cell);
    uint64_t length = block_limit(tree, &spot, first) - first;
    *pages = length;
    if (is_power_of_two(length) && is_aligned(first, length))
        place_give(tree, &spot.place, bit_lowest(length));
    else
        tree_change(tree, first, first + length, CHANGE_GIVE);
    return OK;
}

/* The word of `page`, in an open leaf, holds a larger free run than before. */
static NOINLINE enum error free_larger(struct page_tree *tree, struct page_chunk *chunk,
                                       unsigned page)
{
    unsigned unit = page / UNIT_PAGES, word = page / WORD_BITS % NODE_WORDS;
    struct page_node leaf = chunk_leaf(chunk, unit);
    *leaf.orders |= word_orders_at(node_free_bits(&leaf, word), page % WORD_BITS) << word * 8;
    leaf_given(tree, chunk, unit);
    change_end(tree);
    return OK;
}

static NOINLINE enum error free_trim(struct page_tree *tree)
{
    change_end(tree);
    return OK;
}

/* True if the first page of a unit continues the block before it. */
static bool unit_continues(const struct page_chunk *chunk, unsigned unit)
{
    struct page_node units = chunk_units(chunk);
    if (!bitmap_test(chunk->open, unit))
        return node_cell(&units, unit) == CELL_CONTINUED;
    struct page_node leaf = chunk_leaf(chunk, unit);
    return node_cell(&leaf, 0) == CELL_CONTINUED;
}

/* A block of an open leaf that reaches the end of its word. */
static NOINLINE enum error free_long(struct page_tree *tree, struct page_chunk *chunk,
                                      uint64_t first, uint64_t *pages)
{
    unsigned page = (uint32_t)first % UNIT_PAGES, unit = (uint32_t)first / UNIT_PAGES % CHUNK_UNITS;
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned end = node_edge_words(&leaf, page / WORD_BITS + 1), length = end - page;
    if (((page | length) & (length - 1)) != 0
        || (end == UNIT_PAGES && (unit + 1 == CHUNK_UNITS || unit_continues(chunk, unit + 1))))
        return free_any(tree, first, pages);
    *pages = length;
    chunk->area->free += length;
    if (page == 0)
        bitmap_set(chunk->lead, unit);
    (void)node_give(&leaf, page, bit_lowest(length));
    leaf_given(tree, chunk, unit);
    change_end(tree);
    return OK;
}

/*
 * A block of an open leaf. Nothing is called on the common way, and what is rare computes anew, so
 * that nothing is to be saved.
 */
static NOINLINE enum error free_page(struct page_tree *tree, struct page_chunk *chunk,
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
    if (((bit | length) & (length - 1)) != 0)
        return free_any(tree, first, pages);
    *pages = length;
    chunk->area->free += length;
    if (first % UNIT_PAGES == 0)
        bitmap_set(chunk->lead, first / UNIT_PAGES % CHUNK_UNITS);
    uint64_t orders = slab->orders[first / UNIT_PAGES % SLAB_LEAVES];
    if (word_give(pair, bit, behind ^ (behind - 1), orders >> first / WORD_BITS % NODE_WORDS * 8))
        return free_larger(tree, chunk, first % CHUNK_PAGES);
    return tree->stock != NULL ? free_trim(tree) : OK;
}

enum error block_free(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_chunk *chunk = tree_chunk(tree, first);
    hot_forget(&tree->hot);
    if (chunk == NULL || !bitmap_test(chunk->open, first / UNIT_PAGES % CHUNK_UNITS))
        return free_any(tree, first, pages);
    return free_page(tree, chunk, pages, first);
}
