/* SPDX-License-Identifier: MIT */
/*
 * What heap*.c share among themselves: classes, slabs, and how a page of the heap is found.
 */
#ifndef PFNLAB_MM_HEAP_PARTS_H
#define PFNLAB_MM_HEAP_PARTS_H

#include "kernel/lib/bitmap.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/lookup.h"
#include "kernel/mm/rows.h"

#define HEAP_DIRECTORIES 16u          /* of a class: 8192 pages of records */

/* What is fixed of a class. */
struct heap_class_rule {
    uint16_t size;                    /* bytes of a slot */
    uint16_t slots;                   /* of a slab */
    uint16_t tags;                    /* bytes from the start of a struct slab to its tags */
    uint16_t record;                  /* bytes of a struct slab, with all behind it */
};

extern const struct heap_class_rule heap_rules[HEAP_CLASSES];

/*
 * A slab. Behind `free`, a bit for each slot, set if it is free, is the tag of each slot. The slabs
 * with a free slot that the present stage's source gave wait in a queue, a binary heap by address;
 * its place n is the `queued` of the nth row, whoever's row that is.
 */
static const uint32_t NOT_QUEUED = UINT32_MAX;

struct slab {
    uint64_t page;                    /* address / PAGE_SIZE */
    uint32_t place;                   /* its own in the queue, or NOT_QUEUED */
    uint32_t queued;                  /* the row of the slab at the place of this row's number */
    uint16_t used;                    /* slots */
    uint8_t stage;
    uint64_t free[];
};

struct heap_class {
    struct rows slabs;
    struct slab *lowest;              /* first of the queue, NULL if it is empty */
    uint32_t lowest_row;
    uint32_t waiting;                 /* slabs in the queue */
    struct rows_directory *directories[HEAP_DIRECTORIES];
};

/* The slab that served last, or was found: most likely the one that is asked for next. */
struct heap_recent {
    struct slab *slab;                /* NULL: none */
    uint32_t row;
    unsigned class;
};

/* A key has 40 bits (lookup.h), an address that can be mapped 47 at most. */
enum { ZONE_SHIFT = 44, ZONE_TABLES = 8 };

struct heap_root {
    struct heap_recent recent;
    struct lookup *pages[2];          /* page to value_of(); [1] is the window; NULL: none yet */
    /* Address / 16 to bytes of red zone, of each 2^44 bytes; NULL: none yet. `zoned` in all. */
    struct lookup *zones[ZONE_TABLES];
    uint64_t zoned;
    struct heap_class classes[HEAP_CLASSES];
};

_Static_assert(sizeof(struct heap_root) <= PAGE_SIZE, "the root fits into its page");

/* What a page of the heap is: a slab by its row, or the first page of a block. */
enum { HEAP_LARGE = HEAP_CLASSES, VALUE_STAGE = 30, VALUE_CLASS = 26 };   /* of value_of() */

static inline uint32_t value_of(unsigned stage, unsigned class, uint32_t row)
{
    return stage << VALUE_STAGE | class << VALUE_CLASS | row;
}

static inline unsigned value_stage(uint32_t value) { return value >> VALUE_STAGE; }
static inline unsigned value_class(uint32_t value)
{
    return value >> VALUE_CLASS & ((1u << (VALUE_STAGE - VALUE_CLASS)) - 1);
}

static inline uint32_t value_row(uint32_t value) { return value & ((1u << VALUE_CLASS) - 1); }

static inline struct slab *slab_at(const struct heap_root *root, unsigned class, uint32_t row)
{
    return rows_at(&root->classes[class].slabs, row, heap_rules[class].record);
}

static inline uint32_t *slab_tags(struct slab *slab, unsigned class)
{
    return (uint32_t *)((unsigned char *)slab + heap_rules[class].tags);
}

static inline bool slot_is_free(const struct slab *slab, unsigned slot)
{
    return bitmap_test(slab->free, slot);
}

static inline uint64_t page_of(virt_t at) { return at.a >> PAGE_SHIFT; }

/* The map of pages of that kind, or NULL. */
static inline struct lookup *heap_pages(const struct heap *heap, bool window)
{
    return heap->root == NULL ? NULL : heap->root->pages[window];
}

