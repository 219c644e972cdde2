/* SPDX-License-Identifier: MIT */
/* Why a request was refused: what the areas have, and what lies in the way. */
#include "protocol/dump.h"
#include "protocol/why.h"

static struct window area_window(unsigned area, const struct page_request *request)
{
    struct window window = {
        .first = area == 0 ? 0 : lab.areas[area - 1].limit.n, .limit = lab.areas[area].limit.n,
    };

    if (window.first < request->min.n)
        window.first = request->min.n;
    if (window.limit > request->max.n)
        window.limit = request->max.n;
    return window;
}

/* The largest order of an aligned block in [first, limit). */
static unsigned fitting_order(uint64_t first, uint64_t limit)
{
    unsigned order = MAX_ORDER;

    while (order > 0 && align_up(first, UINT64_C(1) << order) + (UINT64_C(1) << order) > limit)
        order--;
    return order;
}

static bool is_good(const struct page_info *info, bool fresh)
{
    return info->state == PAGE_FREE && (!fresh || info->fresh);
}

/* The largest free block in a window, as an order + 1; 0 if nothing is free. */
static unsigned window_largest(struct window window, bool fresh, uint64_t *free_pages)
{
    struct window run = { 0, 0 };
    unsigned largest = 0;

    *free_pages = 0;
    for (uint64_t at = window.first; at < window.limit; at = run.limit) {
        struct page_info info;
        uint64_t n = dump_run(at, window.limit, &info);
        bool joins = run.limit == at && run.first < run.limit;

        if (!is_good(&info, fresh)) {
            run = (struct window){ at + n, at + n };
            continue;
        }
        *free_pages += n;
        run = (struct window){ joins ? run.first : at, at + n };
        if (fitting_order(run.first, run.limit) + 1 > largest)
            largest = fitting_order(run.first, run.limit) + 1;
    }
    return largest;
}

enum error cmd_largest_order(const struct args_largest_order *args, struct reply *reply)
{
    struct page_request all = { .max = args->areas.given ? args->areas.limit : pfn(PFN_LIMIT) };
    uint32_t areas = args->areas.given ? (uint32_t)args->areas.number : ALL_AREAS;
    enum error e = need_pages(reply);
    unsigned largest = 0;
    uint64_t pages;

    for (unsigned i = 0; e == OK && i < lab.nareas; i++) {
        unsigned found = areas >> i & 1 ? window_largest(area_window(i, &all), false, &pages) : 0;

        if (found > largest)
            largest = found;
    }
    if (e != OK || largest == 0)
        return e != OK ? e : E_MEM_NONE;
    reply_number(reply, largest - 1);
    return OK;
}

void why_slot_keys(struct reply *reply, const struct slot *slot)
{
    if (slot->missing == UINT64_MAX)
        return;
    row_key_address(reply, "slot", slot->at << PAGE_SHIFT);
    row_key_number(reply, "missing", slot->missing);
    row_key_number(reply, "blocks", slot->blocks);
}

static bool blocking_rows(struct reply *reply, struct listing *listing, unsigned area,
                          const struct slot *slot, uint64_t pages)
{
    uint64_t at = slot->at, end = slot->at + pages;

    for (unsigned told = 0; at < end && told < WHY_BLOCKS;) {
        struct page_info info;
        uint64_t n = dump_run(at, end, &info);

        at += n;
        if (info.state == PAGE_FREE)
            continue;
        told++;
        row_begin(reply);
        row_word(reply, lab.areas[area].name);
        row_word(reply, info.state == PAGE_RESERVED ? "reserved" : "allocated");
        row_key_address(reply, "at", pfn_phys(info.state == PAGE_RESERVED ? pfn(at - n)
                                              : info.block).a);
        row_key_number(reply, "pages", info.state == PAGE_RESERVED ? n : info.pages);
        if (info.state == PAGE_ALLOCATED)
            row_owner(reply, pages_owner(&lab.pages, info.block));
        if (!listing_row(listing, reply))
            return false;
    }
    return true;
}

static enum error explain_area(struct reply *reply, struct listing *listing, unsigned area,
                               const struct page_request *request)
{
    const struct space frames = { .run = dump_run };
    struct window window = area_window(area, request);
    uint64_t free_pages = 0;
    unsigned largest = 0;
    struct slot slot;
    enum error e;

    if (window.first < window.limit)
        largest = window_largest(window, request->fresh, &free_pages);
    e = why_best_slot(&frames, window, request, &slot);
    if (e != OK)
        return e;
    row_begin(reply);
    row_word(reply, lab.areas[area].name);
    row_word(reply, "lacks");
    row_key_number(reply, "free", free_pages);
    if (largest > 0)
        row_key_number(reply, "largest", largest - 1);
    why_slot_keys(reply, &slot);
    if (!listing_row(listing, reply)
        || (slot.missing != UINT64_MAX
            && !blocking_rows(reply, listing, area, &slot, request->pages)))
        return E_STOP_INTERRUPTED;
    return OK;
}

enum error why_areas(struct reply *reply, struct listing *listing,
                     const struct page_request *request)
{
    enum error e = OK;

    for (size_t i = 0; e == OK && i < lab.nareas; i++)
        if (request->areas >> lab.scan[i] & 1)
            e = explain_area(reply, listing, lab.scan[i], request);
    return e;
}

static enum error explain(struct reply *reply, struct listing *listing,
                          const struct refusal *refusal, bool *frames)
{
    switch (refusal->what) {
    case REFUSED_NOTHING:
        reply_text(reply, "nothing was refused since the lab was made");
        return E_CALL_STATE;
    case REFUSED_OTHER:
        reply_text(reply, "of what was refused last nothing more is known");
        return E_CALL_STATE;
    case REFUSED_EARLY:
        return why_early(reply, listing);
    case REFUSED_ADDRESSES: case REFUSED_MAPPED:
        return why_window(reply, listing, refusal, frames);
    case REFUSED_PAGES:
        break;
    }
    return why_areas(reply, listing, &refusal->pages);
}

enum error cmd_why(const struct args_why *args, struct reply *reply)
{
    const struct refusal *refusal = &lab_journal.refusal;
    struct listing listing = { .n = 0 };
    bool frames = false;
    enum error e = explain(reply, &listing, refusal, &frames);

    (void)args;
    if (e != OK)
        return e;
    reply_key_number(reply, "request", refusal->tag);
    if (refusal->what == REFUSED_PAGES) {
        reply_key_number(reply, "order", order_for(refusal->pages.pages));
        reply_key_number(reply, "pages", refusal->pages.pages);
        reply_key_number(reply, "align", PAGE_SIZE << refusal->pages.align);
    } else if (refusal->what == REFUSED_EARLY) {
        reply_key_number(reply, "size", refusal->size);
        reply_key_number(reply, "align", refusal->align);
    } else {
        reply_key_number(reply, "pages", refusal->place.pages);
        reply_key_number(reply, "align", PAGE_SIZE << refusal->place.align);
        reply_key_word(reply, "of", frames ? "frames" : "addresses");
    }
    return listing_end(&listing, reply, true, 0);
}
