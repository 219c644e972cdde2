/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/page_oracle.h"

#define UNIT 512u
#define CHUNK_ORDER 18u

/* ---- The set of pages ---- */

static unsigned area_of(const struct oracle *o, uint64_t frame)
{
    unsigned area = 0;
    while (area + 1 < o->nareas && frame >= o->area[area].limit.n)
        area++;
    return area;
}

static void add_units(struct oracle *o, uint64_t from, uint64_t limit)
{
    for (uint64_t f = from; f < limit; f++)
        o->page[o->pages++] = (struct oracle_page){ f, PAGE_UNMANAGED, (uint8_t)area_of(o, f),
                                                    false, false };
}

struct oracle_page *oracle_find(const struct oracle *o, uint64_t frame)
{
    size_t low = 0, high = o->pages;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (o->page[middle].frame < frame)
            low = middle + 1;
        else
            high = middle;
    }
    return low < o->pages && o->page[low].frame == frame ? &o->page[low] : NULL;
}

void oracle_init(struct oracle *o, const struct page_map *map)
{
    uint64_t room = 0, from = 0;
    memset(o, 0, sizeof(*o));
    o->nareas = map->nareas;
    memcpy(o->area, map->areas, map->nareas * sizeof(map->areas[0]));
    for (size_t a = 0; a < o->nareas; a++)
        o->scan[a] = (uint8_t)(o->nareas - 1 - a);
    for (size_t r = 0; r < map->nranges; r++)
        room += map->ranges[r].pages + 2 * UNIT;
    o->page = calloc(room + 1, sizeof(o->page[0]));
    for (size_t r = 0; r < map->nranges; r++) {
        const struct page_range *range = &map->ranges[r];
        uint64_t first = align_down(range->first.n, UNIT);
        uint64_t limit = align_up(range->first.n + range->pages, UNIT);
        add_units(o, first > from ? first : from, limit);
        from = limit;
        for (uint64_t f = range->first.n; f < range->first.n + range->pages; f++)
            if (f < o->area[o->nareas - 1].limit.n)
                *oracle_find(o, f) = (struct oracle_page){ f, PAGE_FREE, (uint8_t)area_of(o, f),
                                                    range->fresh, false };
    }
}

void oracle_destroy(struct oracle *o)
{
    free(o->page);
    o->page = NULL;
}

/* True if page[i] and page[i - 1] are neighbours in one area. */
bool oracle_adjoins(const struct oracle *o, size_t i)
{
    return i > 0 && o->page[i - 1].frame + 1 == o->page[i].frame
           && o->page[i - 1].area == o->page[i].area;
}

static bool free_in(const struct oracle *o, size_t i, unsigned area)
{
    return o->page[i].state == PAGE_FREE && o->page[i].area == area;
}

/* ---- Placement ---- */

/* The lowest slot in [from, limit) of the area, or UINT64_MAX: runs are measured from their end. */
static uint64_t lowest_slot(const struct oracle *o, const struct page_request *q, unsigned area,
                            uint64_t from, uint64_t limit)
{
    uint64_t slot = UINT64_MAX, run = 0;
    for (size_t i = o->pages; i-- > 0;) {
        const struct oracle_page *p = &o->page[i];
        if (i + 1 < o->pages && !oracle_adjoins(o, i + 1))
            run = 0;
        bool fits = free_in(o, i, area) && p->frame >= from && p->frame < limit
                    && (p->fresh || !q->fresh);
        run = fits ? run + 1 : 0;
        if (run >= q->pages && is_aligned(p->frame, UINT64_C(1) << q->align))
            slot = p->frame;
    }
    return slot;
}

/* The largest free order in an open unit as this area has it: -1 for none. *open as page.h says. */
static int unit_order(const struct oracle *o, size_t start, unsigned area, bool *open)
{
    unsigned free_pages = 0, covered = 0;
    uint64_t run[UNIT + 1] = { 0 };
    int best = -1;
    for (unsigned i = 0; i < UNIT; i++) {
        const struct oracle_page *p = &o->page[start + i];
        covered += p->area == area && p->state != PAGE_UNMANAGED;
        free_pages += free_in(o, start + i, area);
    }
    *open = covered < UNIT || (free_pages > 0 && free_pages < UNIT);
    if (free_pages == 0 || !*open)
        return -1;
    for (unsigned i = UNIT; i-- > 0;)
        run[i] = free_in(o, start + i, area) ? run[i + 1] + 1 : 0;
    for (unsigned i = 0; i < UNIT; i++)
        while (best < 9 && run[i] >= 1u << (best + 1) && i % (1u << (best + 1)) == 0)
            best++;
    return best;
}

