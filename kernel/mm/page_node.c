/* SPDX-License-Identifier: MIT */
#include "kernel/mm/page_node.h"

bool node_fill(const struct page_node *node, unsigned from, unsigned to, enum page_cell cell)
{
    bool changed = false;
    for (unsigned w = from / WORD_BITS; w * WORD_BITS < to; w++) {
        word_fill(&node->pair[w], bits_in_word(w, from, to), cell);
        changed |= orders_write(node->orders, w, word_orders(node_free_bits(node, w)));
    }
    return changed;
}

bool node_is(const struct page_node *node, enum page_cell cell)
{
    uint64_t free = cell & 2 ? ~UINT64_C(0) : 0, head = cell & 1 ? ~UINT64_C(0) : 0;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        if (node->pair[w].free != free || node->pair[w].head != head)
            return false;
    return true;
}

bool words_all_but(const uint64_t words[NODE_WORDS])
{
    return (words[1] & words[2] & words[3] & words[4] & words[5] & words[6] & words[7]) + 1 == 0;
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
    uint64_t words = free_words(*node->orders);
    uint64_t pairs = free_pairs(words), quads = free_quads(pairs);
    uint64_t all = quads == EACH_FOURTH;
    counts[6] += count_maximal(words, pairs);
    counts[7] += count_maximal(pairs, quads);
    counts[8] += count_maximal(quads, all);
    counts[9] += all;
}
