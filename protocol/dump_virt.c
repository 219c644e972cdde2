/* SPDX-License-Identifier: MIT */
/* `dump virt`: the ranges of the window. */
#include "protocol/dump.h"

static void key_if(struct reply *reply, const char *key, uint64_t number)
{
    if (number != 0)
        row_key_number(reply, key, number);
}

const char *range_name(enum virt_kind kind)
{
    static const char *const kinds[] = {
        [VIRT_VMALLOC] = "vmalloc", [VIRT_VMAP] = "vmap", [VIRT_PAGES] = "vpages",
        [VIRT_HEAP] = "heap", [VIRT_STACK] = "stack",
    };

    return kinds[kind];
}

static void range_row(struct reply *reply, const struct virt_range *range)
{
    row_begin(reply);
    row_address(reply, range->first.a);
    row_number(reply, range->pages);
    row_word(reply, range_name(range->kind));
    key_if(reply, "front", range->front);
    key_if(reply, "back", range->back);
    row_key_number(reply, "size", range->size);
    key_if(reply, "redzone", range->redzone);
    row_key_number(reply, "owner", range->tag);
}

/* The next range, if some of it lies below `limit`. */
static bool range_below(virt_t at, uint64_t limit, struct virt_range *next)
{
    return vmap_next(&lab.vmap, at, next) && next->first.a - (next->front << PAGE_SHIFT) < limit;
}

enum error dump_virt(const struct dump_range *range, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    uint64_t limit = range->bounded ? pfn_phys(range->limit).a : UINT64_MAX;
    virt_t at = virt(pfn_phys(range->first).a);
    struct virt_range next;
    bool more = true, found = range_below(at, limit, &next);

    for (; found && more; found = range_below(at, limit, &next)) {
        range_row(reply, &next);
        more = listing_row(&listing, reply);
        at = virt(next.first.a + ((next.pages + next.back) << PAGE_SHIFT));
    }
    return listing_end(&listing, reply, !found, at.a);
}
