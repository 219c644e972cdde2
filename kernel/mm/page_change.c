/* SPDX-License-Identifier: MIT */
/* Changes of state of any run of pages, piece by piece. */
#include "kernel/mm/page_class.h"

static bool hands_out(enum page_change change)
{
    return change == CHANGE_TAKE || change == CHANGE_EXTEND;
}

static enum page_cell change_cell(enum page_change change)
{
    if (hands_out(change))
        return CELL_CONTINUED;
    return change == CHANGE_RESERVE ? CELL_RESERVED : CELL_FREE;
}

/* With `begins` a block begins at the first entry. True if the node's orders have changed. */
static bool node_change(const struct page_node *node, unsigned from, unsigned to,
                        enum page_change change, bool begins)
{
    bool changed = node_fill(node, from, to, change_cell(change));
    if (hands_out(change)) {
        bitmap_fill(node->fresh, from, to, false);
        if (begins)
            node_set_head(node, from);
    } else if (change == CHANGE_MANAGE_FRESH) {
        bitmap_fill(node->fresh, from, to, true);
    }
    return changed;
}

static void leaf_change(struct page_tree *tree, struct page_chunk *chunk, unsigned unit,
                        unsigned from, unsigned to, enum page_change change, bool begins)
{
    struct page_node leaf = chunk_leaf(chunk, unit);
    if (from == 0)
        bitmap_write(chunk->lead, unit, change_cell(change) == CELL_FREE);
    if (node_change(&leaf, from, to, change, begins))
        leaf_settle(tree, chunk, unit);
}

static void units_change(struct page_tree *tree, struct page_chunk *chunk, unsigned from,
                         unsigned to, enum page_change change, bool begins)
{
    struct page_node units = chunk_units(chunk);
    node_change(&units, from, to, change, begins);
    if (hands_out(change))
        units_used(tree, chunk, from, to);
}

/* All of a chunk, which is not active unless it is taken. */
static void chunk_change_all(struct page_tree *tree, const struct page_place *place,
                             enum page_change change)
{
    if (tree->node[place->chunk] != NULL)
        chunk_used(tree, tree->node[place->chunk]);
    unsigned state = tree->state[place->chunk];
    enum page_cell cell = change == CHANGE_TAKE ? CELL_HEAD : change_cell(change);
    if ((state & CHUNK_CELL) == CELL_FREE)
        row_remove(place->area, place->chunk, MAX_ORDER);
    if (cell == CELL_FREE)
        row_add(place->area, place->chunk, MAX_ORDER);
    bool fresh = change == CHANGE_MANAGE_FRESH
                 || (change != CHANGE_TAKE && (state & CHUNK_FRESH));
    tree->state[place->chunk] = (uint8_t)(cell | (fresh ? CHUNK_FRESH : 0));
}

static void area_count(struct page_area *area, uint64_t pages, enum page_change change)
{
    area->free += hands_out(change) || change == CHANGE_RESERVE ? -pages : pages;
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
    bool active = tree->node[place->chunk] != NULL;
    if (to - from == CHUNK_PAGES && (!active || change == CHANGE_TAKE)) {
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
        leaf_change(tree, chunk, first, head, end, change, begins);
        begins = false;
        first++;
    }
    if (first < last) {
        units_change(tree, chunk, first, last, change, begins);
        begins = false;
    }
    if (first <= last && tail != 0)
        leaf_change(tree, chunk, last, 0, tail, change, begins);
    chunk_settle(tree, chunk);
}

void tree_change(struct page_tree *tree, uint64_t first, uint64_t limit, enum page_change change)
{
    bool begins = change == CHANGE_TAKE;
    while (first < limit) {
        struct page_place place;
        uint64_t end = tree_piece(tree, first, limit, &place);
        area_count(place.area, end - first, change);
        chunk_change(tree, &place, place.offset, place.offset + (uint32_t)(end - first), change,
                     begins);
        first = end;
        begins = false;
    }
    stock_trim(tree, UINT64_MAX);
}

void tree_set_head(struct page_tree *tree, uint64_t frame)
{
    struct page_place place;
    bool found = tree_find(tree, frame, &place);
    ASSERT(found && tree->node[place.chunk] != NULL);
    struct page_chunk *chunk = tree->node[place.chunk];
    unsigned unit = place.offset / UNIT_PAGES;
    bool open = bitmap_test(chunk->open, unit);
    struct page_node node = open ? chunk_leaf(chunk, unit) : chunk_units(chunk);
    node_set_head(&node, open ? place.offset % UNIT_PAGES : unit);
}
