/* SPDX-License-Identifier: MIT */
/*
 * The hot word: the 64 pages, or units, in which the last blocks were found, taken out of the tree.
 *
 * Taking blocks of one order at its `slots`, or giving them back, changes this record alone, and
 * hot_flush() writes the word back before anything else looks at it or changes what it is about.
 * That is all there is to the deferral: page.c asks the hot word first. No result tells of it.
 *
 * The slots are those on which no class depends: whatever mixture of them is free, the leaf (or
 * chunk) stays in the class that it was in when the rule of page.h chose it. So it never closes
 * while it is hot, and a flush writes one word and its orders. And so the word stays the right one:
 * all else is as it was, no word before it held a slot, and it is the best as long as a slot is
 * free. When any other block is taken or given back, it no longer serves requests; and as all
 * classes are right without a flush, only a block of the same chunk needs one: an operation that
 * begins with a flush is never one of the longest.
 *
 * Private to kernel/mm/page*.c and its tests.
 */
#ifndef PFNLAB_MM_PAGE_HOT_H
#define PFNLAB_MM_PAGE_HOT_H

#include "kernel/mm/page_tree.h"

/* Write the word back to the tree. It stays hot. */
void hot_flush(struct page_tree *tree);

/*
 * For check(): that the word and the tree differ only in blocks of its order, where it was used;
 * that no class depends on its slots; that the rule would choose the word in the tree as it is.
 */
bool hot_agrees(const struct page_tree *tree);
bool hot_keeps_class(const struct page_tree *tree);
bool hot_is_chosen(const struct page_tree *tree);

/* True if there is something that the tree does not know. */
static inline bool hot_pending(const struct page_hot *hot)
{
    return hot->free != hot->tree || hot->used != 0;
}

/* Of a word that is flushed. */
static inline void hot_forget(struct page_hot *hot)
{
    hot->slots = hot->free = hot->tree = hot->fresh = 0;
    hot->chunk = NULL;
}

/*
 * Before any change of the tree, but if it is one of a block, of another chunk: then it is enough
 * that the word no longer serves requests.
 */
static inline void hot_drop(struct page_tree *tree)
{
    if (hot_pending(&tree->hot))
        hot_flush(tree);
    hot_forget(&tree->hot);
}

/* Before a question to the tree. */
static inline void hot_settle(struct page_tree *tree)
{
    if (hot_pending(&tree->hot))
        hot_flush(tree);
}

/*
 * Of the slots in a word of a node, those on which its class does not depend: all, unless the last
 * runs of the class are in this very word; then those that are taken before the last of them.
 */
static inline uint64_t hot_slots(const struct page_node *node, unsigned word, unsigned class,
                                 uint64_t slots)
{
    uint64_t others = *node->orders & ~(UINT64_C(0xff) << word * 8);
    if (class >= WORD_ORDERS || (others >> class & EACH_WORD) != 0)
        return slots;
    unsigned last = bit_highest(word_runs(node_free_bits(node, word), class));
    return slots & (bit_of(last) - 1);
}

/*
 * The rule chose a word whose first frame is `first`, and its lowest slot is taken, as the tree
 * knows. `slots` are fit to be hot, of them `free` are free; `fresh` are the word's fresh bits. The
 * word that was hot is flushed.
 */
static inline void hot_set(struct page_hot *hot, struct page_chunk *chunk, uint64_t first,
                           unsigned order, uint64_t slots, uint64_t free, uint64_t fresh)
{
    hot->first = first;
    hot->slots = slots;
    hot->free = hot->tree = free & slots;
    hot->order = order;
    hot->shift = order < UNIT_SHIFT ? 0 : UNIT_SHIFT;
    hot->fresh = word_any(fresh, order - hot->shift) & slots;
    hot->pages = UINT64_C(1) << order;
    hot->chunk = chunk;
}

/* What a request begins with, as one number: four fields are compared at once. */
#define KIND_SIZE sizeof(uint64_t)
_Static_assert(offsetof(struct page_request, pages) == KIND_SIZE
               && offsetof(struct page_hot, exact) + 1 - offsetof(struct page_hot, areas)
                  == KIND_SIZE, "they lie alike, without a gap");
static inline uint64_t request_kind(const struct page_request *request)
{
    uint64_t kind;
    __builtin_memcpy(&kind, request, KIND_SIZE);
    return kind;
}
static inline uint64_t hot_kind(const struct page_hot *hot)
{
    uint64_t kind;
    __builtin_memcpy(&kind, (const char *)hot + offsetof(struct page_hot, areas), KIND_SIZE);
    return kind;
}

/* The rule is asked for a block: what is hot is not for such requests, yet. */
static inline void hot_expect(struct page_hot *hot, const struct page_request *request)
{
    hot->pages = UINT64_MAX;
    __builtin_memcpy((char *)hot + offsetof(struct page_hot, areas), request, KIND_SIZE);
}

/* True if the request is for a block of the kind that is hot, and there is one. */
static inline bool hot_serves(const struct page_hot *hot, const struct page_request *request)
{
    return hot->free != 0 && request->pages == hot->pages
           && request_kind(request) == hot_kind(hot)
           && request->min.n == 0 && request->max.n >= PFN_LIMIT;
}

/* Take the lowest block: its first frame. */
static inline uint64_t hot_take(struct page_hot *hot)
{
    uint64_t free = hot->free, rest = free & (free - 1);
    hot->free = rest;
    hot->used |= (free ^ rest) & hot->fresh;
    hot->given--;
    return hot->first + ((uint64_t)bit_lowest(free) << hot->shift);
}

/*
 * Give back the block that begins at `frame`, if the word knows it as one that is taken. When all
 * are back, the tree is told: then the operation that closes the leaf, a long one, needs no flush.
 */
static inline bool hot_give(struct page_tree *tree, uint64_t frame)
{
    struct page_hot *hot = &tree->hot;
    /* Rotated, so that what is not a multiple of an entry is beyond the word, too. */
    uint64_t distance = frame - hot->first, bit;
    bit = distance >> hot->shift | distance << (-hot->shift & 63);
    if (bit >= WORD_BITS || !((hot->slots & ~hot->free) >> bit & 1))
        return false;
    hot->free |= UINT64_C(1) << bit;
    hot->given++;
    if (hot->free == hot->slots && hot_pending(hot))
        hot_flush(tree);
    return true;
}

#endif
