/* SPDX-License-Identifier: MIT */
/*
 * What the heap takes pages from, in the order of the stages, and their contexts. Memory that has
 * no address of its own is of no use to who calls malloc: before the window serves it stays.
 */
#ifndef PFNLAB_MM_HEAP_BACKENDS_H
#define PFNLAB_MM_HEAP_BACKENDS_H

#include "kernel/mm/attributes.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/phys.h"

/* Early memory, from the top, below `reach`. It has no owners: tags are lost. */
struct heap_early {
    struct phys_allocator *phys;
    phys_t reach;
};
extern const struct heap_backend heap_backend_early;

/*
 * Page frames below `max` from any of `areas`, in the order in which areas are tried. A limit costs
 * a search: `max` is PFN_LIMIT unless an area is cut.
 */
struct heap_frames {
    struct attributes *attributes;
    uint32_t areas;
    pfn_t max;
};
extern const struct heap_backend heap_backend_pages;

/* Of the areas of `pages`, which are initialised, those that frames below `reach` are in. */
void heap_frames_init(struct heap_frames *frames, struct attributes *attributes, phys_t reach);

/* Frames one by one, mapped as data in the window: struct vmap. */
extern const struct heap_backend heap_backend_virtual;

#endif
