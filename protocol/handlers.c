/* SPDX-License-Identifier: MIT */
#include "protocol/handlers.h"

#include "kernel/lib/format.h"

enum error need_pages(struct reply *reply)
{
    if (lab.stage == STAGE_PAGE)
        return OK;
    reply_key_word(reply, "stage", "early");
    return E_CALL_STATE;
}

enum error refuse_argument(struct reply *reply, const char *name, enum error e)
{
    reply_key_word(reply, "arg", name);
    return e;
}

enum error refuse_range(struct reply *reply, const char *name, uint64_t max)
{
    reply_key_word(reply, "arg", name);
    reply_key_number(reply, "max", max);
    return E_CALL_RANGE;
}

enum error page_frame(struct reply *reply, const struct value *address, pfn_t *frame)
{
    if (!is_aligned(address->number, PAGE_SIZE)) {
        reply_key_address(reply, "at", address->number);
        return E_MEM_UNALIGNED;
    }
    *frame = phys_pfn(phys(address->number));
    return OK;
}

enum error blame_frame(struct reply *reply, enum error e, pfn_t frame)
{
    switch (e) {
    case E_MEM_UNMANAGED: case E_MEM_INSIDE: case E_MEM_FREE: case E_MEM_RESERVED:
    case E_MEM_BUSY: case E_MEM_BEYOND: case E_MEM_KIND:
        reply_key_address(reply, "at", pfn_phys(frame).a);
        return e;
    default:
        return e;
    }
}

enum error blame_needed(struct reply *reply, enum error e, uint64_t needed)
{
    if (e == E_MEM_METADATA && needed != 0)
        reply_key_number(reply, "needed", needed);
    return e;
}

struct attributes_text attributes_text(unsigned set, enum attributes_names names)
{
    static const char *const all[][5] = {
        [ATTRIBUTE_NAMES] = { "rw", "ro", "nx", "uncached", "wc" },
        [ACCESS_NAMES] = { "none", "read", "write", "execute", NULL },
    };
    struct attributes_text joined;
    struct text text;

    text_init(&text, joined.text, sizeof(joined.text));
    if (set == 0)
        text_string(&text, all[names][0]);
    for (unsigned bit = 0; set >> bit != 0; bit++) {
        if ((set >> bit & 1) == 0)
            continue;
        if (text.length > 0)
            text_char(&text, '|');
        text_string(&text, all[names][bit + 1]);
    }
    return joined;
}

bool listing_row(struct listing *listing, struct reply *reply)
{
    listing->interrupted = !row_end(reply);
    listing->n++;
    return !listing->interrupted && listing->n < MAX_ROWS;
}

enum error listing_end(const struct listing *listing, struct reply *reply, bool complete,
                       uint64_t next)
{
    reply_key_number(reply, "n", listing->n);
    if (listing->interrupted)
        return E_STOP_INTERRUPTED;
    if (!complete)
        reply_key_address(reply, "more", next);
    return OK;
}
