/* SPDX-License-Identifier: MIT */
/*
 * Placement, and the table of operations. page.h states the rule; this file is it, step by step.
 */
#include "kernel/mm/page.h"

#include "kernel/mm/page_tree.h"

/* Keeps what is rare from costing registers where it is not. */
#define NOINLINE __attribute__((noinline))

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

/* Rule 1: the lowest open leaf of `class` in its lowest chunk. */
static struct page_leaf *best_leaf(const struct page_tree *tree, struct page_area *area,
                                   unsigned class, struct page_place *place)
{
    place->area = area;
    place->chunk = area->chunk + bitset_lowest(area_row(area, class), &area->shape);
    const struct page_chunk *chunk = tree->node[place->chunk];
    unsigned word = bit_lowest(chunk->class_words[class]);
    unsigned unit = word * WORD_BITS + bit_lowest(chunk->class_row[class][word]);
    place->first = chunk->first;
    place->offset = unit * UNIT_PAGES;
    return chunk_leaf(chunk, unit);
}

/* Rule 2: in the lowest chunk of `class`, the lowest free units that make 2^order pages. */
static void best_units(const struct page_tree *tree, struct page_area *area, unsigned class,
                       unsigned order, struct page_place *place)
{
    unsigned units = order > UNIT_SHIFT ? order - UNIT_SHIFT : 0;
    place->area = area;
    place->chunk = area->chunk + bitset_lowest(area_row(area, class), &area->shape);
    if (tree->state[place->chunk] & CHUNK_ACTIVE) {
        const struct page_chunk *chunk = tree->node[place->chunk];
        place->first = chunk->first;
        place->offset = node_find(&chunk->units, units) * UNIT_PAGES;
    } else {
        place->first = tree_span_first(tree, place->chunk);
        place->offset = 0;
    }
}

/* The slot that the rule names in one area, for what is not a block; false if there is none. */
static bool slot_choose(const struct page_tree *tree, struct page_area *area,
                        const struct wish *wish, uint64_t *slot)
{
    const struct page_request *request = wish->request;
    struct page_place place;
    if (wish->scan)
        return slot_scan(tree, area, wish, request->min.n, request->max.n, slot);
    uint32_t classes = area->available >> wish->order << wish->order;
    if (classes == 0)
        return slot_scan(tree, area, wish, 0, PFN_LIMIT, slot);
    unsigned class = bit_lowest(classes);
    if (class < LEAF_CLASSES)
        best_leaf(tree, area, class, &place);
    else
        best_units(tree, area, class, wish->order, &place);
    uint64_t first = place.first, limit = first + CHUNK_PAGES;
    if (wish->order < UNIT_SHIFT) {
        first += place.offset;
        limit = first + UNIT_PAGES;
    }
    return slot_scan(tree, area, wish, first, limit, slot);
}

