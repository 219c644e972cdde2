/* SPDX-License-Identifier: MIT */
/*
 * The invariants of the tree, each recomputed from the bitmaps. `text` below numbers them. They
 * hold for the tree as it is, before the hot word is flushed.
 */
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"

static const char *const text[] = {
    [0] = "stopped before all was looked at",
    [1] = "areas, spans and ranges ascend, tile their arrays, and the scan order is a permutation",
    [2] = "a node's orders are those of its free bits",
    [3] = "an open leaf is in the class of its largest free order, and in no other",
    [4] = "a lead is an open unit whose first page is free",
    [5] = "an active chunk is of the class of its largest free order, and knows its place",
    [6] = "an area's rows hold the chunks of each class, their summaries and `available` agree",
    [7] = "an open leaf is not wholly free, reserved or one block; its unit is a head above it",
    [8] = "an active chunk is wholly free or reserved only while its fresh bits differ",
    [9] = "a closed unit keeps a leaf only while its fresh bits differ, its cells all free",
    [10] = "a slab exists while it holds a leaf; each page held is a chunk, a slab or in stock",
    [11] = "a page that is not managed is reserved and not fresh",
    [12] = "no allocated page is fresh",
    [13] = "a continued page is behind its block; no block is longer than 2^18 pages",
    [14] = "the totals of an area are the sums of its pages",
    [15] = "the hot word differs from the tree only in blocks of its order, where it was used",
    [16] = "no class depends on the slots of the hot word",
    [17] = "the rule would choose the hot word",
};

struct checker {
    const struct page_tree *tree;
    bool (*stop)(void);
    struct page_violation *violation;
    const struct page_area *area;
    uint64_t free, reserved, managed;   /* of the area, so far */
    uint64_t block;                     /* pages of the block that reaches `next`, or 0 */
    uint64_t next;                      /* frame behind the last one looked at */
    uint64_t nodes;
    uint64_t known, known_limit;        /* of these frames tree_managed() said the same, so far */
    bool known_managed;
};

static bool holds(struct checker *c, bool condition, unsigned invariant, uint64_t frame)
{
    if (!condition)
        *c->violation = (struct page_violation){ invariant, pfn(frame), text[invariant] };
    return condition;
}

static bool goes_on(struct checker *c) { return holds(c, !c->stop(), 0, 0); }

/* ---- Pages ---- */

static bool check_block(struct checker *c, uint64_t first, uint64_t pages, enum page_cell cell)
{
    if (first != c->next)
        c->block = 0;
    c->next = first + pages;
    if (cell == CELL_HEAD)
        c->block = pages;
    else if (cell == CELL_CONTINUED && c->block != 0)
        c->block += pages;
    else if (cell == CELL_CONTINUED)
        return holds(c, false, 13, first);
    else
        c->block = 0;
    return holds(c, c->block <= MAX_BLOCK_PAGES, 13, first);
}

/* As tree_managed(): what it said last answers for most frames. */
static bool is_managed(struct checker *c, uint64_t frame, uint64_t *limit)
{
    if (frame < c->known || frame >= c->known_limit) {
        c->known_managed = tree_managed(c->tree, frame, &c->known_limit);
        c->known = frame;
    }
    *limit = c->known_limit;
    return c->known_managed;
}

/* Pages alike, in the order of their addresses. */
static bool check_pages(struct checker *c, uint64_t first, uint64_t pages, enum page_cell cell,
                        bool fresh)
{
    uint64_t limit;
    bool allocated = cell == CELL_HEAD || cell == CELL_CONTINUED;
    if (!check_block(c, first, pages, cell) || !holds(c, !(allocated && fresh), 12, first))
        return false;
    for (uint64_t frame = first; frame < first + pages; frame = limit) {
        bool managed = is_managed(c, frame, &limit) && frame < c->area->limit
                       && frame >= c->area->first;
        if (frame < c->area->first && limit > c->area->first)
            limit = c->area->first;
        if (frame < c->area->limit && limit > c->area->limit)
            limit = c->area->limit;
        limit = limit < first + pages ? limit : first + pages;
        if (!holds(c, managed || (cell == CELL_RESERVED && !fresh), 11, frame))
            return false;
        c->managed += managed ? limit - frame : 0;
        c->reserved += managed && cell == CELL_RESERVED ? limit - frame : 0;
        c->free += cell == CELL_FREE ? limit - frame : 0;
    }
    return true;
}

/* ---- Leaves ---- */

static bool check_node(struct checker *c, const struct page_node *node, uint64_t frame)
{
    uint64_t counted = 0;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        counted |= (uint64_t)word_orders(node_free_bits(node, w)) << w * 8;
    return holds(c, counted == *node->orders, 2, frame);
}

static bool in_class(const struct page_chunk *chunk, unsigned unit, unsigned class)
{
    return (chunk->class_words[class] >> unit / WORD_BITS & 1)
           && bitmap_test(chunk->class_row[class], unit);
}

