/* SPDX-License-Identifier: MIT */
/*
 * Engines that the benchmark must see through: one does a thousand useless steps for each request,
 * one hands out pages that are taken, one loses what comes back. tests/bench/check.py runs them.
 */
#include "tests/bench/engine_bench.h"

#define STEPS 1000u

static enum error slow_alloc(void *memory, const struct page_request *request, pfn_t *out,
                             pfn_t *blame)
{
    for (volatile unsigned i = 0; i < STEPS;)
        i++;
    return page_engine_tree.alloc(memory, request, out, blame);
}

static enum error twice_alloc(void *memory, const struct page_request *request, pfn_t *out,
                              pfn_t *blame)
{
    static unsigned requests;
    static pfn_t last;
    if (++requests % 64 == 0) {
        *out = last;
        return OK;
    }
    enum error error = page_engine_tree.alloc(memory, request, out, blame);
    last = *out;
    return error;
}

static enum error leak_free(void *memory, pfn_t first, uint64_t *pages)
{
    static unsigned requests;
    *pages = 1;
    return ++requests % 64 == 0 ? OK : page_engine_tree.free(memory, first, pages);
}

struct page_engine wrong_engine(const char *name)
{
    struct page_engine engine = page_engine_tree;
    engine.name = name;
    if (name[0] == 's')
        engine.alloc = slow_alloc;
    if (name[0] == 't' && name[1] == 'w')
        engine.alloc = twice_alloc;
    if (name[0] == 'l')
        engine.free = leak_free;
    return engine;
}
