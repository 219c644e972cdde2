/* SPDX-License-Identifier: MIT */
/*
 * Which CPU obtained what requests have: of each block, range and object that a request on another
 * CPU than 0 got and nobody has freed yet. It belongs to whoever asked, wherever that ran, and is
 * freed from anywhere; this is for who asks what a CPU leaves behind.
 *
 * Requests run one after the other, so that nothing here needs a lock. Records are of the kernel's
 * pool, 16 bytes each; what there is none for, or lies at 2^47 or above, is only counted, as lost.
 */
#ifndef PFNLAB_ORIGINS_H
#define PFNLAB_ORIGINS_H

#include "kernel/mm/engine.h"
#include "protocol/reply.h"

enum origin_kind {
    ORIGIN_BLOCK,                     /* of pages */
    ORIGIN_RANGE,                     /* of addresses of the window */
    ORIGIN_OBJECT,                    /* of malloc */
    ORIGIN_EARLY,                     /* of early memory */
    ORIGIN_KINDS
};

/* What a CPU obtained that is still there. */
struct origins {
    uint64_t n[ORIGIN_KINDS];
    uint64_t pages;                   /* of the blocks */
    uint64_t lost;                    /* not known of any more: there or not */
};

/* The CPU that runs this has obtained what begins at the address. O(1) expected, as all but one. */
void origin_note(enum origin_kind kind, uint64_t at);

/* It is no more; nothing happens if nobody has noted it. */
void origin_forget(enum origin_kind kind, uint64_t at);

/* It has gone to another address, or has stayed. */
void origin_move(enum origin_kind kind, uint64_t from, uint64_t to);

/* So many pages from `first` on have been freed, of a block that was as *block says before. */
void origin_cut(const struct page_info *block, pfn_t first, uint64_t pages);

/* A fresh instance of the lab, in which nothing was obtained yet. */
void origins_forget(void);

/* Of each CPU, by its number, until it is called again. Cost: a query of each block. */
const struct origins *origins_count(void);

void origins_add(struct origins *sum, const struct origins *more);

/* "blocks= pages= ranges= objects= early=" of the final line, and "lost=" if any are. */
void reply_origins(struct reply *reply, const struct origins *origins);

/* The same of a row, without those of which there are none. */
void row_origins(struct reply *reply, const struct origins *origins);

#endif
