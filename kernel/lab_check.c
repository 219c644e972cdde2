/* SPDX-License-Identifier: MIT */
/*
 * Invariants of the lab:
 *   300  a frame is managed by the page allocator if and only if phys handed it over and it lies
 *        below the last area's limit; before the hand-over there is no page allocator
 *   301  a frame that early code used is not fresh
 */
#include "kernel/lab.h"

static bool broken(struct page_violation *violation, unsigned invariant, uint64_t frame,
                   const char *text)
{
    violation->invariant = invariant;
    violation->at = pfn(frame);
    violation->text = text;
    return false;
}

/* Every frame of [from, limit) is managed, or none; and none is fresh if they were used. */
static bool frames_check(uint64_t from, uint64_t limit, bool managed, bool used,
                         struct page_violation *violation)
{
    while (from < limit) {
        struct page_info info;
        uint64_t run = lab.engine->run(lab.pages.state, pfn(from), pfn(limit), &info);

        if ((info.state != PAGE_UNMANAGED) != managed)
            return broken(violation, 300, from,
                          managed ? "a page that phys handed over is not managed"
                                  : "a page is managed that phys did not hand over");
        if (used && info.fresh)
            return broken(violation, 301, from, "a page that early code used is fresh");
        from += run;
    }
    return true;
}

static bool hand_over_check(struct page_violation *violation)
{
    uint64_t covered = lab.nareas > 0 ? lab.areas[lab.nareas - 1].limit.n : 0, done = 0;

    for (size_t i = 0; i < lab.phys.count; i++) {
        const struct phys_extent *e = &lab.phys.extents[i];
        uint64_t first = e->start >> PAGE_SHIFT, end = e->end >> PAGE_SHIFT;

        if (e->state != PHYS_HANDED || first >= covered)
            continue;
        end = end < covered ? end : covered;
        if (!frames_check(done, first, false, false, violation)
            || !frames_check(first, end, true, e->used, violation))
            return false;
        done = end;
    }
    return frames_check(done, PFN_LIMIT, false, false, violation);
}

static bool phys_part_check(struct page_violation *violation)
{
    unsigned number;
    phys_t at;

    if (phys_check(&lab.phys, &number, &at))
        return true;
    return broken(violation, 200 + number, phys_pfn(at).n,
                  "the extents of early memory are broken");
}

bool lab_check(struct page_violation *violation)
{
    if (lab.stage == STAGE_PAGE && !pages_check(&lab.pages, violation))
        return false;
    if (!phys_part_check(violation))
        return false;
    if ((lab.stage == STAGE_PAGE) != lab.phys.handed_over)
        return broken(violation, 300, 0, "the stage is not that of early memory");
    return lab.stage == STAGE_EARLY || hand_over_check(violation);
}
