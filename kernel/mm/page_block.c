/* SPDX-License-Identifier: MIT */
/*
 * One naturally aligned block, straight to its place: what most requests are, and what the bound on
 * the cost of an operation is about (page.h).
 */
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"
#include "kernel/mm/page_scan.h"

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

static NOINLINE enum error block_trim(struct page_tree *tree)
{
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

/* The second block of an order in a row makes its word hot. */
static NOINLINE void leaf_hot(struct page_tree *tree, struct page_chunk *chunk, uint64_t first,
                              unsigned class, unsigned order, uint64_t slots)
{
    struct page_node leaf = chunk_leaf(chunk, (uint32_t)first / UNIT_PAGES % CHUNK_UNITS);
    unsigned word = (uint32_t)first / WORD_BITS % NODE_WORDS;
    hot_settle(tree);
    hot_set(&tree->hot, chunk, first, order, hot_slots(&leaf, word, class, slots),
            slots & (slots - 1), leaf.fresh[word]);
}

/* From the lowest open leaf of `class`, in it the lowest slot. */
static NOINLINE enum error leaf_alloc(struct page_tree *tree, const struct page_area *area,
                                      unsigned class, unsigned order, pfn_t *out)
{
    struct page_chunk *chunk = tree->node[best_chunk(area, class)];
    unsigned unit = best_leaf(chunk, class);
    hot_leave(tree, chunk);
    if (!is_part_of_word(order))
        return words_alloc(tree, chunk, unit, order, out);
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned word = node_find_word(*leaf.orders, order);
    uint64_t first = chunk->first + unit * UNIT_PAGES + word * WORD_BITS;
    uint64_t free = node_free_bits(&leaf, word), slots = word_runs(free, order);
    unsigned bit = bit_lowest(slots);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(first + bit);
    word_take(&leaf, word, bit, order);
    if ((word | bit) == 0)
        bitmap_clear(chunk->lead, unit);
    /* As long as the word has another run of the leaf's class, no summary changes. */
    if (class != order || (slots & (slots - 1)) == 0) {
        orders_write(leaf.orders, word, word_orders(free & ~(run_bits(order) << bit)));
        if (!orders_hold(*leaf.orders, class))
            return alloc_settle(tree, chunk, unit);
    }
    if (tree->hot.last == order)
        leaf_hot(tree, chunk, first, class, order, slots);
    tree->hot.last = order;
    return tree->stock != NULL ? block_trim(tree) : OK;
}

/* Take the chunk, which is closed and free, as a block, or open it for one. */
static NOINLINE enum error chunk_alloc(struct page_tree *tree, struct page_area *area,
                                       uint32_t index, unsigned order, pfn_t *out)
{
    struct page_place place = { area, tree_span_first(tree, index), index, 0 };
    if (order == MAX_ORDER) {
        tree->state[index] = CELL_HEAD;
        row_remove(area, index, MAX_ORDER);
    } else {
        enum error error = stock_fill(tree, order < UNIT_SHIFT ? 2 : 1);
        if (error != OK)
            return error;
        chunk_split(tree, &place, order);
    }
    area->free -= UINT64_C(1) << order;
    *out = pfn(place.first);
    change_end(tree);
    return OK;
}

/* The unit is the lowest free one of its chunk: open it for a block. */
static NOINLINE enum error unit_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                      unsigned unit, unsigned order, pfn_t *out)
{
    if (!(chunk->slabs >> unit / SLAB_LEAVES & 1)) {
        enum error error = stock_fill(tree, 1);
        if (error != OK)
            return error;
    }
    struct page_node units = chunk_units(chunk);
    leaf_split(tree, chunk, unit, order);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(chunk->first + unit * UNIT_PAGES);
    if (node_take(&units, unit, 0))
        chunk_class(chunk);
    tree->hot.last = order;
    change_end(tree);
    return OK;
}

/* Whole units: those of a part of a word can be hot, if freshness needs no leaf in it. */
static void units_take(struct page_tree *tree, struct page_chunk *chunk, unsigned unit,
                       unsigned order, uint64_t slots)
{
    struct page_node units = chunk_units(chunk);
    unsigned k = order - UNIT_SHIFT, class = chunk->class, word = unit / WORD_BITS;
    bool again = tree->hot.last == order && !hot_pending(&tree->hot);
    chunk->area->free -= UINT64_C(1) << order;
    tree->hot.last = order;
    units_used(tree, chunk, unit, unit + (1u << k));
    if (node_take(&units, unit, k))
        chunk_class(chunk);
    if (!again || !is_part_of_word(k) || chunk->mixed[word] != 0 || chunk->class != class)
        return;
    hot_set(&tree->hot, chunk, chunk->first + word * WORD_BITS * UNIT_PAGES, order,
            hot_slots(&units, word, class - UNIT_SHIFT, slots), slots & (slots - 1),
            units.fresh[word]);
}

