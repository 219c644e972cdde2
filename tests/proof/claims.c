/* SPDX-License-Identifier: MIT */
/*
 * What is claimed of the arithmetic of words and nodes (page_word.h, page_node.[ch]), of bits
 * (bits.c) and of bit sets (sets.c). A claim returns true, whatever any_word() returns, for each
 * that each_below() does: symbolic.py proves that, tests/unit/test_claims.c tries some. Next to
 * each stands its definition, as plainly as can be: entry by entry.
 */
#include "tests/proof/claims.h"
#include "kernel/mm/page_node.c"
#include "tests/proof/bits.c"
#include "tests/proof/sets.c"

/* ---- Runs of a word ---- */

static uint64_t run_at(unsigned order, unsigned bit)
{
    return ~UINT64_C(0) >> (WORD_BITS - (1u << order)) << bit;
}

/* Where aligned runs of 2^order set bits begin; with `any`, of which a bit is set. */
static uint64_t defined_runs(uint64_t bits, unsigned order, bool any)
{
    uint64_t starts = 0;
    for (unsigned bit = 0; bit < WORD_BITS; bit += 1u << order) {
        uint64_t run = run_at(order, bit);
        starts |= (uint64_t)(any ? (bits & run) != 0 : (bits & run) == run) << bit;
    }
    return starts;
}

/* The byte of the orders. */
static uint64_t defined_orders(uint64_t free)
{
    uint64_t byte = 0;
    for (unsigned order = 0; order <= WORD_ORDERS; order++)
        byte |= (uint64_t)(defined_runs(free, order, false) != 0) << order;
    return byte;
}

/* The order of the largest aligned run of set bits around a set bit. */
static unsigned defined_order_at(uint64_t free, unsigned bit)
{
    unsigned found = 0;
    for (unsigned order = 1; order <= WORD_ORDERS; order++) {
        uint64_t run = run_at(order, bit & ~((1u << order) - 1));
        found = (free & run) == run ? order : found;
    }
    return found;
}

CLAIM(runs_of_a_word)
{
    uint64_t free = any_word();
    unsigned order = each_below(WORD_ORDERS);
    return word_runs(free, order) == defined_runs(free, order, false)
           && word_any(free, order) == defined_runs(free, order, true);
}

CLAIM(runs_folded)
{
    uint64_t free = any_word();
    unsigned order = each_below(WORD_ORDERS);
    return word_fold(defined_runs(free, order, false), order)
           == defined_runs(free, order + 1, false);
}

CLAIM(orders_of_a_word)
{
    uint64_t free = any_word();
    return word_orders(free) == defined_orders(free);
}

CLAIM(order_around_a_bit)
{
    uint64_t free = any_word();
    unsigned bit = any_bit();
    GIVEN(has(free, bit));
    return word_order_at(free, bit) == defined_order_at(free, bit);
}

/* ---- Nodes ---- */

struct all_of_a_node {
    struct page_pair pair[NODE_WORDS];
    uint64_t fresh[NODE_WORDS], orders;
};

static struct page_node node_of(struct all_of_a_node *all)
{
    return (struct page_node){ all->pair, all->fresh, &all->orders };
}

static uint64_t defined_summary(const struct all_of_a_node *all)
{
    uint64_t orders = 0;
    for (unsigned w = 0; w < NODE_WORDS; w++)
        orders |= defined_orders(all->pair[w].free & ~all->pair[w].head) << w * 8;
    return orders;
}

/* Any cells, and whatever is told of them. */
static struct all_of_a_node any_cells(void)
{
    struct all_of_a_node all = { .orders = any_word() };
    for (unsigned w = 0; w < NODE_WORDS; w++) {
        all.pair[w].free = any_word();
        all.pair[w].head = any_word();
        all.fresh[w] = any_word();
    }
    return all;
}

/* Any cells, and what is told of them is true. */
static struct all_of_a_node any_node(void)
{
    struct all_of_a_node all = any_cells();
    all.orders = defined_summary(&all);
    return all;
}

/*
 * Of changes it is claimed for each word that what is told of it stays true, whatever is told of
 * the others: so, all of it stays true.
 */
static bool is_told(const struct all_of_a_node *all, unsigned w)
{
    return (all->orders >> w * 8 & 0xff) == defined_orders(all->pair[w].free & ~all->pair[w].head);
}

