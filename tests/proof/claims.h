/* SPDX-License-Identifier: MIT */
/* The claims of claims.c, each `bool claim_NAME(void)`, and what they ask of whoever tries them. */
#ifndef PFNLAB_PROOF_CLAIMS_H
#define PFNLAB_PROOF_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#define CLAIMS(row) \
    row(lowest_bit) row(highest_bit) row(count_of_bits) row(bits_from_to) \
    row(bits_from_to_in_a_word) row(one_bit_written) row(bits_filled) row(runs_of_a_word) \
    row(runs_folded) row(orders_of_a_word) row(order_around_a_bit) row(what_orders_hold) \
    row(lowest_word_of_an_order) row(largest_order) row(order_around_an_entry) row(block_taken) \
    row(block_given) row(block_taken_and_given) row(only_block_taken) row(entries_filled) \
    row(edges) row(all_of_a_cell) row(all_fresh_or_none) \
    row(set_shape) row(set_added) row(set_removed) row(lowest_of_a_set)

#define CLAIM(name) bool claim_##name(void)
#define CLAIM_PROTOTYPE(name) CLAIM(name);
CLAIMS(CLAIM_PROTOTYPE)

/* Any value at all; each of 0..limit-1. */
uint64_t any_word(void);
unsigned each_below(unsigned limit);

#endif
