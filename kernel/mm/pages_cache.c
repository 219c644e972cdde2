/* SPDX-License-Identifier: MIT */
/*
 * Caches of single pages. To the engine what is in them is allocated. A table of marks tells of the
 * pages that went through a cache whether they are out or in: so a free needs no look at the
 * engine, and a second free finds the mark gone. A frame has one place in the table, which it may
 * find taken by another one; then the cache does without it.
 *
 * A mark goes from IN to OUT and back under the lock of the cache that has the page or gets it. It
 * appears and disappears as IN under the pages' lock and the cache's, and as OUT under the pages'
 * lock. Whoever turns OUT into something else has the page: by one exchange, as others may try.
 */
#include "kernel/mm/pages_parts.h"

#include "kernel/lib/string.h"

#define CACHE_PAGES 32u
#define CACHE_BATCH 16u               /* taken and given back at once */
enum { MARK_BITS = 14, MARK_SHIFT = 2 };
#define MARKS (1u << MARK_BITS)

/* Of one CPU, in lines of its own. */
struct page_cache {
    _Alignas(128) struct lock lock;   /* guards what follows */
    _Atomic uint32_t n;               /* read without the lock to see whether there is anything */
    pfn_t frames[CACHE_PAGES];        /* the last one goes first */
};

struct page_caches {
    unsigned cpus;
    /* Nothing may be kept: as long as somebody says so, and while all is given back. */
    _Atomic bool held, drains;        /* looked at under a cache's lock */
    _Atomic uint32_t marks[MARKS];
    struct page_cache of_cpu[];
};

/* ---- marks ---- */

/* Frames are below 2^40: what their place does not tell is 26 bits. */
enum mark { MARK_NONE, MARK_OUT, MARK_IN };

static uint32_t mark_value(pfn_t frame, enum mark mark)
{
    return mark == MARK_NONE ? 0
        : (uint32_t)(frame.n >> MARK_BITS) << MARK_SHIFT | (uint32_t)mark;
}

static _Atomic uint32_t *mark_place(struct page_caches *caches, pfn_t frame)
{
    return &caches->marks[frame.n & (MARKS - 1)];
}

/*
 * It orders nothing. A mark comes and goes under the pages' lock, so that whoever holds that lock
 * knows whether there is one. In between a page is in a cache, under its lock, or somebody's, who
 * has to know how its content came to another CPU that frees it.
 */
