/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"

static unsigned hot_unit(const struct page_hot *hot)
{
    return (uint32_t)hot->first / UNIT_PAGES % CHUNK_UNITS;
}

/* The node of the hot word, and which of its words that is. */
static struct page_node hot_node(const struct page_hot *hot, unsigned *word)
{
    *word = (uint32_t)(hot->first >> hot->shift) / WORD_BITS % NODE_WORDS;
    return hot->shift == 0 ? chunk_leaf(hot->chunk, hot_unit(hot)) : chunk_units(hot->chunk);
}

void hot_flush(struct page_tree *tree)
{
    struct page_hot *hot = &tree->hot;
    unsigned word;
    struct page_node node = hot_node(hot, &word);
    struct page_pair *pair = &node.pair[word];
    uint64_t run = run_bits(hot->order - hot->shift), taken = hot->slots & ~hot->free;
    /* A product of starts and a run is all their runs: they do not overlap. */
    pair->free = (pair->free & ~(hot->slots * run)) | hot->free * run;
    pair->head = (pair->head & ~hot->slots) | taken;
    node.fresh[word] &= ~(hot->used * run);
    orders_write(node.orders, word, word_orders(pair_free(pair)));
    hot->chunk->area->free += hot->given << hot->order;
    hot->tree = hot->free;
    hot->fresh &= ~hot->used;
    hot->given = hot->used = 0;
    if (hot->shift == 0 && word == 0 && (hot->slots & 1))
        bitmap_write(hot->chunk->lead, hot_unit(hot), pair_free(pair) & 1);
}

/* ---- Check ---- */

/* True if the record is one of a word that the tree has. */
static bool hot_is_there(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    if (hot->order >= CLASSES || hot->shift != (hot->order < UNIT_SHIFT ? 0 : UNIT_SHIFT)
        || hot->order - hot->shift >= WORD_ORDERS
        || (hot->pages != UINT64_MAX && hot->pages != UINT64_C(1) << hot->order)
        || !is_aligned(hot->first, (uint64_t)WORD_BITS << hot->shift))
        return false;
    /* The word may begin before its area does, but no slot does. */
    uint64_t slot = hot->first + ((uint64_t)bit_lowest(hot->slots) << hot->shift);
    const struct page_chunk *chunk = tree_chunk(tree, slot);
    return chunk != NULL && chunk == hot->chunk
           && (hot->shift != 0 || bitmap_test(chunk->open, hot_unit(hot)));
}

/* The slots that are free as far as the tree knows. */
static uint64_t tree_slots(const struct page_hot *hot)
{
    unsigned word;
    struct page_node node = hot_node(hot, &word);
    return word_runs(node_free_bits(&node, word), hot->order - hot->shift);
}

/* True if each of the slots `taken` is a block of the hot order for the tree. */
static bool are_blocks(const struct page_tree *tree, uint64_t taken)
{
    const struct page_hot *hot = &tree->hot;
    for (; taken != 0; taken &= taken - 1) {
        uint64_t frame = hot->first + ((uint64_t)bit_lowest(taken) << hot->shift);
        struct page_spot spot;
        if (!tree_spot(tree, frame, &spot) || spot.cell != CELL_HEAD
            || block_limit(tree, &spot, frame) != frame + (UINT64_C(1) << hot->order))
            return false;
    }
    return true;
}

bool hot_agrees(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    if (((hot->free | hot->fresh) & ~hot->slots) != 0 || (hot->used & ~hot->fresh) != 0)
        return false;
    if (hot->slots == 0)
        return !hot_pending(hot);
    if (!hot_is_there(tree))
        return false;
    unsigned word;
    struct page_node node = hot_node(hot, &word);
    uint64_t run = run_bits(hot->order - hot->shift);
    return (tree_slots(hot) & hot->slots) == hot->tree
           && hot->given == (uint64_t)bits_count(hot->free) - bits_count(hot->tree)
           && (node.fresh[word] & (hot->slots & ~hot->fresh) * run) == 0
           && are_blocks(tree, hot->slots & ~hot->tree);
}

bool hot_keeps_class(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    if (hot->slots == 0)
        return true;
    unsigned word;
    struct page_node node = hot_node(hot, &word);
    uint64_t runs = hot->slots * run_bits(hot->order - hot->shift);
    uint64_t free = node_free_bits(&node, word), all = *node.orders, none = all;
    orders_write(&all, word, word_orders(free | runs));
    orders_write(&none, word, word_orders(free & ~runs));
    return node_order(all) == node_order(none);
}

bool hot_is_chosen(const struct page_tree *tree)
{
    const struct page_hot *hot = &tree->hot;
    uint64_t others = hot->slots != 0 ? tree_slots(hot) & ~hot->slots : 0;
    if (hot->slots == 0 || hot->pages == UINT64_MAX)
        return true;
    if (hot->free != 0 && others != 0 && bit_lowest(others) < bit_lowest(hot->free))
        return false;
    if (hot->tree == 0)
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
            const struct page_chunk *chunk = tree->node[best_chunk(area, class)];
            if (chunk == NULL || hot->shift == 0)
                return false;
            unsigned word = node_find_word(chunk->orders, hot->order - hot->shift);
            first = chunk->first + word * WORD_BITS * UNIT_PAGES;
        }
        return first == hot->first && (class < LEAF_CLASSES) == (hot->shift == 0);
    }
    return false;
}
