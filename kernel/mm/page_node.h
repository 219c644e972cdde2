/* SPDX-License-Identifier: MIT */
/*
 * A node of the page engine's tree: 512 entries of two bits. An entry is a page in a leaf and a
 * 2 MiB unit in a chunk; the arithmetic is the same. Private to kernel/mm/page*.c and its tests.
 *
 * The two bits, `free` and `head`, make four cells. A block is a HEAD and the CONTINUED cells
 * behind it. A naturally aligned run of FREE cells is a free block: no list says so and nothing is
 * to be merged. RESERVED also stands for what is not managed at all.
 */
#ifndef PFNLAB_MM_PAGE_NODE_H
#define PFNLAB_MM_PAGE_NODE_H

#include "kernel/base.h"
#include "kernel/lib/bitmap.h"

#define NODE_ENTRIES 512u
#define NODE_WORDS 8u
#define NODE_ORDER 9u         /* of a node whose entries are all free */
#define NO_ORDER 0xffu        /* "no free entry" */
#define WORD_ORDERS 6u        /* orders of runs shorter than a word */

enum page_cell { CELL_CONTINUED, CELL_HEAD, CELL_FREE, CELL_RESERVED };   /* free * 2 + head */

struct page_node {
    struct page_pair { uint64_t free, head; } pair[NODE_WORDS];
    uint64_t fresh[NODE_WORDS];
    /*
     * Byte w (bits 8w..8w+7) tells of word w: bit o of it is set iff the word holds an aligned run
     * of 2^o free cells, o from 0 to 6. So all bits below the highest one are set as well.
     */
    uint64_t orders;
};

static inline uint64_t node_free_bits(const struct page_node *node, unsigned word)
{
    return node->pair[word].free & ~node->pair[word].head;
}

static inline enum page_cell node_cell(const struct page_node *node, unsigned entry)
{
    const struct page_pair *pair = &node->pair[entry / WORD_BITS];
    unsigned bit = entry % WORD_BITS;
    return (enum page_cell)((pair->free >> bit & 1) * 2 + (pair->head >> bit & 1));
}

/*
 * From the starts of the aligned free runs of one order in a word to those of the next: a bit stays
 * if the run that begins there and its buddy are both free.
 */
static inline uint64_t word_fold(uint64_t runs, unsigned order)
{
    static const uint64_t starts[] = {
        UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111), UINT64_C(0x0101010101010101),
        UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001), UINT64_C(0x0000000000000001),
    };
    return runs & runs >> (1u << order) & starts[order];
}

/* What the byte of `orders` must be for a word with these free bits. */
static inline unsigned word_orders(uint64_t free)
{
    if (free == 0)
        return 0;
    if ((free = word_fold(free, 0)) == 0)
        return 0x01;
    if ((free = word_fold(free, 1)) == 0)
        return 0x03;
    if ((free = word_fold(free, 2)) == 0)
        return 0x07;
    if ((free = word_fold(free, 3)) == 0)
        return 0x0f;
    if ((free = word_fold(free, 4)) == 0)
        return 0x1f;
    return word_fold(free, 5) == 0 ? 0x3f : 0x7f;
}

/* The starts of the aligned runs of 2^order set bits, order at most 5: folds, masked once. */
static inline uint64_t word_runs(uint64_t free, unsigned order)
{
    static const uint64_t starts[] = {
        ~UINT64_C(0), UINT64_C(0x5555555555555555), UINT64_C(0x1111111111111111),
        UINT64_C(0x0101010101010101), UINT64_C(0x0001000100010001), UINT64_C(0x0000000100000001),
    };
    for (unsigned half = 1; half < 1u << order; half *= 2)
        free &= free >> half;
    return free & starts[order];
}

/* The order of the largest aligned run of free cells, 0..9, or NO_ORDER. */
unsigned node_order(const struct page_node *node);

/* The lowest entry at which an aligned run of 2^order free cells begins; node_order() >= order. */
unsigned node_find(const struct page_node *node, unsigned order);

/* Make the cells of one word that are in `mask` `cell`; the orders are the caller's to update. */
static inline void word_fill(struct page_pair *pair, uint64_t mask, enum page_cell cell)
{
    pair->free = cell == CELL_FREE || cell == CELL_RESERVED ? pair->free | mask
                                                            : pair->free & ~mask;
    pair->head = cell == CELL_HEAD || cell == CELL_RESERVED ? pair->head | mask
                                                            : pair->head & ~mask;
}

static inline void node_set_orders(struct page_node *node, unsigned word, uint64_t orders)
{
    node->orders = (node->orders & ~(UINT64_C(0xff) << word * 8)) | orders << word * 8;
}

#define ALL_FREE UINT64_C(0x7f7f7f7f7f7f7f7f)   /* `orders` of a node whose entries are all free */

/* These two are much of what it costs to open a node: no loops, and in line. */

/* Make all entries `cell`. */
static inline void node_fill_all(struct page_node *node, enum page_cell cell)
{
    struct page_pair *p = node->pair;
    struct page_pair all = { cell & 2 ? ~UINT64_C(0) : 0, cell & 1 ? ~UINT64_C(0) : 0 };
    p[0] = p[1] = p[2] = p[3] = p[4] = p[5] = p[6] = p[7] = all;
    node->orders = cell == CELL_FREE ? ALL_FREE : 0;
}

