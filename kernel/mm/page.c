/* SPDX-License-Identifier: MIT */
/*
 * Placement, and the table of operations. page.h states the rule; this file is it, step by step.
 */
#include "kernel/mm/page.h"

#include "kernel/mm/engine_common.h"
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"
#include "kernel/mm/page_scan.h"

/* A request, with what follows from it. */
struct wish {
    const struct page_request *request;
    unsigned order;           /* k of page.h */
    bool scan;                /* a window or freshness: the lowest slot at once */
    enum page_freshness freshness;
};

static struct wish wish_of(const struct page_request *request)
{
    unsigned order = order_for(request->pages);
    return (struct wish){
        .request = request,
        .order = order > request->align ? order : request->align,
        .scan = request->min.n > 0 || request->max.n < PFN_LIMIT || request->fresh,
        .freshness = request->fresh ? FRESH_ONLY : FRESH_ANY,
    };
}

/* The lowest slot of the area in [from, limit); false if there is none. */
static bool slot_scan(const struct page_tree *tree, const struct page_area *area,
                      const struct wish *wish, uint64_t from, uint64_t limit, uint64_t *slot)
{
    uint64_t pages = wish->request->pages;
    from = from > area->first ? from : area->first;
    limit = limit < area->limit ? limit : area->limit;
    while (limit >= pages && from <= limit - pages) {
        uint64_t first = scan_next(tree, area, from, limit, wish->request->align, wish->freshness);
        if (first > limit - pages)
            return false;
        uint64_t end = scan_end(tree, first, first + pages, CELL_FREE, wish->freshness);
        if (end == first + pages) {
            *slot = first;
            return true;
        }
        from = end + 1;
    }
    return false;
}

/* The slot that the rule names in one area, for what is not a block; false if there is none. */
static bool slot_choose(const struct page_tree *tree, struct page_area *area,
                        const struct wish *wish, uint64_t *slot)
{
    const struct page_request *request = wish->request;
    if (wish->scan)
        return slot_scan(tree, area, wish, request->min.n, request->max.n, slot);
    uint32_t classes = area->available >> wish->order << wish->order;
    if (classes == 0)
        return slot_scan(tree, area, wish, 0, PFN_LIMIT, slot);
    unsigned class = bit_lowest(classes);
    if (class < LEAF_CLASSES) {
        const struct page_chunk *chunk = tree->node[best_chunk(area, class)];
        uint64_t leaf = chunk->first + best_leaf(chunk, class) * UNIT_PAGES;
        return slot_scan(tree, area, wish, leaf, leaf + UNIT_PAGES, slot);
    }
    uint32_t index = best_chunk(area, class);
    const struct page_chunk *chunk = tree->node[index];
    uint64_t first = chunk != NULL ? chunk->first : tree_span_first(tree, index);
    uint64_t limit = first + CHUNK_PAGES;
    if (wish->order < UNIT_SHIFT) {
        unsigned word = chunk != NULL ? node_find_word(chunk->orders, 0) : 0;
        unsigned bit = chunk != NULL ? bit_lowest(pair_free(&chunk->pair[word])) : 0;
        first += (word * WORD_BITS + bit) * UNIT_PAGES;
        limit = first + UNIT_PAGES;
    }
    return slot_scan(tree, area, wish, first, limit, slot);
}

static enum error slot_take(struct page_tree *tree, uint64_t first, uint64_t pages, pfn_t *out)
{
    enum error error = tree_secure(tree, first, first + pages);
    if (error != OK)
        return error;
    tree_change(tree, first, first + pages, CHANGE_TAKE);
    *out = pfn(first);
    return OK;
}

static NOINLINE enum error alloc_exact(struct page_tree *tree, const struct page_request *request,
                                       pfn_t *out, pfn_t *blame)
{
    enum error error = exact_answer(tree, page_run, request, blame);
    return error != OK ? error : slot_take(tree, request->at.n, request->pages, out);
}

static NOINLINE enum error alloc_slot(struct page_tree *tree, const struct page_request *request,
                                      pfn_t *out)
{
    struct wish wish = wish_of(request);
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = &tree->area[tree->scan[i]];
        uint64_t slot;
        if (!(request->areas >> tree->scan[i] & 1))
            continue;
        if (slot_choose(tree, area, &wish, &slot))
            return slot_take(tree, slot, request->pages, out);
    }
    return E_MEM_NONE;
}

static NOINLINE enum error alloc_lead(struct page_tree *tree, const struct page_request *request,
                                      pfn_t *out);

/* alloc_lead() when the hot word must be flushed. */
static NOINLINE enum error hot_alloc_lead(struct page_tree *tree,
                                          const struct page_request *request, pfn_t *out)
{
    hot_flush(tree);
    return alloc_lead(tree, request, out);
}

/*
 * One page that begins a unit or more: straight from the first area that may serve it, if that has
 * a chunk for it.
 */
static NOINLINE enum error alloc_lead(struct page_tree *tree, const struct page_request *request,
                                      pfn_t *out)
{
    unsigned align = request->align;
    if (hot_pending(&tree->hot))
        return hot_alloc_lead(tree, request, out);
    hot_forget(&tree->hot);
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = &tree->area[tree->scan[i]];
        if (!(request->areas >> tree->scan[i] & 1))
            continue;
        uint32_t classes = area->available >> align;
        if (classes == 0)
            break;
        return lead_alloc(tree, area, align + bit_lowest(classes), align, out);
    }
    return alloc_slot(tree, request, out);
}

