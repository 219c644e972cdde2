/* SPDX-License-Identifier: MIT */
#include "kernel/machine.h"
#include "protocol/dump.h"

/* Whoever looks for what is rare asks often, without a row in between. */
uint64_t dump_run(uint64_t from, uint64_t limit, struct page_info *info)
{
    machine_at_work();
    return pages_run(&lab.pages, pfn(from), pfn(limit), info);
}

/* ---- areas ---- */

/* Only orders that exist: o3=12 is twelve maximal free blocks of 8 pages. */
static void free_blocks(struct reply *reply, const struct page_area_info *info)
{
    for (unsigned order = 0; order <= MAX_ORDER; order++) {
        char key[] = { 'o', (char)('0' + order % 10), '\0', '\0' };

        if (order >= 10) {
            key[1] = '1';
            key[2] = (char)('0' + order - 10);
        }
        if (info->free_blocks[order] != 0)
            row_key_number(reply, key, info->free_blocks[order]);
    }
}

enum error dump_areas(const struct dump_range *range, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    struct page_area_info info;
    bool more = true;

    (void)range;
    for (unsigned i = 0; more && pages_area_info(&lab.pages, i, &info); i++) {
        row_begin(reply);
        row_word(reply, info.name);
        row_key_address(reply, "first", pfn_phys(info.first).a);
        row_key_address(reply, "limit", pfn_phys(info.limit).a);
        row_key_number(reply, "managed", info.managed);
        row_key_number(reply, "free", info.free);
        row_key_number(reply, "allocated", info.allocated);
        row_key_number(reply, "reserved", info.reserved);
        free_blocks(reply, &info);
        more = listing_row(&listing, reply);
    }
    return listing_end(&listing, reply, true, 0);
}

/* ---- free ---- */

static void free_row(struct reply *reply, const struct page_info *info)
{
    struct page_info first;
    uint64_t same = dump_run(info->block.n, info->block.n + info->pages, &first);

    row_begin(reply);
    row_address(reply, pfn_phys(info->block).a);
    row_number(reply, info->pages);
    row_key_number(reply, "order", order_for(info->pages));
    row_key_word(reply, "area", lab.areas[info->area].name);
    row_key_number(reply, "fresh", first.fresh && same == info->pages);
}

enum error dump_free(const struct dump_range *range, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    uint64_t at = range->first.n;
    bool more = true;

    while (more && at < range->limit.n) {
        struct page_info info;

        /* Where a run of free pages ends does not matter: it may be far away from each block. */
        pages_query(&lab.pages, pfn(at), &info);
        if (info.state != PAGE_FREE) {
            at += dump_run(at, range->limit.n, &info);
            continue;
        }
        free_row(reply, &info);
        at = info.block.n + info.pages;
        more = listing_row(&listing, reply);
    }
    return listing_end(&listing, reply, at >= range->limit.n, pfn_phys(pfn(at)).a);
}

/* ---- pages ---- */

static void block_fields(struct reply *reply, uint64_t at, uint64_t n, const struct page_info *info)
{
    if (info->block.n != at || info->pages != n)
        row_key_address(reply, "block", pfn_phys(info->block).a);
    else if (is_power_of_two(n))
        row_key_number(reply, "order", order_for(n));
    row_owner(reply, pages_owner(&lab.pages, info->block));
}

static void pages_row(struct reply *reply, uint64_t at, uint64_t n, const struct page_info *info)
{
    static const char *const states[] = {
        [PAGE_UNMANAGED] = "unmanaged", [PAGE_FREE] = "free",
        [PAGE_ALLOCATED] = "allocated", [PAGE_RESERVED] = "reserved",
    };

    row_begin(reply);
    row_address(reply, pfn_phys(pfn(at)).a);
    row_number(reply, n);
    row_word(reply, states[info->state]);
    if (info->state == PAGE_UNMANAGED)
        return;
    row_key_word(reply, "area", lab.areas[info->area].name);
    row_key_number(reply, "fresh", info->fresh);
    if (info->state == PAGE_ALLOCATED)
        block_fields(reply, at, n, info);
}

/* What is behind the last managed page is not worth a row, unless it was asked for. */
enum error dump_pages(const struct dump_range *range, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    uint64_t at = range->first.n;
    bool more = true;

    while (more && at < range->limit.n) {
        struct page_info info;
        uint64_t n = dump_run(at, range->limit.n, &info);

        at += n;
        if (info.state == PAGE_UNMANAGED && at == range->limit.n && !range->bounded)
            break;
        pages_row(reply, at - n, n, &info);
        more = listing_row(&listing, reply);
    }
    return listing_end(&listing, reply, at >= range->limit.n, pfn_phys(pfn(at)).a);
}

/* ---- phys ---- */

static void phys_row(struct reply *reply, const struct phys_extent *extent)
{
    static const char *const states[] = {
        [PHYS_FREE] = "free", [PHYS_EARLY] = "early",
        [PHYS_RESERVED] = "reserved", [PHYS_HANDED] = "handed",
    };

    row_begin(reply);
    row_address(reply, extent->start);
    row_number(reply, extent->end - extent->start);
    row_word(reply, states[extent->state]);
    row_key_number(reply, "used", extent->used);
}

enum error dump_phys(const struct dump_range *range, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    uint64_t first = pfn_phys(range->first).a, limit = pfn_phys(range->limit).a;
    bool more = true;
    size_t i = 0;

    while (i < lab.phys.count && lab.phys.extents[i].end <= first)
        i++;
    for (; more && i < lab.phys.count && lab.phys.extents[i].start < limit; i++) {
        phys_row(reply, &lab.phys.extents[i]);
        more = listing_row(&listing, reply);
    }
    more = i < lab.phys.count && lab.phys.extents[i].start < limit;
    return listing_end(&listing, reply, !more,
                       more ? align_down(lab.phys.extents[i].start, PAGE_SIZE) : 0);
}

/* ---- the command ---- */

enum error cmd_dump(const struct args_dump *args, struct reply *reply)
{
    static enum error (*const parts[])(const struct dump_range *, struct reply *) = {
        /* in the order of `what` */
        dump_areas, dump_free, dump_pages, dump_phys, dump_map, dump_pagetables, dump_virt,
        dump_heap,
    };
    const bool is_heap = parts[args->what.number] == dump_heap;
    const bool always = parts[args->what.number] == dump_phys
        || parts[args->what.number] == dump_pagetables || is_heap;
    struct dump_range range = { .limit = pfn(PFN_LIMIT), .bounded = args->pages.given };
    enum error e = always ? OK : need_pages(reply);

    range.address = args->address.number;
    range.first = phys_pfn(phys(range.address));
    if (e == OK && !is_heap)
        e = page_frame(reply, &args->address, &range.first);
    if (e != OK)
        return e;
    if (args->pages.given && args->pages.number > PFN_LIMIT - range.first.n)
        return refuse_range(reply, "pages", PFN_LIMIT - range.first.n);
    if (args->pages.given)
        range.limit = pfn(range.first.n + args->pages.number);
    return parts[args->what.number](&range, reply);
}
