/* SPDX-License-Identifier: MIT */
/*
 * A map from numbers below 2^40, keys, to numbers of 32 bits: who owns the block at a frame, which
 * slab a page is. Records exist only for the keys that are there; they live in pages of a node
 * source. Linear hashing: 16 bytes a record, O(1) expected, no operation ever rehashes the whole
 * table.
 */
#ifndef PFNLAB_MM_LOOKUP_H
#define PFNLAB_MM_LOOKUP_H

#include "kernel/mm/rows.h"

struct lookup;

/* Make an empty map in one page taken from `nodes` (copied). NULL if it has none. */
struct lookup *lookup_create(const struct node_source *nodes);

/* Give back all pages of an empty map; it is no more. */
void lookup_destroy(struct lookup *lookup);

/*
 * Make sure that the next lookup_add() cannot fail, so that it may come after what cannot be
 * undone. MEM_METADATA: no page for one more record, or LOOKUP_MAX records are there.
 */
#define LOOKUP_MAX ((1u << 24) - 1)
MUST_USE enum error lookup_make_room(struct lookup *lookup);

/* Give a page back that lookup_make_room() took and no record needs. */
void lookup_trim(struct lookup *lookup);

/*
 * Record `value` for `key`, which has none, and a mark beside it (0 unless told). Errors as
 * lookup_make_room().
 */
MUST_USE enum error lookup_add_marked(struct lookup *lookup, uint64_t key, uint32_t value,
                                      uint8_t mark);
MUST_USE static inline enum error lookup_add(struct lookup *lookup, uint64_t key, uint32_t value)
{
    return lookup_add_marked(lookup, key, value, 0);
}

/* Forget the record of `key`; true and *value if there was one. Gives empty pages back. */
bool lookup_remove(struct lookup *lookup, uint64_t key, uint32_t *value);

/* True and *value if `key` has a record. */
bool lookup_find(const struct lookup *lookup, uint64_t key, uint32_t *value);

/* Give `key`, which has a record, another value. */
void lookup_set(struct lookup *lookup, uint64_t key, uint32_t value);

/* Give `key`, which has a record, another mark; that of no record is 0. */
void lookup_mark(struct lookup *lookup, uint64_t key, uint8_t mark);
uint8_t lookup_marked(const struct lookup *lookup, uint64_t key);

uint64_t lookup_count(const struct lookup *lookup);

/* The record numbered `index`, below lookup_count(), in no order that means anything. */
void lookup_at(const struct lookup *lookup, uint64_t index, uint64_t *key, uint32_t *value);

/*
 * Verify the structure: every record is found by its key and is counted. False: *at is the key of
 * a record that is not.
 */
MUST_USE bool lookup_check(const struct lookup *lookup, uint64_t *at);

#endif
