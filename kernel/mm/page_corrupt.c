/* SPDX-License-Identifier: MIT */
/* Breaks what page_check() verifies, one invariant at a time: the mildest way that it names. */
#include "kernel/mm/page_hot.h"

/* ---- pages of open leaves ---- */

struct leaf_page {
    struct page_chunk *chunk;
    unsigned unit, page;              /* in the chunk, in the unit */
    struct page_node leaf;
};

static uint64_t frame_of(const struct leaf_page *at)
{
    return at->chunk->first + at->unit * UNIT_PAGES + at->page;
}

static bool leaf_has_free(const struct page_tree *tree, const struct leaf_page *at)
{
    (void)tree;
    return *at->leaf.orders != 0;
}

static bool is_unmanaged(const struct page_tree *tree, const struct leaf_page *at)
{
    uint64_t limit;

    return !tree_managed(tree, frame_of(at), &limit);
}

static bool is_allocated(const struct page_tree *tree, const struct leaf_page *at)
{
    enum page_cell cell = node_cell(&at->leaf, at->page);

    (void)tree;
    return cell == CELL_HEAD || cell == CELL_CONTINUED;
}

/* The head of a block behind which nothing is allocated that it could be taken for a part of. */
static bool is_lone_head(const struct page_tree *tree, const struct leaf_page *at)
{
    struct page_info before = { .state = PAGE_UNMANAGED };

    if (frame_of(at) > 0)
        tree_query(tree, frame_of(at) - 1, &before);
    return node_cell(&at->leaf, at->page) == CELL_HEAD && before.state != PAGE_ALLOCATED;
}

typedef bool (*fits)(const struct page_tree *tree, const struct leaf_page *at);

static bool find_in_unit(const struct page_tree *tree, fits fits, struct leaf_page *at)
{
    at->leaf = chunk_leaf(at->chunk, at->unit);
    for (at->page = 0; at->page < UNIT_PAGES; at->page++)
        if (fits(tree, at))
            return true;
    return false;
}

/* The first such page of an open leaf. */
static bool find_page(const struct page_tree *tree, fits fits, struct leaf_page *at)
{
    for (uint32_t i = 0; i < tree->chunks; i++) {
        at->chunk = tree->node[i];
        for (at->unit = 0; at->chunk != NULL && at->unit < CHUNK_UNITS; at->unit++)
            if (bitmap_test(at->chunk->open, at->unit) && find_in_unit(tree, fits, at))
                return true;
    }
    return false;
}

/* All of a chunk reserved, and its leaves forgotten: it ought not to be active. */
static void uniform(struct page_chunk *chunk)
{
    struct page_node units = chunk_units(chunk);

    node_fill_all(&units, CELL_RESERVED);
    node_fresh_all(&units, false);
    for (unsigned w = 0; w < NODE_WORDS; w++)
        chunk->open[w] = chunk->mixed[w] = 0;
    chunk->slabs = 0;
    chunk->class = NO_ORDER;
}

static enum error corrupt_leaf(struct page_tree *tree, unsigned invariant)
{
    static const fits wanted[] = {
        [11] = is_unmanaged, [12] = is_allocated, [13] = is_lone_head,
    };
    struct leaf_page at;
    struct page_chunk *chunk;
    uint8_t *class;
    uint64_t word, bit;

    if (!find_page(tree, invariant < 11 ? leaf_has_free : wanted[invariant], &at))
        return E_CALL_STATE;
    chunk = at.chunk;
    class = chunk_leaf_class(chunk, at.unit);
    word = (invariant < 11 ? at.unit : at.page) / WORD_BITS;
    bit = bit_of((invariant < 11 ? at.unit : at.page) % WORD_BITS);
    switch (invariant) {
    case 2: *at.leaf.orders &= *at.leaf.orders - 1; break;
    case 3: *class = *class == 0 ? 1 : 0; break;
    case 4: chunk->lead[word] ^= bit; break;
    case 5: chunk->class = chunk->class == MAX_ORDER ? NO_ORDER : MAX_ORDER; break;
    case 7: chunk->pair[word].head ^= bit; break;
    case 8: uniform(chunk); break;
    case 9: chunk->mixed[word] |= bit; break;
    case 11: case 12: at.leaf.fresh[word] |= bit; break;
    default: at.leaf.pair[word].head ^= bit; break;
    }
    return OK;
}

/* ---- the hot word ---- */

/* Let all blocks that are free in it come and go, also those on which the leaf's class depends. */
static enum error widen(struct page_tree *tree)
{
    struct page_hot kept = tree->hot, *hot = &tree->hot;
    struct page_node leaf = chunk_leaf(hot->chunk, (uint32_t)hot->first / UNIT_PAGES % CHUNK_UNITS);
    unsigned word = (uint32_t)hot->first / WORD_BITS % NODE_WORDS;
    uint64_t others = word_runs(node_free_bits(&leaf, word), hot->order) & ~hot->slots;

    hot->slots |= others;
    hot->free |= others;
    hot->tree |= others;
    hot->fresh |= others;
    if (!hot_keeps_class(tree))
        return OK;
    *hot = kept;
    return E_CALL_STATE;
}

static enum error corrupt_hot(struct page_tree *tree, unsigned invariant)
{
    struct page_hot *hot = &tree->hot;

    hot_settle(tree);
    if (hot->slots == 0 || hot->tree == 0 || hot->pages == UINT64_MAX || hot->shift != 0)
        return E_CALL_STATE;
    if (invariant == 16)
        return widen(tree);
    if (invariant == 15)
        hot->given++;
    else
        hot->areas = 0;
    return OK;
}

/* ---- all ---- */

/* The largest blocks of the first area that has any are lost. */
static enum error lose_row(struct page_tree *tree)
{
    for (size_t i = 0; i < tree->nareas; i++)
        if (tree->area[i].available != 0) {
            tree->area[i].available ^= UINT32_C(1) << bit_highest(tree->area[i].available);
            return OK;
        }
    return E_CALL_STATE;
}

enum error page_corrupt(void *engine, unsigned invariant)
{
    struct page_tree *tree = engine;

    if (invariant > 17)
        return E_CALL_UNSUPPORTED;
    if (invariant >= 15)
        return corrupt_hot(tree, invariant);
    hot_drop(tree);
    switch (invariant) {
    case 1: tree->area[0].first++; return OK;
    case 6: return lose_row(tree);
    case 10: tree->held++; return OK;
    case 14: tree->area[tree->nareas - 1].reserved++; return OK;
    default: return corrupt_leaf(tree, invariant);
    }
}
