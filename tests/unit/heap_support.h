/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the heap share: three backends made of an array each, which give the lowest
 * pages that fit, and a heap on them. Any attempt to take something can be made to fail.
 */
#ifndef PFNLAB_UNIT_HEAP_SUPPORT_H
#define PFNLAB_UNIT_HEAP_SUPPORT_H

#include "kernel/mm/heap.h"
#include "kernel/mm/kpool.h"

#define ARENA_PAGES 1024u
#define ARENA_BASE(stage) ((UINT64_C(64) + (stage)) << 20)
#define POOL_PAGES 256u

/* One stage's pages: for each first page of a block how many it has, 0 for all others. */
struct arena {
    uint64_t base;
    uint32_t blocks[ARENA_PAGES];
    uint32_t tags[ARENA_PAGES];
    bool busy[ARENA_PAGES];
    unsigned char *memory;
    enum error give_error;            /* what give() and shrink() refuse with */
};

extern struct arena arenas[HEAP_STAGES];
extern struct kpool heap_pool;
extern struct heap heap;
extern bool there_is_memory;          /* of any kind */
extern bool reachable;                /* the memory: else it faults */
extern uint64_t takes_until_failure;  /* of pages or nodes; 0: none fails */
extern uint64_t arena_runs;           /* how often a backend was asked what follows */

/* An empty heap at stage 0, everything free. For cmocka, as are the next two. */
int heap_begin(void **unused);
int heap_open(void **unused);         /* of a group of tests */
int heap_close(void **unused);

/* Pages in use of all arenas. */
uint64_t arenas_used(void);

unsigned char *arena_byte(virt_t at);

/* heap_alloc() and the others made short. 0: refused, and then *e is why. */
uint64_t heap_get(uint64_t size, uint64_t align, uint32_t tag, enum error *e);
uint64_t must_get(uint64_t size);
enum error heap_put(uint64_t at);
enum error heap_move(uint64_t at, uint64_t size, uint64_t *out);

/* The object at the lowest address not below `from`; false: none. */
bool heap_next(virt_t from, struct heap_object *object);

/* Never: for what asks whether to stop. */
bool heap_goes_on(void);

void heap_assert_whole(void);

#endif