/* Are the 2^order entries from an aligned one on all free? */
static bool defined_free(const struct all_of_a_node *all, unsigned entry, unsigned order)
{
    bool free = true;
    for (unsigned w = 0; w < NODE_WORDS; w++) {
        uint64_t run = order < WORD_ORDERS ? run_at(order, entry % WORD_BITS) : ~UINT64_C(0);
        bool in = order < WORD_ORDERS ? w == entry / WORD_BITS
                                      : (w ^ entry / WORD_BITS) >> (order - WORD_ORDERS) == 0;
        free &= !in | ((all->pair[w].free & ~all->pair[w].head & run) == run);
    }
    return free;
}

static bool is_in(unsigned entry, unsigned first, unsigned order)
{
    return (entry ^ first) >> order == 0;
}

/* The lowest word in which a run of 2^order begins, or 8. */
static unsigned defined_word(const struct all_of_a_node *all, unsigned order)
{
    unsigned found = NODE_WORDS;
    for (unsigned w = NODE_WORDS; w-- > 0;) {
        bool begins = order < WORD_ORDERS
                      ? defined_runs(all->pair[w].free & ~all->pair[w].head, order, false) != 0
                      : w % (1u << (order - WORD_ORDERS)) == 0
                        && defined_free(all, w * WORD_BITS, order);
        found = begins ? w : found;
    }
    return found;
}

CLAIM(what_orders_hold)
{
    struct all_of_a_node all = any_node();
    unsigned order = each_below(NODE_ORDER);
    return orders_hold(all.orders, order) == (defined_word(&all, order) < NODE_WORDS);
}

CLAIM(lowest_word_of_an_order)
{
    struct all_of_a_node all = any_node();
    unsigned order = each_below(NODE_ORDER), word = defined_word(&all, order);
    GIVEN(word < NODE_WORDS);
    return node_find_word(all.orders, order) == word;
}

CLAIM(largest_order)
{
    struct all_of_a_node all = any_node();
    unsigned order = NO_ORDER;
    for (unsigned o = 0; o <= NODE_ORDER; o++)
        order = defined_word(&all, o) < NODE_WORDS ? o : order;
    return node_order(all.orders) == order;
}

CLAIM(order_around_an_entry)
{
    struct all_of_a_node all = any_node();
    struct page_node node = node_of(&all);
    unsigned entry = each_below(NODE_WORDS) * WORD_BITS + any_bit(), order = 0;
    GIVEN(defined_free(&all, entry, 0));
    for (unsigned o = 1; o <= NODE_ORDER; o++)
        order = defined_free(&all, entry & ~((1u << o) - 1), o) ? o : order;
    return node_order_at(&node, entry) == order;
}

/* Where a block may lie. */
static unsigned each_slot(unsigned order)
{
    if (order >= WORD_ORDERS)
        return each_below(NODE_ENTRIES >> order) << order;
    return each_below(NODE_WORDS) * WORD_BITS + (any_bit() & ~((1u << order) - 1));
}

static enum page_cell cell_of(struct all_of_a_node *all, unsigned entry)
{
    struct page_node node = node_of(all);
    return node_cell(&node, entry);
}

/* Whatever was free, a block of it is taken: that, and no more, has changed, and is told. */
CLAIM(block_taken)
{
    struct all_of_a_node all = any_cells(), before;
    struct page_node node = node_of(&all);
    unsigned order = each_below(NODE_ORDER), slot = each_slot(order);
    unsigned entry = any_entry(), w = entry / WORD_BITS;
    bool in = is_in(entry, slot, order), inside = is_in(w * WORD_BITS, slot, WORD_ORDERS);
    before = all;
    GIVEN(is_told(&all, w) & defined_free(&all, slot, order));
    bool changed = node_take(&node, slot, order);
    enum page_cell cell = in ? entry == slot ? CELL_HEAD : CELL_CONTINUED : cell_of(&before, entry);
    return (cell_of(&all, entry) == cell) & is_told(&all, w)
           & (has_entry(all.fresh, entry) == (!in & has_entry(before.fresh, entry)))
           & (!inside | (changed == (all.orders != before.orders)));
}

/* Whatever there is beside it, a block is given back: it has joined what is free around it. */
CLAIM(block_given)
{
    struct all_of_a_node all = any_cells(), before;
    struct page_node node = node_of(&all);
    unsigned order = each_below(NODE_ORDER), slot = each_slot(order);
    unsigned entry = any_entry(), w = entry / WORD_BITS;
    bool in = is_in(entry, slot, order), inside = is_in(w * WORD_BITS, slot, WORD_ORDERS);
    node_fill(&node, slot, slot + (1u << order), CELL_CONTINUED);
    node_set_head(&node, slot);
    before = all;
    GIVEN(is_told(&all, w));
    bool changed = node_give(&node, slot, order);
    enum page_cell cell = in ? CELL_FREE : cell_of(&before, entry);
    return (cell_of(&all, entry) == cell) & is_told(&all, w)
           & (has_entry(all.fresh, entry) == has_entry(before.fresh, entry))
           & (!inside | (changed == (all.orders != before.orders)));
}

