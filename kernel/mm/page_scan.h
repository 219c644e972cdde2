/* SPDX-License-Identifier: MIT */
/* Walking over pages without walking over pages. Private to kernel/mm/page*.c. */
#ifndef PFNLAB_MM_PAGE_SCAN_H
#define PFNLAB_MM_PAGE_SCAN_H

#include "kernel/mm/page_tree.h"

/* Freshness that a scan asks of pages. */
enum page_freshness { FRESH_ANY, FRESH_ONLY, FRESH_NONE };

/*
 * The lowest frame from `from` on, below `limit`, that is a multiple of 2^align, FREE and as fresh
 * as asked for; `limit` if there is none. All in `area`.
 */
uint64_t scan_next(const struct page_tree *tree, const struct page_area *area, uint64_t from,
                   uint64_t limit, unsigned align, enum page_freshness freshness);

/*
 * For alignments of whole units: the first unit of a chunk, from `from` on, that is aligned and
 * whose first page is free, without a look into leaves; CHUNK_UNITS if none is.
 */
unsigned chunk_lead(const struct page_chunk *chunk, unsigned from, unsigned align);

/* The first frame from `from` on that is not `cell` of that freshness; `limit` if there is none. */
uint64_t scan_end(const struct page_tree *tree, uint64_t from, uint64_t limit, enum page_cell cell,
                  enum page_freshness freshness);

#endif
