/* SPDX-License-Identifier: MIT */
/*
 * malloc: objects of any size over a backend that hands out whole pages and changes as boot
 * advances. Like the allocators below it the heap manages numbers: no header, no magic word, no
 * link lies in the memory, which is touched only where a caller asks for that (zeroes, the content
 * of what realloc moves, red zones), through hooks.
 *
 * Placement. An object of up to HEAP_SMALL bytes goes into a slab: a page, taken from the backend,
 * of equal slots of the smallest class that holds it and keeps its alignment. Of the slabs of that
 * class that the present backend gave, the one with the lowest address that has a free slot serves,
 * by its lowest free slot; a slab goes back with its last object. Anything larger, or aligned to
 * more than HEAP_SMALL, is a block of whole pages of the backend.
 *
 * Classes: 16 32 48 64 96 128 192 256 384 512 768 1024 1344 2048 bytes. Alignment is 16 at least,
 * and that of the class. Of a slot at most 35 % is not asked for (33 bytes and more; a half
 * below), of a slab at most 256 bytes are in no slot, of a block at most a page less one byte.
 *
 * A pointer is good until it is freed, whatever the stage is then.
 *
 * Cost: O(1) expected for what finds a slab with a free slot and does not empty one, O(log slabs)
 * of list-keeping plus the backend otherwise. Records are 28 bytes and 4 for each slot of a slab
 * (the owners), and 16 for each page or block in the table of addresses. An empty heap has none.
 */
#ifndef PFNLAB_MM_HEAP_H
#define PFNLAB_MM_HEAP_H

#include "kernel/lock.h"
#include "kernel/mm/engine.h"
#include "kernel/mm/memory.h"

#define HEAP_SMALL 2048u
enum { HEAP_ALIGN_MIN = 16, HEAP_ZONE_MIN = 16 };   /* bytes; of a red zone, at least */
#define HEAP_ALIGN_MAX (UINT64_C(1) << 31)
#define HEAP_CLASSES 14u
#define HEAP_STAGES 3u

/* Whole pages that a backend handed out. */
struct heap_block {
    virt_t first;
    uint64_t size;                    /* bytes */
    uint32_t tag;                     /* of the request, 0 if nobody's or not known */
};

/* Where pages come from. Sizes are multiples of PAGE_SIZE; nothing changes on error. */
struct heap_backend {
    /* A block at a multiple of `align`, at least PAGE_SIZE. MEM_NONE, _METADATA, _INJECTED. */
    MUST_USE enum error (*take)(void *context, uint64_t size, uint64_t align, uint32_t tag,
                                virt_t *out);
    /* Give back a block that take() gave. MEM_METADATA. */
    MUST_USE enum error (*give)(void *context, virt_t first);
    /*
     * Let such a block have `size` bytes, more than it has, where it is, if what follows it is
     * free. Errors as take(), MEM_NONE for all that is in the way.
     */
    MUST_USE enum error (*grow)(void *context, virt_t first, uint64_t size);
    /* Give back the end of such a block; `size` bytes, not 0, are left. MEM_METADATA. */
    MUST_USE enum error (*shrink)(void *context, virt_t first, uint64_t size);
    /*
     * The block that holds `at`, the heap's or not. Else what is there: MEM_FREE, MEM_RESERVED, or
     * MEM_UNMANAGED, which is also the answer for what another backend has to answer for.
     */
    MUST_USE enum error (*find)(void *context, virt_t at, struct heap_block *block);
    /*
     * Bytes from `at` to the end of *block, the one that holds it; or, then the block's size is 0,
     * to where there may be another one. 0: there is nothing more. O(log n) or so.
     */
    uint64_t (*run)(void *context, virt_t at, struct heap_block *block);
};

/*
 * What a stage of the boot takes pages from. Addresses of one stage may be those of another only if
 * one of them is in the `window` and the other is not; a pointer that means both is the window's.
 */
struct heap_source {
    const struct heap_backend *backend;
    void *context;
    bool window;
};

struct heap_root;

/*
 * The lock is held while pages come and go, and while a red zone, less than two pages, is
 * inspected; not while an object is zeroed or copied, or its red zone is written.
 */
struct heap {
    struct lock lock;
    struct node_source nodes;
    struct heap_source sources[HEAP_STAGES];
    const struct memory_hooks *memory;
    unsigned stage;                   /* whose source serves; changed while nobody is at work */
    struct heap_root *root;           /* NULL while nothing is allocated; `lock` */
};

struct heap_request {
    uint64_t size;                    /* bytes, 1 at least */
    uint64_t align;                   /* a power of two up to HEAP_ALIGN_MAX; 1: as the class has */
    uint32_t tag;                     /* the owner */
    bool zero;
    /*
     * Put HEAP_ZONE_MIN bytes at least behind the object, filled with a pattern that is verified
     * when it is freed or moved.
     */
    bool redzone;
};

