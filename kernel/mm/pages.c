/* SPDX-License-Identifier: MIT */
#include "kernel/mm/pages.h"

#define CHECK_STEP 1024u          /* records between two questions whether to stop */

enum error pages_init(struct pages *pages, const struct page_engine *engine,
                      const struct page_map *map, bool backed, struct kpool *pool,
                      const struct pages_hooks *hooks, uint64_t *needed)
{
    struct node_source nodes = kpool_source(pool);
    uint64_t size = engine->memory_size(map);
    enum error e;

    *needed = 0;
    *pages = (struct pages){ .engine = engine, .hooks = *hooks, .backed = backed };
    pages->state = kpool_carve(pool, size);
    if (pages->state == NULL) {
        *needed = size;
        return E_MEM_METADATA;
    }
    e = engine->init(pages->state, map, &nodes);
    if (e != OK)
        return e;
    pages->owners = lookup_create(&nodes);
    return pages->owners != NULL ? OK : E_MEM_METADATA;
}

static void event(const struct pages *pages, enum pages_event event, pfn_t first, uint64_t count,
                  uint32_t tag)
{
    if (pages->hooks.event != NULL)
        pages->hooks.event(event, first, count, tag);
}

/* A plain block of tag 0 is nobody's and has no record. */
static bool has_record(uint32_t tag, enum pages_use use)
{
    return tag != 0 || use != PAGES_PLAIN;
}

static enum error record_make_room(struct pages *pages, uint32_t tag, enum pages_use use)
{
    return has_record(tag, use) ? lookup_make_room(pages->owners) : OK;
}

/* With room made before, so that it cannot fail. */
static void record_add(struct pages *pages, pfn_t first, uint32_t tag, enum pages_use use)
{
    enum error e = has_record(tag, use) ? lookup_add(pages->owners, first.n, tag) : OK;

    ASSERT(e == OK);
    if (use != PAGES_PLAIN)
        lookup_mark(pages->owners, first.n, (uint8_t)use);
}

static uint32_t record_remove(struct pages *pages, pfn_t first)
{
    uint32_t tag;

    return lookup_remove(pages->owners, first.n, &tag) ? tag : 0;
}

/* Zero a block that was just allocated, or take it back and say STOP_INTERRUPTED. */
static enum error block_zero(struct pages *pages, pfn_t first, uint64_t count, bool *zeroed)
{
    enum error e = pages->backed ? pages->hooks.zero(first, count) : E_CALL_UNSUPPORTED;
    uint64_t freed;

    *zeroed = e == OK;
    if (e != E_STOP_INTERRUPTED)
        return OK;
    e = pages->engine->free(pages->state, first, &freed);
    ASSERT(e == OK && freed == count);
    return E_STOP_INTERRUPTED;
}

static bool is_refused(const struct pages *pages, const struct page_request *request)
{
    return pages->fail != NULL
        && fail_refuses(pages->fail, FAIL_FRAMES, request->areas, order_for(request->pages));
}

enum error pages_alloc_use(struct pages *pages, const struct page_request *request, uint32_t tag,
                           enum pages_use use, bool dontzero, pfn_t *out, bool *zeroed,
                           pfn_t *blame)
{
    enum error e;
    bool done = dontzero;
    pfn_t first;

    *blame = pfn(0);
    if (is_refused(pages, request))
        return E_MEM_INJECTED;
    e = record_make_room(pages, tag, use);
    if (e != OK)
        return e;
    e = pages->engine->alloc(pages->state, request, &first, blame);
    if (e == OK && !dontzero)
        e = block_zero(pages, first, request->pages, &done);
    if (e != OK) {
        lookup_trim(pages->owners);
        return e;
    }
    record_add(pages, first, tag, use);
    *zeroed = done;
    *out = first;
    event(pages, PAGES_ALLOC, first, request->pages, tag);
    return OK;
}

enum error pages_alloc(struct pages *pages, const struct page_request *request, uint32_t tag,
                       bool dontzero, pfn_t *out, bool *zeroed, pfn_t *blame)
{
    return pages_alloc_use(pages, request, tag, PAGES_PLAIN, dontzero, out, zeroed, blame);
}

static enum error free_whole(struct pages *pages, pfn_t first, uint64_t *freed)
{
    enum error e = pages->engine->free(pages->state, first, freed);

    if (e == OK)
        event(pages, PAGES_FREE, first, *freed, record_remove(pages, first));
    return e;
}

