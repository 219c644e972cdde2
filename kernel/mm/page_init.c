/* SPDX-License-Identifier: MIT */
/*
 * From a map to an engine: the roots are laid out behind `struct page_tree`, then the ranges are
 * handed to the tree as any other change of state.
 */
#include "kernel/mm/engine_common.h"
#include "kernel/mm/page_tree.h"

/* Sizes of the roots. With `tree`, also fill in its spans, ranges and areas' chunks. */
struct sizes {
    size_t spans, ranges, chunks;
    uint32_t area_chunks[MAX_AREAS];
};

static uint64_t chunk_number(uint64_t frame) { return frame >> CHUNK_SHIFT; }

static void span_note(struct sizes *sizes, struct page_tree *tree, const struct map_part *part,
                      const struct map_part *last)
{
    uint64_t first = chunk_number(part->first), limit = chunk_number(part->limit - 1) + 1;
    bool joins = last->limit != 0 && last->area == part->area
                 && first <= chunk_number(last->limit - 1) + 1;
    if (joins && first <= chunk_number(last->limit - 1))
        first = chunk_number(last->limit - 1) + 1;
    if (tree != NULL && !joins)
        tree->span[sizes->spans] = (struct page_span){
            .first = part->first, .area = &tree->area[part->area],
            .chunk = (uint32_t)sizes->chunks,
            .skew = (uint32_t)(sizes->chunks - chunk_number(part->first)) };
    sizes->spans += !joins;
    sizes->chunks += (size_t)(limit - first);
    sizes->area_chunks[part->area] += (uint32_t)(limit - first);
    if (tree != NULL)
        tree->span[sizes->spans - 1].limit = part->limit;
}

static void range_note(struct sizes *sizes, struct page_tree *tree, const struct map_part *part,
                       const struct map_part *last)
{
    bool joins = last->limit != 0 && last->limit == part->first;
    sizes->ranges += !joins;
    if (tree == NULL)
        return;
    struct page_managed *range = &tree->range[sizes->ranges - 1];
    range->first = joins ? range->first : part->first;
    range->limit = part->limit;
}

static struct sizes roots_survey(const struct page_map *map, struct page_tree *tree)
{
    struct sizes sizes = { .spans = 0 };
    struct map_part part = { .range = 0 }, last = { .range = 0 };
    while (map_part_next(map, &part)) {
        span_note(&sizes, tree, &part, &last);
        range_note(&sizes, tree, &part, &last);
        last = part;
    }
    return sizes;
}

/* One piece of the roots: returns its offset, and moves on. */
static size_t carve(size_t *offset, size_t count, size_t size)
{
    size_t at = *offset;
    *offset += (count * size + 7) & ~(size_t)7;
    return at;
}

/* Where the pieces lie; with `tree`, point to them. Returns the size of all. */
static size_t roots_layout(const struct sizes *sizes, struct page_tree *tree)
{
    size_t offset = (sizeof(struct page_tree) + 63) & ~(size_t)63;
    size_t span = carve(&offset, sizes->spans + 1, sizeof(struct page_span));
    size_t range = carve(&offset, sizes->ranges, sizeof(struct page_managed));
    size_t node = carve(&offset, sizes->chunks, sizeof(struct page_chunk *));
    size_t state = carve(&offset, sizes->chunks, 1);
    unsigned char *base = (unsigned char *)tree;
    if (tree != NULL) {
        tree->span = (struct page_span *)(void *)(base + span);
        tree->range = (struct page_managed *)(void *)(base + range);
        tree->node = (struct page_chunk **)(void *)(base + node);
        tree->state = base + state;
    }
    for (size_t a = 0; a < MAX_AREAS; a++) {
        if (sizes->area_chunks[a] == 0)
            continue;
        struct bitset_shape shape = bitset_shape(sizes->area_chunks[a]);
        size_t rows = carve(&offset, (size_t)shape.words * CLASSES, sizeof(uint64_t));
        if (tree != NULL) {
            tree->area[a].shape = shape;
            tree->area[a].rows = (uint64_t *)(void *)(base + rows);
        }
    }
    return offset;
}

size_t page_memory_size(const struct page_map *map)
{
    if (!map_valid(map))
        return sizeof(struct page_tree);
    struct sizes sizes = roots_survey(map, NULL);
    return roots_layout(&sizes, NULL);
}

static void areas_init(struct page_tree *tree, const struct page_map *map,
                       const struct sizes *sizes)
{
    uint32_t chunk = 0;
    tree->nareas = map->nareas;
    for (size_t a = 0; a < map->nareas; a++) {
        struct page_area *area = &tree->area[a];
        for (size_t i = 0; i < AREA_NAME_SIZE; i++)
            area->name[i] = map->areas[a].name[i];
        area->index = (unsigned)a;
        area->first = a == 0 ? 0 : map->areas[a - 1].limit.n;
        area->limit = map->areas[a].limit.n;
        area->chunk = chunk;
        area->chunks = sizes->area_chunks[a];
        chunk += area->chunks;
        for (size_t w = 0; w < (size_t)area->shape.words * CLASSES; w++)
            area->rows[w] = 0;
        tree->scan[a] = (uint8_t)(map->nareas - 1 - a);
    }
}

static enum error ranges_manage(struct page_tree *tree, const struct page_map *map)
{
    struct map_part part = { .range = 0 };
    while (map_part_next(map, &part)) {
        enum error error = tree_secure(tree, part.first, part.limit);
        if (error != OK)
            return error;
        tree_change(tree, part.first, part.limit,
                    map->ranges[part.range].fresh ? CHANGE_MANAGE_FRESH : CHANGE_MANAGE);
    }
    return OK;
}

enum error page_init(void *memory, const struct page_map *map, const struct node_source *nodes)
{
    if (!map_valid(map))
        return E_CALL_RANGE;
    struct page_tree *tree = memory;
    *tree = (struct page_tree){ .nodes = *nodes };
    struct sizes sizes = roots_survey(map, NULL);
    roots_layout(&sizes, tree);
    tree->span[0] = (struct page_span){ .limit = 0 };
    sizes = roots_survey(map, tree);
    tree->nspans = sizes.spans;
    tree->nranges = sizes.ranges;
    tree->chunks = (uint32_t)sizes.chunks;
    areas_init(tree, map, &sizes);
    for (uint32_t c = 0; c < tree->chunks; c++) {
        tree->state[c] = CELL_RESERVED;
        tree->node[c] = NULL;
    }
    enum error error = ranges_manage(tree, map);
    if (error != OK)
        tree_release(tree);
    return error;
}
