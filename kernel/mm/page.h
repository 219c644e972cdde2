/* SPDX-License-Identifier: MIT */
/*
 * The page engine of the lab: a binary buddy with implicit coalescing and exact addresses, kept as
 * a radix-512 tree of bitmaps (4 KiB pages, 2 MiB leaves, 1 GiB chunks). See kernel/mm/README.md
 * for the structure, what it costs and why.
 *
 * Placement is a pure function of the history. For `pages` = n and alignment order a, let
 * k = max(ceil(log2 n), a). The allowed areas are tried in scan order; in each one:
 *
 *   1. k <= 8: among the open leaves (2 MiB units that are neither wholly free nor without a free
 *      page, or that the area covers only in part) whose largest free order is at least k, the one
 *      whose largest free order is smallest, then lowest in address; in it the lowest slot.
 *   2. Else, or if there is none: among the 1 GiB chunks whose largest free order, counted in
 *      wholly free 2 MiB units (9..18), is at least max(k, 9), the one in which it is smallest,
 *      then lowest in address. For k <= 8 the lowest slot of its lowest free unit; for k >= 9 the
 *      lowest slot in it, even one that lies in open leaves.
 *   3. Else, or if there is none: the lowest slot of the area.
 *
 * A request with a window (min, max) or `fresh` goes to the lowest slot of the area at once.
 * "Slot", "largest free order" as in engine.h; a slot of 1. lies in its leaf, of 2. in its chunk.
 *
 * Cost: alloc and free of one block of any order without window, freshness or extra alignment, and
 * query(): a bounded number of instructions, whatever the memory size and the order: 565 on x86_64
 * is the most that `make bench` found (its rows worst-*), below the 600 that the design allows.
 * Scans, reserve and exact counts grow with the leaves that they cross.
 */
#ifndef PFNLAB_MM_PAGE_H
#define PFNLAB_MM_PAGE_H

#include "kernel/mm/engine.h"

extern const struct page_engine page_engine_tree;

#endif