static uint64_t rule_leaf(const struct oracle *o, const struct page_request *q, unsigned area,
                          int k)
{
    int best = 99;
    uint64_t leaf = UINT64_MAX;
    for (size_t i = 0; i < o->pages; i += UNIT) {
        bool open;
        int order = unit_order(o, i, area, &open);
        if (open && order >= k && order < best) {
            best = order;
            leaf = o->page[i].frame;
        }
    }
    return leaf == UINT64_MAX ? leaf : lowest_slot(o, q, area, leaf, leaf + UNIT);
}

/* The largest free order of a chunk in wholly free units; *lowest its lowest free unit. */
static int chunk_order(const struct oracle *o, const uint8_t unit_is_free[], size_t units,
                       size_t start, uint64_t *lowest)
{
    uint64_t chunk = o->page[start * UNIT].frame >> CHUNK_ORDER, run = 0, next = UINT64_MAX;
    size_t end = start;
    int best = -1;
    while (end < units && o->page[end * UNIT].frame >> CHUNK_ORDER == chunk)
        end++;
    for (size_t u = end; u-- > start;) {
        uint64_t number = o->page[u * UNIT].frame / UNIT;
        if (number + 1 != next)
            run = 0;
        next = number;
        run = unit_is_free[u] ? run + 1 : 0;
        if (run > 0)
            *lowest = o->page[u * UNIT].frame;
        for (int order = 0; order <= 9; order++)
            if (run >= UINT64_C(1) << order && is_aligned(number, UINT64_C(1) << order)
                && order + 9 > best)
                best = order + 9;
    }
    return best;
}

static uint64_t rule_chunk(const struct oracle *o, const struct page_request *q, unsigned area,
                           int k)
{
    size_t units = o->pages / UNIT;
    uint8_t *unit_is_free = calloc(units + 1, 1);
    uint64_t chosen = UINT64_MAX, seen = UINT64_MAX;
    int best = 99;
    for (size_t u = 0; u < units; u++) {
        unit_is_free[u] = 1;
        for (size_t i = 0; i < UNIT && unit_is_free[u]; i++)
            unit_is_free[u] = free_in(o, u * UNIT + i, area);
    }
    for (size_t u = 0; u < units; u++) {
        uint64_t chunk = o->page[u * UNIT].frame >> CHUNK_ORDER, lowest = 0;
        if (chunk == seen)
            continue;
        seen = chunk;
        int order = chunk_order(o, unit_is_free, units, u, &lowest);
        if (order >= (k > 9 ? k : 9) && order < best) {
            best = order;
            chosen = k <= 8 ? lowest : chunk << CHUNK_ORDER;
        }
    }
    free(unit_is_free);
    if (chosen == UINT64_MAX || k <= 8)
        return chosen;
    return lowest_slot(o, q, area, chosen, chosen + (UINT64_C(1) << CHUNK_ORDER));
}

static uint64_t place(const struct oracle *o, const struct page_request *q, unsigned area)
{
    uint64_t slot = UINT64_MAX;
    int k = 0;
    while (UINT64_C(1) << k < q->pages || k < (int)q->align)
        k++;
    if (q->fresh || q->min.n > 0 || q->max.n < PFN_LIMIT)
        return lowest_slot(o, q, area, q->min.n, q->max.n);
    if (k <= 8)
        slot = rule_leaf(o, q, area, k);
    if (slot == UINT64_MAX)
        slot = rule_chunk(o, q, area, k);
    if (slot == UINT64_MAX)
        slot = lowest_slot(o, q, area, 0, PFN_LIMIT);
    return slot;
}

static void mark(struct oracle *o, uint64_t first, uint64_t pages, enum page_state state)
{
    struct oracle_page *p = oracle_find(o, first);
    for (uint64_t i = 0; i < pages; i++) {
        while (p->frame != first + i)
            p++;
        p->state = (uint8_t)state;
        p->starts = state == PAGE_ALLOCATED && i == 0;
        if (state == PAGE_ALLOCATED)
            p->fresh = false;
    }
}

static enum error why_not(enum page_state state)
{
    return state == PAGE_UNMANAGED ? E_MEM_UNMANAGED : state == PAGE_RESERVED ? E_MEM_RESERVED
           : state == PAGE_FREE ? E_MEM_FREE : E_MEM_BUSY;
}

static enum error exact(struct oracle *o, const struct page_request *q, pfn_t *blame)
{
    for (uint64_t f = q->at.n; f < q->at.n + q->pages; f++) {
        struct oracle_page *p = oracle_find(o, f);
        *blame = pfn(f);
        if (p == NULL || p->state != PAGE_FREE)
            return why_not(p == NULL ? PAGE_UNMANAGED : (enum page_state)p->state);
        if (!(q->areas >> p->area & 1) || p->area != oracle_find(o, q->at.n)->area
            || f < q->min.n || f >= q->max.n || (q->fresh && !p->fresh)
            || !is_aligned(q->at.n, UINT64_C(1) << q->align))
            return E_MEM_NONE;
    }
    *blame = pfn(0);
    return OK;
}