static bool check_leaf_class(struct checker *c, const struct page_chunk *chunk, unsigned unit,
                             unsigned order, uint64_t frame)
{
    for (unsigned class = 0; class < LEAF_CLASSES; class++)
        if (!holds(c, in_class(chunk, unit, class) == (class == order), 3, frame))
            return false;
    return true;
}

static bool check_open(struct checker *c, const struct page_chunk *chunk, unsigned unit,
                       uint64_t frame)
{
    struct page_node leaf = chunk_leaf(chunk, unit), units = chunk_units(chunk);
    unsigned order = node_order(*leaf.orders);
    bool lead = node_cell(&leaf, 0) == CELL_FREE;
    return check_node(c, &leaf, frame)
           && holds(c, order != NODE_ORDER && !node_is(&leaf, CELL_RESERVED)
                       && !node_is_block(&leaf) && node_cell(&units, unit) == CELL_HEAD, 7, frame)
           && holds(c, *chunk_leaf_class(chunk, unit) == order, 3, frame)
           && check_leaf_class(c, chunk, unit, order, frame)
           && holds(c, bitmap_test(chunk->lead, unit) == lead, 4, frame);
}

static bool check_closed(struct checker *c, const struct page_chunk *chunk, unsigned unit,
                         enum page_cell cell, uint64_t frame)
{
    bool fresh, allocated = cell == CELL_HEAD || cell == CELL_CONTINUED;
    if (bitmap_test(chunk->mixed, unit)) {
        struct page_node leaf = chunk_leaf(chunk, unit);
        if (!holds(c, !allocated && !node_fresh_uniform(&leaf, &fresh)
                      && *leaf.orders == ALL_FREE && node_is(&leaf, CELL_FREE), 9, frame))
            return false;
    }
    return check_leaf_class(c, chunk, unit, NO_ORDER, frame)
           && holds(c, !bitmap_test(chunk->lead, unit), 4, frame);
}

static bool check_unit(struct checker *c, const struct page_chunk *chunk, unsigned unit,
                       enum page_cell cell, uint64_t frame)
{
    bool open = bitmap_test(chunk->open, unit);
    if (open ? !check_open(c, chunk, unit, frame) : !check_closed(c, chunk, unit, cell, frame))
        return false;
    if (!open && !bitmap_test(chunk->mixed, unit))
        return check_pages(c, frame, UNIT_PAGES, cell, bitmap_test(chunk->fresh, unit));
    struct page_node leaf = chunk_leaf(chunk, unit);
    for (unsigned page = 0; page < UNIT_PAGES; page++)
        if (!check_pages(c, frame + page, 1, open ? node_cell(&leaf, page) : cell,
                         bitmap_test(leaf.fresh, page)))
            return false;
    return true;
}

/* ---- Chunks ---- */

static bool check_slabs(struct checker *c, const struct page_chunk *chunk, uint64_t frame)
{
    uint32_t wanted = 0;
    for (unsigned unit = 0; unit < CHUNK_UNITS; unit++)
        if (bitmap_test(chunk->open, unit) || bitmap_test(chunk->mixed, unit))
            wanted |= UINT32_C(1) << unit / SLAB_LEAVES;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        if (!holds(c, (chunk->open[w] & chunk->mixed[w]) == 0, 9, frame))
            return false;
    c->nodes += 1 + bits_count(wanted);
    return holds(c, chunk->slabs == wanted, 10, frame);
}

static bool check_active(struct checker *c, const struct page_chunk *chunk, uint64_t frame)
{
    struct page_node units = chunk_units(chunk);
    unsigned order = node_order(chunk->orders);
    bool fresh, same = node_fresh_uniform(&units, &fresh);
    for (unsigned w = 0; w < NODE_WORDS; w++)
        same = same && chunk->mixed[w] == 0;
    return holds(c, !same || (order != NODE_ORDER && !node_is(&units, CELL_RESERVED)), 8, frame)
           && holds(c, chunk->class == (order == NO_ORDER ? NO_ORDER : order + UNIT_SHIFT), 5,
                    frame)
           && holds(c, chunk->first == frame && chunk->area == c->area, 5, frame);
}

static bool check_chunk(struct checker *c, uint32_t index, uint64_t frame)
{
    const struct page_tree *tree = c->tree;
    unsigned state = tree->state[index];
    enum page_cell cell = (enum page_cell)(state & CHUNK_CELL);
    if (tree->node[index] == NULL)
        return holds(c, cell != CELL_CONTINUED, 13, frame)
               && check_pages(c, frame, CHUNK_PAGES, cell, state & CHUNK_FRESH);
    const struct page_chunk *chunk = tree->node[index];
    struct page_node units = chunk_units(chunk);
    if (!check_slabs(c, chunk, frame) || !check_active(c, chunk, frame)
        || !holds(c, chunk->index == index, 5, frame) || !check_node(c, &units, frame))
        return false;
    for (unsigned unit = 0; unit < CHUNK_UNITS; unit++)
        if (!goes_on(c)
            || !check_unit(c, chunk, unit, node_cell(&units, unit), frame + unit * UNIT_PAGES))
            return false;
    return true;
}

