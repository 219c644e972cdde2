/* SPDX-License-Identifier: MIT */
/* The arithmetic of nodes and bit sets, each against a loop over single entries. */
#include <stdlib.h>
#include <string.h>

#include "kernel/mm/page_node.h"
#include "tests/unit/support.h"

static uint64_t random_state = 88172645463325252;

static unsigned rnd(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % below;
}

/* The parts of a node. */
struct parts {
    struct page_pair pair[NODE_WORDS];
    uint64_t fresh[NODE_WORDS], orders;
};

static struct page_node node_of(struct parts *parts)
{
    return (struct page_node){ parts->pair, parts->fresh, &parts->orders };
}

/* The lowest entry at which an aligned run of 2^order free entries begins; there is one. */
static unsigned node_find(const struct page_node *node, unsigned order)
{
    unsigned word = node_find_word(*node->orders, order);
    if (order >= WORD_ORDERS)
        return word * WORD_BITS;
    return word * WORD_BITS + bit_lowest(word_runs(node_free_bits(node, word), order));
}

static bool run_free(const struct page_node *node, unsigned entry, unsigned order)
{
    for (unsigned i = 0; i < 1u << order; i++)
        if (node_cell(node, entry + i) != CELL_FREE)
            return false;
    return true;
}

static unsigned slow_order(const struct page_node *node)
{
    for (unsigned order = 10; order-- > 0;)
        for (unsigned entry = 0; entry < NODE_ENTRIES; entry += 1u << order)
            if (run_free(node, entry, order))
                return order;
    return NO_ORDER;
}

static unsigned slow_find(const struct page_node *node, unsigned order)
{
    unsigned entry = 0;
    while (!run_free(node, entry, order))
        entry += 1u << order;
    return entry;
}

static unsigned slow_order_at(const struct page_node *node, unsigned entry)
{
    unsigned order = 0;
    while (order < 9 && run_free(node, entry & ~((2u << order) - 1), order + 1))
        order++;
    return order;
}

static void slow_counts(const struct page_node *node, uint64_t counts[NODE_ORDER + 1])
{
    for (unsigned entry = 0; entry < NODE_ENTRIES; entry++) {
        if (node_cell(node, entry) != CELL_FREE)
            continue;
        unsigned order = slow_order_at(node, entry);
        counts[order] += (entry & ((1u << order) - 1)) == 0;
    }
}

static void assert_node(const struct page_node *node)
{
    unsigned order = slow_order(node);
    uint64_t fast[NODE_ORDER + 1] = { 0 }, slow[NODE_ORDER + 1] = { 0 };
    assert_int_equal(node_order(*node->orders), order);
    for (unsigned o = 0; order != NO_ORDER && o <= order; o++)
        assert_int_equal(node_find(node, o), slow_find(node, o));
    for (unsigned entry = 0; entry < NODE_ENTRIES; entry += 1 + rnd(9)) {
        unsigned next = entry, last = entry;
        if (node_cell(node, entry) == CELL_FREE)
            assert_int_equal(node_order_at(node, entry), slow_order_at(node, entry));
        while (next < NODE_ENTRIES && node_cell(node, next) == CELL_CONTINUED)
            next++;
        while (last < NODE_ENTRIES && node_cell(node, last) == CELL_CONTINUED)
            last = last == 0 ? NODE_ENTRIES : last - 1;
        assert_int_equal(node_next_edge(node, entry), next);
        assert_int_equal(node_last_edge(node, entry), last);
    }
    assert_int_equal(node_next_edge(node, NODE_ENTRIES), NODE_ENTRIES);
    node_count_runs(node, fast);
    slow_counts(node, slow);
    assert_memory_equal(fast, slow, sizeof(fast));
}

static void filling_entries_changes_these_and_no_other(void **state)
{
    struct parts parts;
    struct page_node node = node_of(&parts);
    uint8_t shadow[NODE_ENTRIES];
    (void)state;
    memset(&parts, 0xa5, sizeof(parts));
    node_fill_all(&node, CELL_FREE);
    memset(shadow, CELL_FREE, sizeof(shadow));
    for (unsigned i = 0; i < 3000; i++) {
        unsigned from = rnd(NODE_ENTRIES), to = from + 1 + rnd(NODE_ENTRIES - from);
        enum page_cell cell = rnd(2) ? CELL_FREE : (enum page_cell)rnd(4);
        uint64_t before = parts.orders;
        if (rnd(2) && to > from + 20)
            to = from + 1 + rnd(20);
        bool changed = node_fill(&node, from, to, cell);
        assert_int_equal(changed, parts.orders != before);
        memset(shadow + from, cell, to - from);
        for (unsigned entry = 0; entry < NODE_ENTRIES; entry++)
            assert_int_equal(node_cell(&node, entry), shadow[entry]);
        assert_node(&node);
    }
}

