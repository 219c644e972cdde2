/* SPDX-License-Identifier: MIT */
/*
 * A node of the page engine's tree: 512 entries of two bits. An entry is a page in a leaf and a
 * 2 MiB unit in a chunk; the arithmetic is the same. Private to kernel/mm/page*.c and its tests.
 *
 * The two bits, `free` and `head`, make four cells. A block is a HEAD and the CONTINUED cells
 * behind it. A naturally aligned run of FREE cells is a free block: no list says so and nothing is
 * to be merged. RESERVED also stands for what is not managed at all.
 *
 * The *orders* of a node are its summary, one number of 64 bits: byte w (bits 8w..8w+7) tells of
 * word w, bit o of it is set iff the word holds an aligned run of 2^o free cells, o from 0 to 6. So
 * all bits below the highest one are set as well. The parts of a node may lie
 * apart, so that the orders of many nodes share a cache line.
 */
#ifndef PFNLAB_MM_PAGE_NODE_H
#define PFNLAB_MM_PAGE_NODE_H

#include "kernel/base.h"
#include "kernel/mm/page_word.h"

#define NODE_ENTRIES 512u
#define NODE_WORDS 8u
#define NODE_ORDER 9u         /* of a node whose entries are all free */
enum { NO_ORDER = 0xff };     /* "no free entry" */

/* Where the parts of a node are: 8 words of cells, 8 of fresh bits, the orders. */
struct page_node {
    struct page_pair *pair;
    uint64_t *fresh;
    uint64_t *orders;
};

#define ALL_FREE UINT64_C(0x7f7f7f7f7f7f7f7f)   /* orders of a node whose entries are all free */

static inline uint64_t node_free_bits(const struct page_node *node, unsigned word)
{
    return pair_free(&node->pair[word]);
}

static inline enum page_cell node_cell(const struct page_node *node, unsigned entry)
{
    const struct page_pair *pair = &node->pair[entry / WORD_BITS];
    unsigned bit = entry % WORD_BITS;
    return (enum page_cell)((pair->free >> bit & 1) * 2 + (pair->head >> bit & 1));
}

/* ---- Orders ---- */

/* One bit in each byte, in each pair and quadruple of bytes: the words, halves of 128 and so on. */
#define EACH_WORD UINT64_C(0x0101010101010101)
#define EACH_SECOND UINT64_C(0x0001000100010001)
#define EACH_FOURTH UINT64_C(0x0000000100000001)

/*
 * The starts of aligned free runs of 64, 128, 256 entries, as the lowest bit of the first word's
 * byte: words that are wholly free are folded as bits are in a word.
 */
static inline uint64_t free_words(uint64_t orders) { return orders >> WORD_ORDERS & EACH_WORD; }
static inline uint64_t free_pairs(uint64_t words) { return words & words >> 8 & EACH_SECOND; }
static inline uint64_t free_quads(uint64_t pairs) { return pairs & pairs >> 16 & EACH_FOURTH; }

/* True if that changes them. */
static inline bool orders_write(uint64_t *orders, unsigned word, uint64_t byte)
{
    uint64_t before = *orders, after = before & ~(UINT64_C(0xff) << word * 8);
    *orders = after |= byte << word * 8;
    return after != before;
}

/* The order of the largest aligned run of free cells, 0..9, or NO_ORDER. */
static inline unsigned node_order(uint64_t orders)
{
    if (orders == 0)
        return NO_ORDER;
    uint64_t words = free_words(orders);
    if (words == 0) {
        orders |= orders >> 32;
        orders |= orders >> 16;
        return bit_highest((orders | orders >> 8) & 0xff);
    }
    uint64_t pairs = free_pairs(words);
    if (pairs == 0)
        return 6;
    uint64_t quads = free_quads(pairs);
    if (quads == 0)
        return 7;
    return quads == EACH_FOURTH ? 9 : 8;
}

/* True if a run of that order, 0..8, is free: the larger half of node_order(). */
static inline bool orders_hold(uint64_t orders, unsigned order)
{
    if (order <= WORD_ORDERS)
        return (orders >> order & EACH_WORD) != 0;
    uint64_t pairs = free_pairs(free_words(orders));
    return order == 7 ? pairs != 0 : free_quads(pairs) != 0;
}

/* The lowest word in which an aligned run of 2^order free cells begins; there is one. */
static inline unsigned node_find_word(uint64_t orders, unsigned order)
{
    if (order < WORD_ORDERS)
        return bit_lowest(orders >> order & EACH_WORD) / 8;
    uint64_t starts = free_words(orders);
    if (order > 6)
        starts = free_pairs(starts);
    if (order > 7)
        starts = free_quads(starts);
    return bit_lowest(starts) / 8;
}

