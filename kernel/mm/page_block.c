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
    return leaf_changed(tree, chunk, unit);
}

/* What is left to do when the only free run of a leaf is gone, of order `class`. */
static NOINLINE enum error alloc_full(struct page_tree *tree, struct page_chunk *chunk,
                                      unsigned unit, unsigned class)
{
    *chunk_leaf_class(chunk, unit) = NO_ORDER;
    leaf_leave(chunk, unit, class);
    return change_end(tree);
}

/* The second block of an order in a row makes its word hot, which begins with the frame `first`. */
static NOINLINE enum error leaf_hot(struct page_tree *tree, struct page_chunk *chunk,
                                    uint64_t first, unsigned class, uint64_t slots)
{
    struct page_node leaf = chunk_leaf(chunk, (uint32_t)first / UNIT_PAGES % CHUNK_UNITS);
    unsigned word = (uint32_t)first / WORD_BITS % NODE_WORDS;
    hot_settle(tree);
    hot_set(&tree->hot, chunk, first, tree->hot.last, hot_slots(&leaf, word, class, slots),
            slots & (slots - 1), leaf.fresh[word]);
    return change_end(tree);
}

/* From a leaf of `class`, as leaf_alloc(), where that is more than the last free run of a word. */
static NOINLINE enum error slot_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                      unsigned unit, unsigned class, unsigned order, pfn_t *out)
{
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned word = node_find_word(*leaf.orders, order);
    uint64_t first = chunk->first + unit * UNIT_PAGES + word * WORD_BITS;
    uint64_t free = node_free_bits(&leaf, word), slots = word_runs(free, order);
    unsigned bit = bit_lowest(slots);
    word_take(&leaf, word, bit, order);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(first + bit);
    if ((word | bit) == 0)
        bitmap_clear(chunk->lead, unit);
    /* As long as the word has another run of the leaf's class, no summary changes. */
    if (class != order || (slots & (slots - 1)) == 0) {
        orders_write(leaf.orders, word, word_orders(free & ~(run_bits(order) << bit)));
        if (!orders_hold(*leaf.orders, class))
            return leaf_changed(tree, chunk, unit);
    }
    if (tree->hot.last == order)
        return leaf_hot(tree, chunk, first, class, slots);
    tree->hot.last = order;
    return change_end(tree);
}

/* leaf_alloc() from the chunk of the hot word. */
static NOINLINE enum error hot_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                     unsigned class, unsigned order, pfn_t *out)
{
    unsigned unit = best_leaf(chunk, class);
    hot_drop(tree);
    return is_part_of_word(order) ? slot_alloc(tree, chunk, unit, class, order, out)
                                  : words_alloc(tree, chunk, unit, order, out);
}

/*
 * From the lowest open leaf of `class`, in it the lowest slot. What memory in use has most is words
 * with one free run, and requests that it fits: nothing is called on that way, but at its end.
 */
static NOINLINE enum error leaf_alloc(struct page_tree *tree, const struct page_area *area,
                                      unsigned class, unsigned order, pfn_t *out)
{
    struct page_chunk *chunk = tree->node[best_chunk(area, class)];
    if (chunk == tree->hot.chunk)
        return hot_alloc(tree, chunk, class, order, out);
    unsigned unit = best_leaf(chunk, class);
    if (!is_part_of_word(order))
        return words_alloc(tree, chunk, unit, order, out);
    if (class != order)
        return slot_alloc(tree, chunk, unit, class, order, out);
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned word = node_find_word(*leaf.orders, order);
    uint64_t free = node_free_bits(&leaf, word);
    unsigned bit = bit_lowest(free);
    if (free >> bit != run_bits(order))
        return slot_alloc(tree, chunk, unit, class, order, out);
    leaf.pair[word].free &= ~free;
    leaf.pair[word].head |= bit_of(bit);
    leaf.fresh[word] &= ~free;
    *leaf.orders &= ~(UINT64_C(0xff) << word * 8);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(chunk->first + unit * UNIT_PAGES + word * WORD_BITS + bit);
    if ((word | bit) == 0)
        bitmap_clear(chunk->lead, unit);
    if (*leaf.orders == 0)
        return alloc_full(tree, chunk, unit, class);
    if (!orders_hold(*leaf.orders, class))
        return leaf_changed(tree, chunk, unit);
    if (tree->hot.last == order)
        return leaf_hot(tree, chunk, out->n - bit, class, bit_of(bit));
    tree->hot.last = order;
    return change_end(tree);
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
    return change_end(tree);
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
    return change_end(tree);
}

