/* SPDX-License-Identifier: MIT */
/*
 * What is claimed of the arithmetic of words and nodes (kernel/lib/bitmap.h, page_word.h,
 * page_node.[ch]). A claim returns true, whatever any_word() returns, for each that each_below()
 * does: symbolic.py proves that, tests/unit/test_claims.c tries some. Next to each stands its
 * definition, as plainly as can be: entry by entry.
 */
#include "tests/proof/claims.h"
#include "kernel/mm/page_node.c"

#define GIVEN(condition) do { if (!(condition)) return true; } while (0)

static unsigned any_bit(void) { return (unsigned)any_word() % WORD_BITS; }
static unsigned any_entry(void) { return (unsigned)any_word() % NODE_ENTRIES; }
static bool has(uint64_t word, unsigned bit) { return word >> bit & 1; }

/* ---- Bits ---- */

CLAIM(lowest_bit)
{
    uint64_t word = any_word();
    unsigned other = any_bit();
    GIVEN(word != 0);
    unsigned lowest = bit_lowest(word);
    return lowest < WORD_BITS && has(word, lowest) && (!has(word, other) || other >= lowest);
}

CLAIM(highest_bit)
{
    uint64_t word = any_word();
    unsigned other = any_bit();
    GIVEN(word != 0);
    unsigned highest = bit_highest(word);
    return highest < WORD_BITS && has(word, highest) && (!has(word, other) || other <= highest);
}

CLAIM(count_of_bits)
{
    uint64_t word = any_word();
    unsigned count = 0;
    for (unsigned bit = 0; bit < WORD_BITS; bit++)
        count += has(word, bit);
    return bits_count(word) == count;
}

CLAIM(bits_from_to)
{
    unsigned from = any_bit(), to = any_bit() + 1, bit = any_bit();
    GIVEN(from < to);
    return has(bits_between(from, to), bit) == (from <= bit && bit < to);
}

CLAIM(bits_from_to_in_a_word)
{
    unsigned from = any_entry(), to = any_entry() + 1, entry = any_entry(), w = entry / WORD_BITS;
    GIVEN(from < to && from < (w + 1) * WORD_BITS && w * WORD_BITS < to);
    return has(bits_in_word(w, from, to), entry % WORD_BITS) == (from <= entry && entry < to);
}

/* ---- Bitmaps of 512 bits ---- */

static void any_words(uint64_t words[NODE_WORDS])
{
    for (unsigned w = 0; w < NODE_WORDS; w++)
        words[w] = any_word();
}

static bool has_entry(const uint64_t words[NODE_WORDS], unsigned entry)
{
    return has(words[entry / WORD_BITS], entry % WORD_BITS);
}

CLAIM(one_bit_written)
{
    uint64_t words[NODE_WORDS];
    unsigned at = any_entry(), entry = any_entry(), how = each_below(4);
    any_words(words);
    bool before = has_entry(words, entry), value = how & 1;
    GIVEN(bitmap_test(words, entry) == before);
    if (how < 2)
        bitmap_write(words, at, value);
    else if (value)
        bitmap_set(words, at);
    else
        bitmap_clear(words, at);
    return has_entry(words, entry) == (entry == at ? value : before);
}

CLAIM(bits_filled)
{
    uint64_t words[NODE_WORDS];
    unsigned from = any_entry(), to = any_entry() + 1, entry = any_entry();
    bool value = each_below(2);
    GIVEN(from < to);
    any_words(words);
    bool before = has_entry(words, entry);
    bitmap_fill(words, from, to, value);
    return has_entry(words, entry) == (from <= entry && entry < to ? value : before);
}

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
