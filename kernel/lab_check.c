/* SPDX-License-Identifier: MIT */
/*
 * Invariants of the lab:
 *   300  a frame is managed by the page allocator if and only if phys handed it over and it lies
 *        below the last area's limit; before the hand-over there is no page allocator
 *   301  a frame that early code used is not fresh
 *   512  the memory of page tables in use is what the tables themselves take
 */
#include "kernel/lab.h"
#include "kernel/machine.h"

#define CHECK_STEP 1024u          /* runs of frames between two looks for a ^C */

static enum error broken(struct page_violation *violation, unsigned invariant, uint64_t frame,
                         const char *text)
{
    violation->invariant = invariant;
    violation->at = pfn(frame);
    violation->text = text;
    return E_BUG_CHECK;
}

/* What a check that failed has found; 0 is no invariant, it was stopped. */
static enum error found(const struct page_violation *violation)
{
    return violation->invariant == 0 ? E_STOP_INTERRUPTED : E_BUG_CHECK;
}

/* Every frame of [from, limit) is managed, or none; and none is fresh if they were used. */
static enum error frames_check(uint64_t from, uint64_t limit, bool managed, bool used,
                               struct page_violation *violation)
{
    for (unsigned runs = 1; from < limit; runs++) {
        struct page_info info;
        uint64_t run = pages_run(&lab.pages, pfn(from), pfn(limit), &info);

        if ((info.state != PAGE_UNMANAGED) != managed)
            return broken(violation, 300, from,
                          managed ? "a page that phys handed over is not managed"
                                  : "a page is managed that phys did not hand over");
        if (used && info.fresh)
            return broken(violation, 301, from, "a page that early code used is fresh");
        if (runs % CHECK_STEP == 0 && machine_interrupted())
            return E_STOP_INTERRUPTED;
        from += run;
    }
    return OK;
}

static enum error hand_over_check(struct page_violation *violation)
{
    uint64_t covered = lab.nareas > 0 ? lab.areas[lab.nareas - 1].limit.n : 0, done = 0;
    enum error e = OK;

    for (size_t i = 0; e == OK && i < lab.phys.count; i++) {
        const struct phys_extent *extent = &lab.phys.extents[i];
        uint64_t first = extent->start >> PAGE_SHIFT, end = extent->end >> PAGE_SHIFT;

        if (extent->state != PHYS_HANDED || first >= covered)
            continue;
        end = end < covered ? end : covered;
        e = frames_check(done, first, false, false, violation);
        if (e == OK)
            e = frames_check(first, end, true, extent->used, violation);
        done = end;
    }
    return e == OK ? frames_check(done, PFN_LIMIT, false, false, violation) : e;
}

static enum error phys_part_check(struct page_violation *violation)
{
    unsigned number;
    phys_t at;

    if (phys_check(&lab.phys, &number, &at))
        return OK;
    return broken(violation, 200 + number, phys_pfn(at).n,
                  "the extents of early memory are broken");
}

static enum error tables_part_check(struct page_violation *violation)
{
    unsigned invariant;
    uint64_t at;

    if (!tables_check(&lab_tables, &invariant, &at))
        return broken(violation, invariant, at, "the memory of page tables is broken");
    if (lab.mmu->tables_size() != lab_tables.used)
        return broken(violation, 512, 0, "the memory of page tables in use is not what they take");
    return OK;
}

static enum error attributes_part_check(struct page_violation *violation)
{
    uint64_t changed = 0;

    for (size_t i = 0; !lab.injected && i < lab.phys.count; i++) {
        const struct phys_extent *e = &lab.phys.extents[i];
        uint64_t first = e->start >> PAGE_SHIFT, end = e->end >> PAGE_SHIFT;

        if (e->state == PHYS_HANDED
            && !attributes_check_range(&lab.attributes, pfn(first), end - first, &changed,
                                       violation))
            return found(violation);
    }
    return attributes_check_total(&lab.attributes, changed, violation) ? OK : found(violation);
}

static enum error virtual_check(struct page_violation *violation)
{
    enum error e = vmap_check(&lab.vmap, violation) ? OK : found(violation);

    if (e == OK)
        e = tables_part_check(violation);
    return e == OK ? attributes_part_check(violation) : e;
}

enum error lab_check(struct page_violation *violation)
{
    bool has_pages = lab.stage >= STAGE_PAGE;
    enum error e = OK;

    if (has_pages)
        e = pages_check(&lab.pages, violation);
    if (e == OK)
        e = phys_part_check(violation);
    if (e == OK && has_pages != lab.phys.handed_over)
        e = broken(violation, 300, 0, "the stage is not that of early memory");
    if (e == OK && has_pages)
        e = hand_over_check(violation);
    if (e == OK && has_pages)
        e = virtual_check(violation);
    if (e == OK && !heap_check(&lab.heap, machine_interrupted, violation))
        e = found(violation);
    return e;
}
