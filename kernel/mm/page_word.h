/* SPDX-License-Identifier: MIT */
/*
 * 64 entries of a node, as two words of bits: page_node.h says what they mean. Private to
 * kernel/mm/page*.c and its tests.
 */
#ifndef PFNLAB_MM_PAGE_WORD_H
#define PFNLAB_MM_PAGE_WORD_H

#include "kernel/base.h"
#include "kernel/lib/bitmap.h"

#define WORD_ORDERS 6u        /* orders of runs shorter than a word */

enum page_cell { CELL_CONTINUED, CELL_HEAD, CELL_FREE, CELL_RESERVED };   /* free * 2 + head */

struct page_pair { uint64_t free, head; };

static inline uint64_t pair_free(const struct page_pair *pair) { return pair->free & ~pair->head; }
static inline uint64_t pair_edges(const struct page_pair *pair) { return pair->free | pair->head; }

/* Where the aligned runs of 2^order bits of a word begin, order at most 6. */
static inline uint64_t run_starts(unsigned order)
{
    static const uint64_t starts[] = {
        UINT64_C(0xffffffffffffffff), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
        UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
        UINT64_C(0x0000000000000001),
    };
    return starts[order];
}

/* The lowest 2^order bits, order at most 6. */
static inline uint64_t run_bits(unsigned order)
{
    static const uint64_t runs[] = {
        0x1, 0x3, 0xf, 0xff, 0xffff, UINT64_C(0xffffffff), UINT64_C(0xffffffffffffffff),
    };
    return runs[order];
}

/*
 * From the starts of the aligned free runs of one order in a word to those of the next: a bit stays
 * if the run that begins there and its buddy are both free.
 */
static inline uint64_t word_fold(uint64_t runs, unsigned order)
{
    return runs & runs >> (1u << order) & run_starts(order + 1);
}

/* What the byte of the orders must be for a word with these free bits. */
static inline unsigned word_orders(uint64_t free)
{
    if (free + 1 <= 1)
        return free == 0 ? 0 : 0x7f;
    if ((free = word_fold(free, 0)) == 0)
        return 0x01;
    if ((free = word_fold(free, 1)) == 0)
        return 0x03;
    if ((free = word_fold(free, 2)) == 0)
        return 0x07;
    if ((free = word_fold(free, 3)) == 0)
        return 0x0f;
    return word_fold(free, 4) == 0 ? 0x1f : 0x3f;
}

/* The starts of the aligned runs of 2^order set bits, order at most 5: folds, masked once. */
static inline uint64_t word_runs(uint64_t free, unsigned order)
{
    for (unsigned half = 1; half < 1u << order; half *= 2)
        free &= free >> half;
    return free & run_starts(order);
}

/* The starts of the aligned runs of 2^order bits, order at most 5, of which any is set. */
static inline uint64_t word_any(uint64_t bits, unsigned order)
{
    for (unsigned half = 1; half < 1u << order; half *= 2)
        bits |= bits >> half;
    return bits & run_starts(order);
}

/*
 * The order of the largest aligned run of free cells that holds `bit`, which is free. Two bits lie
 * in one aligned run of 2^o exactly if their numbers agree from bit o on: so of the cells that are
 * not free the nearest one on either side bounds it. Seen from `bit` on, round the word, they are
 * the first and the last one; where that is beyond an end of the word, the numbers differ in higher
 * bits than those of a word.
 */
static inline unsigned word_order_at(uint64_t free, unsigned bit)
{
    uint64_t others = ~free >> bit | ~free << (-bit & (WORD_BITS - 1));
    if (others == 0)
        return WORD_ORDERS;
    unsigned above = bit ^ (bit + bit_lowest(others));
    unsigned below = bit ^ (bit - WORD_BITS + bit_highest(others));
    return bit_highest(above < below ? above : below);
}

/* Make the cells of one word that are in `mask` `cell`; the orders are the caller's to update. */
static inline void word_fill(struct page_pair *pair, uint64_t mask, enum page_cell cell)
{
    pair->free = (pair->free & ~mask) | (cell & 2 ? mask : 0);
    pair->head = (pair->head & ~mask) | (cell & 1 ? mask : 0);
}

#endif
