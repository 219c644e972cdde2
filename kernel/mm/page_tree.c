/* SPDX-License-Identifier: MIT */
/*
 * How the tree changes. Three rules keep it small and every path short:
 *
 * - What is uniform is closed: a leaf whose pages have all become free or all reserved goes back
 *   into one cell of its chunk, a chunk likewise into its state byte. A whole unit or chunk in a
 *   change is therefore always closed, and costs a few bits however large it is.
 * - A closed unit or chunk keeps its node only while that is needed for its fresh bits.
 * - A unit's leaf has one fixed place in the chunk's slabs, so that leaves need no identifiers and
 *   slabs no free lists.
 */
#include "kernel/mm/page_tree.h"

/* ---- Classes ---- */

static inline void leaf_enter(const struct page_place *place, struct page_chunk *chunk,
                              unsigned unit, unsigned class)
{
    unsigned word = unit / WORD_BITS, words = chunk->class_words[class];
    uint64_t *row = &chunk->class_row[class][word], bit = bit_of(unit % WORD_BITS);
    if (words >> word & 1) {
        *row |= bit;
        return;
    }
    *row = bit;
    chunk->class_words[class] = (uint8_t)(words | 1u << word);
    if (words == 0)
        row_add(place->area, place->chunk, class);
}

static inline void leaf_leave(const struct page_place *place, struct page_chunk *chunk,
                              unsigned unit, unsigned class)
{
    unsigned word = unit / WORD_BITS;
    if ((chunk->class_row[class][word] &= ~bit_of(unit % WORD_BITS)) != 0)
        return;
    unsigned words = chunk->class_words[class] & ~(1u << word);
    chunk->class_words[class] = (uint8_t)words;
    if (words == 0)
        row_remove(place->area, place->chunk, class);
}

/* ---- Leaves ---- */

static bool slab_in_use(const struct page_chunk *chunk, unsigned slab)
{
    unsigned unit = slab * SLAB_LEAVES;
    uint64_t leaves = chunk->open[unit / WORD_BITS] | chunk->mixed[unit / WORD_BITS];
    return (leaves >> unit % WORD_BITS & 0xffff) != 0;
}

/* At once, however many: the first page holds what the chunk knows of them all. */
void slabs_drop(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs)
{
    slabs &= chunk->slabs;
    if (slabs == 0)
        return;
    stock_put(tree, chunk->slab.at[bit_lowest(slabs)]);
    tree->stock->slabs = slabs & (slabs - 1);
    tree->stock->slab = chunk->slab;
    chunk->slabs &= ~slabs;
}

void slabs_trim(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs)
{
    uint32_t unused = 0;
    for (slabs &= chunk->slabs; slabs != 0; slabs &= slabs - 1)
        if (!slab_in_use(chunk, bit_lowest(slabs)))
            unused |= slabs & (0 - slabs);
    slabs_drop(tree, chunk, unused);
}

/* A unit has no leaf any more; nor, perhaps, has its slab. */
static void slab_leave(struct page_tree *tree, struct page_chunk *chunk, unsigned slab)
{
    if (slab_in_use(chunk, slab))
        return;
    chunk->slabs &= ~(UINT32_C(1) << slab);
    stock_put(tree, chunk->slab.at[slab]);
}

/* Closed units from..to-1 are handed out: no leaf is needed for their fresh bits. */
void units_used(struct page_tree *tree, struct page_chunk *chunk, unsigned from, unsigned to)
{
    uint32_t slabs = (uint32_t)bits_between(from / SLAB_LEAVES, (to - 1) / SLAB_LEAVES + 1);
    if ((chunk->slabs & slabs) == 0)
        return;
    bitmap_fill(chunk->mixed, from, to, false);
    if (from % SLAB_LEAVES == 0 && to % SLAB_LEAVES == 0)
        slabs_drop(tree, chunk, slabs);
    else
        slabs_trim(tree, chunk, slabs);
}

/* The leaf of a closed unit, from now on open; its fresh bits are right, else it is undefined. */
static inline struct page_leaf leaf_make(struct page_tree *tree, struct page_chunk *chunk,
                                         unsigned unit)
{
    unsigned slab = unit / SLAB_LEAVES, word = unit / WORD_BITS;
    uint64_t bit = bit_of(unit % WORD_BITS);
    if (!(chunk->slabs >> slab & 1)) {
        chunk->slab.at[slab] = stock_take(tree);
        chunk->slabs |= UINT32_C(1) << slab;
    }
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    if (chunk->mixed[word] & bit)
        chunk->mixed[word] &= ~bit;
    else
        node_fresh_all(leaf.pages, chunk->units.fresh[word] & bit);
    chunk->open[word] |= bit;
    return leaf;
}

