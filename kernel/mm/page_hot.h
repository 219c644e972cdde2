/* SPDX-License-Identifier: MIT */
/*
 * The hot word: the 64 pages, or units, in which the last block was found, checked out of the tree.
 *
 * Taking blocks of the same order from it, or giving back those that were, changes this record
 * alone; hot_flush() tells the tree before anything else looks at it or changes it, and closes
 * what has become uniform in the meantime. That is all there is to the deferral: page.c asks the
 * hot word first, and every other operation begins with a flush. So no result tells of it.
 *
 * Why the word stays the right one: when the rule of page.h chose it, its leaf (or chunk) had the
 * smallest sufficient class, then the lowest address, and no word before it held a slot. Since then
 * blocks of one order came and went in these `slots` only, so that what is free now is a part of
 * what was free then. The class can only have become smaller, and all else is as it was: while a
 * slot is free, the rule would choose this word again, and in it the lowest. A free of anything
 * else, a block of another order, other areas: the word is flushed and forgotten.
 *
 * Private to kernel/mm/page*.c and its tests.
 */
#ifndef PFNLAB_MM_PAGE_HOT_H
#define PFNLAB_MM_PAGE_HOT_H

#include "kernel/mm/page_tree.h"

/* Write the word back to the tree. It stays hot, unless its leaf or chunk is closed by that. */
void hot_flush(struct page_tree *tree);

/*
 * For check(): that the word and the tree differ only in blocks of its order, where it was used; and
 * that the rule would choose the word in the tree as it is.
 */
bool hot_agrees(const struct page_tree *tree);
bool hot_is_chosen(const struct page_tree *tree);

/* A word that is flushed, or was never used. */
static inline void hot_forget(struct page_hot *hot)
{
    hot->slots = hot->free = 0;
}

/* Before a change of the tree. */
static inline void hot_drop(struct page_tree *tree)
{
    if (tree->hot.used != 0)
        hot_flush(tree);
    hot_forget(&tree->hot);
}

/* Before a question to the tree. */
static inline void hot_settle(struct page_tree *tree)
{
    if (tree->hot.used == 0)
        return;
    hot_flush(tree);
    change_end(tree);
}

/*
 * The rule chose the word whose first frame is `first`, in which blocks of the order were free at
 * `slots`; the lowest of them is taken, and the tree knows.
 */
static inline void hot_set(struct page_hot *hot, struct page_chunk *chunk, uint64_t first,
                           uint64_t slots, unsigned order)
{
    hot->first = first;
    hot->slots = slots;
    hot->free = slots & (slots - 1);
    hot->shift = order < UNIT_SHIFT ? 0 : UNIT_SHIFT;
    hot->order = order;
    hot->pages = UINT64_C(1) << order;
    hot->chunk = chunk;
}

/* True if the request is for a block of the kind that is hot, and there is one. */
static inline bool hot_serves(const struct page_hot *hot, const struct page_request *request)
{
    return hot->free != 0 && request->pages == hot->pages && request->align == hot->order
           && request->areas == hot->areas && !(request->fresh | request->exact)
           && request->min.n == 0 && request->max.n >= PFN_LIMIT;
}

/* Take the lowest block: its first frame. */
static inline uint64_t hot_take(struct page_hot *hot)
{
    uint64_t free = hot->free, rest = free & (free - 1);
    hot->free = rest;
    hot->used |= free ^ rest;
    return hot->first + ((uint64_t)bit_lowest(free) << hot->shift);
}

/* Give back the block that begins at `frame`, if the word knows it as one that is taken. */
static inline bool hot_give(struct page_hot *hot, uint64_t frame)
{
    /* Rotated, so that what is not a multiple of an entry is beyond the word, too. */
    uint64_t distance = frame - hot->first, bit;
    bit = distance >> hot->shift | distance << (-hot->shift & 63);
    if (bit >= WORD_BITS || !((hot->slots & ~hot->free) >> bit & 1))
        return false;
    hot->free |= UINT64_C(1) << bit;
    hot->used |= UINT64_C(1) << bit;
    return true;
}

#endif
