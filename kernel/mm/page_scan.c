/* SPDX-License-Identifier: MIT */
/*
 * Walking over pages without walking over pages: a view is what the tree says about a frame and its
 * neighbours in one piece, 64 pages of a leaf, up to 64 closed units, or a chunk.
 */
#include "kernel/mm/page_scan.h"

/*
 * Bit i of `matches` tells of frame first + i if the view is of 64 pages; else all frames of the
 * view are alike and `matches` is 0 or all ones.
 */
struct view {
    uint64_t first, limit, matches;
};

static uint64_t node_matches(const struct page_node *node, unsigned word, enum page_cell cell,
                             enum page_freshness freshness)
{
    uint64_t bits = node_free_bits(node, word);
    if (cell == CELL_RESERVED)
        bits = node->pair[word].free & node->pair[word].head;
    if (freshness == FRESH_ONLY)
        bits &= node->fresh[word];
    if (freshness == FRESH_NONE)
        bits &= ~node->fresh[word];
    return bits;
}

/* A closed unit whose leaf tells of its freshness. */
static void view_mixed(const struct page_spot *spot, enum page_cell cell,
                       enum page_freshness freshness, struct view *view)
{
    uint64_t fresh = chunk_leaf(spot->chunk, spot->unit).fresh[spot->page / WORD_BITS];
    view->first += spot->page & ~(WORD_BITS - 1);
    view->limit = view->first + WORD_BITS;
    if (spot->cell != cell)
        view->matches = 0;
    else
        view->matches = freshness == FRESH_ONLY ? fresh : ~fresh;
}

/* As many closed units of one word as answer alike. */
static void view_units(const struct page_spot *spot, enum page_cell cell,
                       enum page_freshness freshness, struct view *view)
{
    const struct page_chunk *chunk = spot->chunk;
    unsigned word = spot->unit / WORD_BITS, bit = spot->unit % WORD_BITS;
    struct page_node node = chunk_units(chunk);
    uint64_t matches = node_matches(&node, word, cell, freshness);
    uint64_t stops = chunk->open[word];
    if (freshness != FRESH_ANY)
        stops |= chunk->mixed[word];
    view->matches = matches >> bit & 1 ? ~UINT64_C(0) : 0;
    stops |= matches ^ view->matches;
    stops &= ~UINT64_C(0) << bit;
    unsigned units = (stops != 0 ? bit_lowest(stops) : WORD_BITS) - bit;
    view->limit = view->first + units * UNIT_PAGES;
}

/* What all of a chunk says, unless its units must be asked. */
static void view_chunk(unsigned state, enum page_cell cell, enum page_freshness freshness,
                       struct view *view)
{
    bool fresh = state & CHUNK_FRESH;
    bool matches = (state & CHUNK_CELL) == cell
                   && (freshness == FRESH_ANY || fresh == (freshness == FRESH_ONLY));
    view->matches = matches ? ~UINT64_C(0) : 0;
    view->limit = view->first + CHUNK_PAGES;
}

static void view_at(const struct page_tree *tree, uint64_t frame, enum page_cell cell,
                    enum page_freshness freshness, struct view *view)
{
    struct page_spot spot;
    if (!tree_spot(tree, frame, &spot)) {
        *view = (struct view){ .first = frame };
        tree_managed(tree, frame, &view->limit);
        return;
    }
    view->first = frame - spot.place.offset;
    if (spot.chunk == NULL) {
        view_chunk(tree->state[spot.place.chunk], cell, freshness, view);
        return;
    }
    view->first += spot.unit * UNIT_PAGES;
    if (spot.open) {
        unsigned word = spot.page / WORD_BITS;
        view->first += word * WORD_BITS;
        view->limit = view->first + WORD_BITS;
        view->matches = node_matches(&spot.leaf, word, cell, freshness);
    } else if (freshness != FRESH_ANY && bitmap_test(spot.chunk->mixed, spot.unit)) {
        view_mixed(&spot, cell, freshness, view);
    } else {
        view_units(&spot, cell, freshness, view);
    }
}

uint64_t scan_end(const struct page_tree *tree, uint64_t from, uint64_t limit, enum page_cell cell,
                  enum page_freshness freshness)
{
    while (from < limit) {
        struct view view;
        view_at(tree, from, cell, freshness, &view);
        if (view.limit - view.first == WORD_BITS) {
            uint64_t others = ~view.matches & ~UINT64_C(0) << (from - view.first);
            if (others != 0) {
                uint64_t end = view.first + bit_lowest(others);
                return end < limit ? end : limit;
            }
        } else if (view.matches == 0) {
            return from;
        }
        from = view.limit;
    }
    return limit;
}

/* Where multiples of 2^align lie in a word that holds at least one. */
static uint64_t aligned_bits(unsigned align)
{
    return run_starts(align < WORD_ORDERS ? align : WORD_ORDERS);
}

unsigned chunk_lead(const struct page_chunk *chunk, unsigned from, unsigned align)
{
    unsigned order = align - UNIT_SHIFT, within = order > 6 ? (1u << (order - 6)) - 1 : 0;
    uint64_t starts = aligned_bits(order), mask = starts & ~UINT64_C(0) << from % WORD_BITS;
    for (unsigned w = from / WORD_BITS; w < NODE_WORDS; w++, mask = starts) {
        uint64_t units = (pair_free(&chunk->pair[w]) | chunk->lead[w]) & mask;
        if (units != 0 && (w & within) == 0)
            return w * WORD_BITS + bit_lowest(units);
    }
    return CHUNK_UNITS;
}

/* Skip what cannot hold the next frame of the alignment; 0 if `frame` is to be looked at. */
static uint64_t skip_leads(const struct page_tree *tree, uint64_t frame, unsigned align)
{
    struct page_place place;
    if (align < UNIT_SHIFT || !tree_find(tree, frame, &place)
        || tree->node[place.chunk] == NULL)
        return 0;
    unsigned unit = chunk_lead(tree->node[place.chunk], place.offset / UNIT_PAGES, align);
    uint64_t lead = place.first + unit * UNIT_PAGES;
    return lead > frame ? lead : 0;
}

uint64_t scan_next(const struct page_tree *tree, const struct page_area *area, uint64_t from,
                   uint64_t limit, unsigned align, enum page_freshness freshness)
{
    uint64_t frame = align_up(from, UINT64_C(1) << align);
    limit = limit < area->limit ? limit : area->limit;
    while (frame < limit) {
        uint64_t lead = skip_leads(tree, frame, align);
        if (lead != 0) {
            frame = lead;
            continue;
        }
        struct view view;
        view_at(tree, frame, CELL_FREE, freshness, &view);
        if (view.limit - view.first == WORD_BITS) {
            uint64_t found = view.matches & aligned_bits(align)
                             & ~UINT64_C(0) << (frame - view.first);
            if (found != 0)
                return view.first + bit_lowest(found) < limit ? view.first + bit_lowest(found)
                                                              : limit;
        } else if (view.matches != 0) {
            return frame;
        }
        frame = align_up(view.limit, UINT64_C(1) << align);
    }
    return limit;
}
