/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_hot.h"

/* True if the node's orders have changed. Blocks have 2^order entries. */
static bool word_write(const struct page_hot *hot, struct page_node *node, uint64_t *orders,
                       unsigned word, unsigned order)
{
    struct page_pair *pair = &node->pair[word];
    uint64_t run = run_bits(order), taken = hot->slots & ~hot->free;
    /* A product of starts and a run is all their runs: they do not overlap. */
    pair->free = (pair->free & ~(hot->slots * run)) | hot->free * run;
    pair->head = (pair->head & ~hot->slots) | taken;
    node->fresh[word] &= ~(hot->used * run);
    return orders_write(orders, word, word_orders(pair_free(pair)));
}

static void flush_pages(struct page_tree *tree, struct page_chunk *chunk)
{
    struct page_hot *hot = &tree->hot;
    unsigned unit = hot->place.offset / UNIT_PAGES;
    unsigned word = hot->place.offset % UNIT_PAGES / WORD_BITS;
    struct page_leaf leaf = chunk_leaf(chunk, unit);
    bool changed = word_write(hot, leaf.pages, leaf.orders, word, hot->order);
    if (word == 0)
        bitmap_write(chunk->lead, unit, node_free_bits(leaf.pages, 0) & 1);
    if (!changed)
        return;
    if (*leaf.orders == ALL_FREE)
        hot_forget(hot);
    leaf_given(tree, &hot->place, chunk, unit);
}

static void flush_units(struct page_tree *tree, struct page_chunk *chunk)
{
    struct page_hot *hot = &tree->hot;
    unsigned unit = hot->place.offset / UNIT_PAGES, word = unit / WORD_BITS;
    uint64_t used = hot->used * run_bits(hot->order - UNIT_SHIFT);
    if (chunk->mixed[word] & used) {
        chunk->mixed[word] &= ~used;
        slabs_trim(tree, chunk, UINT32_C(0xf) << unit / SLAB_LEAVES);
    }
    if (!word_write(hot, &chunk->units, &chunk->orders, word, hot->order - UNIT_SHIFT))
        return;
    if (chunk->orders == ALL_FREE)
        hot_forget(hot);
    chunk_given(tree, &hot->place, chunk);
}

void hot_flush(struct page_tree *tree)
{
    struct page_hot *hot = &tree->hot;
    struct page_chunk *chunk = tree->node[hot->place.chunk];
    if (hot->shift == 0)
        flush_pages(tree, chunk);
    else
        flush_units(tree, chunk);
    hot->used = 0;
}

/* ---- Check ---- */

/* The node of the hot word, or NULL if there cannot be one where the record says. */
static const struct page_node *hot_node(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    struct page_place place;
    if (hot->order >= CLASSES || hot->shift != (hot->order < UNIT_SHIFT ? 0 : UNIT_SHIFT)
        || hot->order - hot->shift >= WORD_ORDERS || hot->pages != UINT64_C(1) << hot->order)
        return NULL;
    /* The word may begin before its area does, but no slot does. */
    uint64_t slot = (uint64_t)bit_lowest(hot->slots) << hot->shift;
    if (!tree_find(tree, hot->first + slot, &place) || place.area != hot->place.area
        || place.chunk != hot->place.chunk || place.first != hot->place.first
        || hot->first != place.first + hot->place.offset || place.offset < slot
        || place.offset - slot != hot->place.offset
        || !is_aligned(hot->first, (uint64_t)WORD_BITS << hot->shift))
        return NULL;
    const struct page_chunk *chunk = tree->node[place.chunk];
    unsigned unit = place.offset / UNIT_PAGES;
    if (chunk == NULL || hot->shift != 0)
        return chunk != NULL ? &chunk->units : NULL;
    return bitmap_test(chunk->open, unit) ? chunk_leaf(chunk, unit).pages : NULL;
}

/* The slots that are free as far as the tree knows. */
static uint64_t tree_slots(const struct page_hot *hot, const struct page_node *node)
{
    unsigned word = hot->place.offset >> hot->shift;
    return word_runs(node_free_bits(node, word % NODE_ENTRIES / WORD_BITS),
                     hot->order - hot->shift);
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

bool hot_is_chosen(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    if (hot->slots == 0 || tree_slots(hot, hot_node(tree)) == 0)
        return true;
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = (struct page_area *)&tree->area[tree->scan[i]];
        uint32_t classes = area->available >> hot->order;
        if (!(hot->areas >> tree->scan[i] & 1) || classes == 0)
            continue;
        struct page_place place;
        unsigned class = hot->order + bit_lowest(classes);
        if (class >= LEAF_CLASSES) {
            best_units(tree, area, class, hot->order, &place);
        } else {
            const struct page_chunk *chunk = best_leaf(tree, area, class, &place);
            place.offset += node_find_word(*chunk_leaf(chunk, place.offset / UNIT_PAGES).orders,
                                           hot->order) * WORD_BITS;
        }
        uint64_t word = align_down(place.first + place.offset, (uint64_t)WORD_BITS << hot->shift);
        return word == hot->first && (class < LEAF_CLASSES) == (hot->shift == 0);
    }
    return false;
}

uint64_t hot_unknown(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    const struct page_node *node = hot->used != 0 ? hot_node(tree) : NULL;
    if (node == NULL)
        return 0;
    return (bits_count(tree_slots(hot, node) & hot->slots) - (uint64_t)bits_count(hot->free))
           * hot->pages;
}

bool hot_agrees(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    if (((hot->free | hot->used) & ~hot->slots) != 0)
        return false;
    if (hot->slots == 0)
        return true;
    const struct page_node *node = hot_node(tree);
    if (node == NULL)
        return false;
    uint64_t free = tree_slots(hot, node);
    return ((free ^ hot->free) & ~hot->used) == 0 && are_blocks(tree, hot->slots & ~free);
}
