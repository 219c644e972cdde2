/* SPDX-License-Identifier: MIT */
/*
 * Workloads for a page engine, one a run: engine_bench ENGINE WORKLOAD SEED prints the number of
 * operations and the figure that the workload is about, if any; peer_bench is the same for
 * allocators of bytes. Everything outside measured() is preparation and verification; a profiler
 * counts what happens inside it (tests/bench/engine.py: callgrind). The engine `empty` does nothing
 * and is what to subtract.
 */
#include <stdio.h>
#include <string.h>

#include "tests/bench/engine_bench.h"
#include "tests/bench/steady.h"

#define PAIRS 20000u
#define PAIRS_BY_PAGE 100u    /* for an engine that writes a byte for each page of a block */
#define FILL_PAGES GIB_PAGES
#define MIX_OPS 200000u
#define SPARE_NODES 1024u     /* a chunk and all its slabs are 33 pages */

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

/* ---- Helpers ---- */

/* Nodes come from a list, as cheap as the kernel's pool: it is the engine that is measured. */
struct pool {
    void *free;
    uint64_t taken;
};

static void *pool_take(void *context)
{
    struct pool *from = context;
    void **page = from->free;
    REQUIRE(page != NULL);
    from->free = *page;
    from->taken++;
    return page;
}

static void pool_give(void *context, void *page)
{
    struct pool *to = context;
    *(void **)page = to->free;
    to->free = page;
    to->taken--;
}

static struct pool pool;
const struct node_source pool_source = { &pool, pool_take, pool_give };
uint64_t pool_taken(void) { return pool.taken; }

static const struct area_limit area = { "all", { PFN_LIMIT } };

uint64_t rnd(struct bench *b)
{
    b->seed ^= b->seed << 13;
    b->seed ^= b->seed >> 7;
    b->seed ^= b->seed << 17;
    return b->seed >> 11;
}

void map_make(struct bench *b, uint64_t pages)
{
    if (b->bench->peer && pages > PEER_PAGES)
        pages = PEER_PAGES;
    b->pages = pages;
    b->range = (struct page_range){ pfn(GIB_PAGES), pages, true };
    b->map = (struct page_map){ &b->range, 1, &area, 1 };
    b->memory = aligned_alloc(64, (b->engine->memory_size(&b->map) + 63) & ~(size_t)63);
    REQUIRE(b->memory != NULL);
    for (unsigned i = 0; i < SPARE_NODES; i++)
        pool_give(&pool, aligned_alloc(PAGE_SIZE, PAGE_SIZE));
    pool.taken = 0;
}

void engine_make(struct bench *b, uint64_t pages)
{
    map_make(b, pages);
    REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
    b->frames = malloc(sizeof(b->frames[0]) * (FILL_PAGES * b->gib + MIX_BLOCKS));
    b->orders = malloc(FILL_PAGES + MIX_BLOCKS);
}

/* ---- Workloads ---- */

static void prepare_1g(struct bench *b) { engine_make(b, GIB_PAGES); }
static void prepare_16g(struct bench *b) { engine_make(b, 16 * GIB_PAGES); }
static void prepare_1t(struct bench *b) { engine_make(b, 1024 * GIB_PAGES); }
static void prepare_64t(struct bench *b) { engine_make(b, 65536 * GIB_PAGES); }

/* With the buddy of each order taken, nothing opens or closes. */
static void warm(struct bench *b, unsigned order)
{
    prepare_16g(b);
    take(b, order, order);
    b->expected = UINT64_C(1) << order;
}

static void prepare_warm0(struct bench *b) { warm(b, 0); }
static void prepare_warm9(struct bench *b) { warm(b, 9); }
static void prepare_warm18(struct bench *b) { warm(b, 18); }

static void pairs(struct bench *b, unsigned order, unsigned align)
{
    for (b->ops = 0; b->ops < b->pairs; b->ops++)
        give(b, take(b, order, align));
}

static void run_pair0(struct bench *b) { pairs(b, 0, 0); }
static void run_pair4(struct bench *b) { pairs(b, 4, 4); }
static void run_pair8(struct bench *b) { pairs(b, 8, 8); }
static void run_pair9(struct bench *b) { pairs(b, 9, 9); }
static void run_pair16(struct bench *b) { pairs(b, 16, 16); }
static void run_pair18(struct bench *b) { pairs(b, 18, 18); }
static void run_aligned(struct bench *b) { pairs(b, 0, 9); }

