/* SPDX-License-Identifier: MIT */
/*
 * Ranges by address: look first, secure nodes, then change. Areas and holes are crossed here.
 */
#include "kernel/mm/page_hot.h"
#include "kernel/mm/page_scan.h"

/*
 * True if all of the range is in state `wanted`, as far as one look can tell: what is free is
 * managed and its own area's, but a reserved page may be neither.
 */
static bool range_is(const struct page_tree *tree, uint64_t first, uint64_t limit,
                     enum page_state wanted)
{
    uint64_t managed;
    if (wanted == PAGE_FREE)
        return scan_end(tree, first, limit, CELL_FREE, FRESH_ANY) == limit;
    return tree_managed(tree, first, &managed) && limit <= managed
           && limit <= tree_span(tree, first)->area->limit
           && scan_end(tree, first, limit, CELL_RESERVED, FRESH_ANY) == limit;
}

/* The first frame of the range that is not in state `wanted`, and its state. */
static bool range_differs(const struct page_tree *tree, uint64_t first, uint64_t limit,
                          enum page_state wanted, uint64_t *blame, enum page_state *state)
{
    while (first < limit) {
        struct page_info info;
        uint64_t pages = tree_run(tree, first, limit, &info);
        if (info.state != wanted) {
            *blame = first;
            *state = info.state;
            return true;
        }
        first += pages;
    }
    return false;
}

static enum error state_error(enum page_state state)
{
    static const enum error errors[] = {
        [PAGE_UNMANAGED] = E_MEM_UNMANAGED, [PAGE_FREE] = E_MEM_FREE,
        [PAGE_ALLOCATED] = E_MEM_BUSY, [PAGE_RESERVED] = E_MEM_RESERVED,
    };
    return errors[state];
}

static enum error range_change(struct page_tree *tree, pfn_t first, uint64_t pages,
                               enum page_state from, enum page_change change, pfn_t *blame)
{
    enum page_state state;
    *blame = pfn(0);
    if (pages == 0 || first.n >= PFN_LIMIT || pages > PFN_LIMIT - first.n)
        return E_CALL_RANGE;
    uint64_t limit = first.n + pages;
    hot_drop(tree);
    if (!range_is(tree, first.n, limit, from)
        && range_differs(tree, first.n, limit, from, &blame->n, &state))
        return state_error(state);
    enum error error = tree_secure(tree, first.n, limit);
    if (error != OK)
        return error;
    tree_change(tree, first.n, limit, change);
    return OK;
}

enum error page_reserve(void *engine, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return range_change(engine, first, pages, PAGE_FREE, CHANGE_RESERVE, blame);
}

enum error page_unreserve(void *engine, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return range_change(engine, first, pages, PAGE_RESERVED, CHANGE_UNRESERVE, blame);
}
