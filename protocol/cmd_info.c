/* SPDX-License-Identifier: MIT */
/* Commands that tell what is there. */
#include "kernel/machine.h"
#include "protocol/handlers.h"
#include "protocol/session.h"

static uint64_t managed_pages(void)
{
    struct page_area_info info;
    uint64_t pages = 0;

    for (unsigned i = 0; lab.stage >= STAGE_PAGE && i < lab.nareas; i++)
        if (pages_area_info(&lab.pages, i, &info))
            pages += info.managed;
    return pages;
}

/* All that the map calls usable, whoever has it now. */
static uint64_t usable_bytes(void)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < lab.phys.count; i++)
        if (lab.phys.extents[i].state != PHYS_RESERVED)
            bytes += lab.phys.extents[i].end - lab.phys.extents[i].start;
    return bytes;
}

enum error cmd_info(const struct args_info *args, struct reply *reply)
{
    (void)args;
    reply_key_word(reply, "arch", machine_name());
    reply_key_word(reply, "map", lab.injected ? "injected" : "machine");
    reply_key_word(reply, "stage", stage_name(lab.stage));
    reply_key_word(reply, "engine", lab.engine->name);
    reply_key_number(reply, "page", PAGE_SIZE);
    reply_key_number(reply, "max_order", MAX_ORDER);
    reply_key_number(reply, "memory", usable_bytes());
    reply_key_number(reply, "managed", managed_pages());
    reply_key_number(reply, "pool", lab.pool.pages);
    reply_key_number(reply, "pool_used", lab.pool.used);
    reply_key_word(reply, "attributes",
                   attributes_text(lab.mmu->attributes, ATTRIBUTE_NAMES).text);
    reply_key_address(reply, "window", lab.window.a);
    reply_key_address(reply, "window_limit", lab.window_limit.a);
    reply_key_number(reply, "tables", tables_size(&lab_tables));
    reply_key_number(reply, "tables_used", lab_tables.used);
    reply_key_number(reply, "flushes", lab.mmu->flushes());
    reply_key_number(reply, "minimum_alignment", lab.phys.minimum_alignment);
    reply_key_number(reply, "percpu", lab.percpu);
    reply_key_number(reply, "dead", lab.dead);
    reply_text(reply, "memory and tables in bytes, managed and pool in pages");
    return OK;
}

static void area_row(struct reply *reply, unsigned area)
{
    uint64_t first = area == 0 ? 0 : pfn_phys(lab.areas[area - 1].limit).a;
    struct page_area_info info;

    row_begin(reply);
    row_word(reply, lab.areas[area].name);
    row_key_address(reply, "first", first);
    row_key_address(reply, "limit", pfn_phys(lab.areas[area].limit).a);
    if (lab.stage >= STAGE_PAGE && pages_area_info(&lab.pages, area, &info)) {
        row_key_number(reply, "managed", info.managed);
        row_key_number(reply, "free", info.free);
    }
}

enum error cmd_areas(const struct args_areas *args, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    bool more = true;

    (void)args;
    for (size_t i = 0; i < lab.nareas && more; i++) {
        area_row(reply, lab.stage >= STAGE_PAGE ? lab.scan[i] : (unsigned)i);
        more = listing_row(&listing, reply);
    }
    return listing_end(&listing, reply, true, 0);
}

enum error cmd_check(const struct args_check *args, struct reply *reply)
{
    struct page_violation violation = { .text = "" };
    enum error e = lab_check(&violation);

    (void)args;
    if (e == OK && !session_check(&violation))
        e = E_BUG_CHECK;
    if (e != E_BUG_CHECK)
        return e;
    reply_key_number(reply, "invariant", violation.invariant);
    reply_key_address(reply, "at", pfn_phys(violation.at).a);
    reply_text(reply, violation.text);
    return E_BUG_CHECK;
}