static void run_fill(struct bench *b)
{
    for (b->ops = 0; b->ops < b->pages; b->ops++)
        b->frames[b->ops] = take(b, 0, 0);
    b->expected = b->pages;
}

static void prepare_drain(struct bench *b)
{
    engine_make(b, b->gib * GIB_PAGES);
    run_fill(b);
    for (uint64_t i = b->pages - 1; i > 0; i--) {
        uint64_t j = rnd(b) % (i + 1), frame = b->frames[i];
        b->frames[i] = b->frames[j];
        b->frames[j] = frame;
    }
    b->expected = 0;
}

static void run_drain(struct bench *b)
{
    for (b->ops = 0; b->ops < b->pages; b->ops++)
        give(b, b->frames[b->ops]);
}

/* Orders 0..9, each half as likely as the one before; frees random blocks above the target. */
static void mix_step(struct bench *b)
{
    if (b->occupied < b->target && b->blocks < MIX_BLOCKS) {
        unsigned order = (unsigned)__builtin_ctzll(rnd(b) | 512);
        b->frames[b->blocks] = take(b, order, order);
        b->orders[b->blocks++] = (uint8_t)order;
        b->occupied += UINT64_C(1) << order;
    } else {
        size_t i = rnd(b) % b->blocks;
        give(b, b->frames[i]);
        b->occupied -= UINT64_C(1) << b->orders[i];
        b->frames[i] = b->frames[--b->blocks];
        b->orders[i] = b->orders[b->blocks];
    }
}

static void prepare_mix(struct bench *b, unsigned percent)
{
    prepare_1g(b);
    b->target = b->pages / 100 * percent;
    for (unsigned i = 0; i < MIX_OPS; i++)
        mix_step(b);
    b->expected = b->occupied;
}

static void prepare_mix50(struct bench *b) { prepare_mix(b, 50); }
static void prepare_mix90(struct bench *b) { prepare_mix(b, 90); }

static void run_mix(struct bench *b)
{
    for (b->ops = 0; b->ops < MIX_OPS; b->ops++)
        mix_step(b);
    b->expected = b->occupied;
}

static void run_reserve(struct bench *b)
{
    pfn_t blame;
    for (b->ops = 0; b->ops < b->pairs; b->ops++) {
        pfn_t frame = pfn(GIB_PAGES + rnd(b) % b->pages);
        REQUIRE(b->engine->reserve(b->memory, frame, 1, &blame) == OK);
        REQUIRE(b->engine->unreserve(b->memory, frame, 1, &blame) == OK);
    }
}

static void run_query(struct bench *b)
{
    struct page_info info;
    for (b->ops = 0; b->ops < PAIRS; b->ops++) {
        pfn_t frame = pfn(GIB_PAGES + rnd(b) % b->pages);
        b->engine->query(b->memory, frame, &info);
        REQUIRE(info.block.n <= frame.n);
    }
}

static void prepare_drain_16g(struct bench *b)
{
    b->gib = 16;
    prepare_drain(b);
}

static void prepare_init_64m(struct bench *b) { map_make(b, GIB_PAGES / 16); }
static void prepare_init_16g(struct bench *b) { map_make(b, 16 * GIB_PAGES); }
static void prepare_init_1g(struct bench *b) { map_make(b, GIB_PAGES); }
static void prepare_init_256g(struct bench *b) { map_make(b, 256 * GIB_PAGES); }
static void prepare_init_1t(struct bench *b) { map_make(b, 1024 * GIB_PAGES); }
static void prepare_init_64t(struct bench *b) { map_make(b, 65536 * GIB_PAGES); }

static void run_init(struct bench *b)
{
    REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
    b->ops = 1;
}

