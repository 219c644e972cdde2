/* SPDX-License-Identifier: MIT */
/*
 * Classes: which leaves and chunks have a largest free run of which order, so that the rule of
 * page.h is a few lowest bits. Private to kernel/mm/page*.c and its tests.
 */
#ifndef PFNLAB_MM_PAGE_CLASS_H
#define PFNLAB_MM_PAGE_CLASS_H

#include "kernel/mm/page_tree.h"

/* ---- Who is best ---- */

static inline uint64_t *area_row(const struct page_area *area, unsigned class)
{
    return &area->rows[class * area->shape.words];
}

/* The lowest chunk of a class that is available. */
static inline uint32_t best_chunk(const struct page_area *area, unsigned class)
{
    return area->chunk + bitset_lowest(area_row(area, class), &area->shape);
}

/* Rule 1 of page.h: the unit of the lowest open leaf of `class`, in the lowest chunk of it. */
static inline unsigned best_leaf(const struct page_chunk *chunk, unsigned class)
{
    unsigned word = bit_lowest(chunk->class_words[class]);
    return word * WORD_BITS + bit_lowest(chunk->class_row[class][word]);
}

/* ---- Rows of an area ---- */

/* Enter a chunk in a row of its area, strike it out, or both. */
void row_add(struct page_area *area, uint32_t chunk, unsigned class);
void row_remove(struct page_area *area, uint32_t chunk, unsigned class);
void row_move(struct page_area *area, uint32_t chunk, unsigned from, unsigned to);

/* ---- Leaves ---- */

/* The first leaf of a class in a word of its row, and the last: rare, and kept out of the way. */
void word_enter(struct page_chunk *chunk, unsigned word, unsigned class);
void word_leave(struct page_chunk *chunk, unsigned word, unsigned class);

static inline void leaf_enter(struct page_chunk *chunk, unsigned unit, unsigned class)
{
    unsigned word = unit / WORD_BITS;
    uint64_t *row = &chunk->class_row[class][word], bit = bit_of(unit % WORD_BITS);
    if (chunk->class_words[class] >> word & 1) {
        *row |= bit;
    } else {
        *row = bit;
        word_enter(chunk, word, class);
    }
}

static inline void leaf_leave(struct page_chunk *chunk, unsigned unit, unsigned class)
{
    unsigned word = unit / WORD_BITS;
    if ((chunk->class_row[class][word] &= ~bit_of(unit % WORD_BITS)) == 0)
        word_leave(chunk, word, class);
}

/* To the class `order`, or to none if that is larger than all. */
static inline void leaf_move(struct page_chunk *chunk, unsigned unit, unsigned order)
{
    uint8_t *class = chunk_leaf_class(chunk, unit);
    unsigned before = *class;
    *class = (uint8_t)order;
    if (order < LEAF_CLASSES)
        leaf_enter(chunk, unit, order);
    if (before < LEAF_CLASSES)
        leaf_leave(chunk, unit, before);
}

/* After a change of a leaf that cannot close it: enter it in its class. */
static inline void leaf_class(struct page_chunk *chunk, unsigned unit)
{
    const struct page_slab *slab = chunk->slab.at[unit / SLAB_LEAVES];
    unsigned order = node_order(slab->orders[unit % SLAB_LEAVES]);
    if (order != slab->class[unit % SLAB_LEAVES])
        leaf_move(chunk, unit, order);
}

/* The same as the end of a change; and if the last block of a leaf is given back: close it. */
enum error leaf_changed(struct page_tree *tree, struct page_chunk *chunk, unsigned unit);
enum error leaf_empty(struct page_tree *tree, struct page_chunk *chunk, unsigned unit);

/* ---- Chunks: the same ---- */

static inline unsigned class_of_chunk(unsigned order)
{
    return order == NO_ORDER ? NO_ORDER : order + UNIT_SHIFT;
}

/* The lowest free unit of a chunk; there is one. */
static inline unsigned lowest_unit(const struct page_chunk *chunk)
{
    unsigned word = node_find_word(chunk->orders, 0);
    return word * WORD_BITS + bit_lowest(pair_free(&chunk->pair[word]));
}

/* To another class, or to none. */
void chunk_move(struct page_chunk *chunk, unsigned class);
static inline void chunk_class(struct page_chunk *chunk)
{
    unsigned class = class_of_chunk(node_order(chunk->orders));
    if (class != chunk->class)
        chunk_move(chunk, class);
}

/* The same as the end of a change that gave units back. */
enum error chunk_empty(struct page_tree *tree, struct page_chunk *chunk);
static inline enum error chunk_given(struct page_tree *tree, struct page_chunk *chunk)
{
    if (chunk->orders == ALL_FREE)
        return chunk_empty(tree, chunk);
    chunk_class(chunk);
    return change_end(tree);
}

#endif