/* ---- Areas ---- */

static bool belongs(const struct page_tree *tree, uint32_t chunk, unsigned class)
{
    if (tree->node[chunk] == NULL)
        return class == MAX_ORDER && (tree->state[chunk] & CHUNK_CELL) == CELL_FREE;
    if (class < LEAF_CLASSES)
        return tree->node[chunk]->class_words[class] != 0;
    return tree->node[chunk]->class == class;
}

/* Each summary bit of each level says whether the word below it holds anything. */
static bool summaries_agree(const uint64_t *row, const struct bitset_shape *shape)
{
    for (unsigned level = 1; level < shape->levels; level++) {
        uint32_t words = shape->offset[level] - shape->offset[level - 1];
        for (uint32_t w = 0; w < words; w++)
            if (bitmap_test(&row[shape->offset[level]], w)
                != (row[shape->offset[level - 1] + w] != 0))
                return false;
    }
    return true;
}

static bool check_row(struct checker *c, unsigned class)
{
    const struct page_area *area = c->area;
    const uint64_t *row = area_row(area, class);
    uint64_t members = 0;
    for (uint32_t i = 0; i < area->chunks; i++) {
        bool there = belongs(c->tree, area->chunk + i, class);
        if (!holds(c, bitmap_test(&row[1], i) == there, 6,
                   tree_span_first(c->tree, area->chunk + i)))
            return false;
        members += there;
    }
    return holds(c, summaries_agree(row, &area->shape)
                    && row[0] == members
                    && (area->available >> class & 1) == (members != 0), 6, area->first);
}

static bool check_area(struct checker *c, const struct page_area *area)
{
    c->area = area;
    c->free = c->reserved = c->managed = c->block = 0;
    for (uint32_t i = area->chunk; i < area->chunk + area->chunks; i++)
        if (!goes_on(c) || !check_chunk(c, i, tree_span_first(c->tree, i)))
            return false;
    for (unsigned class = 0; class < CLASSES && area->chunks > 0; class++)
        if (!check_row(c, class))
            return false;
    return holds(c, area->free == c->free && area->reserved == c->reserved
                    && area->managed == c->managed, 14, area->first);
}

/* ---- Roots ---- */

static bool check_spans(struct checker *c)
{
    const struct page_tree *tree = c->tree;
    uint64_t limit = 0;
    uint32_t chunk = 0;
    for (size_t s = 0; s < tree->nspans; s++) {
        const struct page_span *span = &tree->span[s];
        const struct page_area *area = span->area;
        if (!holds(c, span->first >= limit && span->limit > span->first && span->chunk == chunk
                      && chunk - span->skew == span->first >> CHUNK_SHIFT
                      && span->first >= area->first && span->limit <= area->limit, 1, span->first))
            return false;
        limit = span->limit;
        chunk += (uint32_t)(((limit - 1) >> CHUNK_SHIFT) - (span->first >> CHUNK_SHIFT)) + 1;
    }
    return holds(c, chunk == tree->chunks, 1, limit);
}

static bool check_roots(struct checker *c)
{
    const struct page_tree *tree = c->tree;
    uint64_t limit = 0, before = 0;
    uint32_t scanned = 0, chunk = 0;
    for (size_t a = 0; a < tree->nareas; a++) {
        const struct page_area *area = &tree->area[a];
        scanned |= UINT32_C(1) << tree->scan[a];
        if (!holds(c, area->first == limit && area->limit > limit && area->chunk == chunk, 1,
                   area->first))
            return false;
        limit = area->limit;
        chunk += area->chunks;
    }
    for (size_t r = 0; r < tree->nranges; r++) {
        const struct page_managed *range = &tree->range[r];
        if (!holds(c, range->first > before && range->limit > range->first, 1, range->first))
            return false;
        before = range->limit;
    }
    return holds(c, scanned == (UINT32_C(1) << tree->nareas) - 1, 1, 0) && check_spans(c);
}

bool page_check(const void *engine, bool (*stop)(void), struct page_violation *violation)
{
    struct checker c = { .tree = engine, .stop = stop, .violation = violation };
    if (!check_roots(&c) || !holds(&c, hot_agrees(c.tree), 15, c.tree->hot.first)
        || !holds(&c, hot_keeps_class(c.tree), 16, c.tree->hot.first))
        return false;
    for (size_t a = 0; a < c.tree->nareas; a++)
        if (!check_area(&c, &c.tree->area[a]))
            return false;
    return holds(&c, c.nodes + stock_count(c.tree, UINT64_MAX) == c.tree->held, 10, 0)
           && holds(&c, hot_is_chosen(c.tree), 17, c.tree->hot.first);
}
