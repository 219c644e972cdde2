/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/page_support.h"

static void *source_take(void *context)
{
    struct source *source = context;
    if (source->used >= source->limit) {
        source->refused = true;
        return NULL;
    }
    source->used++;
    void *page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    memset(page, 0xa5, PAGE_SIZE);
    return page;
}

static void source_give(void *context, void *page)
{
    struct source *source = context;
    source->used--;
    free(page);
}

struct node_source fixture_source(struct source *source)
{
    return (struct node_source){ source, source_take, source_give };
}

static const struct page_engine *engine = &page_engine_tree;

int with_list(void **state)
{
    (void)state;
    engine = &page_engine_list;
    return 0;
}

int with_tree(void **state)
{
    (void)state;
    engine = &page_engine_tree;
    return 0;
}

const struct page_engine *fixture_engine(void)
{
    return engine;
}

void fixture_init(struct fixture *f, const struct page_map *map)
{
    size_t size = engine->memory_size(map);
    f->engine = engine;
    f->memory = aligned_alloc(64, (size + 63) & ~(size_t)63);
    f->source = (struct source){ .limit = SIZE_MAX };
    memset(f->memory, 0x5a, size);
    struct node_source nodes = fixture_source(&f->source);
    assert_int_equal(f->engine->init(f->memory, map, &nodes), OK);
}

void fixture_one(struct fixture *f, uint64_t first, uint64_t pages)
{
    static const struct area_limit area = { "all", { PFN_LIMIT } };
    struct page_range range = { pfn(first), pages, true };
    struct page_map map = { &range, 1, &area, 1 };
    fixture_init(f, &map);
}

struct page_tree *fixture_tree(struct fixture *f)
{
    return f->memory;
}

bool never(void)
{
    return false;
}

void assert_whole(struct fixture *f)
{
    struct page_violation violation = { .text = "" };
    if (!f->engine->check(f->memory, never, &violation))
        fail_msg("invariant %u at frame 0x%llx: %s", violation.invariant,
                 (unsigned long long)violation.at.n, violation.text);
}

static void tree_done(struct fixture *f)
{
    hot_drop(fixture_tree(f));
    assert_whole(f);
    assert_int_equal(fixture_tree(f)->held, f->source.used);
    tree_release(f->memory);
}

void fixture_done(struct fixture *f)
{
    assert_whole(f);
    if (f->engine == &page_engine_tree)
        tree_done(f);
    assert_int_equal(f->source.used, 0);
    free(f->memory);
}

struct page_request request_order(unsigned order)
{
    return (struct page_request){ .areas = ALL_AREAS, .pages = UINT64_C(1) << order,
                                  .align = order, .max = pfn(PFN_LIMIT) };
}

struct page_request request_pages(uint64_t pages)
{
    return (struct page_request){ .areas = ALL_AREAS, .pages = pages, .max = pfn(PFN_LIMIT) };
}

uint64_t take(struct fixture *f, struct page_request request)
{
    pfn_t out = pfn(0), blame = pfn(1);
    assert_int_equal(f->engine->alloc(f->memory, &request, &out, &blame), OK);
    return out.n;
}

uint64_t take_order(struct fixture *f, unsigned order)
{
    return take(f, request_order(order));
}

void refuse(struct fixture *f, struct page_request request, enum error error, uint64_t blame)
{
    pfn_t out = pfn(12345), at = pfn(54321);
    assert_int_equal(f->engine->alloc(f->memory, &request, &out, &at), error);
    assert_int_equal(at.n, blame);
    assert_int_equal(out.n, 12345);
}

uint64_t give(struct fixture *f, uint64_t first)
{
    uint64_t pages = 0;
    assert_int_equal(f->engine->free(f->memory, pfn(first), &pages), OK);
    return pages;
}

void reserve(struct fixture *f, uint64_t first, uint64_t pages)
{
    pfn_t blame;
    assert_int_equal(f->engine->reserve(f->memory, pfn(first), pages, &blame), OK);
}

void unreserve(struct fixture *f, uint64_t first, uint64_t pages)
{
    pfn_t blame;
    assert_int_equal(f->engine->unreserve(f->memory, pfn(first), pages, &blame), OK);
}

struct page_info query(struct fixture *f, uint64_t frame)
{
    struct page_info info;
    f->engine->query(f->memory, pfn(frame), &info);
    return info;
}

struct page_area_info area_info(struct fixture *f, unsigned area)
{
    struct page_area_info info;
    assert_true(f->engine->area_info(f->memory, area, &info));
    return info;
}