/* ---- Blocks ---- */

/*
 * Take 1, 2 or 4 whole words as a block that is no longer fresh, or give it back. No loops: these
 * are a good part of what a large block costs.
 */
static inline void node_take_words(const struct page_node *node, unsigned word, unsigned order)
{
    struct page_pair *pair = &node->pair[word], none = { 0 };
    uint64_t *fresh = &node->fresh[word];
    *node->orders &= ~(run_bits(order - 3) << word * 8);
    pair[0] = (struct page_pair){ .head = 1 };
    fresh[0] = 0;
    if (order > 6) {
        pair[1] = none;
        fresh[1] = 0;
    }
    if (order > 7) {
        pair[2] = pair[3] = none;
        fresh[2] = fresh[3] = 0;
    }
}

static inline void node_give_words(const struct page_node *node, unsigned word, unsigned order)
{
    struct page_pair *pair = &node->pair[word], all = { .free = ~UINT64_C(0) };
    *node->orders |= ALL_FREE & run_bits(order - 3) << word * 8;
    pair[0] = all;
    if (order > 6)
        pair[1] = all;
    if (order > 7)
        pair[2] = pair[3] = all;
}

/*
 * Take the aligned run of 2^order free entries at a bit of a word; order at most 5. The orders are
 * the caller's to update.
 */
static inline void word_take(const struct page_node *node, unsigned word, unsigned bit,
                             unsigned order)
{
    struct page_pair *pair = &node->pair[word];
    uint64_t run = run_bits(order) << bit;
    pair->free &= ~run;
    pair->head |= bit_of(bit);
    node->fresh[word] &= ~run;
}

/*
 * Take the aligned run of 2^order free entries at `entry` as a block, no longer fresh; order at
 * most 8. True if the orders have changed.
 */
static inline bool node_take(const struct page_node *node, unsigned entry, unsigned order)
{
    unsigned word = entry / WORD_BITS;
    if (order >= WORD_ORDERS) {
        node_take_words(node, word, order);
        return true;
    }
    word_take(node, word, entry % WORD_BITS, order);
    uint64_t free = node_free_bits(node, word), all = free | run_bits(order) << entry % WORD_BITS;
    return orders_write(node->orders, word, all + 1 == 0 ? 0x3f : word_orders(free));
}

/* node_take() from a node that is wholly free. */
static inline void node_take_only(const struct page_node *node, unsigned entry, unsigned order)
{
    unsigned word = entry / WORD_BITS, bit = entry % WORD_BITS;
    if (order >= WORD_ORDERS) {
        node_take_words(node, word, order);
        return;
    }
    uint64_t rest = ~(run_bits(order) << bit);
    node->pair[word] = (struct page_pair){ .free = rest, .head = bit_of(bit) };
    node->fresh[word] &= rest;
    *node->orders = ALL_FREE & ~(UINT64_C(0x40) << word * 8);   /* a half at least is free */
}

/*
 * Give back the block of the pages `run`, counted from `bit` on, at most half a word: the order of
 * the free run that it now lies in.
 */
static inline unsigned word_give(struct page_pair *pair, unsigned bit, uint64_t run)
{
    pair->free |= run << bit;
    pair->head &= ~bit_of(bit);
    return word_order_at(pair_free(pair), bit);
}

/* True if the orders tell that a word holds a free run of that order; make them do so. */
static inline bool orders_tell(uint64_t orders, unsigned word, unsigned order)
{
    return orders >> (word * 8 + order) & 1;
}
static inline void orders_add(uint64_t *orders, unsigned word, unsigned order)
{
    *orders |= ((UINT64_C(2) << order) - 1) << word * 8;
}

/* Give back the block of 2^order entries at `entry`, aligned. True if the orders have changed. */
static inline bool node_give(const struct page_node *node, unsigned entry, unsigned order)
{
    unsigned word = entry / WORD_BITS, bit = entry % WORD_BITS;
    struct page_pair *pair = &node->pair[word];
    if (order >= WORD_ORDERS) {
        node_give_words(node, word, order);
        return true;
    }
    order = word_give(pair, bit, run_bits(order));
    if (orders_tell(*node->orders, word, order))
        return false;
    orders_add(node->orders, word, order);
    return true;
}

/* ---- All entries ---- */

/* These two are much of what it costs to open a node: no loops, and in line. */

/* Make all entries `cell`. */
static inline void node_fill_all(const struct page_node *node, enum page_cell cell)
{
    struct page_pair *p = node->pair;
    struct page_pair all = { cell & 2 ? ~UINT64_C(0) : 0, cell & 1 ? ~UINT64_C(0) : 0 };
    p[0] = p[1] = p[2] = p[3] = p[4] = p[5] = p[6] = p[7] = all;
    *node->orders = cell == CELL_FREE ? ALL_FREE : 0;
}

