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

/* Record `tag` for the block at `first`, which has none. MEM_METADATA: no page for the record. */
MUST_USE enum error owners_add(struct owners *owners, pfn_t first, uint32_t tag);

/* Forget the record of `first`; true and *tag if there was one. */
bool owners_remove(struct owners *owners, pfn_t first, uint32_t *tag);

/* True and *tag if `first` has a record. */
bool owners_find(const struct owners *owners, pfn_t first, uint32_t *tag);

uint64_t owners_count(const struct owners *owners);

#endif
