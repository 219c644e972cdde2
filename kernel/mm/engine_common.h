/* SPDX-License-Identifier: MIT */
/*
 * The parts of the contract (engine.h) that are the same work for every engine: whether a map keeps
 * the rules, its ranges cut by areas, and why an exact address is refused. An engine may use them.
 */
#ifndef PFNLAB_MM_ENGINE_COMMON_H
#define PFNLAB_MM_ENGINE_COMMON_H

#include "kernel/mm/engine.h"

/* True if ranges and areas are as `struct page_map` says. */
bool map_valid(const struct page_map *map);

/*
 * The part of one range that lies in one area. Begin with all 0; each map_part_next() goes on to
 * the next part, in ascending order of frames, and is false when there is none.
 */
struct map_part {
    size_t range, area;       /* indices into the map */
    uint64_t first, limit;    /* frame numbers */
};
bool map_part_next(const struct page_map *map, struct map_part *part);

/* True if `order` names each of the areas 0..n-1 once. */
bool scan_order_valid(const uint8_t *order, size_t n);

/*
 * The answer to a request with `exact`: OK if its slot is free and all that is wanted, else the
 * error, and the first frame in the way in *blame. `run` is the engine's own.
 */
MUST_USE enum error exact_answer(void *engine,
                                 uint64_t (*run)(void *engine, pfn_t from, pfn_t limit,
                                                 struct page_info *info),
                                 const struct page_request *request, pfn_t *blame);

/*
 * The same for extend() of the block that begins at `first`, where *more asks for the frames behind
 * it, by their address, in its area.
 */
MUST_USE enum error extend_answer(void *engine,
                                  uint64_t (*run)(void *engine, pfn_t from, pfn_t limit,
                                                  struct page_info *info),
                                  pfn_t first, const struct page_request *more, pfn_t *blame);

#endif