/* Make all entries fresh or none. */
static inline void node_fresh_all(struct page_node *node, bool fresh)
{
    uint64_t *f = node->fresh;
    f[0] = f[1] = f[2] = f[3] = f[4] = f[5] = f[6] = f[7] = fresh ? ~UINT64_C(0) : 0;
}

/* Make the entries from..to-1 `cell`; from < to <= 512. True if the orders have changed. */
bool node_fill(struct page_node *node, unsigned from, unsigned to, enum page_cell cell);

/* The aligned run of 2^order bits that holds `bit`; order at most 6. */
static inline uint64_t word_run(unsigned bit, unsigned order)
{
    unsigned size = 1u << order;
    return ~UINT64_C(0) >> (WORD_BITS - size) << (bit & (0u - size));
}

/* Number of orders of runs that word `word` holds: one more than that of the largest, or 0. */
static inline unsigned node_word_orders(const struct page_node *node, unsigned word)
{
    return bit_lowest((node->orders >> word * 8 & 0x7f) + 1);
}

/* node_take() and node_give() of 1, 2 or 4 whole words. */
void node_take_words(struct page_node *node, unsigned word, unsigned words);
void node_give_words(struct page_node *node, unsigned word, unsigned words);

/*
 * Take the aligned run of 2^order free entries at `entry` as a block, no longer fresh; true if the
 * orders may have changed: not unless it lies in a largest run of its word.
 */
static inline bool node_take(struct page_node *node, unsigned entry, unsigned order)
{
    unsigned w = entry / WORD_BITS, bit = entry % WORD_BITS;
    if (order >= WORD_ORDERS) {
        node_take_words(node, w, 1u << (order - WORD_ORDERS));
        return true;
    }
    uint64_t free = node_free_bits(node, w), run = word_run(bit, order);
    unsigned top = node_word_orders(node, w) - 1;
    node->pair[w].free &= ~run;
    node->pair[w].head |= bit_of(bit);
    node->fresh[w] &= ~run;
    if ((~free & word_run(bit, top)) != 0)
        return false;
    if (top == WORD_ORDERS)
        node->orders &= ~bit_of(w * 8 + top);   /* a half of the word at least is still free */
    else
        node_set_orders(node, w, word_orders(free & ~run));
    return true;
}

/*
 * Give back the block of 2^order entries at `entry`, aligned; true if the orders have changed: not
 * unless it is now in a run that is larger than any in its word before.
 */
static inline bool node_give(struct page_node *node, unsigned entry, unsigned order)
{
    unsigned w = entry / WORD_BITS, bit = entry % WORD_BITS;
    if (order >= WORD_ORDERS) {
        node_give_words(node, w, 1u << (order - WORD_ORDERS));
        return true;
    }
    unsigned larger = node_word_orders(node, w);
    node->pair[w].free |= word_run(bit, order);
    node->pair[w].head &= ~bit_of(bit);
    uint64_t free = node_free_bits(node, w);
    if (larger > WORD_ORDERS || (~free & word_run(bit, larger)) != 0)
        return false;
    do
        larger++;
    while (larger <= WORD_ORDERS && (~free & word_run(bit, larger)) == 0);
    node->orders |= (bit_of(larger) - 1) << w * 8;
    return true;
}

/* node_take() of the first 2^order entries, order < 9, of a node that is wholly free. */
static inline void node_take_first(struct page_node *node, unsigned order)
{
    if (order >= WORD_ORDERS) {
        node_take_words(node, 0, 1u << (order - WORD_ORDERS));
        return;
    }
    uint64_t rest = ~UINT64_C(0) << (1u << order);
    node->pair[0] = (struct page_pair){ .free = rest, .head = 1 };
    node->fresh[0] &= rest;
    node->orders = ALL_FREE & ~UINT64_C(0x40);   /* the word's upper half at least is free */
}

/* Make `entry`, CONTINUED until now, the head of a block. */
void node_set_head(struct page_node *node, unsigned entry);

/* True if every entry is `cell`. */
bool node_is(const struct page_node *node, enum page_cell cell);

static inline uint64_t word_edges(const struct page_pair *pair) { return pair->free | pair->head; }

/* node_next_edge() from word `word` (0..8) on. */
unsigned node_edge_words(const struct page_node *node, unsigned word);

/* The first entry from `entry` (0..512) on that is not CONTINUED, or 512. */
static inline unsigned node_next_edge(const struct page_node *node, unsigned entry)
{
    if (entry % WORD_BITS == 0)
        return node_edge_words(node, entry / WORD_BITS);
    uint64_t edges = word_edges(&node->pair[entry / WORD_BITS]) >> entry % WORD_BITS;
    return edges != 0 ? entry + bit_lowest(edges)
                      : node_edge_words(node, entry / WORD_BITS + 1);
}

/* The last entry up to `entry` that is not CONTINUED, or 512 if there is none. */
unsigned node_last_edge(const struct page_node *node, unsigned entry);

/* The order of the largest aligned run of free cells that holds `entry`, which is FREE. */
unsigned node_order_at(const struct page_node *node, unsigned entry);

static inline bool node_fresh_any(const struct page_node *node)
{
    const uint64_t *f = node->fresh;
    return (f[0] | f[1] | f[2] | f[3] | f[4] | f[5] | f[6] | f[7]) != 0;
}

/* True if the fresh bits are all 0 or all 1; *fresh tells which. */
bool node_fresh_uniform(const struct page_node *node, bool *fresh);

/* Add the maximal aligned runs of free cells to counts[0..9], by order. */
void node_count_runs(const struct page_node *node, uint64_t counts[NODE_ORDER + 1]);

#endif
