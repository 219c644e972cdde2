/* SPDX-License-Identifier: MIT */
/* Why addresses of the window were refused, or what was to be behind them; and early memory. */
#include "protocol/why.h"

static uint64_t page_of(virt_t at)
{
    return at.a >> PAGE_SHIFT;
}

/* Pages of the window, as an engine tells of frames: guards belong to their range. */
static uint64_t window_run(uint64_t from, uint64_t limit, struct page_info *info)
{
    struct virt_range range;
    uint64_t start, end;

    *info = (struct page_info){ .state = PAGE_FREE };
    if (!vmap_next(&lab.vmap, virt(from << PAGE_SHIFT), &range))
        return limit - from;
    start = page_of(range.first) - range.front;
    end = page_of(range.first) + range.pages + range.back;
    if (start > from)
        return (start < limit ? start : limit) - from;
    info->state = PAGE_ALLOCATED;
    return (end < limit ? end : limit) - from;
}

/* Free pages of the window, and how many there are in one stretch at most. */
static void count_free(struct window window, uint64_t *free_pages, uint64_t *longest)
{
    struct page_info info;

    *free_pages = *longest = 0;
    for (uint64_t at = window.first, n; at < window.limit; at += n) {
        n = window_run(at, window.limit, &info);
        if (info.state != PAGE_FREE)
            continue;
        *free_pages += n;
        *longest = n > *longest ? n : *longest;
    }
}

static bool range_rows(struct reply *reply, struct listing *listing, uint64_t at, uint64_t end)
{
    struct virt_range range;

    for (unsigned told = 0; told < WHY_BLOCKS; told++) {
        if (!vmap_next(&lab.vmap, virt(at << PAGE_SHIFT), &range)
            || page_of(range.first) - range.front >= end)
            return true;
        row_begin(reply);
        row_word(reply, "window");
        row_word(reply, range_name(range.kind));
        row_key_address(reply, "at", range.first.a);
        row_key_number(reply, "pages", range.pages);
        row_owner(reply, range.tag);
        if (!listing_row(listing, reply))
            return false;
        at = page_of(range.first) + range.pages + range.back;
    }
    return true;
}

enum error why_window(struct reply *reply, struct listing *listing, const struct refusal *refusal,
                      bool *frames)
{
    const struct virt_request *place = &refusal->place;
    const struct space space = { .run = window_run, .lead = place->front };
    const struct page_request request = {
        .pages = place->front + place->pages + place->back, .align = (uint16_t)place->align,
        .exact = place->exact, .at = pfn(page_of(place->at) - place->front),
    };
    struct window window = { page_of(lab.window), page_of(lab.window_limit) };
    uint64_t free_pages, longest;
    struct slot slot;
    enum error e = why_best_slot(&space, window, &request, &slot);

    if (e != OK)
        return e;
    count_free(window, &free_pages, &longest);
    row_begin(reply);
    row_word(reply, "window");
    row_word(reply, "lacks");
    row_key_number(reply, "free", free_pages);
    row_key_number(reply, "longest", longest);
    why_slot_keys(reply, &slot);
    if (!listing_row(listing, reply)
        || (slot.missing != UINT64_MAX
            && !range_rows(reply, listing, slot.at, slot.at + request.pages)))
        return E_STOP_INTERRUPTED;
    *frames = slot.missing == 0 && refusal->what == REFUSED_MAPPED;
    return *frames ? why_areas(reply, listing, &refusal->pages) : OK;
}

enum error why_early(struct reply *reply, struct listing *listing)
{
    uint64_t free_bytes = 0, longest = 0;
    struct phys_extent extent = { .end = 0 };

    while (phys_next(&lab.phys, phys(extent.end), &extent)) {
        uint64_t bytes = extent.state == PHYS_FREE ? extent.end - extent.start : 0;

        free_bytes += bytes;
        longest = bytes > longest ? bytes : longest;
    }
    row_begin(reply);
    row_word(reply, "early");
    row_word(reply, "lacks");
    row_key_number(reply, "free", free_bytes);
    row_key_number(reply, "longest", longest);
    return listing_row(listing, reply) ? OK : E_STOP_INTERRUPTED;
}
