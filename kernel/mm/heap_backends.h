/* SPDX-License-Identifier: MIT */
/*
 * What the heap takes pages from, in the order of the stages, and their contexts.
 */
#ifndef PFNLAB_MM_HEAP_BACKENDS_H
#define PFNLAB_MM_HEAP_BACKENDS_H

#include "kernel/mm/heap.h"

/* Early memory, from the top: struct phys_allocator. It has no owners: tags are lost. */
extern const struct heap_backend heap_backend_early;

/* Page frames from any area, in the order in which areas are tried: struct attributes. */
extern const struct heap_backend heap_backend_pages;

/* Frames one by one, mapped as data in the window: struct vmap. */
extern const struct heap_backend heap_backend_virtual;

#endif
