/* SPDX-License-Identifier: MIT */
/*
 * How the tree changes. Three rules keep it small and every path short:
 *
 * - What is uniform is closed: a leaf whose pages have all become free or all reserved goes back into
 *   one cell of its chunk, a chunk likewise into its state byte. A whole unit or chunk in a change
 *   is therefore always closed, and costs a few bits however large it is.
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
    tree->taken++;
    return page;
}

static void node_give(struct page_tree *tree, void *page)
{
    tree->taken--;
    tree->nodes.give(tree->nodes.context, page);
}

/* ---- Classes ---- */

static void row_add(struct page_area *area, uint32_t chunk, unsigned class)
{
    bitset_add(area_row(area, class), &area->shape, chunk - area->chunk);
    area->available |= UINT32_C(1) << class;
}

static void row_remove(struct page_area *area, uint32_t chunk, unsigned class)
{
    if (bitset_remove(area_row(area, class), &area->shape, chunk - area->chunk))
        area->available &= ~(UINT32_C(1) << class);
}

static void leaf_enter(const struct page_place *place, struct page_chunk *chunk, unsigned unit,
                       unsigned class)
{
    unsigned word = unit / WORD_BITS, word_bit = 1u << word;
    uint64_t *row = &chunk->class_row[class][word];
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

/* Give back those of `slabs` (bit s: slab s) in which there is no leaf any more. */
static void slabs_trim(struct page_tree *tree, struct page_chunk *chunk, uint32_t slabs)
{
    for (slabs &= chunk->slabs; slabs != 0; slabs &= slabs - 1) {
        unsigned slab = bit_lowest(slabs);
        if (slab_in_use(chunk, slab))
            continue;
        chunk->slabs &= ~(UINT32_C(1) << slab);
        node_give(tree, chunk->slab[slab]);
    }
}

static void leaf_open(struct page_tree *tree, struct page_chunk *chunk, unsigned unit)
{
    unsigned slab = unit / SLAB_LEAVES;
    enum page_cell cell = node_cell(&chunk->units, unit);
    if (!(chunk->slabs >> slab & 1)) {
        chunk->slab[slab] = stock_take(tree);
        chunk->slabs |= UINT32_C(1) << slab;
    }
    struct page_leaf *leaf = chunk_leaf(chunk, unit);
    if (!bitmap_test(chunk->mixed, unit))
        for (unsigned w = 0; w < NODE_WORDS; w++)
            leaf->pages.fresh[w] = bitmap_test(chunk->units.fresh, unit) ? ~UINT64_C(0) : 0;
    node_fill_all(&leaf->pages, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&leaf->pages, 0);
    leaf->order = NO_ORDER;
    bitmap_set(chunk->open, unit);
    bitmap_clear(chunk->mixed, unit);
    bitmap_write(chunk->lead, unit, cell == CELL_FREE);
    node_fill(&chunk->units, unit, unit + 1, CELL_HEAD);
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
    node_fill(&chunk->units, unit, unit + 1, cell);
    if (uniform)
        slabs_trim(tree, chunk, UINT32_C(1) << unit / SLAB_LEAVES);
}

/* After a change in a leaf: enter it in its class, or close it. */
static void leaf_settle(struct page_tree *tree, const struct page_place *place,
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
    for (unsigned w = 0; w < NODE_WORDS; w++) {
        chunk->open[w] = chunk->mixed[w] = chunk->lead[w] = 0;
        chunk->units.fresh[w] = fresh ? ~UINT64_C(0) : 0;
    }
    for (unsigned c = 0; c < LEAF_CLASSES; c++)
        chunk->class_words[c] = 0;
    chunk->slabs = 0;
}

static struct page_chunk *chunk_open(struct page_tree *tree, const struct page_place *place)
{
    unsigned state = tree->state[place->chunk];
    if (state & CHUNK_ACTIVE)
        return tree->node[place->chunk];
    if (!(state & CHUNK_MIXED)) {
        tree->node[place->chunk] = stock_take(tree);
        chunk_init(tree->node[place->chunk], state & CHUNK_FRESH);
    }
    struct page_chunk *chunk = tree->node[place->chunk];
    enum page_cell cell = (enum page_cell)(state & CHUNK_CELL);
    node_fill_all(&chunk->units, cell == CELL_HEAD ? CELL_CONTINUED : cell);
    if (cell == CELL_HEAD)
        node_set_head(&chunk->units, 0);
    chunk->class = cell == CELL_FREE ? MAX_ORDER : NO_ORDER;
    chunk->first = tree_chunk_first(tree, place->chunk);
    tree->state[place->chunk] = CHUNK_ACTIVE;
    return chunk;
}

static bool chunk_fresh_uniform(const struct page_chunk *chunk, bool *fresh)
{
    uint64_t mixed = 0;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        mixed |= chunk->mixed[w];
    return node_fresh_uniform(&chunk->units, fresh) && mixed == 0;
}

/* All units are `cell`: make the chunk so. */
static void chunk_close(struct page_tree *tree, const struct page_place *place,
                        enum page_cell cell)
{
    struct page_chunk *chunk = tree->node[place->chunk];
    bool fresh, uniform = chunk_fresh_uniform(chunk, &fresh);
    unsigned flags = !uniform ? CHUNK_MIXED : fresh ? CHUNK_FRESH : 0;
    tree->state[place->chunk] = (uint8_t)(cell | flags);
    if (uniform)
        node_give(tree, chunk);
}

/* After a change of units: enter the chunk in its class, or close it. */
static void chunk_settle(struct page_tree *tree, const struct page_place *place,
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

/* ---- Changes ---- */

static enum page_cell change_cell(enum page_change change)
{
    if (change == CHANGE_TAKE)
        return CELL_CONTINUED;
    return change == CHANGE_RESERVE ? CELL_RESERVED : CELL_FREE;
}

static void node_change(struct page_node *node, unsigned from, unsigned to,
                        enum page_change change, bool begins)
{
    node_fill(node, from, to, change_cell(change));
    if (change == CHANGE_TAKE) {
        bitmap_fill(node->fresh, from, to, false);
        if (begins)
            node_set_head(node, from);
    } else if (change == CHANGE_MANAGE_FRESH) {
        bitmap_fill(node->fresh, from, to, true);
    }
}

static void leaf_change(struct page_tree *tree, const struct page_place *place,
                        struct page_chunk *chunk, unsigned unit, unsigned from, unsigned to,
                        enum page_change change, bool begins)
{
    struct page_leaf *leaf = chunk_leaf(chunk, unit);
    if (from == 0)
        bitmap_write(chunk->lead, unit, change_cell(change) == CELL_FREE);
    node_change(&leaf->pages, from, to, change, begins);
    leaf_settle(tree, place, chunk, unit, leaf);
}

static void units_change(struct page_tree *tree, struct page_chunk *chunk, unsigned from,
                         unsigned to, enum page_change change, bool begins)
{
    node_change(&chunk->units, from, to, change, begins);
    if (change != CHANGE_TAKE)
        return;
    bitmap_fill(chunk->mixed, from, to, false);
    slabs_trim(tree, chunk, (uint32_t)bits_between(from / SLAB_LEAVES, (to - 1) / SLAB_LEAVES + 1));
}

static void chunk_change_all(struct page_tree *tree, const struct page_place *place,
                             enum page_change change)
{
    unsigned state = tree->state[place->chunk];
    enum page_cell cell = change == CHANGE_TAKE ? CELL_HEAD : change_cell(change);
    if ((state & CHUNK_CELL) == CELL_FREE)
        row_remove(place->area, place->chunk, MAX_ORDER);
    if (cell == CELL_FREE)
        row_add(place->area, place->chunk, MAX_ORDER);
    unsigned flags = state & (CHUNK_FRESH | CHUNK_MIXED);
    if (change == CHANGE_MANAGE_FRESH)
        flags = CHUNK_FRESH;
    if (change == CHANGE_TAKE) {
        if (state & CHUNK_MIXED) {
            bitmap_fill(tree->node[place->chunk]->mixed, 0, CHUNK_UNITS, false);
            slabs_trim(tree, tree->node[place->chunk], ~UINT32_C(0));
            node_give(tree, tree->node[place->chunk]);
        }
        flags = 0;
    }
    tree->state[place->chunk] = (uint8_t)(cell | flags);
}

static void area_count(struct page_area *area, uint64_t pages, enum page_change change)
{
    area->free += change == CHANGE_TAKE || change == CHANGE_RESERVE ? -pages : pages;
    if (change == CHANGE_RESERVE)
        area->reserved += pages;
    if (change == CHANGE_UNRESERVE)
        area->reserved -= pages;
    if (change == CHANGE_MANAGE || change == CHANGE_MANAGE_FRESH)
        area->managed += pages;
}

/*
 * The pages from..to-1 of a chunk. Leaves are opened before anything else happens, as tree_secure()
 * counted on the slabs that exist at the start.
 */
static void chunk_change(struct page_tree *tree, const struct page_place *place, uint32_t from,
                         uint32_t to, enum page_change change, bool begins)
{
    unsigned first = from / UNIT_PAGES, last = to / UNIT_PAGES;   /* units, `last` not wholly in */
    unsigned head = from % UNIT_PAGES, tail = to % UNIT_PAGES;
    if (to - from == CHUNK_PAGES) {
        chunk_change_all(tree, place, change);
        return;
    }
    struct page_chunk *chunk = chunk_open(tree, place);
    if (head != 0 && !bitmap_test(chunk->open, first))
        leaf_open(tree, chunk, first);
    if (tail != 0 && !bitmap_test(chunk->open, last))
        leaf_open(tree, chunk, last);
    if (head != 0) {
        unsigned end = first == last ? tail : UNIT_PAGES;
        leaf_change(tree, place, chunk, first, head, end, change, begins);
        begins = false;
        first++;
    }
    if (first < last) {
        units_change(tree, chunk, first, last, change, begins);
        begins = false;
    }
    if (first <= last && tail != 0)
        leaf_change(tree, place, chunk, last, 0, tail, change, begins);
    chunk_settle(tree, place, chunk);
}

void tree_change(struct page_tree *tree, uint64_t first, uint64_t limit, enum page_change change)
{
    bool begins = true;
    while (first < limit) {
        struct page_place place;
        bool found = tree_find(tree, first, &place);
        ASSERT(found);
        uint64_t end = align_down(first, CHUNK_PAGES) + CHUNK_PAGES;
        end = end < place.area->limit ? end : place.area->limit;
        end = end < limit ? end : limit;
        area_count(place.area, end - first, change);
        chunk_change(tree, &place, place.offset, place.offset + (uint32_t)(end - first), change,
                     begins);
        first = end;
        begins = false;
    }
}

void tree_change_leaf(struct page_tree *tree, const struct page_place *place, unsigned unit,
                      unsigned from, unsigned to, enum page_change change)
{
    struct page_chunk *chunk = tree->node[place->chunk];
    area_count(place->area, to - from, change);
    leaf_change(tree, place, chunk, unit, from, to, change, true);
    if (!bitmap_test(chunk->open, unit))
        chunk_settle(tree, place, chunk);
}

void tree_set_head(struct page_tree *tree, uint64_t frame)
{
    struct page_place place;
    bool found = tree_find(tree, frame, &place);
    ASSERT(found && (tree->state[place.chunk] & CHUNK_ACTIVE));
    struct page_chunk *chunk = tree->node[place.chunk];
    unsigned unit = place.offset / UNIT_PAGES;
    if (bitmap_test(chunk->open, unit))
        node_set_head(&chunk_leaf(chunk, unit)->pages, place.offset % UNIT_PAGES);
    else
        node_set_head(&chunk->units, unit);
}
