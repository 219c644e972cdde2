/* SPDX-License-Identifier: MIT */
/* The engines that the workloads run on, and one that does nothing. */
#include <string.h>

#include "kernel/mm/list.h"
#include "tests/bench/engine_bench.h"

/* What is counted: the rest is preparation. */
__attribute__((noinline)) void measured(void (*run)(struct bench *b), struct bench *b)
{
    run(b);
}

static size_t empty_size(const struct page_map *map)
{
    (void)map;
    return 64;
}

static enum error empty_init(void *memory, const struct page_map *map,
                             const struct node_source *nodes)
{
    (void)map;
    (void)nodes;
    memset(memory, 0, 64);
    return OK;
}

static enum error empty_alloc(void *memory, const struct page_request *request, pfn_t *out,
                              pfn_t *blame)
{
    uint64_t *next = memory;
    (void)blame;
    *out = pfn(*next);
    *next += request->pages;
    return OK;
}

static enum error empty_free(void *memory, pfn_t first, uint64_t *pages)
{
    (void)memory;
    (void)first;
    *pages = 1;
    return OK;
}

static enum error empty_range(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    (void)memory;
    (void)first;
    (void)pages;
    (void)blame;
    return OK;
}

static void empty_query(void *memory, pfn_t frame, struct page_info *info)
{
    (void)memory;
    info->block = frame;
}

const struct page_engine empty_engine = {
    .name = "empty", .memory_size = empty_size, .init = empty_init, .alloc = empty_alloc,
    .free = empty_free, .reserve = empty_range, .unreserve = empty_range, .query = empty_query,
};

int main(int argc, char **argv)
{
    const struct page_engine slow = wrong_engine("slow"), twice = wrong_engine("twice"),
                             leak = wrong_engine("leak");
    const struct bench_engine engines[] = {
        { .engine = &page_engine_tree }, { .engine = &page_engine_list, .by_page = true },
        { .engine = &empty_engine }, { .engine = &slow }, { .engine = &twice }, { .engine = &leak },
    };
    return bench_main(argc, argv, engines, ARRAY_SIZE(engines));
}