/* The tag of the block that holds `frame`; *end is the frame behind it, 0 without a block. */
static uint32_t block_tag(const struct pages *pages, pfn_t frame, uint64_t *end, bool *is_first)
{
    struct page_info info = { .state = PAGE_UNMANAGED };

    if (frame.n < PFN_LIMIT)
        pages->engine->query(pages->state, frame, &info);
    *end = info.state == PAGE_ALLOCATED ? info.block.n + info.pages : 0;
    *is_first = info.state == PAGE_ALLOCATED && info.block.n == frame.n;
    return *end != 0 ? pages_owner(pages, info.block) : 0;
}

static enum error free_part(struct pages *pages, pfn_t first, uint64_t count, uint64_t *freed,
                            pfn_t *blame)
{
    pfn_t head, rest;
    uint64_t rest_pages, end;
    bool is_first;
    uint32_t tag = block_tag(pages, first, &end, &is_first);
    bool leaves_rest = first.n < end && count < end - first.n;
    enum error e = leaves_rest ? record_make_room(pages, tag, PAGES_PLAIN) : OK;

    if (e != OK)
        return e;
    e = pages->engine->free_part(pages->state, first, count, &head, &rest, &rest_pages);
    if (e == OK) {
        if (rest_pages > 0)
            record_add(pages, rest, tag, PAGES_PLAIN);
        if (is_first)
            (void)record_remove(pages, first);
        *freed = count;
        event(pages, PAGES_FREE, first, count, tag);
    } else if (e == E_MEM_BEYOND) {
        *blame = head;
    }
    lookup_trim(pages->owners);
    return e;
}

enum error pages_free(struct pages *pages, pfn_t first, uint64_t count, uint64_t *freed,
                      pfn_t *blame)
{
    *blame = first;
    if (first.n < PFN_LIMIT && pages_use(pages, first) != PAGES_PLAIN)
        return E_MEM_KIND;
    return count == 0 ? free_whole(pages, first, freed)
                      : free_part(pages, first, count, freed, blame);
}

void pages_free_use(struct pages *pages, pfn_t first, enum pages_use use)
{
    uint64_t freed;
    enum error e;

    ASSERT(pages_use(pages, first) == use);
    e = free_whole(pages, first, &freed);
    ASSERT(e == OK && freed == 1);
}

enum pages_use pages_use(const struct pages *pages, pfn_t first)
{
    return (enum pages_use)lookup_marked(pages->owners, first.n);
}

enum error pages_reserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                         pfn_t *blame)
{
    enum error e = pages->engine->reserve(pages->state, first, count, blame);

    if (e == OK)
        event(pages, PAGES_RESERVE, first, count, tag);
    return e;
}

enum error pages_unreserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                           pfn_t *blame)
{
    enum error e = pages->engine->unreserve(pages->state, first, count, blame);

    if (e == OK)
        event(pages, PAGES_UNRESERVE, first, count, tag);
    return e;
}

uint32_t pages_owner(const struct pages *pages, pfn_t first)
{
    uint32_t tag;

    return lookup_find(pages->owners, first.n, &tag) ? tag : 0;
}

/* BUG_CHECK: *at is the frame of a record that is nobody's block, or that cannot be found. */
static enum error records_check(const struct pages *pages, pfn_t *at)
{
    if (!lookup_check(pages->owners, &at->n))
        return E_BUG_CHECK;
    for (uint64_t i = 0; i < lookup_count(pages->owners); i++) {
        struct page_info info;
        uint32_t tag;

        if (is_aligned(i, CHECK_STEP) && pages->hooks.stopped())
            return E_STOP_INTERRUPTED;
        lookup_at(pages->owners, i, &at->n, &tag);
        pages->engine->query(pages->state, *at, &info);
        if (info.state != PAGE_ALLOCATED || info.block.n != at->n)
            return E_BUG_CHECK;
    }
    return OK;
}

enum error pages_check(const struct pages *pages, struct page_violation *violation)
{
    enum error e;

    if (!pages->engine->check(pages->state, pages->hooks.stopped, violation))
        return violation->invariant == 0 ? E_STOP_INTERRUPTED : E_BUG_CHECK;
    e = records_check(pages, &violation->at);
    if (e == E_BUG_CHECK) {
        violation->invariant = 100;
        violation->text = "an owner is recorded for what is not an allocated block";
    }
    return e;
}
