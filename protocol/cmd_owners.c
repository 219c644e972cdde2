/* SPDX-License-Identifier: MIT */
/* Commands that tell whose pages are, and what happened to them. */
#include "protocol/handlers.h"

void row_owner(struct reply *reply, uint32_t tag)
{
    const char *name = journal_name_of(&lab_journal, tag);

    row_key_number(reply, "owner", tag);
    if (name != NULL)
        row_key_word(reply, "name", name);
}

enum error cmd_owner(const struct args_owner *args, struct reply *reply)
{
    enum error e;

    if (reply_tag(reply) == 0) {
        reply_text(reply, "a request without a tag owns nothing");
        return E_CALL_STATE;
    }
    e = journal_name(&lab_journal, reply_tag(reply), args->name.given ? args->name.text : "",
                     args->name.given ? args->name.length : 0);
    return e == E_CALL_WORD ? refuse_argument(reply, "name", e) : e;
}

/* The block as it stands, if it belongs to a request from `since` on. */
static bool leak_row(struct reply *reply, struct listing *listing, uint64_t since,
                     const struct page_info *info, uint64_t *pages)
{
    uint32_t tag = pages_owner(&lab.pages, info->block);

    if (info->state != PAGE_ALLOCATED || tag < since)
        return true;
    *pages += info->pages;
    row_begin(reply);
    row_address(reply, pfn_phys(info->block).a);
    row_number(reply, info->pages);
    row_key_word(reply, "area", lab.areas[info->area].name);
    row_owner(reply, tag);
    return listing_row(listing, reply);
}

enum error cmd_leaks(const struct args_leaks *args, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    enum error e = need_pages(reply);
    uint64_t at, pages = 0;
    pfn_t first = pfn(0);
    bool more = true;

    if (e == OK)
        e = page_frame(reply, &args->address, &first);
    if (e != OK)
        return e;
    at = first.n;
    while (more && at < PFN_LIMIT) {
        struct page_info info;

        at += pages_run(&lab.pages, pfn(at), pfn(PFN_LIMIT), &info);
        more = leak_row(reply, &listing, args->since.number, &info, &pages);
    }
    reply_key_number(reply, "pages", pages);
    return listing_end(&listing, reply, at >= PFN_LIMIT, pfn_phys(pfn(at)).a);
}

enum error cmd_history(const struct args_history *args, struct reply *reply)
{
    static const char *const names[] = {
        [PAGES_ALLOC] = "alloc", [PAGES_FREE] = "free",
        [PAGES_RESERVE] = "reserve", [PAGES_UNRESERVE] = "unreserve",
    };
    uint64_t count = lab_journal.count, lost = count > JOURNAL_EVENTS ? count - JOURNAL_EVENTS : 0;
    uint64_t frame = args->address.number >> PAGE_SHIFT;
    struct listing listing = { .n = 0 };
    bool more = true;

    for (uint64_t i = lost; more && i < count; i++) {
        const struct journal_event *event = journal_at(&lab_journal, i);

        if (frame - event->first.n >= event->pages)
            continue;
        row_begin(reply);
        row_number(reply, i + 1);
        row_word(reply, names[event->event]);
        row_key_address(reply, "addr", pfn_phys(event->first).a);
        row_key_number(reply, "pages", event->pages);
        row_owner(reply, event->tag);
        more = listing_row(&listing, reply);
    }
    reply_key_number(reply, "events", count);
    reply_key_number(reply, "lost", lost);
    return listing_end(&listing, reply, true, 0);
}
