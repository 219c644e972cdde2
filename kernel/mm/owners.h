/* SPDX-License-Identifier: MIT */
/*
 * Who allocated what: a map from the first frame of an allocated block to the tag of the request
 * that asked for it. Records exist only for what is allocated; they live in pages of a node source.
 * Linear hashing: 16 bytes a record, O(1) expected, no operation ever rehashes the whole table.
 */
#ifndef PFNLAB_MM_OWNERS_H
#define PFNLAB_MM_OWNERS_H

#include "kernel/mm/engine.h"

struct owners;

/* Make an empty map in one page taken from `nodes` (copied). NULL if it has none. */
struct owners *owners_create(const struct node_source *nodes);

/*
 * Make sure that the next owners_add() cannot fail, so that it may come after what cannot be
 * undone. MEM_METADATA: no page for one more record, or OWNERS_MAX records are there.
 */
#define OWNERS_MAX ((1u << 24) - 1)
MUST_USE enum error owners_make_room(struct owners *owners);

/* Give a page back that owners_make_room() took and no record needs. */
void owners_trim(struct owners *owners);

/* Record `tag` for the block at `first`, which has none. Errors as owners_make_room(). */
MUST_USE enum error owners_add(struct owners *owners, pfn_t first, uint32_t tag);

/* Forget the record of `first`; true and *tag if there was one. Gives empty pages back. */
bool owners_remove(struct owners *owners, pfn_t first, uint32_t *tag);

/* True and *tag if `first` has a record. */
bool owners_find(const struct owners *owners, pfn_t first, uint32_t *tag);

uint64_t owners_count(const struct owners *owners);

/* The record numbered `index`, below owners_count(), in no order that means anything. */
void owners_at(const struct owners *owners, uint64_t index, pfn_t *first, uint32_t *tag);

/*
 * Verify the structure: every record is found by its frame and is counted. False: *at is the frame
 * of a record that is not.
 */
MUST_USE bool owners_check(const struct owners *owners, pfn_t *at);

#endif
