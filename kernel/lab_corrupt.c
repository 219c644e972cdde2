/* SPDX-License-Identifier: MIT */
/* Breaks what lab_check() verifies, one invariant at a time: each in the room that knows it. */
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/mm/phys_extents.h"

#define STRAY UINT32_MAX              /* an owner that no request is */

/* ---- early memory ---- */

/* Does the extent touch one of its own state, which it could be taken for a part of? */
static bool touches_its_like(size_t i)
{
    const struct phys_extent *e = &lab.phys.extents[i];

    return (i > 0 && e[-1].state == e->state && e[-1].end == e->start)
        || (i + 1 < lab.phys.count && e[1].state == e->state && e[1].start == e->end);
}

/* Is a page of it fresh? */
static bool has_fresh(const struct phys_extent *e)
{
    uint64_t end = e->end >> PAGE_SHIFT;
    struct page_info info = { .fresh = false };

    for (uint64_t at = e->start >> PAGE_SHIFT; at < end && !info.fresh;)
        at += pages_run(&lab.pages, pfn(at), pfn(end), &info);
    return info.fresh;
}

/* The first extent that is the allocators', was not used early, and stands alone. */
static struct phys_extent *find_extent(bool fresh)
{
    enum phys_state state = lab.phys.handed_over ? PHYS_HANDED : PHYS_FREE;

    for (size_t i = 0; i < lab.phys.count; i++) {
        struct phys_extent *e = &lab.phys.extents[i];

        if (e->state == state && !e->used && !touches_its_like(i) && (!fresh || has_fresh(e)))
            return e;
    }
    return NULL;
}

/* An extent that begins where the one before it ends, and tells the same. */
static enum error make_alike(void)
{
    for (size_t i = 1; i < lab.phys.count; i++) {
        struct phys_extent *e = &lab.phys.extents[i];

        if (e[-1].state == PHYS_EARLY)
            continue;
        e->start = e[-1].end;
        e->state = e[-1].state;
        e->used = e[-1].used;
        return OK;
    }
    return E_CALL_STATE;
}

static enum error corrupt_extents(unsigned invariant)
{
    struct phys_extent *extents = lab.phys.extents;

    if (lab.phys.count < 2)
        return E_CALL_STATE;
    switch (invariant) {
    case 201: lab.phys.capacity = 0; return OK;
    case 203: extents[1].start = extents[0].end - 1; return OK;
    case 204: return make_alike();
    case 206:
        extents[0].start = 0;
        if (extents[0].state == PHYS_RESERVED)
            extents[0].state = PHYS_FREE;
        return OK;
    default: lab.phys.minimum_alignment = 3; return OK;
    }
}

static enum error corrupt_extent(unsigned invariant)
{
    struct phys_extent *extent = find_extent(invariant == 301);

    if (extent == NULL)
        return E_CALL_STATE;
    switch (invariant) {
    case 202: extent->end = extent->start; return OK;
    case 205: extent->state = PHYS_EARLY; return OK;
    case 207:
        extent->start += extent->state == PHYS_HANDED;
        extent->state = PHYS_HANDED;
        return OK;
    case 300:
        extent->state = PHYS_EARLY;
        extent->used = true;
        return OK;
    default: extent->used = true; return OK;
    }
}

/* ---- owners ---- */

static enum error add_owner(void)
{
    struct page_info info = { .state = PAGE_UNMANAGED };
    uint64_t frame = 0;

    while (frame < PFN_LIMIT && info.state != PAGE_FREE)
        frame += pages_run(&lab.pages, pfn(frame), pfn(PFN_LIMIT), &info);
    return info.state != PAGE_FREE ? E_CALL_STATE
                                   : lookup_add(lab.pages.owners, info.block.n, STRAY);
}

/* A page that a cache has handed out gets an owner; those that find no mark are lost. */
static enum error add_owner_of_cached(void)
{
    const struct page_request request = {
        .areas = ALL_AREAS, .pages = 1, .max = pfn(PFN_LIMIT),
    };
    struct page_violation violation;
    enum error e = lab.pages.caches != NULL ? OK : E_CALL_STATE;

    while (e == OK && pages_check(&lab.pages, &violation) == OK) {
        bool zeroed;
        pfn_t frame, blame;

        e = pages_alloc(&lab.pages, &request, 0, true, &frame, &zeroed, &blame);
        if (e == OK)
            e = lookup_add(lab.pages.owners, frame.n, STRAY);
    }
    return e;
}

