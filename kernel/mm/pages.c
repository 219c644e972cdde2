/* SPDX-License-Identifier: MIT */
#include "kernel/mm/pages_parts.h"

enum error pages_init(struct pages *pages, const struct page_engine *engine,
                      const struct page_map *map, bool backed, struct kpool *pool,
                      const struct pages_hooks *hooks, uint64_t *needed)
{
    struct node_source nodes = kpool_source(pool);
    uint64_t size = engine->memory_size(map);
    enum error e;

    *needed = 0;
    *pages = (struct pages){
        .engine = engine, .lock = LOCK_INIT(LOCK_PAGES), .hooks = *hooks, .backed = backed,
    };
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

void pages_tell(const struct pages *pages)
{
    if (pages->hooks.tell != NULL)
        pages->hooks.tell();
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
    enum error e = OK;

    if (has_record(tag, use))
        e = lookup_add_marked(pages->owners, first.n, tag, (uint8_t)use);
    ASSERT(e == OK);
}

static uint32_t record_remove(struct pages *pages, pfn_t first)
{
    uint32_t tag;

    return lookup_remove(pages->owners, first.n, &tag) ? tag : 0;
}

/* Under the lock. */
static enum error free_whole(struct pages *pages, pfn_t first, uint64_t *freed)
{
    enum error e = pages->engine->free(pages->state, first, freed);

    if (e == OK)
        pages_note(pages, PAGES_FREE, first, *freed, record_remove(pages, first));
    return e;
}

/* Zero a block that was just allocated, or take it back and say STOP_INTERRUPTED. */
static enum error block_zero(struct pages *pages, pfn_t first, uint64_t count, bool *zeroed)
{
    enum error e = pages->backed ? pages->hooks.zero(first, count) : E_CALL_UNSUPPORTED;
    uint64_t freed;
    bool released;

    *zeroed = e == OK;
    if (e != E_STOP_INTERRUPTED)
        return OK;
    lock_take(&pages->lock);
    released = cache_release(pages, first);
    ASSERT(released);
    e = free_whole(pages, first, &freed);
    ASSERT(e == OK && freed == count);
    lookup_trim(pages->owners);
    lock_release(&pages->lock);
    return E_STOP_INTERRUPTED;
}

static bool is_refused(const struct pages *pages, const struct page_request *request)
{
    return pages->fail != NULL
        && fail_refuses(pages->fail, FAIL_FRAMES, request->areas, order_for(request->pages));
}

/* Under the lock: a block and its record. */
static enum error block_take(struct pages *pages, const struct page_request *request, uint32_t tag,
                             enum pages_use use, pfn_t *first, pfn_t *blame)
{
    enum error e = record_make_room(pages, tag, use);

    if (e != OK)
        return e;
    e = pages->engine->alloc(pages->state, request, first, blame);
    if (e == OK) {
        record_add(pages, *first, tag, use);
        pages_note(pages, PAGES_ALLOC, *first, request->pages, tag);
    } else {
        lookup_trim(pages->owners);
    }
    return e;
}

/* What a cache keeps is free to everybody: only when it is back as well a request is refused. */
static enum error block_alloc(struct pages *pages, const struct page_request *request,
                              uint32_t tag, enum pages_use use, pfn_t *first, pfn_t *blame)
{
    enum error e;

    lock_take(&pages->lock);
    e = block_take(pages, request, tag, use, first, blame);
    if (e != OK && cache_drain(pages))
        e = block_take(pages, request, tag, use, first, blame);
    lock_release(&pages->lock);
    return e;
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
    e = OK;
    if (pages->caches == NULL || use != PAGES_PLAIN || !cache_alloc(pages, request, tag, &first))
        e = block_alloc(pages, request, tag, use, &first, blame);
    YIELD_POINT("zero");
    if (e == OK && !dontzero)
        e = block_zero(pages, first, request->pages, &done);
    pages_tell(pages);
    if (e != OK)
        return e;
    *zeroed = done;
    *out = first;
    return OK;
}

enum error pages_alloc(struct pages *pages, const struct page_request *request, uint32_t tag,
                       bool dontzero, pfn_t *out, bool *zeroed, pfn_t *blame)
{
    return pages_alloc_use(pages, request, tag, PAGES_PLAIN, dontzero, out, zeroed, blame);
}

/*
 * Under the lock, before a block changes by its address: it is no cache's from now on. MEM_KIND: it
 * has a use of its own. MEM_FREE: a cache keeps it.
 */
static enum error plain_block(struct pages *pages, pfn_t first)
{
    if (first.n < PFN_LIMIT && use_of(pages, first) != PAGES_PLAIN)
        return E_MEM_KIND;
    return pages->caches == NULL || cache_release(pages, first) ? OK : E_MEM_FREE;
}

/* Under the lock. What a cache keeps is free here as well. */
static enum error block_extend(struct pages *pages, pfn_t first, uint64_t count, pfn_t limit,
                               pfn_t *blame)
{
    struct page_info info;
    enum error e;

    *blame = first;
    e = plain_block(pages, first);
    if (e != OK)
        return e;
    e = pages->engine->extend(pages->state, first, count, limit, blame);
    if (e != OK && cache_drain(pages))
        e = pages->engine->extend(pages->state, first, count, limit, blame);
    if (e != OK)
        return e;
    pages->engine->query(pages->state, first, &info);
    pages_note(pages, PAGES_ALLOC, pfn(first.n + info.pages - count), count,
               owner_of(pages, first));
    return OK;
}

enum error pages_extend(struct pages *pages, pfn_t first, uint64_t count, pfn_t limit,
                        pfn_t *blame)
{
    const struct page_request more = { .areas = ALL_AREAS, .pages = count };
    enum error e;

    *blame = first;
    if (is_refused(pages, &more))
        return E_MEM_INJECTED;
    lock_take(&pages->lock);
    e = block_extend(pages, first, count, limit, blame);
    lock_release(&pages->lock);
    if (e == OK)
        pages_tell(pages);
    return e;
}

/*
 * Under the lock, as all up to pages_free(): the tag of the block that holds `frame`; *end is the
 * frame behind it, 0 without a block.
 */
static uint32_t block_tag(const struct pages *pages, pfn_t frame, uint64_t *end, bool *is_first)
{
    struct page_info info = { .state = PAGE_UNMANAGED };

    if (frame.n < PFN_LIMIT)
        pages->engine->query(pages->state, frame, &info);
    *end = info.state == PAGE_ALLOCATED ? info.block.n + info.pages : 0;
    *is_first = info.state == PAGE_ALLOCATED && info.block.n == frame.n;
    return *end != 0 ? owner_of(pages, info.block) : 0;
}

static enum error free_part(struct pages *pages, pfn_t first, uint64_t count, uint64_t *freed,
                            pfn_t *blame)
{
    pfn_t head, rest;
    uint64_t rest_pages, end;
    bool is_first, leaves_rest;
    uint32_t tag = block_tag(pages, first, &end, &is_first);
    enum error e = OK;

    leaves_rest = first.n < end && count < end - first.n;
    if (leaves_rest)
        e = record_make_room(pages, tag, PAGES_PLAIN);
    if (e != OK)
        return e;
    e = pages->engine->free_part(pages->state, first, count, &head, &rest, &rest_pages);
    if (e == OK) {
        if (rest_pages > 0)
            record_add(pages, rest, tag, PAGES_PLAIN);
        if (is_first)
            (void)record_remove(pages, first);
        *freed = count;
        pages_note(pages, PAGES_FREE, first, count, tag);
    } else if (e == E_MEM_BEYOND) {
        *blame = head;
    }
    lookup_trim(pages->owners);
    return e;
}

static void take_last_step(const struct pages_last *last)
{
    if (last != NULL)
        last->step(last->context);
}

enum error pages_free_quietly(struct pages *pages, pfn_t first, uint64_t count,
                              const struct pages_last *last, uint64_t *freed, pfn_t *blame)
{
    enum error e;

    *blame = first;
    lock_take(&pages->lock);
    e = plain_block(pages, first);
    if (e == OK && count == 0)
        e = free_whole(pages, first, freed);
    else if (e == OK)
        e = free_part(pages, first, count, freed, blame);
    if (e == OK)
        take_last_step(last);
    lock_release(&pages->lock);
    return e;
}

enum error pages_free(struct pages *pages, pfn_t first, uint64_t count, uint64_t *freed,
                      pfn_t *blame)
{
    enum error e;

    if (count <= 1 && pages->caches != NULL && pages_free_cached(pages, first)) {
        *freed = 1;
        return OK;
    }
    e = pages_free_quietly(pages, first, count, NULL, freed, blame);
    if (e == OK)
        pages_tell(pages);
    return e;
}

enum error pages_give_back(struct pages *pages, pfn_t first, enum pages_use use)
{
    uint64_t freed;
    enum error e;

    lock_take(&pages->lock);
    ASSERT(use_of(pages, first) == use);
    e = free_whole(pages, first, &freed);
    lock_release(&pages->lock);
    if (e == OK)
        pages_tell(pages);
    return e;
}

void pages_free_use(struct pages *pages, pfn_t first, enum pages_use use)
{
    enum error e = pages_give_back(pages, first, use);

    ASSERT(e == OK);
}

enum error pages_reserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                         pfn_t *blame)
{
    enum error e;

    lock_take(&pages->lock);
    e = pages->engine->reserve(pages->state, first, count, blame);
    if (e != OK && cache_drain(pages))
        e = pages->engine->reserve(pages->state, first, count, blame);
    if (e == OK)
        pages_note(pages, PAGES_RESERVE, first, count, tag);
    lock_release(&pages->lock);
    if (e == OK)
        pages_tell(pages);
    return e;
}

enum error pages_unreserve_quietly(struct pages *pages, pfn_t first, uint64_t count,
                                   const struct pages_last *last, uint32_t tag, pfn_t *blame)
{
    enum error e;

    lock_take(&pages->lock);
    e = pages->engine->unreserve(pages->state, first, count, blame);
    if (e == OK) {
        take_last_step(last);
        pages_note(pages, PAGES_UNRESERVE, first, count, tag);
    }
    lock_release(&pages->lock);
    return e;
}

enum error pages_unreserve(struct pages *pages, pfn_t first, uint64_t count, uint32_t tag,
                           pfn_t *blame)
{
    enum error e = pages_unreserve_quietly(pages, first, count, NULL, tag, blame);

    if (e == OK)
        pages_tell(pages);
    return e;
}
