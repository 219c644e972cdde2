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

static void *stock_take(struct page_tree *tree)
{
    void **page = tree->stock;
    ASSERT(page != NULL);
    tree->stock = *page;
    tree->stocked--;
    tree->taken++;
    return page;
}

void node_return(struct page_tree *tree, void *page)
{
    void **link = page;
    *link = tree->stock;
    tree->stock = page;
    tree->stocked++;
    tree->taken--;
}

/* ---- Classes ---- */

void row_add(struct page_area *area, uint32_t chunk, unsigned class)
{
    bitset_add(area_row(area, class), &area->shape, chunk - area->chunk);
    area->available |= UINT32_C(1) << class;
}

void row_remove(struct page_area *area, uint32_t chunk, unsigned class)
{
    if (bitset_remove(area_row(area, class), &area->shape, chunk - area->chunk))
        area->available &= ~(UINT32_C(1) << class);
}

void leaf_enter(const struct page_place *place, struct page_chunk *chunk, unsigned unit,
                unsigned class)
{
    unsigned word = unit / WORD_BITS, word_bit = 1u << word;
    uint64_t *row = &chunk->class_row[class][word];
    chunk_leaf(chunk, unit)->order = (uint8_t)class;
    unsigned words = chunk->class_words[class];
    *row = (words & word_bit ? *row : 0) | bit_of(unit % WORD_BITS);
    chunk->class_words[class] = (uint8_t)(words | word_bit);
    if (words == 0)
        row_add(place->area, place->chunk, class);
}

static void leaf_leave(const struct page_place *place, struct page_chunk *chunk, unsigned unit,
                       unsigned class)
{
    unsigned word = unit / WORD_BITS;
    bitmap_clear(chunk->class_row[class], unit);
    if (chunk->class_row[class][word] != 0)
        return;
    chunk->class_words[class] &= (uint8_t)~(1u << word);
    if (chunk->class_words[class] == 0)
        row_remove(place->area, place->chunk, class);
}

/* ---- Leaves ---- */

static bool slab_in_use(const struct page_chunk *chunk, unsigned slab)
{
    unsigned unit = slab * SLAB_LEAVES;
    uint64_t leaves = chunk->open[unit / WORD_BITS] | chunk->mixed[unit / WORD_BITS];
    return (leaves >> unit % WORD_BITS & 0xffff) != 0;
}

void slabs_drop(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs)
{
    unsigned pages = bits_count(slabs &= chunk->slabs);
    void *stock = tree->stock;
    chunk->slabs &= ~slabs;
    tree->taken -= pages;
    tree->stocked += pages;
    for (; slabs != 0; slabs &= slabs - 1) {
        void **link = (void **)chunk->slab[bit_lowest(slabs)];
        *link = stock;
        stock = link;
    }
    tree->stock = stock;
}

void slabs_trim(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs)
{
    uint32_t unused = 0;
    for (slabs &= chunk->slabs; slabs != 0; slabs &= slabs - 1)
        if (!slab_in_use(chunk, bit_lowest(slabs)))
            unused |= slabs & (0 - slabs);
    slabs_drop(tree, chunk, unused);
}

/* A closed unit's cell, spread over its pages; a kept leaf may hold that already. */
static void leaf_fill(struct page_leaf *leaf, enum page_cell cell, bool kept)
{
    if (kept && cell == CELL_FREE && leaf->pages.orders == ALL_FREE)
        return;
    node_fill_all(&leaf->pages, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&leaf->pages, 0);
}

void leaf_open(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    unsigned slab = unit / SLAB_LEAVES;
    enum page_cell cell = node_cell(&chunk->units, unit);
    bool mixed = bitmap_test(chunk->mixed, unit);
    if (!(chunk->slabs >> slab & 1)) {
        chunk->slab[slab] = stock_take(tree);
        chunk->slabs |= UINT32_C(1) << slab;
    }
    struct page_leaf *leaf = chunk_leaf(chunk, unit);
    if (!mixed)
        node_fresh_all(&leaf->pages, bitmap_test(chunk->units.fresh, unit));
    leaf_fill(leaf, cell, mixed);
    leaf->order = NO_ORDER;
    bitmap_set(chunk->open, unit);
    bitmap_clear(chunk->mixed, unit);
    bitmap_write(chunk->lead, unit, cell == CELL_FREE);
    if (cell == CELL_FREE)
        (void)node_take(&chunk->units, unit, 0);
    else
        word_fill(&chunk->units.pair[unit / WORD_BITS], bit_of(unit % WORD_BITS), CELL_HEAD);
}