/* ---- page tables: their memory outlives a reset, which has to be told ---- */

static struct {
    uint64_t counted;                 /* bytes in use that are not */
    void *lost;                       /* a piece that is in no table */
    void *hidden;                     /* a unit that is neither in use nor listed */
} tables_harm;

static uint8_t *marks_of(const void *unit)
{
    return &lab_tables.taken[(uint64_t)((const unsigned char *)unit - lab_tables.base)
                             / TABLE_UNIT];
}

static enum error corrupt_tables(unsigned invariant)
{
    struct tables *tables = &lab_tables;

    lab_corrupt_heal();
    if (invariant == 510) {
        tables_harm.counted = TABLE_PIECE;
        tables->used += TABLE_PIECE;
        return OK;
    }
    if (invariant == 511) {
        tables_harm.hidden = tables_take(tables, TABLE_UNIT);
        if (tables_harm.hidden == NULL)
            return E_MEM_METADATA;
        *marks_of(tables_harm.hidden) = 0;
        tables->used -= TABLE_UNIT;
        return OK;
    }
    tables_harm.lost = tables_take(tables, TABLE_PIECE);
    return tables_harm.lost != NULL ? OK : E_MEM_METADATA;
}

void lab_corrupt_heal(void)
{
    struct tables *tables = &lab_tables;

    tables->used -= tables_harm.counted;
    if (tables_harm.hidden != NULL) {
        *marks_of(tables_harm.hidden) = 0xff;
        tables->used += TABLE_UNIT;
        tables_give(tables, tables_harm.hidden, TABLE_UNIT);
    }
    if (tables_harm.lost != NULL)
        tables_give(tables, tables_harm.lost, TABLE_PIECE);
    tables_harm.counted = 0;
    tables_harm.lost = tables_harm.hidden = NULL;
}

/* ---- attributes ---- */

/* Counted, so that a reset takes it back; but no page that is free may have any. */
static enum error change_free_page(void)
{
    const unsigned attributes = attributes_default(lab.mmu) | MMU_READ_ONLY;
    struct page_info info = { .state = PAGE_UNMANAGED };
    uint64_t frame = 0, first = 0;
    enum error e;

    while (frame < PFN_LIMIT && info.state != PAGE_FREE) {
        first = frame;
        frame += pages_run(&lab.pages, pfn(frame), pfn(PFN_LIMIT), &info);
    }
    if (info.state != PAGE_FREE || lab.injected)
        return E_CALL_STATE;
    e = lab.mmu->protect(virt(first << PAGE_SHIFT), PAGE_SIZE, attributes);
    lab.attributes.changed += e == OK;
    return e;
}

static enum error corrupt_attributes(unsigned invariant)
{
    if (invariant == 700)
        return change_free_page();
    lab.attributes.changed++;
    return OK;
}

/* ---- all ---- */

static enum error corrupt_engine(unsigned invariant)
{
    pages_drain(&lab.pages);
    return lab.engine->corrupt(lab.pages.state, invariant);
}

/* What there is from STAGE_PAGE on. */
static enum error corrupt_late(unsigned invariant)
{
    switch (invariant / 100) {
    case 0: return corrupt_engine(invariant);
    case 1: return invariant == 100 ? add_owner() : add_owner_of_cached();
    case 3: return corrupt_extent(invariant);
    case 7: return corrupt_attributes(invariant);
    default: return invariant < 510 ? vmap_corrupt(&lab.vmap, invariant)
                                    : corrupt_tables(invariant);
    }
}

enum error lab_corrupt(uint64_t what)
{
    static const uint16_t invariants[] = {
#define INVARIANT(word, number) number,
        LAB_CORRUPTIONS(INVARIANT)
#undef INVARIANT
    };
    unsigned invariant;

    ASSERT(what < ARRAY_SIZE(invariants));
    invariant = invariants[what];
    if (invariant / 100 == 6)
        return heap_corrupt(&lab.heap, invariant);
    if (invariant == 202 || invariant == 205 || invariant == 207)
        return corrupt_extent(invariant);
    if (invariant / 100 == 2)
        return corrupt_extents(invariant);
    return lab.stage == STAGE_EARLY ? E_CALL_STATE : corrupt_late(invariant);
}