static void taking_and_giving_blocks_keeps_the_orders(void **state)
{
    struct parts parts = { .orders = 0 };
    struct page_node node = node_of(&parts);
    uint8_t order_of[NODE_ENTRIES];
    (void)state;
    node_fill_all(&node, CELL_FREE);
    node_fresh_all(&node, true);
    memset(order_of, NO_ORDER, sizeof(order_of));
    for (unsigned i = 0; i < 6000; i++) {
        unsigned order = rnd(9), largest = node_order(parts.orders), entry = rnd(NODE_ENTRIES);
        uint64_t before = parts.orders;
        if (largest != NO_ORDER && order <= largest && rnd(2)) {
            entry = rnd(4) ? node_find(&node, order) : entry & ~((1u << order) - 1);
            if (!run_free(&node, entry, order))
                continue;
            bool changed = node_take(&node, entry, order);
            assert_int_equal(changed, parts.orders != before);
            order_of[entry] = (uint8_t)order;
            for (unsigned e = entry; e < entry + (1u << order); e++)
                assert_false(bitmap_test(node.fresh, e));
        } else if (order_of[entry] != NO_ORDER) {
            bool changed = node_give(&node, entry, order_of[entry]);
            assert_int_equal(changed, parts.orders != before);
            assert_true(run_free(&node, entry, order_of[entry]));
            order_of[entry] = NO_ORDER;
        } else {
            continue;
        }
        assert_node(&node);
    }
}

static void freshness_is_uniform_or_not(void **state)
{
    struct parts parts;
    struct page_node node = node_of(&parts);
    bool fresh;
    (void)state;
    node_fresh_all(&node, true);
    assert_true(node_fresh_uniform(&node, &fresh));
    assert_true(fresh);
    for (unsigned entry = 0; entry < NODE_ENTRIES; entry += 37) {
        node_fresh_all(&node, true);
        bitmap_clear(node.fresh, entry);
        assert_false(node_fresh_uniform(&node, &fresh));
        node_fresh_all(&node, false);
        assert_true(node_fresh_uniform(&node, &fresh));
        assert_false(fresh);
        bitmap_set(node.fresh, entry);
        assert_false(node_fresh_uniform(&node, &fresh));
    }
}

static void a_node_is_uniform_only_if_every_entry_is(void **state)
{
    struct parts parts;
    struct page_node node = node_of(&parts);
    (void)state;
    for (unsigned cell = 0; cell < 4; cell++) {
        node_fill_all(&node, (enum page_cell)cell);
        for (unsigned other = 0; other < 4; other++)
            assert_int_equal(node_is(&node, (enum page_cell)other), other == cell);
        for (unsigned entry = 0; entry < NODE_ENTRIES; entry += 61) {
            node_fill_all(&node, (enum page_cell)cell);
            node_fill(&node, entry, entry + 1, (enum page_cell)(cell ^ 1));
            assert_false(node_is(&node, (enum page_cell)cell));
        }
    }
}

static void words_of_bits_are_counted_and_searched(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(bit_lowest(bit_of(i) | bit_of(63)), i);
        assert_int_equal(bit_highest(bit_of(i) | 1), i);
        assert_int_equal(bits_count(bits_between(i, 64)), 64 - i);
        assert_int_equal(bits_count(bits_between(0, i + 1)), i + 1);
    }
    assert_int_equal(bits_count(0), 0);
    assert_int_equal(bits_in_word(1, 70, 200), ~UINT64_C(0) << 6);
    assert_int_equal(bits_in_word(3, 70, 200), 0xff);
    assert_int_equal(bits_in_word(0, 3, 5), 0x18);
}

static void a_set_with_summaries_finds_its_lowest_member(void **state)
{
    static const uint32_t sizes[] = { 1, 64, 65, 1024, 1025, 65536, 300000 };
    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct bitset_shape shape = bitset_shape(sizes[s]);
        uint64_t *set = calloc(shape.words, sizeof(*set));
        uint8_t *shadow = calloc(sizes[s], 1);
        uint32_t members = 0;
        for (unsigned i = 0; i < 4000; i++) {
            uint32_t n = rnd(4) ? rnd(sizes[s]) : rnd(sizes[s] < 70 ? sizes[s] : 70);
            if (shadow[n])
                bitset_remove(set, &shape, n);
            else
                bitset_add(set, &shape, n);
            members += shadow[n] ? UINT32_MAX : 1;
            shadow[n] = !shadow[n];
            assert_int_equal(bitset_count(set), members);
            if (members > 0)
                assert_ptr_equal(&shadow[bitset_lowest(set, &shape)], memchr(shadow, 1, sizes[s]));
        }
        free(shadow);
        free(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filling_entries_changes_these_and_no_other),
        cmocka_unit_test(taking_and_giving_blocks_keeps_the_orders),
        cmocka_unit_test(freshness_is_uniform_or_not),
        cmocka_unit_test(a_node_is_uniform_only_if_every_entry_is),
        cmocka_unit_test(words_of_bits_are_counted_and_searched),
        cmocka_unit_test(a_set_with_summaries_finds_its_lowest_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