/* Split and join: taken and given back, a word is as it was. */
CLAIM(block_taken_and_given)
{
    struct all_of_a_node all = any_cells(), before;
    struct page_node node = node_of(&all);
    unsigned order = each_below(NODE_ORDER), slot = each_slot(order);
    unsigned w = any_entry() / WORD_BITS;
    bool inside = is_in(w * WORD_BITS, slot, WORD_ORDERS);
    before = all;
    GIVEN(is_told(&all, w) & defined_free(&all, slot, order));
    bool taken = node_take(&node, slot, order), given = node_give(&node, slot, order);
    return (all.pair[w].free == before.pair[w].free) & (all.pair[w].head == before.pair[w].head)
           & (((all.orders ^ before.orders) >> w * 8 & 0xff) == 0) & (!inside | (taken == given));
}

/* A block of a node that is all free. */
CLAIM(only_block_taken)
{
    struct all_of_a_node all = any_cells(), other;
    struct page_node node = node_of(&all), same = node_of(&other);
    unsigned order = each_below(NODE_ORDER), slot = each_slot(order), w = each_below(NODE_WORDS);
    node_fill_all(&node, CELL_FREE);
    other = all;
    bool told = is_told(&all, w), changed = node_take(&same, slot, order);
    node_take_only(&node, slot, order);
    return told & changed & (all.orders == other.orders)
           & (all.pair[w].free == other.pair[w].free) & (all.pair[w].head == other.pair[w].head)
           & (all.fresh[w] == other.fresh[w]);
}

CLAIM(entries_filled)
{
    struct all_of_a_node all = any_cells(), before;
    struct page_node node = node_of(&all);
    enum page_cell cell = any_bit() % 4;
    unsigned first = each_below(NODE_WORDS), last = first + each_below(NODE_WORDS - first);
    unsigned from = first * WORD_BITS + any_bit(), to = last * WORD_BITS + any_bit() + 1;
    unsigned entry = any_entry(), w = entry / WORD_BITS;
    before = all;
    GIVEN((from < to) & is_told(&all, w));
    bool changed = node_fill(&node, from, to, cell), in = (from <= entry) & (entry < to);
    return (cell_of(&all, entry) == (in ? cell : cell_of(&before, entry))) & is_told(&all, w)
           & (changed == (all.orders != before.orders));
}

/* Where a block ends is where the next edge is. */
CLAIM(edges)
{
    struct all_of_a_node all = any_cells();
    struct page_node node = node_of(&all);
    unsigned at = each_below(NODE_WORDS) * WORD_BITS + any_bit(), entry = any_entry();
    unsigned next = node_next_edge(&node, at), last = node_last_edge(&node, at);
    bool edge = node_cell(&node, entry) != CELL_CONTINUED;
    bool next_edge = node_cell(&node, next % NODE_ENTRIES) != CELL_CONTINUED;
    bool last_edge = node_cell(&node, last % NODE_ENTRIES) != CELL_CONTINUED;
    bool none_before = (entry < at) | (entry >= next) | !edge;
    bool none_behind = (entry > at) | ((entry <= last) & (last != NODE_ENTRIES)) | !edge;
    return none_before & none_behind
           & ((next == NODE_ENTRIES) | ((next >= at) & (next < NODE_ENTRIES) & next_edge))
           & ((last == NODE_ENTRIES) | ((last <= at) & last_edge));
}

/* What is told of all entries at once. */
CLAIM(all_of_a_cell)
{
    struct all_of_a_node all = any_cells();
    struct page_node node = node_of(&all);
    enum page_cell cell = each_below(4);
    bool every = true;
    for (unsigned w = 0; w < NODE_WORDS; w++) {
        uint64_t free = cell & 2 ? ~UINT64_C(0) : 0, head = cell & 1 ? ~UINT64_C(0) : 0;
        every &= (all.pair[w].free == free) & (all.pair[w].head == head);
    }
    return node_is(&node, cell) == every;
}

CLAIM(all_fresh_or_none)
{
    struct all_of_a_node all = any_cells();
    struct page_node node = node_of(&all);
    bool every = true, none = true, fresh;
    for (unsigned w = 0; w < NODE_WORDS; w++) {
        every &= ~all.fresh[w] == 0;
        none &= all.fresh[w] == 0;
    }
    bool uniform = node_fresh_uniform(&node, &fresh);
    return uniform == (every | none) && (!uniform || fresh == every)
           && words_all(all.fresh) == every && words_any(all.fresh) == !none;
}