enum error oracle_alloc(struct oracle *o, const struct page_request *q, pfn_t *out, pfn_t *blame)
{
    uint64_t slot = q->at.n;
    *blame = pfn(0);
    if (q->exact) {
        enum error error = exact(o, q, blame);
        if (error != OK)
            return error;
    } else {
        slot = UINT64_MAX;
        for (size_t i = 0; i < o->nareas && slot == UINT64_MAX; i++)
            if (q->areas >> o->scan[i] & 1)
                slot = place(o, q, o->scan[i]);
        if (slot == UINT64_MAX)
            return E_MEM_NONE;
    }
    mark(o, slot, q->pages, PAGE_ALLOCATED);
    *out = pfn(slot);
    return OK;
}

/* ---- Blocks and ranges ---- */

enum error oracle_block(const struct oracle *o, uint64_t frame, size_t *start, size_t *end)
{
    struct oracle_page *p = oracle_find(o, frame);
    if (p == NULL || p->state != PAGE_ALLOCATED)
        return why_not(p == NULL ? PAGE_UNMANAGED : (enum page_state)p->state);
    *start = (size_t)(p - o->page);
    *end = *start + 1;
    while (!o->page[*start].starts)
        --*start;
    while (*end < o->pages && oracle_adjoins(o, *end) && o->page[*end].state == PAGE_ALLOCATED
           && !o->page[*end].starts)
        ++*end;
    return OK;
}

enum error oracle_extend(struct oracle *o, pfn_t first, uint64_t pages, pfn_t limit,
                         pfn_t *blame)
{
    struct page_request more = { .pages = pages, .max = limit };
    size_t start, end;
    enum error error = oracle_block(o, first.n, &start, &end);
    *blame = first;
    if (error != OK)
        return error;
    if (o->page[start].frame != first.n)
        return E_MEM_INSIDE;
    if (pages == 0 || end - start + pages > MAX_BLOCK_PAGES)
        return E_CALL_RANGE;
    more.areas = 1u << o->page[start].area;
    more.at = pfn(first.n + (end - start));
    error = exact(o, &more, blame);
    if (error != OK)
        return error;
    mark(o, more.at.n, pages, PAGE_ALLOCATED);
    oracle_find(o, more.at.n)->starts = false;
    *blame = first;
    return OK;
}

enum error oracle_free(struct oracle *o, pfn_t first, uint64_t *pages)
{
    size_t start, end;
    enum error error = oracle_block(o, first.n, &start, &end);
    if (error != OK)
        return error;
    if (o->page[start].frame != first.n)
        return E_MEM_INSIDE;
    *pages = end - start;
    mark(o, first.n, *pages, PAGE_FREE);
    return OK;
}

enum error oracle_free_part(struct oracle *o, pfn_t first, uint64_t pages, pfn_t *head,
                            pfn_t *rest, uint64_t *rest_pages)
{
    size_t start, end;
    enum error error = pages == 0 ? E_CALL_RANGE : oracle_block(o, first.n, &start, &end);
    if (error != OK)
        return error;
    uint64_t limit = o->page[start].frame + (end - start);
    *head = pfn(limit);
    if (pages > limit - first.n)
        return E_MEM_BEYOND;
    *head = pfn(o->page[start].frame);
    *rest = pfn(first.n + pages);
    *rest_pages = limit - rest->n;
    mark(o, first.n, pages, PAGE_FREE);
    if (*rest_pages > 0)
        oracle_find(o, rest->n)->starts = true;
    return OK;
}

static enum error change(struct oracle *o, pfn_t first, uint64_t pages, enum page_state from,
                         enum page_state to, pfn_t *blame)
{
    *blame = pfn(0);
    if (pages == 0 || first.n >= PFN_LIMIT || pages > PFN_LIMIT - first.n)
        return E_CALL_RANGE;
    for (uint64_t f = first.n; f < first.n + pages; f++) {
        struct oracle_page *p = oracle_find(o, f);
        enum page_state state = p == NULL ? PAGE_UNMANAGED : (enum page_state)p->state;
        *blame = pfn(f);
        if (state != from)
            return why_not(state);
    }
    *blame = pfn(0);
    mark(o, first.n, pages, to);
    return OK;
}

enum error oracle_reserve(struct oracle *o, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return change(o, first, pages, PAGE_FREE, PAGE_RESERVED, blame);
}

enum error oracle_unreserve(struct oracle *o, pfn_t first, uint64_t pages, pfn_t *blame)
{
    return change(o, first, pages, PAGE_RESERVED, PAGE_FREE, blame);
}
