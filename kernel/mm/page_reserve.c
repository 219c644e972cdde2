/* SPDX-License-Identifier: MIT */
/*
 * Ranges by address: look first, secure nodes, then change. Areas and holes are crossed here.
 */
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"
#include "kernel/mm/page_scan.h"

/* True if all of the range is managed, and of `area`, which its first frame then is of. */
static NOINLINE bool is_managed(const struct page_tree *tree, const struct page_area *area,
                                uint64_t first, uint64_t limit)
{
    uint64_t managed;
    return tree_managed(tree, first, &managed) && limit <= managed && limit <= area->limit;
}

/*
 * True if all of the range is in state `wanted`, as far as one look can tell: what is free is
 * managed and its own area's, but a reserved page may be neither.
 */
static bool range_is(const struct page_tree *tree, uint64_t first, uint64_t limit,
                     enum page_state wanted)
{
    if (wanted == PAGE_FREE)
        return scan_end(tree, first, limit, CELL_FREE, FRESH_ANY) == limit;
    return is_managed(tree, tree_span(tree, first)->area, first, limit)
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

static NOINLINE enum error range_change(struct page_tree *tree, uint64_t first, uint64_t pages,
                                        enum page_state from, enum page_change change,
                                        pfn_t *blame)
{
    enum page_state state;
    if (pages == 0 || first >= PFN_LIMIT || pages > PFN_LIMIT - first)
        return E_CALL_RANGE;
    uint64_t limit = first + pages;
    hot_drop(tree);
    if (!range_is(tree, first, limit, from)
        && range_differs(tree, first, limit, from, &blame->n, &state))
        return state_error(state);
    enum error error = tree_secure(tree, first, limit);
    if (error != OK)
        return error;
    tree_change(tree, first, limit, change);
    return OK;
}

static NOINLINE enum error reserve_any(struct page_tree *tree, uint64_t first, uint64_t pages,
                                       pfn_t *blame)
{
    return range_change(tree, first, pages, PAGE_FREE, CHANGE_RESERVE, blame);
}

static NOINLINE enum error unreserve_any(struct page_tree *tree, uint64_t first, uint64_t pages,
                                         pfn_t *blame)
{
    return range_change(tree, first, pages, PAGE_RESERVED, CHANGE_UNRESERVE, blame);
}

/* ---- What lies in one word, as a single page does: the short way ---- */

static inline bool is_in_word(uint64_t first, uint64_t pages)
{
    return pages - 1 < WORD_BITS - first % WORD_BITS;
}

/* The pages as bits of their word. */
static inline uint64_t word_pages(uint64_t first, uint64_t pages)
{
    return ~UINT64_C(0) >> (WORD_BITS - pages) << first % WORD_BITS;
}

static inline unsigned unit_of(uint64_t frame) { return frame / UNIT_PAGES % CHUNK_UNITS; }
static inline unsigned word_of(uint64_t frame) { return frame / WORD_BITS % NODE_WORDS; }

static inline void count_reserved(struct page_area *area, uint64_t pages)
{
    area->free -= pages;
    area->reserved += pages;
}

/* A chunk that is not active, or none. */
static NOINLINE enum error reserve_chunk(struct page_tree *tree, uint64_t first, uint64_t pages,
                                         pfn_t *blame)
{
    struct page_place place;
    if (!tree_find(tree, first, &place)
        || (tree->state[place.chunk] & CHUNK_CELL) != CELL_FREE)
        return reserve_any(tree, first, pages, blame);
    enum error error = stock_fill(tree, 2);
    if (error != OK)
        return error;
    count_reserved(place.area, pages);
    chunk_reserve(tree, &place, word_pages(first, pages));
    return OK;
}

static NOINLINE enum error reserve_unit(struct page_tree *tree, uint64_t first, uint64_t pages,
                                        pfn_t *blame, struct page_chunk *chunk)
{
    struct page_node units = chunk_units(chunk);
    unsigned unit = unit_of(first);
    if (node_cell(&units, unit) != CELL_FREE)
        return reserve_any(tree, first, pages, blame);
    if (!(chunk->slabs >> unit / SLAB_LEAVES & 1)) {
        enum error error = stock_fill(tree, 1);
        if (error != OK)
            return error;
    }
    count_reserved(chunk->area, pages);
    leaf_reserve(tree, chunk, unit, word_of(first), word_pages(first, pages));
    if (node_take(&units, unit, 0))
        chunk_class(chunk);
    return OK;
}

/*
 * The cells of a word of an open leaf have changed: its orders follow. True if that changes a
 * summary.
 */
static inline bool word_changed(struct page_chunk *chunk, const struct page_node *leaf,
                                uint64_t first)
{
    unsigned word = word_of(first);
    uint64_t free = node_free_bits(leaf, word);
    if (word == 0)
        bitmap_write(chunk->lead, unit_of(first), free & 1);
    return orders_write(leaf->orders, word, word_orders(free));
}

static NOINLINE enum error reserve_page(struct page_tree *tree, uint64_t first, uint64_t pages,
                                        pfn_t *blame, struct page_chunk *chunk)
{
    struct page_node leaf = chunk_leaf(chunk, unit_of(first));
    struct page_pair *pair = &leaf.pair[word_of(first)];
    uint64_t reserved = word_pages(first, pages);
    if ((pair_free(pair) & reserved) != reserved)
        return reserve_any(tree, first, pages, blame);
    pair->head |= reserved;
    count_reserved(chunk->area, pages);
    if (!word_changed(chunk, &leaf, first))
        return OK;
    leaf_settle(tree, chunk, unit_of(first));
    chunk_settle(tree, chunk);
    return change_end(tree);
}

static NOINLINE enum error unreserve_page(struct page_tree *tree, uint64_t first, uint64_t pages,
                                          pfn_t *blame, struct page_chunk *chunk)
{
    if (!is_managed(tree, chunk->area, first, first + pages))
        return unreserve_any(tree, first, pages, blame);
    struct page_node leaf = chunk_leaf(chunk, unit_of(first));
    struct page_pair *pair = &leaf.pair[word_of(first)];
    uint64_t reserved = word_pages(first, pages);
    if ((pair->free & pair->head & reserved) != reserved)
        return unreserve_any(tree, first, pages, blame);
    pair->head &= ~reserved;
    count_reserved(chunk->area, -pages);
    if (!word_changed(chunk, &leaf, first))
        return OK;
    return *leaf.orders == ALL_FREE ? leaf_empty(tree, chunk, unit_of(first))
                                    : leaf_changed(tree, chunk, unit_of(first));
}

/* page_reserve(), page_unreserve() in the chunk of the hot word. */
static NOINLINE enum error reserve_hot(struct page_tree *tree, uint64_t first, uint64_t pages,
                                       pfn_t *blame)
{
    hot_drop(tree);
    return page_reserve(tree, pfn(first), pages, blame);
}

static NOINLINE enum error unreserve_hot(struct page_tree *tree, uint64_t first, uint64_t pages,
                                         pfn_t *blame)
{
    hot_drop(tree);
    return page_unreserve(tree, pfn(first), pages, blame);
}

enum error page_reserve(void *engine, pfn_t first, uint64_t pages, pfn_t *blame)
{
    struct page_tree *tree = engine;
    *blame = pfn(0);
    if (!is_in_word(first.n, pages))
        return reserve_any(tree, first.n, pages, blame);
    struct page_chunk *chunk = tree_chunk(tree, first.n);
    tree->hot.pages = UINT64_MAX;
    if (chunk == NULL)
        return reserve_chunk(tree, first.n, pages, blame);
    if (chunk == tree->hot.chunk)
        return reserve_hot(tree, first.n, pages, blame);
    return bitmap_test(chunk->open, unit_of(first.n))
           ? reserve_page(tree, first.n, pages, blame, chunk)
           : reserve_unit(tree, first.n, pages, blame, chunk);
}

enum error page_unreserve(void *engine, pfn_t first, uint64_t pages, pfn_t *blame)
{
    struct page_tree *tree = engine;
    *blame = pfn(0);
    if (!is_in_word(first.n, pages))
        return unreserve_any(tree, first.n, pages, blame);
    struct page_chunk *chunk = tree_chunk(tree, first.n);
    tree->hot.pages = UINT64_MAX;
    if (chunk == NULL || !bitmap_test(chunk->open, unit_of(first.n)))
        return unreserve_any(tree, first.n, pages, blame);
    return chunk == tree->hot.chunk ? unreserve_hot(tree, first.n, pages, blame)
                                    : unreserve_page(tree, first.n, pages, blame, chunk);
}
