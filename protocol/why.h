/* SPDX-License-Identifier: MIT */
/* The parts of `why`: what found no place, in which layer, and what lies in the way. */
#ifndef PFNLAB_WHY_H
#define PFNLAB_WHY_H

#include "protocol/handlers.h"

#define WHY_BLOCKS 8u                 /* told of one slot */

struct window {
    uint64_t first, limit;            /* pages, of memory or of addresses */
};

/* A slot, and what is not free in it. `missing` is UINT64_MAX if it is none. */
struct slot {
    uint64_t at, missing, blocks;
};

/*
 * Where slots are looked for. run() tells, as an engine's, of pages of any kind. A slot has `lead`
 * pages before the one that is aligned.
 */
struct space {
    uint64_t (*run)(uint64_t from, uint64_t limit, struct page_info *info);
    uint64_t lead;
};

/* The slot of a window that lacks least. STOP_INTERRUPTED. */
MUST_USE enum error why_best_slot(const struct space *space, struct window window,
                                  const struct page_request *request, struct slot *best);

/* "slot=", "missing=" and "blocks=" of a slot, if it is one. */
void why_slot_keys(struct reply *reply, const struct slot *slot);

/*
 * Rows for each area of a request; for the window, and for the areas if it is *frames that are
 * missing behind addresses; for early memory. STOP_INTERRUPTED.
 */
MUST_USE enum error why_areas(struct reply *reply, struct listing *listing,
                              const struct page_request *request);
MUST_USE enum error why_window(struct reply *reply, struct listing *listing,
                               const struct refusal *refusal, bool *frames);
MUST_USE enum error why_early(struct reply *reply, struct listing *listing);

#endif