static bool mark_change(struct page_caches *caches, pfn_t frame, enum mark from, enum mark to)
{
    uint32_t expected = mark_value(frame, from);

    YIELD_POINT("mark");
    return atomic_compare_exchange_strong_explicit(mark_place(caches, frame), &expected,
                                                   mark_value(frame, to), memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* ---- one cache, under its lock ---- */

static uint32_t count(const struct page_cache *cache)
{
    return atomic_load_explicit(&cache->n, memory_order_relaxed);
}

static void push(struct page_cache *cache, pfn_t frame)
{
    uint32_t n = count(cache);

    ASSERT(lock_is_mine(&cache->lock) && n < CACHE_PAGES);
    cache->frames[n] = frame;
    atomic_store_explicit(&cache->n, n + 1, memory_order_relaxed);
}

static pfn_t pop(struct page_cache *cache)
{
    uint32_t n = count(cache);

    ASSERT(lock_is_mine(&cache->lock) && n > 0);
    atomic_store_explicit(&cache->n, n - 1, memory_order_relaxed);
    return cache->frames[n - 1];
}

/* And under the pages' lock: to the engine with the last `n` of them. */
static void give_back(const struct pages *pages, struct page_cache *cache, uint32_t n)
{
    for (; n > 0; n--) {
        pfn_t frame = pop(cache);
        uint64_t freed;
        bool was_in = mark_change(pages->caches, frame, MARK_IN, MARK_NONE);
        enum error e = pages->engine->free(pages->state, frame, &freed);

        ASSERT(was_in && e == OK && freed == 1);
    }
}

static struct page_cache *mine(const struct pages *pages)
{
    unsigned self = cpu_self();

    ASSERT(self < pages->caches->cpus);
    return &pages->caches->of_cpu[self];
}

/* ---- all of them ---- */

enum error pages_use_caches(struct pages *pages, unsigned cpus, struct kpool *pool,
                            uint64_t *needed)
{
    uint64_t size = sizeof(struct page_caches) + cpus * sizeof(struct page_cache);
    struct page_caches *caches = kpool_carve(pool, size);

    *needed = caches == NULL ? size : 0;
    if (caches == NULL)
        return E_MEM_METADATA;
    memset(caches, 0, (size_t)size);
    caches->cpus = cpus;
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        caches->of_cpu[cpu].lock = (struct lock)LOCK_INIT(LOCK_CACHE);
    pages->caches = caches;
    return OK;
}

/* A flag that forbids to keep is seen by whoever takes a cache's lock after it was had. */
static void flag_set(_Atomic bool *flag, bool value)
{
    atomic_store_explicit(flag, value, memory_order_relaxed);
}

static bool may_keep(const struct page_caches *caches)
{
    return !atomic_load_explicit(&caches->held, memory_order_relaxed)
        && !atomic_load_explicit(&caches->drains, memory_order_relaxed);
}

/* By a panic: the questions after it change nothing more. */
static bool is_half_changed(const struct pages *pages)
{
    return lock_was_broken(&pages->lock) || lock_was_broken(&pages->caches->of_cpu[0].lock);
}

/*
 * No page comes into a cache that was looked through before the last one was, so that then all of
 * them are empty: what is freed meanwhile waits for the pages' lock.
 */
bool cache_drain(const struct pages *pages)
{
    struct page_caches *caches = pages->caches;
    bool any = false;

    if (caches == NULL || is_half_changed(pages))
        return false;
    flag_set(&caches->drains, true);
    for (unsigned cpu = 0; cpu < caches->cpus; cpu++) {
        struct page_cache *cache = &caches->of_cpu[cpu];

        lock_take(&cache->lock);
        any = any || count(cache) > 0;
        give_back(pages, cache, count(cache));
        lock_release(&cache->lock);
    }
    flag_set(&caches->drains, false);
    return any;
}

void pages_drain(const struct pages *pages)
{
    lock_take(&pages->lock);
    (void)cache_drain(pages);
    lock_release(&pages->lock);
}

uint64_t pages_drain_cpu(const struct pages *pages, unsigned cpu)
{
    struct page_cache *cache;
    uint32_t n;

    if (pages->caches == NULL)
        return 0;
    cache = &pages->caches->of_cpu[cpu];
    lock_take(&pages->lock);
    lock_take(&cache->lock);
    n = count(cache);
    give_back(pages, cache, n);
    lock_release(&cache->lock);
    lock_release(&pages->lock);
    return n;
}

void pages_hold_caches(struct pages *pages, bool hold)
{
    struct page_caches *caches = pages->caches;

    if (caches == NULL || atomic_load_explicit(&caches->held, memory_order_relaxed) == hold)
        return;
    flag_set(&caches->held, hold);
    YIELD_POINT("held");
    if (hold)
        pages_drain(pages);
}

/* ---- pages come ---- */

static bool may_serve(const struct pages *pages, const struct page_request *request, uint32_t tag)
{
    return pages->caches != NULL && tag == 0 && request->pages == 1 && request->align == 0
        && request->areas == ALL_AREAS && request->min.n == 0 && request->max.n >= PFN_LIMIT
        && !request->fresh && !request->exact;
}

/* Some pages more for this CPU's cache; there may be none. */
static void refill(struct pages *pages, struct page_cache *cache,
                   const struct page_request *request)
{
    lock_take(&pages->lock);
    lock_take(&cache->lock);
    while (count(cache) < CACHE_BATCH && may_keep(pages->caches)) {
        uint64_t freed;
        pfn_t frame, blame;

        if (pages->engine->alloc(pages->state, request, &frame, &blame) != OK)
            break;
        if (!mark_change(pages->caches, frame, MARK_NONE, MARK_IN)) {
            enum error e = pages->engine->free(pages->state, frame, &freed);

            ASSERT(e == OK);
            break;
        }
        push(cache, frame);
    }
    lock_release(&cache->lock);
    lock_release(&pages->lock);
}

static bool take(struct pages *pages, struct page_cache *cache, pfn_t *first)
{
    bool found, known;

    lock_take(&cache->lock);
    found = count(cache) > 0;
    if (found) {
        *first = pop(cache);
        known = mark_change(pages->caches, *first, MARK_IN, MARK_OUT);
        ASSERT(known);
        pages_note(pages, PAGES_ALLOC, *first, 1, 0);
    }
    lock_release(&cache->lock);
    return found;
}

bool cache_alloc(struct pages *pages, const struct page_request *request, uint32_t tag,
                 pfn_t *first)
{
    struct page_cache *cache;

    if (!may_serve(pages, request, tag))
        return false;
    cache = mine(pages);
    if (take(pages, cache, first))
        return true;
    refill(pages, cache, request);
    return take(pages, cache, first);
}

/* ---- pages go ---- */

/* Make room in a full cache. */
static void spill(struct pages *pages, struct page_cache *cache)
{
    lock_take(&pages->lock);
    lock_take(&cache->lock);
    if (count(cache) == CACHE_PAGES)
        give_back(pages, cache, CACHE_BATCH);
    lock_release(&cache->lock);
    lock_release(&pages->lock);
}

bool pages_free_cached(struct pages *pages, pfn_t first)
{
    struct page_cache *cache;
    bool done;

    if (pages->caches == NULL || first.n >= PFN_LIMIT)
        return false;
    cache = mine(pages);
    if (count(cache) == CACHE_PAGES)
        spill(pages, cache);
    lock_take(&cache->lock);
    done = may_keep(pages->caches) && mark_change(pages->caches, first, MARK_OUT, MARK_IN);
    if (done) {
        push(cache, first);
        pages_note(pages, PAGES_FREE, first, 1, 0);
    }
    lock_release(&cache->lock);
    if (done)
        pages_tell(pages);
    return done;
}

bool cache_release(struct pages *pages, pfn_t first)
{
    if (pages->caches == NULL || first.n >= PFN_LIMIT)
        return true;
    (void)mark_change(pages->caches, first, MARK_OUT, MARK_NONE);
    return atomic_load_explicit(mark_place(pages->caches, first), memory_order_relaxed)
        != mark_value(first, MARK_IN);
}

/* ---- check ---- */

bool cache_check(const struct pages *pages, pfn_t *at)
{
    for (uint64_t i = 0; pages->caches != NULL && i < MARKS; i++) {
        uint32_t mark = atomic_load_explicit(&pages->caches->marks[i], memory_order_relaxed);
        struct page_info info;

        if (mark == 0)
            continue;
        *at = pfn((uint64_t)(mark >> MARK_SHIFT) << MARK_BITS | i);
        pages->engine->query(pages->state, *at, &info);
        if (mark != mark_value(*at, MARK_OUT) || info.state != PAGE_ALLOCATED
            || info.block.n != at->n || info.pages != 1
            || lookup_find(pages->owners, at->n, &(uint32_t){ 0 }))
            return false;
    }
    return true;
}