/* Make all entries fresh or none. */
static inline void node_fresh_all(const struct page_node *node, bool fresh)
{
    uint64_t *f = node->fresh;
    f[0] = f[1] = f[2] = f[3] = f[4] = f[5] = f[6] = f[7] = fresh ? ~UINT64_C(0) : 0;
}

static inline bool words_any(const uint64_t words[NODE_WORDS])
{
    return (words[0] | words[1] | words[2] | words[3]
            | words[4] | words[5] | words[6] | words[7]) != 0;
}

/* The rest of words_all(): rare, and kept out of the way. */
bool words_all_but(const uint64_t words[NODE_WORDS]);
static inline bool words_all(const uint64_t words[NODE_WORDS])
{
    return words[0] + 1 == 0 && words_all_but(words);
}

/* True if the fresh bits are all 0 or all 1; *fresh tells which. */
bool node_fresh_uniform(const struct page_node *node, bool *fresh);

/* True if every entry is `cell`. */
bool node_is(const struct page_node *node, enum page_cell cell);

/* ---- Any entries ---- */

/* Make the entries from..to-1 `cell`; from < to <= 512. True if the orders have changed. */
bool node_fill(const struct page_node *node, unsigned from, unsigned to, enum page_cell cell);

/* Make `entry`, CONTINUED until now, the head of a block. */
static inline void node_set_head(const struct page_node *node, unsigned entry)
{
    node->pair[entry / WORD_BITS].head |= bit_of(entry % WORD_BITS);
}

/* node_next_edge() from word `word` (0..8) on. */
static inline unsigned node_edge_words(const struct page_node *node, unsigned word)
{
    const struct page_pair *pair = &node->pair[word], *end = &node->pair[NODE_WORDS];
    for (; pair < end; pair++)
        if (pair_edges(pair) != 0)
            return (unsigned)(pair - node->pair) * WORD_BITS + bit_lowest(pair_edges(pair));
    return NODE_ENTRIES;
}

/* The first entry from `entry` (0..512) on that is not CONTINUED, or 512. */
static inline unsigned node_next_edge(const struct page_node *node, unsigned entry)
{
    if (entry % WORD_BITS == 0)
        return node_edge_words(node, entry / WORD_BITS);
    uint64_t edges = pair_edges(&node->pair[entry / WORD_BITS]) >> entry % WORD_BITS;
    return edges != 0 ? entry + bit_lowest(edges)
                      : node_edge_words(node, entry / WORD_BITS + 1);
}

/* True if all entries are of one block. */
static inline bool node_is_block(const struct page_node *node)
{
    enum page_cell cell = node_cell(node, 0);
    return (cell == CELL_HEAD || cell == CELL_CONTINUED) && node_next_edge(node, 1) == NODE_ENTRIES;
}

/* The last entry up to `entry` that is not CONTINUED, or 512 if there is none. */
static inline unsigned node_last_edge(const struct page_node *node, unsigned entry)
{
    const struct page_pair *pair = &node->pair[entry / WORD_BITS];
    uint64_t edges = pair_edges(pair) << (~entry & (WORD_BITS - 1));
    if (edges != 0)
        return entry - (WORD_BITS - 1) + bit_highest(edges);
    while (pair > node->pair)
        if (pair_edges(--pair) != 0)
            return (unsigned)(pair - node->pair) * WORD_BITS + bit_highest(pair_edges(pair));
    return NODE_ENTRIES;
}

/* The order of the largest aligned run of free words, 6..9, that holds `word`, which is free. */
static inline unsigned words_order_at(uint64_t orders, unsigned word)
{
    uint64_t pairs = free_pairs(free_words(orders));
    if (!(pairs >> (word & ~1u) * 8 & 1))
        return 6;
    uint64_t quads = free_quads(pairs);
    if (!(quads >> (word & ~3u) * 8 & 1))
        return 7;
    return quads == EACH_FOURTH ? 9 : 8;
}

/* The order of the largest aligned run of free cells that holds `entry`, which is FREE. */
static inline unsigned node_order_at(const struct page_node *node, unsigned entry)
{
    unsigned word = entry / WORD_BITS;
    uint64_t free = node_free_bits(node, word);
    return free + 1 == 0 ? words_order_at(*node->orders, word)
                         : word_order_at(free, entry % WORD_BITS);
}

/* Add the maximal aligned runs of free cells to counts[0..9], by order. */
void node_count_runs(const struct page_node *node, uint64_t counts[NODE_ORDER + 1]);

#endif
