/* SPDX-License-Identifier: MIT */
/* Questions, answered as if no cache kept a page, and the check. */
#include "kernel/mm/pages_parts.h"

#define CHECK_STEP 1024u          /* records between two questions whether to stop */

void pages_query(const struct pages *pages, pfn_t frame, struct page_info *info)
{
    lock_take(&pages->lock);
    (void)cache_drain(pages);
    pages->engine->query(pages->state, frame, info);
    lock_release(&pages->lock);
}

uint64_t pages_run(const struct pages *pages, pfn_t from, pfn_t limit, struct page_info *info)
{
    uint64_t n;

    lock_take(&pages->lock);
    (void)cache_drain(pages);
    n = pages->engine->run(pages->state, from, limit, info);
    lock_release(&pages->lock);
    return n;
}

bool pages_have(const struct pages *pages, uint32_t areas, uint64_t count)
{
    bool have;

    lock_take(&pages->lock);
    have = pages->engine->count_free(pages->state, areas) >= count;
    if (!have && cache_drain(pages))
        have = pages->engine->count_free(pages->state, areas) >= count;
    lock_release(&pages->lock);
    return have;
}

bool pages_area_info(const struct pages *pages, unsigned area, struct page_area_info *info)
{
    bool found;

    lock_take(&pages->lock);
    (void)cache_drain(pages);
    found = pages->engine->area_info(pages->state, area, info);
    lock_release(&pages->lock);
    return found;
}

enum error pages_set_scan_order(struct pages *pages, const uint8_t *order, size_t n)
{
    enum error e;

    lock_take(&pages->lock);
    e = pages->engine->set_scan_order(pages->state, order, n);
    lock_release(&pages->lock);
    return e;
}

uint32_t pages_owner(const struct pages *pages, pfn_t first)
{
    uint32_t tag;

    lock_take(&pages->lock);
    tag = owner_of(pages, first);
    lock_release(&pages->lock);
    return tag;
}

enum pages_use pages_use(const struct pages *pages, pfn_t first)
{
    enum pages_use use;

    lock_take(&pages->lock);
    use = use_of(pages, first);
    lock_release(&pages->lock);
    return use;
}

/* ---- check ---- */

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

    pages_drain(pages);
    if (!pages->engine->check(pages->state, pages->hooks.stopped, violation))
        return violation->invariant == 0 ? E_STOP_INTERRUPTED : E_BUG_CHECK;
    e = records_check(pages, &violation->at);
    if (e == E_BUG_CHECK) {
        violation->invariant = 100;
        violation->text = "an owner is recorded for what is not an allocated block";
    }
    if (e == OK && !cache_check(pages, &violation->at)) {
        violation->invariant = 101;
        violation->text = "a cache has handed out what is not an allocated page of nobody's";
        e = E_BUG_CHECK;
    }
    return e;
}