/* One naturally aligned block in an area that has one, straight to its place. */
static enum error block_take(struct page_tree *tree, struct page_area *area, unsigned order,
                             struct page_place *place, pfn_t *out)
{
    uint32_t classes = area->available >> order << order;
    unsigned class = bit_lowest(classes);
    if (class < LEAF_CLASSES) {
        const struct page_leaf *leaf = best_leaf(tree, area, class, place);
        place->offset += node_find(&leaf->pages, order);
    } else {
        best_units(tree, area, class, order, place);
        enum error error = place_secure(tree, place, order);
        if (error != OK)
            return error;
    }
    *out = pfn(place->first + place->offset);
    place_take(tree, place, order);
    return OK;
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

/* The first free frame of first..limit-1, a run alike, that the request does not want. */
static bool unwanted(const struct page_request *request, const struct page_info *info,
                     unsigned area, uint64_t first, uint64_t limit, uint64_t *blame)
{
    bool wanted = (request->areas >> info->area & 1) && info->area == area
                  && is_aligned(request->at.n, UINT64_C(1) << request->align)
                  && (info->fresh || !request->fresh) && first >= request->min.n;
    if (wanted && limit <= request->max.n)
        return false;
    *blame = wanted && request->max.n > first ? request->max.n : first;
    return true;
}

static NOINLINE enum error alloc_exact(struct page_tree *tree, const struct page_request *request,
                                       pfn_t *out, pfn_t *blame)
{
    uint64_t first = request->at.n, frame = first, limit = first + request->pages;
    unsigned area = MAX_AREAS;
    while (frame < limit) {
        struct page_info info = { .state = PAGE_UNMANAGED };
        uint64_t pages = frame < PFN_LIMIT ? tree_run(tree, frame, limit, &info) : 1;
        *blame = pfn(frame);
        if (info.state != PAGE_FREE)
            return info.state == PAGE_UNMANAGED ? E_MEM_UNMANAGED
                   : info.state == PAGE_RESERVED ? E_MEM_RESERVED : E_MEM_BUSY;
        if (area == MAX_AREAS)
            area = info.area;
        if (unwanted(request, &info, area, frame, frame + pages, &blame->n))
            return E_MEM_NONE;
        frame += pages;
    }
    *blame = pfn(0);
    return slot_take(tree, first, request->pages, out);
}

static NOINLINE enum error alloc_slot(struct page_tree *tree, const struct page_request *request,
                                      pfn_t *out)
{
    struct wish wish = wish_of(request);
    for (size_t i = 0; i < tree->nareas; i++) {
        uint64_t slot;
        if ((request->areas >> tree->scan[i] & 1)
            && slot_choose(tree, &tree->area[tree->scan[i]], &wish, &slot))
            return slot_take(tree, slot, request->pages, out);
    }
    return E_MEM_NONE;
}

/* Remember where a single page was found, for the next one. */
static void hot_set(struct page_tree *tree, const struct page_place *place, uint32_t areas,
                    uint64_t frame)
{
    unsigned unit = place->offset / UNIT_PAGES;
    tree->hot = (struct page_hot){
        .first = align_down(frame, WORD_BITS), .areas = areas, .unit = unit,
        .word = place->offset % UNIT_PAGES / WORD_BITS, .place = *place,
        .leaf = chunk_leaf(tree->node[place->chunk], unit),
    };
}

static NOINLINE enum error alloc_block(struct page_tree *tree, const struct page_request *request,
                                       pfn_t *out)
{
    for (size_t i = 0; i < tree->nareas; i++) {
        struct page_area *area = &tree->area[tree->scan[i]];
        struct page_place place;
        if (!(request->areas >> tree->scan[i] & 1) || area->available >> request->align == 0)
            continue;
        enum error error = block_take(tree, area, request->align, &place, out);
        if (error == OK && request->align == 0)
            hot_set(tree, &place, request->areas, out->n);
        return error;
    }
    return E_MEM_NONE;
}

static enum error page_alloc(void *engine, const struct page_request *request, pfn_t *out,
                             pfn_t *blame)
{
    struct page_tree *tree = engine;
    ASSERT(request->pages - 1 < MAX_BLOCK_PAGES && request->align <= MAX_ORDER);
    *blame = pfn(0);
    if (request->exact)
        return alloc_exact(tree, request, out, blame);
    if (request->min.n > 0 || request->max.n < PFN_LIMIT || request->fresh
        || request->pages != UINT64_C(1) << request->align)
        return alloc_slot(tree, request, out);
    if (request->pages == 1 && tree->hot.first != NO_FRAME && tree->hot.areas == request->areas) {
        uint64_t free = node_free_bits(&tree->hot.leaf->pages, tree->hot.word);
        if (free != 0) {
            *out = pfn(tree->hot.first + bit_lowest(free));
            hot_take(tree, bit_lowest(free));
            return OK;
        }
    }
    return alloc_block(tree, request, out);
}

/* Why `frame` is not part of an allocated block. */
static enum error not_allocated(const struct page_tree *tree, uint64_t frame, enum page_cell cell)
{
    uint64_t limit;
    if (cell == CELL_FREE)
        return E_MEM_FREE;
    return tree_managed(tree, frame, &limit) ? E_MEM_RESERVED : E_MEM_UNMANAGED;
}

/* True if the first page of a unit continues the block before it. */
static bool unit_continues(const struct page_chunk *chunk, unsigned unit)
{
    if (bitmap_test(chunk->open, unit))
        return node_cell(&chunk_leaf(chunk, unit)->pages, 0) == CELL_CONTINUED;
    return node_cell(&chunk->units, unit) == CELL_CONTINUED;
}

/* The pages of a block that ends with its leaf or before; 0: one must look further. */
static unsigned leaf_block(const struct page_tree *tree, const struct page_place *place)
{
    if (!(tree->state[place->chunk] & CHUNK_ACTIVE))
        return 0;
    const struct page_chunk *chunk = tree->node[place->chunk];
    unsigned unit = place->offset / UNIT_PAGES, page = place->offset % UNIT_PAGES;
    if (!bitmap_test(chunk->open, unit))
        return 0;
    const struct page_node *pages = &chunk_leaf(chunk, unit)->pages;
    if (node_cell(pages, page) != CELL_HEAD)
        return 0;
    unsigned edge = node_next_edge(pages, page + 1);
    if (edge == UNIT_PAGES && (unit + 1 == CHUNK_UNITS || unit_continues(chunk, unit + 1)))
        return 0;
    return edge - page;
}

static NOINLINE enum error free_block(struct page_tree *tree, pfn_t first, uint64_t *pages)
{
    struct page_spot spot;
    if (!tree_find(tree, first.n, &spot.place))
        return E_MEM_UNMANAGED;
    uint64_t length = leaf_block(tree, &spot.place);
    if (length == 0) {
        place_spot(tree, &spot);
        if (spot.cell == CELL_CONTINUED)
            return E_MEM_INSIDE;
        if (spot.cell != CELL_HEAD)
            return not_allocated(tree, first.n, spot.cell);
        length = block_limit(tree, &spot, first.n) - first.n;
    }
    *pages = length;
    if (is_power_of_two(length) && is_aligned(first.n, length))
        place_give(tree, &spot.place, bit_lowest(length));
    else
        tree_change(tree, first.n, first.n + length, CHANGE_GIVE);
    return OK;
}

/* True if one page at that bit of the hot word is a block, as far as the word tells. */
static bool hot_single(const struct page_hot *hot, unsigned bit)
{
    const struct page_pair *pair = &hot->leaf->pages.pair[hot->word];
    uint64_t edges = pair->free | pair->head;
    return (pair->head & ~pair->free & edges >> 1) >> bit & 1;
}

static enum error page_free(void *engine, pfn_t first, uint64_t *pages)
{
    struct page_tree *tree = engine;
    uint64_t bit = first.n - tree->hot.first;
    if (bit >= WORD_BITS || !hot_single(&tree->hot, (unsigned)bit))
        return free_block(tree, first, pages);
    hot_give(tree, (unsigned)bit);
    *pages = 1;
    return OK;
}

static enum error page_free_part(void *engine, pfn_t first, uint64_t pages, pfn_t *head,
                                 pfn_t *rest, uint64_t *rest_pages)
{
    struct page_tree *tree = engine;
    struct page_spot spot;
    if (pages == 0)
        return E_CALL_RANGE;
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

static void page_query(const void *engine, pfn_t frame, struct page_info *info)
{
    tree_query(engine, frame.n, info);
}

static uint64_t page_run(const void *engine, pfn_t from, pfn_t limit, struct page_info *info)
{
    return tree_run(engine, from.n, limit.n, info);
}

static enum error page_set_scan_order(void *engine, const uint8_t *order, size_t n)
{
    struct page_tree *tree = engine;
    uint32_t seen = 0;
    if (n != tree->nareas)
        return E_CALL_RANGE;
    for (size_t i = 0; i < n; i++) {
        if (order[i] >= n || (seen >> order[i] & 1))
            return E_CALL_RANGE;
        seen |= UINT32_C(1) << order[i];
    }
    for (size_t i = 0; i < n; i++)
        tree->scan[i] = order[i];
    hot_forget(tree);
    return OK;
}

const struct page_engine page_engine_tree = {
    .name = "tree",
    .text = "Best leaf: a radix-512 tree of bitmaps, no lists, exact addresses.",
    .memory_size = page_memory_size,
    .init = page_init,
    .alloc = page_alloc,
    .free = page_free,
    .free_part = page_free_part,
    .reserve = page_reserve,
    .unreserve = page_unreserve,
    .query = page_query,
    .run = page_run,
    .area_info = page_area_info,
    .check = page_check,
    .set_scan_order = page_set_scan_order,
};