/* Whole words of units: as words_alloc(). */
static NOINLINE enum error unit_words_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                            unsigned order, pfn_t *out)
{
    struct page_node units = chunk_units(chunk);
    unsigned k = order - UNIT_SHIFT, word = node_find_word(chunk->orders, k);
    unsigned unit = word * WORD_BITS;
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(chunk->first + unit * UNIT_PAGES);
    if (chunk->slabs != 0)
        units_used(tree, chunk, unit, unit + (1u << k));
    node_take_words(&units, word, k);
    chunk_class(chunk);
    tree->hot.last = order;
    return change_end(tree);
}

/* The second block of an order in a row makes its word hot, if freshness needs no leaf in it. */
static NOINLINE enum error units_hot(struct page_tree *tree, struct page_chunk *chunk,
                                     unsigned word, uint64_t slots)
{
    struct page_node units = chunk_units(chunk);
    hot_set(&tree->hot, chunk, chunk->first + word * WORD_BITS * UNIT_PAGES, tree->hot.last,
            hot_slots(&units, word, chunk->class - UNIT_SHIFT, slots), slots & (slots - 1),
            units.fresh[word]);
    return change_end(tree);
}

/* Units that are part of a word. */
static NOINLINE enum error unit_run_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                          unsigned order, pfn_t *out)
{
    struct page_node units = chunk_units(chunk);
    unsigned k = order - UNIT_SHIFT, word = node_find_word(chunk->orders, k);
    uint64_t slots = word_runs(pair_free(&chunk->pair[word]), k);
    unsigned unit = word * WORD_BITS + bit_lowest(slots), class = chunk->class;
    bool again = tree->hot.last == order && !hot_pending(&tree->hot);
    chunk->area->free -= UINT64_C(1) << order;
    *out = pfn(chunk->first + unit * UNIT_PAGES);
    tree->hot.last = order;
    if (chunk->slabs != 0)
        units_used(tree, chunk, unit, unit + (1u << k));
    if (node_take(&units, unit, k))
        chunk_class(chunk);
    if (again && chunk->mixed[word] == 0 && chunk->class == class)
        return units_hot(tree, chunk, word, slots);
    return change_end(tree);
}

/* All of an active chunk that is free. */
static NOINLINE enum error whole_alloc(struct page_tree *tree, struct page_chunk *chunk,
                                       pfn_t *out)
{
    *out = pfn(chunk->first);
    chunk->area->free -= CHUNK_PAGES;
    row_remove(chunk->area, chunk->index, MAX_ORDER);
    uint32_t index = chunk->index;
    chunk_used(tree, chunk);
    tree->state[index] = CELL_HEAD;
    return change_end(tree);
}

static NOINLINE enum error units_alloc(struct page_tree *tree, struct page_area *area,
                                       unsigned class, unsigned order, pfn_t *out);

/* units_alloc() from the chunk of the hot word. */
static NOINLINE enum error hot_units_alloc(struct page_tree *tree, struct page_area *area,
                                           unsigned class, unsigned order, pfn_t *out)
{
    hot_drop(tree);
    return units_alloc(tree, area, class, order, out);
}

/* Rule 2: in the lowest chunk of `class`, the lowest free units that make 2^order pages. */
static NOINLINE enum error units_alloc(struct page_tree *tree, struct page_area *area,
                                       unsigned class, unsigned order, pfn_t *out)
{
    uint32_t index = best_chunk(area, class);
    struct page_chunk *chunk = tree->node[index];
    if (chunk == NULL)
        return chunk_alloc(tree, area, index, order, out);
    if (chunk == tree->hot.chunk)
        return hot_units_alloc(tree, area, class, order, out);
    if (order < UNIT_SHIFT)
        return unit_alloc(tree, chunk, lowest_unit(chunk), order, out);
    if (order == MAX_ORDER)
        return whole_alloc(tree, chunk, out);
    return is_part_of_word(order - UNIT_SHIFT) ? unit_run_alloc(tree, chunk, order, out)
                                               : unit_words_alloc(tree, chunk, order, out);
}

enum error lead_alloc(struct page_tree *tree, struct page_area *area, unsigned class,
                      unsigned align, pfn_t *out)
{
    uint32_t index = best_chunk(area, class);
    struct page_chunk *chunk = tree->node[index];
    if (chunk == NULL)
        return chunk_alloc(tree, area, index, 0, out);
    unsigned unit = chunk_lead(chunk, 0, align);
    if (!bitmap_test(chunk->open, unit))
        return unit_alloc(tree, chunk, unit, 0, out);
    struct page_node leaf = chunk_leaf(chunk, unit);
    bitmap_clear(chunk->lead, unit);
    area->free--;
    *out = pfn(chunk->first + unit * UNIT_PAGES);
    return node_take(&leaf, 0, 0) ? leaf_changed(tree, chunk, unit) : OK;
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