/* Rule 2: in the lowest chunk of `class`, the lowest free units that make 2^order pages. */
static NOINLINE enum error units_alloc(struct page_tree *tree, struct page_area *area,
                                       unsigned class, unsigned order, pfn_t *out)
{
    uint32_t index = best_chunk(area, class);
    struct page_chunk *chunk = tree->node[index];
    hot_leave(tree, chunk);
    if (chunk == NULL)
        return chunk_alloc(tree, area, index, order, out);
    if (order < UNIT_SHIFT) {
        unsigned lowest = bit_lowest(chunk->orders & EACH_WORD) / 8;
        return unit_alloc(tree, chunk,
                          lowest * WORD_BITS + bit_lowest(pair_free(&chunk->pair[lowest])),
                          order, out);
    }
    unsigned k = order - UNIT_SHIFT;
    unsigned word = k < NODE_ORDER ? node_find_word(chunk->orders, k) : 0, unit = word * WORD_BITS;
    uint64_t slots = 0;
    if (is_part_of_word(k)) {
        slots = word_runs(pair_free(&chunk->pair[word]), k);
        unit += bit_lowest(slots);
    }
    *out = pfn(chunk->first + unit * UNIT_PAGES);
    if (order < MAX_ORDER) {
        units_take(tree, chunk, unit, order, slots);
    } else {
        chunk_used(tree, chunk);
        tree->state[index] = CELL_HEAD;
        row_remove(area, index, MAX_ORDER);
        area->free -= CHUNK_PAGES;
    }
    change_end(tree);
    return OK;
}

enum error lead_alloc(struct page_tree *tree, struct page_area *area, unsigned class,
                      unsigned align, pfn_t *out)
{
    uint32_t index = best_chunk(area, class);
    struct page_chunk *chunk = tree->node[index];
    if (chunk == NULL)
        return chunk_alloc(tree, area, index, 0, out);
    unsigned unit = chunk_lead(chunk, 0, align);
    tree->hot.last = NO_ORDER;        /* what is opened here is not the best leaf */
    if (!bitmap_test(chunk->open, unit))
        return unit_alloc(tree, chunk, unit, 0, out);
    struct page_node leaf = chunk_leaf(chunk, unit);
    bitmap_clear(chunk->lead, unit);
    area->free--;
    *out = pfn(chunk->first + unit * UNIT_PAGES);
    return node_take(&leaf, 0, 0) ? alloc_settle(tree, chunk, unit) : OK;
}

enum error block_alloc(struct page_tree *tree, const struct page_request *request, pfn_t *out)
{
    unsigned order = request->align;
    hot_expect(&tree->hot, request);
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
    unsigned unit = page / UNIT_PAGES, class = *chunk_leaf_class(chunk, unit);
    if (order == WORD_ORDERS)
        leaf_given(tree, chunk, unit);
    else if (order > class || class == NO_ORDER)
        leaf_move(chunk, unit, order);
    return tree->stock != NULL ? block_trim(tree) : OK;
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
    leaf_given(tree, chunk, unit);
    return tree->stock != NULL ? block_trim(tree) : OK;
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
    if (!is_natural(unit, length) || unit_continues(tree, chunk, end))
        return free_any(tree, first, pages);
    *pages = (uint64_t)length * UNIT_PAGES;
    chunk->area->free += *pages;
    if (node_give(&units, unit, bit_lowest(length)))
        chunk_given(tree, chunk);
    change_end(tree);
    return OK;
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
    if (!is_natural(bit, length))
        return free_any(tree, first, pages);
    *pages = length;
    chunk->area->free += length;
    if (first % UNIT_PAGES == 0)
        bitmap_set(chunk->lead, first / UNIT_PAGES % CHUNK_UNITS);
    unsigned order = word_give(pair, bit, behind ^ (behind - 1));
    uint64_t *orders = &slab->orders[first / UNIT_PAGES % SLAB_LEAVES];
    uint64_t before = *orders, after = orders_with(before, first / WORD_BITS % NODE_WORDS, order);
    if (after == before)
        return tree->stock != NULL ? block_trim(tree) : OK;
    *orders = after;
    return free_larger(tree, chunk, first % CHUNK_PAGES, order);
}

enum error block_free(struct page_tree *tree, uint64_t first, uint64_t *pages)
{
    struct page_chunk *chunk = tree_chunk(tree, first);
    hot_leave(tree, chunk);
    if (chunk == NULL)
        return free_chunk(tree, first, pages);
    return bitmap_test(chunk->open, first / UNIT_PAGES % CHUNK_UNITS)
           ? free_page(tree, chunk, pages, first) : free_units(tree, chunk, first, pages);
}