/* The smallest class that holds `size` bytes at a multiple of `align`, or HEAP_LARGE. */
unsigned class_for(uint64_t size, uint64_t align);

/*
 * Make sure that the root is there, and room for one more page of the present stage in its map.
 * MEM_METADATA: it is not, nothing has changed.
 */
MUST_USE enum error heap_make_room(struct heap *heap);

/*
 * Give back what was taken for records in vain: pages without one, tables that are empty, and the
 * root if there is no table.
 */
void heap_trim(struct heap *heap);

/* The same when the last page of a kind has gone. */
static inline void heap_forget(struct heap *heap, bool window)
{
    if (lookup_count(heap_pages(heap, window)) == 0)
        heap_trim(heap);
}

/* What a page is to the heap; false: nothing. page_find() looks among one kind of addresses. */
bool heap_look_up(const struct heap *heap, uint64_t page, uint32_t *value);
bool page_find(const struct heap *heap, bool window, uint64_t page, uint32_t *value);

/* The queue. */
void slab_enqueue(struct heap_root *root, unsigned class, uint32_t row);
void slab_dequeue(struct heap_root *root, unsigned class, uint32_t row);

/*
 * A new slab of the class, from the present stage's source, in the queue, empty. Errors as
 * heap_alloc().
 */
MUST_USE enum error slab_open(struct heap *heap, unsigned class);

/* Give an empty slab's page back, and forget it. MEM_METADATA: nothing has changed. */
MUST_USE enum error slab_close(struct heap *heap, unsigned class, uint32_t row);

/* ---- objects, without the checks and the lock of heap.h ---- */

/* Where an object is. */
struct spot {
    unsigned class;                   /* or HEAP_LARGE */
    unsigned stage;
    uint32_t row;                     /* of its slab */
    struct slab *slab;                /* NULL: it is a block */
    unsigned slot;
};

/* As heap_alloc() and heap_free(), but under the lock, and without zeroing. */
MUST_USE enum error alloc_locked(struct heap *heap, const struct heap_request *request,
                                 virt_t *out);
MUST_USE enum error free_locked(struct heap *heap, virt_t at, bool force, uint64_t *pages,
                                virt_t *blame);

/* As heap_alloc() for `size` bytes, which are more than request->size if it has a red zone. */
MUST_USE enum error object_alloc(struct heap *heap, const struct heap_request *request,
                                 uint64_t size, virt_t *out);

/* The object at `at`. Errors as heap_free(). */
MUST_USE enum error spot_find(const struct heap *heap, virt_t at, struct spot *spot);

/* All its bytes, and its owner. */
struct heap_block spot_block(const struct heap *heap, virt_t at, const struct spot *spot);

MUST_USE enum error object_free(struct heap *heap, virt_t at, const struct spot *spot,
                                uint64_t *pages);

/* ---- red zones ---- */

/* As alloc_locked() with a red zone, of which the pattern is to be written without the lock. */
MUST_USE enum error zoned_alloc(struct heap *heap, const struct heap_request *request,
                                virt_t *out);

/* True if there are any. */
static inline bool zones_there(const struct heap *heap)
{
    return heap->root != NULL && heap->root->zoned > 0;
}

/* The bytes of the red zone of an object, 0: it has none. */
uint32_t zone_size(const struct heap *heap, virt_t at);

/* MEM_OVERRUN: the red zone of an object does not hold its pattern, *bad is where. */
MUST_USE enum error zone_inspect(const struct heap *heap, virt_t at, const struct spot *spot,
                                 virt_t *bad);

/*
 * Let the red zone of an object, which has one, begin behind `size` bytes. The lock is given back
 * while that is written. MEM_NONE: there is no room for it. FAULT_*: it cannot be written, *bad is
 * where. MEM_FREE: somebody freed the object meanwhile. Nothing changes on error.
 */
MUST_USE enum error zone_resize(struct heap *heap, virt_t at, const struct spot *spot,
                                uint64_t size, virt_t *bad);

/* Forget the red zone of an object, if it has one. */
void zone_remove(struct heap *heap, virt_t at);

#endif