static NOINLINE enum error alloc_any(struct page_tree *tree, const struct page_request *request,
                            pfn_t *out, pfn_t *blame)
{
    ASSERT(request->pages - 1 < MAX_BLOCK_PAGES && request->align <= MAX_ORDER);
    hot_drop(tree);
    return request->exact ? alloc_exact(tree, request, out, blame)
                          : alloc_slot(tree, request, out);
}

/* Wherever the rule says: nothing but areas, an alignment, and a number of pages. */
static inline bool is_plain(const struct page_request *request)
{
    return request->align <= MAX_ORDER && !(request->exact | request->fresh)
           && request->min.n == 0 && request->max.n >= PFN_LIMIT;
}

static enum error page_alloc(void *engine, const struct page_request *request, pfn_t *out,
                             pfn_t *blame)
{
    struct page_tree *tree = engine;
    if (hot_serves(&tree->hot, request)) {
        *out = pfn(hot_take(&tree->hot));
        return OK;
    }
    *blame = pfn(0);
    if (!is_plain(request))
        return alloc_any(tree, request, out, blame);
    if (request->pages == UINT64_C(1) << request->align)
        return block_alloc(tree, request, out);
    return request->pages == 1 && request->align >= UNIT_SHIFT
           ? alloc_lead(tree, request, out) : alloc_any(tree, request, out, blame);
}

static enum error page_extend(void *engine, pfn_t first, uint64_t pages, pfn_t limit,
                              pfn_t *blame)
{
    struct page_tree *tree = engine;
    struct page_request more = { .pages = pages, .max = limit };
    struct page_spot spot;
    *blame = first;
    hot_drop(tree);
    if (!tree_spot(tree, first.n, &spot))
        return E_MEM_UNMANAGED;
    if (spot.cell != CELL_HEAD)
        return spot.cell == CELL_CONTINUED ? E_MEM_INSIDE
               : not_allocated(tree, first.n, spot.cell);
    more.areas = UINT32_C(1) << spot.place.area->index;
    more.at = pfn(block_limit(tree, &spot, first.n));
    enum error error = extend_answer(engine, page_run, first, &more, blame);
    if (error == OK)
        error = tree_secure(tree, more.at.n, more.at.n + pages);
    if (error == OK)
        tree_change(tree, more.at.n, more.at.n + pages, CHANGE_EXTEND);
    return error;
}

static enum error page_free(void *engine, pfn_t first, uint64_t *pages)
{
    struct page_tree *tree = engine;
    if (hot_give(tree, first.n)) {
        *pages = UINT64_C(1) << tree->hot.order;
        return OK;
    }
    return block_free(tree, first.n, pages);
}

static enum error page_free_part(void *engine, pfn_t first, uint64_t pages, pfn_t *head,
                                 pfn_t *rest, uint64_t *rest_pages)
{
    struct page_tree *tree = engine;
    struct page_spot spot;
    if (pages == 0)
        return E_CALL_RANGE;
    hot_drop(tree);
    if (!tree_spot(tree, first.n, &spot))
        return E_MEM_UNMANAGED;
    if (spot.cell != CELL_HEAD && spot.cell != CELL_CONTINUED)
        return not_allocated(tree, first.n, spot.cell);
    uint64_t limit = block_limit(tree, &spot, first.n);
    if (pages > limit - first.n) {
        *head = pfn(limit);
        return E_MEM_BEYOND;
    }
    uint64_t begin = spot.cell == CELL_HEAD ? first.n : block_first(tree, &spot, first.n);
    enum error error = tree_secure(tree, first.n, first.n + pages);
    if (error != OK)
        return error;
    tree_change(tree, first.n, first.n + pages, CHANGE_GIVE);
    if (first.n + pages < limit)
        tree_set_head(tree, first.n + pages);
    *head = pfn(begin);
    *rest = pfn(first.n + pages);
    *rest_pages = limit - rest->n;
    return OK;
}

static enum error page_set_scan_order(void *engine, const uint8_t *order, size_t n)
{
    struct page_tree *tree = engine;
    if (n != tree->nareas || !scan_order_valid(order, n))
        return E_CALL_RANGE;
    for (size_t i = 0; i < n; i++)
        tree->scan[i] = order[i];
    hot_drop(tree);
    return OK;
}

const struct page_engine page_engine_tree = {
    .name = "tree",
    .text = "Best leaf: a radix-512 tree of bitmaps, no lists, exact addresses.",
    .memory_size = page_memory_size,
    .init = page_init,
    .alloc = page_alloc,
    .extend = page_extend,
    .free = page_free,
    .free_part = page_free_part,
    .reserve = page_reserve,
    .unreserve = page_unreserve,
    .query = page_query,
    .run = page_run,
    .count_free = page_count_free,
    .area_info = page_area_info,
    .check = page_check,
    .corrupt = page_corrupt,
    .set_scan_order = page_set_scan_order,
};
