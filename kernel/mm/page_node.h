/* SPDX-License-Identifier: MIT */
/*
 * A node of the page engine's tree: 512 entries of two bits. An entry is a page in a leaf and a
 * 2 MiB unit in a chunk; the arithmetic is the same. Private to kernel/mm/page*.c and its tests.
 *
 * The two bits, `free` and `head`, make four cells. A block is a HEAD and the CONTINUED cells behind
 * it, up to the next cell that is neither. A naturally aligned run of FREE cells is a free block: no
 * list says so and nothing is to be merged. RESERVED also stands for what is not managed at all.
 */
#ifndef PFNLAB_MM_PAGE_NODE_H
#define PFNLAB_MM_PAGE_NODE_H

#include "kernel/base.h"
#include "kernel/lib/bitmap.h"

#define NODE_ENTRIES 512u
#define NODE_WORDS 8u
#define NODE_ORDER 9u         /* of a node whose entries are all free */
#define NO_ORDER 0xffu        /* "no free entry" */

enum page_cell { CELL_CONTINUED, CELL_HEAD, CELL_FREE, CELL_RESERVED };   /* free * 2 + head */

struct page_node {
    struct page_pair { uint64_t free, head; } pair[NODE_WORDS];
    uint64_t fresh[NODE_WORDS];
    /*
     * Byte w (bits 8w..8w+7) tells of word w: bit o of it is set iff the word holds an aligned run
     * of 2^o free cells, o from 0 to 6.
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

/* The order of the largest aligned run of free cells, 0..9, or NO_ORDER. */
unsigned node_order(const struct page_node *node);

/* The lowest entry at which an aligned run of 2^order free cells begins; node_order() >= order. */
unsigned node_find(const struct page_node *node, unsigned order);

/* Make the entries from..to-1 `cell`; from < to <= 512. */
void node_fill(struct page_node *node, unsigned from, unsigned to, enum page_cell cell);

/* Make all entries `cell`. */
void node_fill_all(struct page_node *node, enum page_cell cell);

/* Make `entry`, CONTINUED until now, the head of a block. */
void node_set_head(struct page_node *node, unsigned entry);

/* True if every entry is `cell`. */
bool node_is(const struct page_node *node, enum page_cell cell);

/* The first entry from `entry` (0..512) on that is not CONTINUED, or 512. */
unsigned node_next_edge(const struct page_node *node, unsigned entry);

/* The last entry up to `entry` that is not CONTINUED, or 512 if there is none. */
unsigned node_last_edge(const struct page_node *node, unsigned entry);

/* The order of the largest aligned run of free cells that holds `entry`, which is FREE. */
unsigned node_order_at(const struct page_node *node, unsigned entry);

/* True if the fresh bits are all 0 or all 1; *fresh tells which. */
bool node_fresh_uniform(const struct page_node *node, bool *fresh);

/* What the byte of `orders` must be for a word with these free bits. */
unsigned word_orders(uint64_t free);

/* Add the maximal aligned runs of free cells to counts[0..9], by order. */
void node_count_runs(const struct page_node *node, uint64_t counts[NODE_ORDER + 1]);

#endif
