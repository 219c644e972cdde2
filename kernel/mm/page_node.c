/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_node.h"

/* One bit in each byte, in each pair and quadruple of bytes: the words, halves of 128 and so on. */
#define EACH_WORD UINT64_C(0x0101010101010101)
#define EACH_SECOND UINT64_C(0x0001000100010001)
#define EACH_FOURTH UINT64_C(0x0000000100000001)

/*
 * The starts of aligned free runs of 64, 128, 256 entries, as the lowest bit of the first word's
 * byte: words that are wholly free are folded as bits are in a word.
 */
static inline uint64_t free_words(const struct page_node *node)
{
    return node->orders >> 6 & EACH_WORD;
}

static inline uint64_t free_pairs(uint64_t words) { return words & words >> 8 & EACH_SECOND; }
static inline uint64_t free_quads(uint64_t pairs) { return pairs & pairs >> 16 & EACH_FOURTH; }

unsigned node_order(const struct page_node *node)
{
    uint64_t orders = node->orders, words = free_words(node);
    if (words == 0) {
        orders |= orders >> 32;
        orders |= orders >> 16;
        orders = (orders | orders >> 8) & 0xff;
        return orders != 0 ? bit_highest(orders) : NO_ORDER;
    }
    uint64_t pairs = free_pairs(words);
    if (pairs == 0)
        return 6;
    uint64_t quads = free_quads(pairs);
    if (quads == 0)
        return 7;
    return quads == EACH_FOURTH ? 9 : 8;
}

static unsigned find_words(const struct page_node *node, unsigned order)
{
    uint64_t starts = free_words(node);
    if (order > 6)
        starts = free_pairs(starts);
    if (order > 7)
        starts = free_quads(starts);
    return bit_lowest(starts) / 8 * WORD_BITS;
}

unsigned node_find(const struct page_node *node, unsigned order)
{
    if (order >= WORD_ORDERS)
        return find_words(node, order);
    unsigned word = bit_lowest(node->orders >> order & EACH_WORD) / 8;
    return word * WORD_BITS + bit_lowest(word_runs(node_free_bits(node, word), order));
}

/* 1, 2 or 4 words: the first is `first`, the others are `rest`. No loop: it is the dearer half. */
static inline void fill_words(struct page_pair *pair, unsigned words, struct page_pair first,
                              struct page_pair rest)
{
    pair[0] = first;
    if (words > 1)
        pair[1] = rest;
    if (words > 2)
        pair[2] = pair[3] = rest;
}

/* The bytes of `orders` for these words. */
static inline uint64_t word_bytes(unsigned word, unsigned words)
{
    return ~UINT64_C(0) >> (WORD_BITS - words * 8) << word * 8;
}

void node_give_words(struct page_node *node, unsigned word, unsigned words)
{
    struct page_pair all = { .free = ~UINT64_C(0) };
    fill_words(&node->pair[word], words, all, all);
    node->orders |= ALL_FREE & word_bytes(word, words);   /* of a block they were 0 */
}

bool node_fill(struct page_node *node, unsigned from, unsigned to, enum page_cell cell)
{
    uint64_t before = node->orders;
    for (unsigned w = from / WORD_BITS; w * WORD_BITS < to; w++) {
        word_fill(&node->pair[w], bits_in_word(w, from, to), cell);
        node_set_orders(node, w, word_orders(node_free_bits(node, w)));
    }
    return node->orders != before;
}

void node_take_words(struct page_node *node, unsigned word, unsigned words)
{
    uint64_t *fresh = &node->fresh[word];
    fill_words(&node->pair[word], words, (struct page_pair){ .head = 1 }, (struct page_pair){ 0 });
    fresh[0] = 0;
    if (words > 1)
        fresh[1] = 0;
    if (words > 2)
        fresh[2] = fresh[3] = 0;
    node->orders &= ~word_bytes(word, words);
}

void node_set_head(struct page_node *node, unsigned entry)
{
    node->pair[entry / WORD_BITS].head |= bit_of(entry % WORD_BITS);
}

bool node_is(const struct page_node *node, enum page_cell cell)
{
    uint64_t free = cell & 2 ? ~UINT64_C(0) : 0, head = cell & 1 ? ~UINT64_C(0) : 0;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        if (node->pair[w].free != free || node->pair[w].head != head)
            return false;
    return true;
}

unsigned node_edge_words(const struct page_node *node, unsigned word)
{
    for (; word < NODE_WORDS; word++)
        if (word_edges(&node->pair[word]) != 0)
            return word * WORD_BITS + bit_lowest(word_edges(&node->pair[word]));
    return NODE_ENTRIES;
}

unsigned node_last_edge(const struct page_node *node, unsigned entry)
{
    unsigned w = entry / WORD_BITS;
    uint64_t edges = word_edges(&node->pair[w]) & bits_between(0, entry % WORD_BITS + 1);
    while (edges == 0) {
        if (w-- == 0)
            return NODE_ENTRIES;
        edges = word_edges(&node->pair[w]);
    }
    return w * WORD_BITS + bit_highest(edges);
}

unsigned node_order_at(const struct page_node *node, unsigned entry)
{
    unsigned word = entry / WORD_BITS, order = 0;
    uint64_t bits = node_free_bits(node, word);
    for (; order < WORD_ORDERS; order++) {
        bits = word_fold(bits, order);
        if (!(bits >> (entry % WORD_BITS & ~((2u << order) - 1)) & 1))
            return order;
    }
    uint64_t starts = free_words(node);
    uint64_t pairs = free_pairs(starts), quads = free_quads(pairs);
    if (!(pairs >> (word & ~1u) * 8 & 1))
        return 6;
    if (!(quads >> (word & ~3u) * 8 & 1))
        return 7;
    return quads == EACH_FOURTH ? 9 : 8;
}

bool node_fresh_uniform(const struct page_node *node, bool *fresh)
{
    const uint64_t *f = node->fresh;
    uint64_t any = f[0] | f[1] | f[2] | f[3] | f[4] | f[5] | f[6] | f[7];
    uint64_t all = f[0] & f[1] & f[2] & f[3] & f[4] & f[5] & f[6] & f[7];
    *fresh = any != 0;
    return any == all && (any == 0 || ~any == 0);
}

/* A run of 2^order is maximal if its buddy of the same order is not free as well. */
static uint64_t count_maximal(uint64_t runs, uint64_t larger)
{
    return bits_count(runs) - 2 * bits_count(larger);
}

void node_count_runs(const struct page_node *node, uint64_t counts[NODE_ORDER + 1])
{
    for (unsigned w = 0; w < NODE_WORDS; w++) {
        uint64_t runs = node_free_bits(node, w);
        for (unsigned order = 0; order < WORD_ORDERS && runs != 0; order++) {
            uint64_t larger = word_fold(runs, order);
            counts[order] += count_maximal(runs, larger);
            runs = larger;
        }
    }
    uint64_t words = free_words(node), pairs = free_pairs(words), quads = free_quads(pairs);
    uint64_t all = quads == EACH_FOURTH;
    counts[6] += count_maximal(words, pairs);
    counts[7] += count_maximal(pairs, quads);
    counts[8] += count_maximal(quads, all);
    counts[9] += all;
}
