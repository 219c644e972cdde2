/* SPDX-License-Identifier: MIT */
/* What the workloads of the engine's benchmark share; engine_bench.c says what it is. */
#ifndef PFNLAB_ENGINE_BENCH_H
#define PFNLAB_ENGINE_BENCH_H

#include <stdlib.h>

#include "kernel/mm/page.h"

#define GIB_PAGES UINT64_C(0x40000)
#define MIX_BLOCKS 262144u

_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define REQUIRE(condition) \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

/* An engine to be measured. */
struct bench_engine {
    const struct page_engine *engine;
    bool by_page;             /* a block costs by its pages: fewer operations are enough */
    bool peer;                /* an allocator of bytes: it only takes blocks and gives them back */
};

#define PEER_PAGES (GIB_PAGES / 4)   /* some write to what they hand out */

struct bench {
    const struct bench_engine *bench;
    const struct page_engine *engine;   /* of that */
    bool empty;
    uint64_t pairs;           /* of an alloc and a free, for workloads that are nothing else */
    bool each;                /* the workload measures its operations one by one */
    void *memory;
    uint64_t pages;           /* of the map */
    uint64_t gib;             /* that a workload fills */
    uint64_t expected;        /* allocated pages that must be left after the work */
    uint64_t seed;
    uint64_t ops;
    uint64_t figure;          /* what the workload is about, if not instructions */
    struct page_map map;
    struct page_range range;
    uint64_t *frames;         /* for workloads that keep blocks */
    uint8_t *orders;
    size_t blocks;
    uint64_t occupied, target;
    struct page_request request;   /* of a step measured alone, and what came of it */
    uint64_t frame, length;
    enum error error;
};

/* Run what is counted; all else is preparation. Each program has its own. */
void measured(void (*run)(struct bench *b), struct bench *b);

extern const struct node_source pool_source;

/* Pages that the source has handed out and not got back. */
uint64_t pool_taken(void);

/* A map of `pages` pages from 1 GiB on; the same, and the engine started on it. */
void map_make(struct bench *b, uint64_t pages);
void engine_make(struct bench *b, uint64_t pages);

/* The next pseudo-random number. */
uint64_t rnd(struct bench *b);

static inline uint64_t take(struct bench *b, unsigned order, unsigned align)
{
    struct page_request request = {
        .areas = ALL_AREAS, .pages = UINT64_C(1) << order, .align = align, .max = { PFN_LIMIT },
    };
    pfn_t out, blame;
    REQUIRE(b->engine->alloc(b->memory, &request, &out, &blame) == OK);
    return out.n;
}

/* False if there is no such block. */
static inline bool take_or_not(struct bench *b, unsigned order, uint64_t *frame)
{
    struct page_request request = {
        .areas = ALL_AREAS, .pages = UINT64_C(1) << order, .align = order, .max = { PFN_LIMIT },
    };
    pfn_t out, blame;
    if (b->engine->alloc(b->memory, &request, &out, &blame) != OK)
        return false;
    *frame = out.n;
    return true;
}

static inline void give(struct bench *b, uint64_t frame)
{
    uint64_t pages;
    REQUIRE(b->engine->free(b->memory, pfn(frame), &pages) == OK);
}

/* Run what the command line says, on one of these engines. */
int bench_main(int argc, char **argv, const struct bench_engine *engines, size_t n);

/* engine_main.c, peer_main.c: what does nothing. */
extern const struct page_engine empty_engine;

/* engine_wrong.c: the engine with a fault: slow, twice, leak. */
struct page_engine wrong_engine(const char *name);

/* engine_quality.c: workloads whose result is a figure. */
void run_compaction(struct bench *b);
void prepare_256m(struct bench *b);
void run_failed(struct bench *b);
void run_metadata(struct bench *b);
void run_init_bytes(struct bench *b);

/* engine_worst.c: the longest operations known, and a search for longer ones. */
void prepare_scattered(struct bench *b);
void run_take0(struct bench *b);
void run_take16(struct bench *b);
void run_take17(struct bench *b);
void run_take18(struct bench *b);
void prepare_last(struct bench *b);
void run_give(struct bench *b);
void prepare_flush_open(struct bench *b);
void prepare_flush_close(struct bench *b);
void prepare_flush_same(struct bench *b);
void run_open_low(struct bench *b);
void prepare_worst(struct bench *b);
void run_worst(struct bench *b);

#endif