/* All pages of the leaf are `cell`: make the unit so. */
static void leaf_close(struct page_tree *tree, struct page_chunk *chunk, unsigned unit,
                       enum page_cell cell)
{
    bool fresh, uniform = node_fresh_uniform(&chunk_leaf(chunk, unit)->pages, &fresh);
    bitmap_clear(chunk->open, unit);
    bitmap_clear(chunk->lead, unit);
    bitmap_write(chunk->mixed, unit, !uniform);
    bitmap_write(chunk->units.fresh, unit, uniform && fresh);
    if (cell == CELL_FREE)
        (void)node_give(&chunk->units, unit, 0);
    else
        word_fill(&chunk->units.pair[unit / WORD_BITS], bit_of(unit % WORD_BITS), cell);
    if (uniform)
        slabs_trim(tree, chunk, UINT32_C(1) << unit / SLAB_LEAVES);
}

/* After a change in a leaf: enter it in its class, or close it. */
void leaf_settle(struct page_tree *tree, const struct page_place *place,
                        struct page_chunk *chunk, unsigned unit, struct page_leaf *leaf)
{
    unsigned order = node_order(&leaf->pages);
    if (order == leaf->order)
        return;
    if (leaf->order != NO_ORDER)
        leaf_leave(place, chunk, unit, leaf->order);
    leaf->order = (uint8_t)order;
    if (order == NODE_ORDER)
        leaf_close(tree, chunk, unit, CELL_FREE);
    else if (order != NO_ORDER)
        leaf_enter(place, chunk, unit, order);
    else if (node_is(&leaf->pages, CELL_RESERVED))
        leaf_close(tree, chunk, unit, CELL_RESERVED);
}

/* ---- Chunks ---- */

static void chunk_init(struct page_chunk *chunk, bool fresh)
{
    for (unsigned w = 0; w < NODE_WORDS; w++)
        chunk->open[w] = chunk->mixed[w] = chunk->lead[w] = 0;
    node_fresh_all(&chunk->units, fresh);
    for (unsigned c = 0; c < LEAF_CLASSES; c++)
        chunk->class_words[c] = 0;
    chunk->slabs = 0;
}

struct page_chunk *chunk_activate(struct page_tree *tree, const struct page_place *place)
{
    unsigned state = tree->state[place->chunk];
    struct page_chunk *chunk = stock_take(tree);
    enum page_cell cell = (enum page_cell)(state & CHUNK_CELL);
    chunk_init(chunk, state & CHUNK_FRESH);
    chunk->first = tree_chunk_first(tree, place->chunk);
    node_fill_all(&chunk->units, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&chunk->units, 0);
    chunk->class = cell == CELL_FREE ? MAX_ORDER : NO_ORDER;
    tree->node[place->chunk] = chunk;
    tree->state[place->chunk] = CHUNK_ACTIVE;
    return chunk;
}

static bool chunk_fresh_uniform(const struct page_chunk *chunk, bool *fresh)
{
    uint64_t mixed = 0;
    if (!node_fresh_uniform(&chunk->units, fresh))
        return false;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        mixed |= chunk->mixed[w];
    return mixed == 0;
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
    node_return(tree, chunk);
}

/* After a change of units: enter the chunk in its class, or close it. */
void chunk_settle(struct page_tree *tree, const struct page_place *place,
                         struct page_chunk *chunk)
{
    unsigned order = node_order(&chunk->units);
    unsigned class = order == NO_ORDER ? NO_ORDER : order + UNIT_SHIFT;
    if (class != chunk->class) {
        if (chunk->class != NO_ORDER)
            row_remove(place->area, place->chunk, chunk->class);
        if (class != NO_ORDER)
            row_add(place->area, place->chunk, class);
        chunk->class = (uint8_t)class;
    }
    if (order == NODE_ORDER)
        chunk_close(tree, place, CELL_FREE);
    else if (order == NO_ORDER && node_is(&chunk->units, CELL_RESERVED))
        chunk_close(tree, place, CELL_RESERVED);
}