/* What there is at an address, or next to it. */
struct heap_object {
    virt_t at;
    uint64_t size;                    /* bytes of its slot or block */
    uint32_t tag;
    unsigned stage;
    uint32_t zone;                    /* bytes of its end that are red, 0: none */
};

/* Totals of one class; or, as number HEAP_CLASSES, of blocks. */
struct heap_totals {
    uint64_t size;                    /* bytes of a slot; 0 for blocks */
    uint64_t objects, pages, bytes;   /* bytes: of slots in use, or of blocks */
};

/*
 * An empty heap at stage 0 with its records from `nodes` (copied), of which it takes none yet.
 * `sources` (copied) need not be complete beyond the stage in use.
 */
void heap_init(struct heap *heap, const struct node_source *nodes,
               const struct heap_source sources[HEAP_STAGES], const struct memory_hooks *memory);

/* From now on `stage`'s source serves, a later one than before. */
void heap_advance(struct heap *heap, unsigned stage);

/*
 * malloc, calloc (`zero`), memalign (`align`). *zeroed is false if zeroes were wanted and there is
 * no memory. CALL_RANGE: no bytes, or the alignment is beyond the limit. CALL_ALIGN: not a power of
 * two. CALL_UNSUPPORTED: a red zone where there is no memory. MEM_NONE: no memory, sizes near 2^64
 * included. MEM_METADATA: no page for the records. MEM_INJECTED. FAULT_*: zeroes or a red zone
 * could not be written to memory that there is, *out is the first such address. Nothing changes on
 * error; but pages that were given back are not fresh any more.
 */
MUST_USE enum error heap_alloc(struct heap *heap, const struct heap_request *request, virt_t *out,
                               bool *zeroed);

/*
 * Another size for the object at `at`, which keeps its owner and its red zone, if it has one. In
 * place if the class is the same; of a block, which needs fewer pages, as many, or more that follow
 * it and are free (with a red zone: as many). Else a new object, to which the content that both
 * have is copied (*copied is false if there is no memory), and the old one is freed. If that cannot
 * be, the object stays if it has room where it is, a block without the pages that it does not need:
 * no smaller size is refused. Errors as heap_alloc() and heap_free(); FAULT_* also if the content
 * could not be copied, *blame is where. What was taken on the way and given back is not fresh any
 * more.
 */
MUST_USE enum error heap_realloc(struct heap *heap, virt_t at, uint64_t size, virt_t *out,
                                 bool *copied, virt_t *blame);

/*
 * Free an object; *pages is how many went back to where they came from. Nothing changes on error:
 * MEM_FREE: no object, but a slot or a page for one. MEM_INSIDE: inside an object, or between
 * slots. MEM_KIND: memory that is not the heap's. MEM_RESERVED, MEM_UNMANAGED: no memory at all.
 * MEM_OVERRUN: its red zone was written, *blame is the first such address; not with `force`.
 * MEM_METADATA: of the backend.
 */
MUST_USE enum error heap_free(struct heap *heap, virt_t at, bool force, uint64_t *pages,
                              virt_t *blame);

/* Does the page at `at` belong to the heap? `window` as in struct heap_source. */
bool heap_has(const struct heap *heap, virt_t at, bool window);

/*
 * A walk over the objects from `from` on, by address; of two with the same number the window's
 * comes last. Nothing may change meanwhile. heap_walk_next(): false when there are no more, or once
 * `stop`, asked now and then, was true. In all as long as all that the sources ever handed out and
 * have not got back, the heap's or not.
 */
struct heap_walk {
    const struct heap *heap;
    bool (*stop)(void);
    bool stopped;
    struct heap_head {                /* the next one of each stage, if there is one */
        bool found;
        virt_t at;
        uint32_t value;               /* of its page: heap_parts.h */
    } heads[HEAP_STAGES];
};
void heap_walk_begin(struct heap_walk *walk, const struct heap *heap, virt_t from,
                     bool (*stop)(void));
bool heap_walk_next(struct heap_walk *walk, struct heap_object *object);

void heap_totals(const struct heap *heap, unsigned class, struct heap_totals *totals);

/*
 * While no other CPU is at work: verify invariants 600.. (heap_check.c); `stop` and *violation as
 * the engine's check().
 */
MUST_USE bool heap_check(const struct heap *heap, bool (*stop)(void),
                         struct page_violation *violation);

/*
 * To test whoever should notice: break that invariant of heap_check.c, so that heap_check() names
 * just that one. CALL_STATE: the present stage has nothing to break it with. MEM_METADATA: no
 * record for what is entered against the rules.
 */
MUST_USE enum error heap_corrupt(struct heap *heap, unsigned invariant);

#endif