void leaf_open(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    enum page_cell cell = node_cell(&chunk->units, unit);
    struct page_leaf leaf = leaf_make(tree, chunk, unit);
    *leaf.orders = node_fill_all(leaf.pages, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(leaf.pages, 0);
    *leaf.class = NO_ORDER;
    bitmap_write(chunk->lead, unit, cell == CELL_FREE);
    if (cell == CELL_FREE)
        (void)node_take(&chunk->units, &chunk->orders, unit, 0);
    else
        word_fill(&chunk->units.pair[unit / WORD_BITS], bit_of(unit % WORD_BITS), CELL_HEAD);
}

/* The chunk's own entry of the unit is the caller's to take. */
void leaf_split(struct page_tree *tree, const struct page_place *place, struct page_chunk *chunk,
                unsigned unit, unsigned order)
{
    struct page_leaf leaf = leaf_make(tree, chunk, unit);
    *leaf.orders = node_fill_all(leaf.pages, CELL_FREE);
    (void)node_take(leaf.pages, leaf.orders, 0, order);
    *leaf.class = LEAF_CLASSES - 1;   /* its upper half is free */
    leaf_enter(place, chunk, unit, LEAF_CLASSES - 1);
}

/* All pages of the leaf are `cell`: make the unit so. */
static void leaf_close(struct page_tree *tree, struct page_chunk *chunk, unsigned unit,
                       enum page_cell cell)
{
    bool fresh, uniform = node_fresh_uniform(chunk_leaf(chunk, unit).pages, &fresh);
    bitmap_clear(chunk->open, unit);
    bitmap_clear(chunk->lead, unit);
    bitmap_write(chunk->mixed, unit, !uniform);
    bitmap_write(chunk->units.fresh, unit, uniform && fresh);
    if (cell == CELL_FREE)
        (void)node_give(&chunk->units, &chunk->orders, unit, 0);
    else
        word_fill(&chunk->units.pair[unit / WORD_BITS], bit_of(unit % WORD_BITS), cell);
    if (uniform)
        slab_leave(tree, chunk, unit / SLAB_LEAVES);
}

/* To the class `order`, or to none if that is larger than all. */
static inline void leaf_move(const struct page_place *place, struct page_chunk *chunk,
                             unsigned unit, uint8_t *class, unsigned order)
{
    unsigned before = *class;
    *class = (uint8_t)order;
    if (before < LEAF_CLASSES)
        leaf_leave(place, chunk, unit, before);
    if (order < LEAF_CLASSES)
        leaf_enter(place, chunk, unit, order);
}

void leaf_class(const struct page_place *place, struct page_chunk *chunk, unsigned unit)
{
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    unsigned order = node_order(*leaf.orders);
    if (order != *leaf.class)
        leaf_move(place, chunk, unit, leaf.class, order);
}

/* The last block is given back; it was not fresh, so that not all pages are. */
static void leaf_empty(struct page_tree *tree, const struct page_place *place,
                       struct page_chunk *chunk, unsigned unit, struct page_leaf leaf)
{
    unsigned word = unit / WORD_BITS;
    uint64_t bit = bit_of(unit % WORD_BITS);
    if (*leaf.class < LEAF_CLASSES)
        leaf_leave(place, chunk, unit, *leaf.class);
    chunk->open[word] &= ~bit;
    chunk->lead[word] &= ~bit;
    chunk->units.fresh[word] &= ~bit;
    if (words_any(leaf.pages->fresh))
        chunk->mixed[word] |= bit;
    else
        slab_leave(tree, chunk, unit / SLAB_LEAVES);
    if (node_give(&chunk->units, &chunk->orders, unit, 0))
        chunk_given(tree, place, chunk);
}

void leaf_given(struct page_tree *tree, const struct page_place *place, struct page_chunk *chunk,
                unsigned unit)
{
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    if (*leaf.orders == ALL_FREE) {
        leaf_empty(tree, place, chunk, unit, leaf);
        return;
    }
    unsigned order = node_order(*leaf.orders);
    if (order != *leaf.class)
        leaf_move(place, chunk, unit, leaf.class, order);
}

void leaf_settle(struct page_tree *tree, const struct page_place *place,
                 struct page_chunk *chunk, unsigned unit)
{
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    unsigned order = node_order(*leaf.orders);
    if (order == *leaf.class)
        return;
    leaf_move(place, chunk, unit, leaf.class, order);
    if (order == NODE_ORDER)
        leaf_close(tree, chunk, unit, CELL_FREE);
    else if (order == NO_ORDER && node_is(leaf.pages, CELL_RESERVED))
        leaf_close(tree, chunk, unit, CELL_RESERVED);
}

/* ---- Chunks ---- */

static inline void words_clear(uint64_t words[NODE_WORDS])
{
    words[0] = words[1] = words[2] = words[3] = 0;
    words[4] = words[5] = words[6] = words[7] = 0;
}

/* The node of a chunk that has none and is all of one cell; the caller fills in cells and class. */
static inline struct page_chunk *chunk_make(struct page_tree *tree,
                                            const struct page_place *place)
{
    struct page_chunk *chunk = stock_take(tree);
    words_clear(chunk->open);
    words_clear(chunk->mixed);
    words_clear(chunk->lead);
    for (unsigned c = 0; c < LEAF_CLASSES; c++)
        chunk->class_words[c] = 0;
    chunk->slabs = 0;
    chunk->first = place->first;
    node_fresh_all(&chunk->units, tree->state[place->chunk] & CHUNK_FRESH);
    tree->node[place->chunk] = chunk;
    return chunk;
}

struct page_chunk *chunk_activate(struct page_tree *tree, const struct page_place *place)
{
    enum page_cell cell = (enum page_cell)(tree->state[place->chunk] & CHUNK_CELL);
    struct page_chunk *chunk = chunk_make(tree, place);
    chunk->orders = node_fill_all(&chunk->units, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&chunk->units, 0);
    chunk->class = cell == CELL_FREE ? MAX_ORDER : NO_ORDER;
    return chunk;
}

void chunk_split(struct page_tree *tree, const struct page_place *place, unsigned order)
{
    struct page_chunk *chunk = chunk_make(tree, place);
    chunk->orders = node_fill_all(&chunk->units, CELL_FREE);
    if (order < UNIT_SHIFT)
        leaf_split(tree, place, chunk, 0, order);
    (void)node_take(&chunk->units, &chunk->orders, 0, order < UNIT_SHIFT ? 0 : order - UNIT_SHIFT);
    row_remove(place->area, place->chunk, MAX_ORDER);
    chunk->class = MAX_ORDER - 1;     /* its upper half is free */
    row_add(place->area, place->chunk, MAX_ORDER - 1);
}

static bool chunk_fresh_uniform(const struct page_chunk *chunk, bool *fresh)
{
    return !words_any(chunk->mixed) && node_fresh_uniform(&chunk->units, fresh);
}

/* All units are `cell`: make the chunk so, unless its fresh bits differ. */
static void chunk_close(struct page_tree *tree, const struct page_place *place,
                        enum page_cell cell)
{
    struct page_chunk *chunk = tree->node[place->chunk];
    bool fresh;
    if (!chunk_fresh_uniform(chunk, &fresh))
        return;
    tree->state[place->chunk] = (uint8_t)(cell | (fresh ? CHUNK_FRESH : 0));
    tree->node[place->chunk] = NULL;
    stock_put(tree, chunk);
}

static void chunk_move(const struct page_place *place, struct page_chunk *chunk, unsigned order)
{
    unsigned class = order == NO_ORDER ? NO_ORDER : order + UNIT_SHIFT;
    if (class == chunk->class)
        return;
    if (chunk->class != NO_ORDER)
        row_remove(place->area, place->chunk, chunk->class);
    if (class != NO_ORDER)
        row_add(place->area, place->chunk, class);
    chunk->class = (uint8_t)class;
}

void chunk_class(const struct page_place *place, struct page_chunk *chunk)
{
    chunk_move(place, chunk, node_order(chunk->orders));
}

void chunk_given(struct page_tree *tree, const struct page_place *place,
                 struct page_chunk *chunk)
{
    unsigned order = node_order(chunk->orders);
    chunk_move(place, chunk, order);
    if (order != NODE_ORDER || words_any(chunk->units.fresh) || words_any(chunk->mixed))
        return;
    tree->state[place->chunk] = CELL_FREE;
    tree->node[place->chunk] = NULL;
    stock_put(tree, chunk);
}

void chunk_settle(struct page_tree *tree, const struct page_place *place,
                  struct page_chunk *chunk)
{
    unsigned order = node_order(chunk->orders);
    chunk_move(place, chunk, order);
    if (order == NODE_ORDER)
        chunk_close(tree, place, CELL_FREE);
    else if (order == NO_ORDER && node_is(&chunk->units, CELL_RESERVED))
        chunk_close(tree, place, CELL_RESERVED);
}
