/* SPDX-License-Identifier: MIT */
/*
 * How the tree changes. Three rules keep it small and every path short:
 *
 * - What is uniform is closed: a leaf whose pages have all become free, all reserved or all of one
 *   block goes back into one cell of its chunk, a chunk whose units are free or reserved into its
 *   state byte. A whole unit in a change is therefore always closed, and costs a few bits however
 *   large it is.
 * - A closed unit or chunk keeps its node only while that is needed for its fresh bits.
 * - A unit's leaf has one fixed place in the chunk's slabs, so that leaves need no identifiers and
 *   slabs no free lists.
 */
#include "kernel/mm/page_class.h"

/* ---- Leaves ---- */

static inline bool slab_in_use(const struct page_chunk *chunk, unsigned slab)
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
    stock_put(tree, slab_page(chunk->slab.at[bit_lowest(slabs)]));
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
static inline void slab_leave(struct page_tree *tree, struct page_chunk *chunk, unsigned slab)
{
    if (slab_in_use(chunk, slab))
        return;
    chunk->slabs &= ~(UINT32_C(1) << slab);
    stock_put(tree, slab_page(chunk->slab.at[slab]));
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
static inline struct page_node leaf_make(struct page_tree *tree, struct page_chunk *chunk,
                                         unsigned unit)
{
    unsigned slab = unit / SLAB_LEAVES, word = unit / WORD_BITS;
    uint64_t bit = bit_of(unit % WORD_BITS);
    if (!(chunk->slabs >> slab & 1)) {
        chunk->slab.at[slab] = slab_in(stock_take(tree), slab);
        chunk->slabs |= UINT32_C(1) << slab;
    }
    struct page_node leaf = chunk_leaf(chunk, unit);
    if (chunk->mixed[word] & bit)
        chunk->mixed[word] &= ~bit;
    else
        node_fresh_all(&leaf, chunk->fresh[word] & bit);
    chunk->open[word] |= bit;
    return leaf;
}

void leaf_open(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    struct page_node units = chunk_units(chunk);
    enum page_cell cell = node_cell(&units, unit);
    struct page_node leaf = leaf_make(tree, chunk, unit);
    node_fill_all(&leaf, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&leaf, 0);
    *chunk_leaf_class(chunk, unit) = NO_ORDER;
    bitmap_write(chunk->lead, unit, cell == CELL_FREE);
    if (cell == CELL_FREE)
        (void)node_take(&units, unit, 0);
    else
        word_fill(&chunk->pair[unit / WORD_BITS], bit_of(unit % WORD_BITS), CELL_HEAD);
}

/* A leaf of which one half is free, and that is in no class yet. */
static inline void leaf_first(struct page_chunk *chunk, unsigned unit)
{
    *chunk_leaf_class(chunk, unit) = LEAF_CLASSES - 1;
    leaf_enter(chunk, unit, LEAF_CLASSES - 1);
}

/* The first block of a leaf that is wholly free. */
static inline void leaf_begin(struct page_chunk *chunk, unsigned unit, unsigned order)
{
    struct page_node leaf = chunk_leaf(chunk, unit);
    node_take_only(&leaf, 0, order);
    leaf_first(chunk, unit);
}

/* leaf_split() of a unit that keeps no leaf. */
static NOINLINE void leaf_split_new(struct page_tree *tree, struct page_chunk *chunk,
                                    unsigned unit, unsigned order)
{
    struct page_node leaf = leaf_make(tree, chunk, unit);
    node_fill_all(&leaf, CELL_FREE);
    leaf_begin(chunk, unit, order);
}

/* The chunk's own entry of the unit is the caller's to take. */
void leaf_split(struct page_tree *tree, struct page_chunk *chunk, unsigned unit, unsigned order)
{
    unsigned word = unit / WORD_BITS;
    uint64_t bit = bit_of(unit % WORD_BITS);
    if (!(chunk->mixed[word] & bit)) {
        leaf_split_new(tree, chunk, unit, order);
        return;
    }
    chunk->mixed[word] &= ~bit;
    chunk->open[word] |= bit;
    leaf_begin(chunk, unit, order);
}

/* The chunk's own entry of the unit is the caller's to take. */
void leaf_reserve(struct page_tree *tree, struct page_chunk *chunk, unsigned unit, unsigned word,
                  uint64_t pages)
{
    struct page_node leaf = leaf_make(tree, chunk, unit);
    bool in_half = pages >> 32 == 0 || (uint32_t)pages == 0;
    node_fill_all(&leaf, CELL_FREE);
    leaf.pair[word].head = pages;
    orders_write(leaf.orders, word, in_half ? 0x3f : word_orders(~pages));
    if (word != 0 || !(pages & 1))
        bitmap_set(chunk->lead, unit);
    leaf_first(chunk, unit);
}

/* All pages of the leaf are `cell`: make the unit so. */
static void leaf_close(struct page_tree *tree, struct page_chunk *chunk, unsigned unit,
                       enum page_cell cell)
{
    struct page_node leaf = chunk_leaf(chunk, unit), units = chunk_units(chunk);
    bool fresh, uniform = node_fresh_uniform(&leaf, &fresh);
    bitmap_clear(chunk->open, unit);
    bitmap_clear(chunk->lead, unit);
    bitmap_write(chunk->mixed, unit, !uniform);
    bitmap_write(chunk->fresh, unit, uniform && fresh);
    if (cell == CELL_FREE)
        (void)node_give(&units, unit, 0);
    else
        word_fill(&chunk->pair[unit / WORD_BITS], bit_of(unit % WORD_BITS), cell);
    if (uniform)
        slab_leave(tree, chunk, unit / SLAB_LEAVES);
    else
        node_fill_all(&leaf, CELL_FREE);
}

enum error leaf_empty(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned word = unit / WORD_BITS, class = *chunk_leaf_class(chunk, unit);
    uint64_t others = ~bit_of(unit % WORD_BITS);
    chunk->open[word] &= others;
    chunk->lead[word] &= others;
    chunk->fresh[word] &= others;
    bool fresh = words_any(leaf.fresh);
    if (fresh && !words_all(leaf.fresh)) {
        chunk->mixed[word] |= ~others;
    } else {
        if (fresh)
            chunk->fresh[word] |= ~others;
        slab_leave(tree, chunk, unit / SLAB_LEAVES);
    }
    if (class < LEAF_CLASSES)
        leaf_leave(chunk, unit, class);
    struct page_node units = chunk_units(chunk);
    return node_give(&units, unit, 0) ? chunk_given(tree, chunk) : change_end(tree);
}

void leaf_settle(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    struct page_node leaf = chunk_leaf(chunk, unit);
    unsigned order = node_order(*leaf.orders);
    if (order == *chunk_leaf_class(chunk, unit))
        return;
    leaf_move(chunk, unit, order);
    if (order == NODE_ORDER)
        leaf_close(tree, chunk, unit, CELL_FREE);
    else if (order == NO_ORDER && node_is(&leaf, CELL_RESERVED))
        leaf_close(tree, chunk, unit, CELL_RESERVED);
    else if (order == NO_ORDER && node_is_block(&leaf))
        leaf_close(tree, chunk, unit, node_cell(&leaf, 0));
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
    struct page_node units = chunk_units(chunk);
    words_clear(chunk->open);
    words_clear(chunk->mixed);
    words_clear(chunk->lead);
    for (unsigned c = 0; c < LEAF_CLASSES; c++)
        chunk->class_words[c] = 0;
    chunk->slabs = 0;
    chunk->first = place->first;
    chunk->area = place->area;
    chunk->index = place->chunk;
    node_fresh_all(&units, tree->state[place->chunk] & CHUNK_FRESH);
    tree->node[place->chunk] = chunk;
    return chunk;
}

struct page_chunk *chunk_activate(struct page_tree *tree, const struct page_place *place)
{
    enum page_cell cell = (enum page_cell)(tree->state[place->chunk] & CHUNK_CELL);
    struct page_chunk *chunk = chunk_make(tree, place);
    struct page_node units = chunk_units(chunk);
    node_fill_all(&units, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&units, 0);
    chunk->class = cell == CELL_FREE ? MAX_ORDER : NO_ORDER;
    return chunk;
}

/* A chunk that was wholly free, of which one half still is. */
static inline void chunk_first(struct page_chunk *chunk)
{
    chunk->class = MAX_ORDER - 1;
    row_move(chunk->area, chunk->index, MAX_ORDER, MAX_ORDER - 1);
}

void chunk_split(struct page_tree *tree, const struct page_place *place, unsigned order)
{
    struct page_chunk *chunk = chunk_make(tree, place);
    struct page_node units = chunk_units(chunk);
    node_fill_all(&units, CELL_FREE);
    if (order < UNIT_SHIFT)
        leaf_split_new(tree, chunk, 0, order);
    node_take_only(&units, 0, order < UNIT_SHIFT ? 0 : order - UNIT_SHIFT);
    chunk_first(chunk);
}

void chunk_reserve(struct page_tree *tree, const struct page_place *place, uint64_t pages)
{
    struct page_chunk *chunk = chunk_make(tree, place);
    struct page_node units = chunk_units(chunk);
    unsigned unit = place->offset / UNIT_PAGES;
    node_fill_all(&units, CELL_FREE);
    leaf_reserve(tree, chunk, unit, place->offset / WORD_BITS % NODE_WORDS, pages);
    node_take_only(&units, unit, 0);
    chunk_first(chunk);
}

static bool chunk_fresh_uniform(const struct page_chunk *chunk, bool *fresh)
{
    struct page_node units = chunk_units(chunk);
    return !words_any(chunk->mixed) && node_fresh_uniform(&units, fresh);
}

/* The chunk is all of one state: no node is needed. */
static void chunk_drop(struct page_tree *tree, struct page_chunk *chunk, unsigned state)
{
    tree->state[chunk->index] = (uint8_t)state;
    tree->node[chunk->index] = NULL;
    stock_put(tree, chunk);
}

/* A chunk that is wholly free is handed out: no node is needed for its fresh bits. */
void chunk_used(struct page_tree *tree, struct page_chunk *chunk)
{
    slabs_drop(tree, chunk, ~UINT32_C(0));
    chunk_drop(tree, chunk, CELL_FREE);
}

/* All units are `cell`: make the chunk so, unless its fresh bits differ. */
static void chunk_close(struct page_tree *tree, struct page_chunk *chunk, enum page_cell cell)
{
    bool fresh;
    if (chunk_fresh_uniform(chunk, &fresh))
        chunk_drop(tree, chunk, (unsigned)cell | (fresh ? CHUNK_FRESH : 0));
}

/* A slab would hold a leaf that is kept for its fresh bits. */
enum error chunk_empty(struct page_tree *tree, struct page_chunk *chunk)
{
    if (chunk->class != MAX_ORDER)
        chunk_move(chunk, MAX_ORDER);
    if (chunk->slabs == 0) {
        if (!words_any(chunk->fresh))
            chunk_drop(tree, chunk, CELL_FREE);
        else if (words_all(chunk->fresh))
            chunk_drop(tree, chunk, CELL_FREE | CHUNK_FRESH);
    }
    return change_end(tree);
}

void chunk_settle(struct page_tree *tree, struct page_chunk *chunk)
{
    struct page_node units = chunk_units(chunk);
    unsigned order = node_order(chunk->orders);
    chunk_class(chunk);
    if (order == NODE_ORDER)
        chunk_close(tree, chunk, CELL_FREE);
    else if (order == NO_ORDER && node_is(&units, CELL_RESERVED))
        chunk_close(tree, chunk, CELL_RESERVED);
}
