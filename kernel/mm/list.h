/* SPDX-License-Identifier: MIT */
/*
 * A reference engine, to compare with: the buddy of most small kernels. Free blocks wait in doubly
 * linked lists, one for each order and area; a block is split when none of its order waits, and
 * joins its buddy as soon as both are free. Every page has a byte of its own, and all bytes of a
 * block say what it is, so that the state of any page is known at once.
 *
 * Placement: in the first area, in scan order, that has it, the block that came last into the list
 * of the smallest sufficient order, in it the lowest pages; what is too much goes back at once. For
 * what no block of the lists holds, and for windows and `fresh`, the lowest slot of the area. It is
 * the whole contract of engine.h, but for its remarks on cost:
 *
 * - alloc and free of a block write a byte for each of its pages, and of the block that it came
 *   from or joins: up to 2^18 of them. The lowest slot is looked for page by page.
 * - Records are 9 bytes a page, none of them in nodes; a start writes one of them for each page.
 * - It manages at most 2^32 - 1 pages: init() refuses more with MEM_METADATA.
 */
#ifndef PFNLAB_MM_LIST_H
#define PFNLAB_MM_LIST_H

#include "kernel/mm/engine.h"

extern const struct page_engine page_engine_list;

#endif
