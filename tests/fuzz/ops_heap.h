/* SPDX-License-Identifier: MIT */
/* The backends of ops_heap: of each stage a few pages, of which the lowest that fit are given. */
#ifndef PFNLAB_FUZZ_OPS_HEAP_H
#define PFNLAB_FUZZ_OPS_HEAP_H

#include "kernel/mm/heap.h"

#define ROOM 96u                      /* pages of a stage */
#define BASE(stage) ((UINT64_C(64) + 4 * (stage)) << 20)

struct page {
    uint16_t block;                   /* 1 + index of its block's first page, 0: free */
    uint32_t tag;
    /* The model's, all 0 in pages that are given anew: */
    uint16_t objects;                 /* in a slab */
    uint32_t class;                   /* of a slab, 0: none */
};

extern struct page pages[HEAP_STAGES][ROOM];
extern const struct heap_backend heap_pages;      /* its context is a row of `pages` */

/* The index of the lowest free pages that fit; ROOM if there are none. */
uint64_t lowest_pages(const struct page *of, uint64_t n, uint64_t align);

/* How many pages are free behind the block that begins at index `first`. */
uint64_t pages_behind(const struct page *of, uint64_t first);

/* The nth attempt from now on to get pages or a record is refused; 0: none. */
void refuse_nth(unsigned n);

/* Is this attempt the one? */
bool refuses(void);

/* Was there one, since refuse_nth()? */
bool was_refused(void);

#endif
