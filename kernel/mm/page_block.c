/* SPDX-License-Identifier: MIT */
/*
 * One naturally aligned block, straight to its place: what most requests are, and what the bound on
 * the cost of an operation is about (page.h).
 */
#include "kernel/mm/page_hot.h"

/* ---- Alloc ---- */

/* Blocks of a word can be hot; those of whole words are too rare. */
static inline bool is_part_of_word(unsigned order) { return order < WORD_ORDERS; }

/* From an open leaf of `class`, in it the lowest slot. */
static void leaf_alloc(struct page_tree *tree, struct page_area *area, unsigned class,
                       unsigned order, pfn_t *out)
{
    struct page_place *place = &tree->hot.place;
    struct page_chunk *chunk = best_leaf(tree, area, class, place);
    unsigned unit = place->offset / UNIT_PAGES;
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    unsigned word = node_find_word(*leaf.orders, order), page = word * WORD_BITS;
    if (is_part_of_word(order)) {
        uint64_t slots = word_runs(node_free_bits(leaf.pages, word), order);
        place->offset += page;
        hot_set(&tree->hot, slots, order, 0);
        page += bit_lowest(slots);
    }
    if (page == 0)
        bitmap_clear(chunk->lead, unit);
    area->free -= UINT64_C(1) << order;
    *out = pfn(chunk->first + unit * UNIT_PAGES + page);
    if (node_take(leaf.pages, leaf.orders, page, order))
        leaf_class(place, chunk, unit);
    change_end(tree);
}

uint64_t best_units(const struct page_tree *tree, struct page_area *area, unsigned class,
                    unsigned order, struct page_place *place)
{
    unsigned k = order > UNIT_SHIFT ? order - UNIT_SHIFT : 0;
    uint32_t index = area->chunk + bitset_lowest(area_row(area, class), &area->shape);
    const struct page_chunk *chunk = tree->node[index];
    uint64_t first = chunk != NULL ? chunk->first : tree_span_first(tree, index);
    unsigned word = chunk != NULL ? node_find_word(chunk->orders, k) : 0, unit = word * WORD_BITS;
    uint64_t slots = 0;
    if (is_part_of_word(k)) {
        slots = chunk != NULL ? word_runs(node_free_bits(&chunk->units, word), k) : run_starts(k);
        unit += bit_lowest(slots);
    }
    *place = (struct page_place){ area, first, index, unit * UNIT_PAGES };
    return slots;
}

/* From free units. Below their size, the first page of one is what makes its leaf hot. */
static enum error units_alloc(struct page_tree *tree, struct page_area *area, unsigned class,
                              unsigned order, pfn_t *out)
{
    struct page_place *place = &tree->hot.place;
    uint64_t slots = best_units(tree, area, class, order, place);
    enum error error = place_secure(tree, place, order);
    if (error != OK)
        return error;
    *out = pfn(place->first + place->offset);
    place_take(tree, place, order);
    if (is_part_of_word(order)) {
        hot_set(&tree->hot, run_starts(order), order, 0);
    } else if (order >= UNIT_SHIFT && slots != 0) {
        place->offset &= ~(WORD_BITS * UNIT_PAGES - 1);
        hot_set(&tree->hot, slots, order - UNIT_SHIFT, UNIT_SHIFT);
    }
    return OK;
}

enum error block_alloc(struct page_tree *tree, const struct page_request *request, pfn_t *out)
{
    unsigned order = request->align;
    hot_drop(tree);
    tree->hot.areas = request->areas;
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = &tree->area[tree->scan[i]];
        uint32_t classes = area->available >> order;
        if (!(request->areas >> tree->scan[i] & 1) || classes == 0)
            continue;
        unsigned class = order + bit_lowest(classes);
        if (class >= LEAF_CLASSES)
            return units_alloc(tree, area, class, order, out);
        leaf_alloc(tree, area, class, order, out);
        return OK;
    }
    return E_MEM_NONE;
}

/* ---- Free ---- */

/* True if the first page of a unit continues the block before it. */
static bool unit_continues(const struct page_chunk *chunk, unsigned unit)
{
    if (bitmap_test(chunk->open, unit))
        return node_cell(chunk_leaf(chunk, unit).pages, 0) == CELL_CONTINUED;
    return node_cell(&chunk->units, unit) == CELL_CONTINUED;
}

/* The entries of the block that begins at `entry`, as far as the node tells; 0: none does. */
static inline unsigned node_block(const struct page_node *node, unsigned entry)
{
    const struct page_pair *pair = &node->pair[entry / WORD_BITS];
    if (!((pair->head & ~pair->free) >> entry % WORD_BITS & 1))
        return 0;
    return node_next_edge(node, entry + 1) - entry;
}

/* True if `length` entries from `entry` on make a block of some order. */
static inline bool is_natural(unsigned entry, unsigned length)
{
    return length != 0 && ((entry | length) & (length - 1)) == 0;
}

/* Why `frame` is not part of an allocated block. */
enum error not_allocated(const struct page_tree *tree, uint64_t frame, enum page_cell cell)
{
    uint64_t limit;
    if (cell == CELL_FREE)
        return E_MEM_FREE;
    return tree_managed(tree, frame, &limit) ? E_MEM_RESERVED : E_MEM_UNMANAGED;
}

/* Any block, and what is none. */
static enum error free_any(struct page_tree *tree, const struct page_place *place, uint64_t first,
                           uint64_t *pages)
{
    struct page_spot spot = { .place = *place };
    place_spot(tree, &spot);
    if (spot.cell == CELL_CONTINUED)
        return E_MEM_INSIDE;
    if (spot.cell != CELL_HEAD)
        return not_allocated(tree, first, spot.cell);
    uint64_t length = block_limit(tree, &spot, first) - first;
    *pages = length;
    if (is_power_of_two(length) && is_aligned(first, length))
        place_give(tree, place, bit_lowest(length));
    else
        tree_change(tree, first, first + length, CHANGE_GIVE);
    return OK;
}

enum error block_free(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_place place;
    hot_drop(tree);
    if (!tree_find(tree, first, &place))
        return E_MEM_UNMANAGED;
    struct page_chunk *chunk = tree->node[place.chunk];
    unsigned unit = place.offset / UNIT_PAGES, page = place.offset % UNIT_PAGES;
    if (chunk == NULL || !bitmap_test(chunk->open, unit))
        return free_any(tree, &place, first, pages);
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    unsigned length = node_block(leaf.pages, page), next = unit + 1;
    if (!is_natural(page, length))
        return free_any(tree, &place, first, pages);
    if (page + length == UNIT_PAGES && (next == CHUNK_UNITS || unit_continues(chunk, next)))
        return free_any(tree, &place, first, pages);
    if (page == 0)
        bitmap_set(chunk->lead, unit);
    *pages = length;
    place.area->free += length;
    if (node_give(leaf.pages, leaf.orders, page, bit_lowest(length)))
        leaf_given(tree, &place, chunk, unit);
    change_end(tree);
    return OK;
}
