/* SPDX-License-Identifier: MIT */
/* Breaks what lab_check() verifies, one invariant at a time. */
#include "kernel/lab.h"
#include "kernel/mm/page.h"
#include "kernel/mm/page_tree.h"

/* Does the extent touch one of its own state, which it could be taken for a part of? */
static bool touches_its_like(size_t i)
{
    const struct phys_extent *e = &lab.phys.extents[i];

    return (i > 0 && e[-1].state == e->state && e[-1].end == e->start)
        || (i + 1 < lab.phys.count && e[1].state == e->state && e[1].start == e->end);
}

/* The first extent of early memory in that state that was never used, and stands alone. */
static struct phys_extent *extent_in(enum phys_state state)
{
    for (size_t i = 0; i < lab.phys.count; i++)
        if (lab.phys.extents[i].state == state && !lab.phys.extents[i].used
            && !touches_its_like(i))
            return &lab.phys.extents[i];
    return NULL;
}

static enum error corrupt_extent(enum lab_corruption what)
{
    struct phys_extent *extent = extent_in(lab.phys.handed_over ? PHYS_HANDED : PHYS_FREE);

    if (extent == NULL)
        return E_CALL_STATE;
    extent->used = what != CORRUPT_EXTENT;
    if (what == CORRUPT_EXTENT)
        extent->end = extent->start;
    else if (what == CORRUPT_HANDED)
        extent->state = PHYS_EARLY;
    return OK;
}

static enum error corrupt_owner(void)
{
    struct page_info info = { .state = PAGE_UNMANAGED };
    uint64_t frame = 0;

    while (frame < PFN_LIMIT && info.state != PAGE_FREE)
        frame += pages_run(&lab.pages, pfn(frame), pfn(PFN_LIMIT), &info);
    return info.state != PAGE_FREE ? E_CALL_STATE
                                   : lookup_add(lab.pages.owners, info.block.n, UINT32_MAX);
}

enum error lab_corrupt(enum lab_corruption what)
{
    struct page_tree *tree = lab.pages.state;

    if (what == CORRUPT_ALIGNMENT) {
        lab.phys.minimum_alignment = 3;
        return OK;
    }
    if (what == CORRUPT_EXTENT)
        return corrupt_extent(what);
    if (lab.stage == STAGE_EARLY)
        return E_CALL_STATE;
    if (what == CORRUPT_HANDED || what == CORRUPT_FRESH)
        return corrupt_extent(what);
    if (what == CORRUPT_OWNER)
        return corrupt_owner();
    if (lab.engine != &page_engine_tree)
        return E_CALL_UNSUPPORTED;
    tree->area[lab.nareas - 1].reserved++;
    return OK;
}
