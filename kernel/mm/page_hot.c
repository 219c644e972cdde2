/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_hot.h"

/* True if the node's orders have changed. Blocks have 2^order entries. */
static bool word_write(const struct page_hot *hot, const struct page_node *node, unsigned word,
                       unsigned order)
{
    struct page_pair *pair = &node->pair[word];
    uint64_t run = run_bits(order), taken = hot->slots & ~hot->free;
    unsigned before = bits_count(pair_free(pair));
    /* A product of starts and a run is all their runs: they do not overlap. */
    pair->free = (pair->free & ~(hot->slots * run)) | hot->free * run;
    pair->head = (pair->head & ~hot->slots) | taken;
    node->fresh[word] &= ~(hot->used * run);
    hot->chunk->area->free += ((uint64_t)bits_count(pair_free(pair)) - before) << hot->shift;
    return orders_write(node->orders, word, word_orders(pair_free(pair)));
}

static unsigned hot_unit(const struct page_hot *hot)
{
    return (uint32_t)hot->first / UNIT_PAGES % CHUNK_UNITS;
}

static void flush_pages(struct page_tree *tree, struct page_chunk *chunk)
{
    struct page_hot *hot = &tree->hot;
    unsigned unit = hot_unit(hot), word = (uint32_t)hot->first / WORD_BITS % NODE_WORDS;
    struct page_node leaf = chunk_leaf(chunk, unit);
    bool changed = word_write(hot, &leaf, word, hot->order);
    if (word == 0)
        bitmap_write(chunk->lead, unit, node_free_bits(&leaf, 0) & 1);
    if (!changed)
        return;
    if (*leaf.orders == ALL_FREE)
        hot_forget(hot);
    leaf_given(tree, chunk, unit);
}

static void flush_units(struct page_tree *tree, struct page_chunk *chunk)
{
    struct page_hot *hot = &tree->hot;
    unsigned unit = hot_unit(hot), word = unit / WORD_BITS;
    uint64_t used = hot->used * run_bits(hot->order - UNIT_SHIFT);
    struct page_node units = chunk_units(chunk);
    if (chunk->mixed[word] & used) {
        chunk->mixed[word] &= ~used;
        slabs_trim(tree, chunk, UINT32_C(0xf) << unit / SLAB_LEAVES);
    }
    if (!word_write(hot, &units, word, hot->order - UNIT_SHIFT))
        return;
    if (chunk->orders == ALL_FREE)
        hot_forget(hot);
    chunk_given(tree, chunk);
}

void hot_flush(struct page_tree *tree)
{
    struct page_hot *hot = &tree->hot;
    if (hot->shift == 0)
        flush_pages(tree, hot->chunk);
    else
        flush_units(tree, hot->chunk);
    hot->used = 0;
}

/* ---- Check ---- */

/* True if the record is one of a word that the tree has; *node is where. */
static bool hot_node(const struct page_tree *tree, struct page_node *node)
{
    const struct page_hot *hot = &tree->hot;
    if (hot->order >= CLASSES || hot->shift != (hot->order < UNIT_SHIFT ? 0 : UNIT_SHIFT)
        || hot->order - hot->shift >= WORD_ORDERS || hot->pages != UINT64_C(1) << hot->order
        || !is_aligned(hot->first, (uint64_t)WORD_BITS << hot->shift))
        return false;
    /* The word may begin before its area does, but no slot does. */
    uint64_t slot = hot->first + ((uint64_t)bit_lowest(hot->slots) << hot->shift);
    const struct page_chunk *chunk = tree_chunk(tree, slot);
    if (chunk == NULL || chunk != hot->chunk
        || (hot->shift == 0 && !bitmap_test(chunk->open, hot_unit(hot))))
        return false;
    *node = hot->shift == 0 ? chunk_leaf(chunk, hot_unit(hot)) : chunk_units(chunk);
    return true;
}

/* The slots that are free as far as the tree knows. */
static uint64_t tree_slots(const struct page_hot *hot, const struct page_node *node)
{
    unsigned word = (uint32_t)(hot->first >> hot->shift) / WORD_BITS % NODE_WORDS;
    return word_runs(node_free_bits(node, word), hot->order - hot->shift);
}

/* True if each of the slots `taken` is a block of the hot order for the tree. */
static bool are_blocks(const struct page_tree *tree, uint64_t taken)
{
    const struct page_hot *hot = &tree->hot;
    for (; taken != 0; taken &= taken - 1) {
        uint64_t frame = hot->first + ((uint64_t)bit_lowest(taken) << hot->shift);
        struct page_spot spot;
        if (!tree_spot(tree, frame, &spot) || spot.cell != CELL_HEAD
            || block_limit(tree, &spot, frame) != frame + hot->pages)
            return false;
    }
    return true;
}

bool hot_agrees(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    struct page_node node;
    if (((hot->free | hot->used) & ~hot->slots) != 0)
        return false;
    if (hot->slots == 0)
        return true;
    if (!hot_node(tree, &node))
        return false;
    uint64_t free = tree_slots(hot, &node);
    return ((free ^ hot->free) & ~hot->used) == 0 && are_blocks(tree, hot->slots & ~free);
}

bool hot_is_chosen(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    struct page_node node;
    if (hot->slots == 0 || !hot_node(tree, &node) || tree_slots(hot, &node) == 0)
        return true;
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = (struct page_area *)&tree->area[tree->scan[i]];
        uint32_t classes = area->available >> hot->order;
        if (!(hot->areas >> tree->scan[i] & 1) || classes == 0)
            continue;
        unsigned class = hot->order + bit_lowest(classes);
        uint64_t first;
        if (class < LEAF_CLASSES) {
            const struct page_chunk *chunk = tree->node[best_chunk(area, class)];
            unsigned unit = best_leaf(chunk, class);
            first = chunk->first + unit * UNIT_PAGES
                    + node_find_word(*chunk_leaf(chunk, unit).orders, hot->order) * WORD_BITS;
        } else {
            struct page_place place;
            best_units(tree, area, class, hot->order, &place);
            first = align_down(place.first + place.offset, WORD_BITS * UNIT_PAGES);
        }
        return first == hot->first && (class < LEAF_CLASSES) == (hot->shift == 0);
    }
    return false;
}