static const struct workload {
    const char *name;
    void (*prepare)(struct bench *b);
    void (*run)(struct bench *b);
} workloads[] = {
    { "pair0-cold", prepare_16g, run_pair0 }, { "pair0-warm", prepare_warm0, run_pair0 },
    { "pair4-warm", prepare_warm0, run_pair4 }, { "pair8-warm", prepare_warm0, run_pair8 },
    { "pair9-cold", prepare_16g, run_pair9 }, { "pair9-warm", prepare_warm9, run_pair9 },
    { "pair16-cold", prepare_16g, run_pair16 }, { "pair16-warm", prepare_warm9, run_pair16 },
    { "pair18-cold", prepare_16g, run_pair18 }, { "pair18-warm", prepare_warm18, run_pair18 },
    { "pair0-cold-1t", prepare_1t, run_pair0 },
    { "fill0", prepare_1g, run_fill }, { "drain0", prepare_drain, run_drain },
    { "drain0-16g", prepare_drain_16g, run_drain },
    { "mix50", prepare_mix50, run_mix }, { "mix90", prepare_mix90, run_mix },
    { "aligned", prepare_1g, run_aligned }, { "reserve", prepare_1g, run_reserve },
    { "query", prepare_mix50, run_query },
    { "worst-open", prepare_64t, run_take0 }, { "worst-close", prepare_last, run_give },
    { "worst-flush-open", prepare_flush_open, run_open_low },
    { "worst-flush-close", prepare_flush_close, run_give },
    { "worst-flush-same", prepare_flush_same, run_give },
    { "worst-take16", prepare_scattered, run_take16 },
    { "worst-take17", prepare_scattered, run_take17 },
    { "worst-take18", prepare_scattered, run_take18 },
    { "worst-mix", prepare_worst, run_worst },
    { "init-64m", prepare_init_64m, run_init }, { "init-1g", prepare_init_1g, run_init },
    { "init-16g", prepare_init_16g, run_init }, { "init-256g", prepare_init_256g, run_init },
    { "init-1t", prepare_init_1t, run_init }, { "init-64t", prepare_init_64t, run_init },
    { "bytes-64m", prepare_init_64m, run_init_bytes },
    { "bytes-1g", prepare_init_1g, run_init_bytes },
    { "bytes-256g", prepare_init_256g, run_init_bytes },
    { "bytes-64t", prepare_init_64t, run_init_bytes },
    { "metadata", prepare_1g, run_metadata }, { "compaction", prepare_1g, run_compaction },
    { "failed-1g", prepare_1g, run_failed }, { "failed-256m", prepare_256m, run_failed },
};

static bool never(void)
{
    return false;
}

static void verify(struct bench *b)
{
    struct page_area_info info;
    struct page_violation violation;
    if (b->empty || b->bench->peer)
        return;
    REQUIRE(b->engine->check(b->memory, never, &violation));
    uint64_t allocated = 0, free = 0;
    for (unsigned a = 0; a < b->map.nareas; a++) {
        REQUIRE(b->engine->area_info(b->memory, a, &info));
        allocated += info.allocated;
        free += info.free;
    }
    REQUIRE(allocated == b->expected && free == b->pages - b->expected);
}

static const struct bench_engine *find_engine(const struct bench_engine *engines, size_t n,
                                              const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(engines[i].engine->name, name) == 0)
            return &engines[i];
    fprintf(stderr, "no such engine: %s\n", name);
    exit(1);
}

/* The workload, and what the command line says of it. */
struct run {
    const struct workload *workload;
    struct bench bench;
};

static void run_workload(void *argument)
{
    struct run *run = argument;
    struct bench *b = &run->bench;

    run->workload->prepare(b);
    if (b->each)
        run->workload->run(b);
    else
        measured(run->workload->run, b);
    verify(b);
    printf("%llu %llu\n", (unsigned long long)b->ops, (unsigned long long)b->figure);
}

static const struct workload *find_workload(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
        if (strcmp(name, workloads[i].name) == 0)
            return &workloads[i];
    fprintf(stderr, "no such workload: %s\n", name);
    exit(1);
}

int bench_main(int argc, char **argv, const struct bench_engine *engines, size_t n)
{
    static struct run run = { .bench = { .seed = 88172645463325252, .gib = 1 } };
    struct bench *b = &run.bench;

    if (argc != 4) {
        for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
            printf("%s\n", workloads[i].name);
        return 0;
    }
    b->bench = find_engine(engines, n, argv[1]);
    b->engine = b->bench->engine;
    b->empty = b->engine == &empty_engine;
    b->pairs = b->bench->by_page ? PAIRS_BY_PAGE : PAIRS;
    b->seed += strtoul(argv[3], NULL, 10) * 1000003;
    run.workload = find_workload(argv[2]);
    steady_call(run_workload, &run);
    return 0;
}
