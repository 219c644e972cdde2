/* SPDX-License-Identifier: MIT */
/* Slabs: how they are found, kept in order, opened and closed. */
#include "kernel/mm/heap_parts.h"

#include "kernel/lib/string.h"

#define WORDS(size) (((unsigned)PAGE_SIZE / (size) + 63) / 64)
#define RULE(bytes) { \
        .size = (bytes), .slots = (unsigned)PAGE_SIZE / (bytes), \
        .tags = (unsigned)sizeof(struct slab) + 8 * WORDS(bytes), \
        .record = ((unsigned)sizeof(struct slab) + 8 * WORDS(bytes) \
                   + 4 * ((unsigned)PAGE_SIZE / (bytes)) + 7) & ~7u, \
    }

const struct heap_class_rule heap_rules[HEAP_CLASSES] = {
    RULE(16), RULE(32), RULE(48), RULE(64), RULE(96), RULE(128), RULE(192), RULE(256), RULE(384),
    RULE(512), RULE(768), RULE(1024), RULE(1344), RULE(2048),
};

/* ---- pages of the heap ---- */

static enum error root_create(struct heap *heap)
{
    const struct node_source *nodes = &heap->nodes;
    struct heap_root *root = nodes->take(nodes->context);

    if (root == NULL)
        return E_MEM_METADATA;
    memset(root, 0, sizeof(*root));
    for (unsigned i = 0; i < HEAP_CLASSES; i++)
        rows_init(&root->classes[i].slabs, nodes, heap_rules[i].record,
                  root->classes[i].directories, HEAP_DIRECTORIES);
    heap->root = root;
    return OK;
}

enum error heap_make_room(struct heap *heap)
{
    struct lookup **pages;
    enum error e;

    if (heap->root == NULL && root_create(heap) != OK)
        return E_MEM_METADATA;
    pages = &heap->root->pages[heap->sources[heap->stage].window];
    if (*pages == NULL)
        *pages = lookup_create(&heap->nodes);
    e = *pages == NULL ? E_MEM_METADATA : lookup_make_room(*pages);
    if (e != OK)
        heap_trim(heap);
    return e;
}

static void table_trim(struct lookup **table)
{
    if (*table == NULL)
        return;
    if (lookup_count(*table) > 0) {
        lookup_trim(*table);
        return;
    }
    lookup_destroy(*table);
    *table = NULL;
}

void heap_trim(struct heap *heap)
{
    struct heap_root *root = heap->root;

    if (root == NULL)
        return;
    table_trim(&root->pages[0]);
    table_trim(&root->pages[1]);
    for (unsigned i = 0; i < ZONE_TABLES; i++)
        table_trim(&root->zones[i]);
    if (root->pages[0] != NULL || root->pages[1] != NULL || root->zoned > 0)
        return;
    heap->root = NULL;
    heap->nodes.give(heap->nodes.context, root);
}

bool page_find(const struct heap *heap, bool window, uint64_t page, uint32_t *value)
{
    const struct lookup *pages = heap_pages(heap, window);

    return pages != NULL && lookup_find(pages, page, value);
}

bool heap_look_up(const struct heap *heap, uint64_t page, uint32_t *value)
{
    return page_find(heap, true, page, value) || page_find(heap, false, page, value);
}

/* ---- the queue: a binary heap by address ---- */

static uint32_t *place_at(const struct heap_root *root, unsigned class, uint32_t place)
{
    return &slab_at(root, class, rows_number(&root->classes[class].slabs, place))->queued;
}

static void seat(struct heap_root *root, unsigned class, uint32_t place, uint32_t row)
{
    *place_at(root, class, place) = row;
    slab_at(root, class, row)->place = place;
}

/* Seat a slab at a place that is empty, or above it. */
static void sift_up(struct heap_root *root, unsigned class, uint32_t place, uint32_t row)
{
    const uint64_t page = slab_at(root, class, row)->page;

    while (place > 0) {
        uint32_t parent = (place - 1) / 2, other = *place_at(root, class, parent);

        if (slab_at(root, class, other)->page < page)
            break;
        seat(root, class, place, other);
        place = parent;
    }
    seat(root, class, place, row);
}

/* Seat a slab at a place that is empty, or below it. */
static void sift_down(struct heap_root *root, unsigned class, uint32_t place, uint32_t row)
{
    const uint64_t page = slab_at(root, class, row)->page;
    const uint32_t waiting = root->classes[class].waiting;

    for (uint32_t child; (child = 2 * place + 1) < waiting; place = child) {
        uint32_t other = *place_at(root, class, child);

        if (child + 1 < waiting) {
            uint32_t right = *place_at(root, class, child + 1);

            if (slab_at(root, class, right)->page < slab_at(root, class, other)->page) {
                child++;
                other = right;
            }
        }
        if (page < slab_at(root, class, other)->page)
            break;
        seat(root, class, place, other);
    }
    seat(root, class, place, row);
}

static void find_lowest(struct heap_root *root, unsigned index)
{
    struct heap_class *class = &root->classes[index];

    class->lowest = NULL;
    if (class->waiting == 0)
        return;
    class->lowest_row = *place_at(root, index, 0);
    class->lowest = slab_at(root, index, class->lowest_row);
}

void slab_enqueue(struct heap_root *root, unsigned class, uint32_t row)
{
    sift_up(root, class, root->classes[class].waiting++, row);
    find_lowest(root, class);
}

void slab_dequeue(struct heap_root *root, unsigned class, uint32_t row)
{
    struct slab *slab = slab_at(root, class, row);
    uint32_t place = slab->place, last = --root->classes[class].waiting;
    uint32_t moved = *place_at(root, class, last);

    slab->place = NOT_QUEUED;
    if (place != last) {
        sift_down(root, class, place, moved);
        sift_up(root, class, slab_at(root, class, moved)->place, moved);
    }
    find_lowest(root, class);
}

/* ---- opening and closing ---- */

static void slab_fill(struct slab *slab, unsigned class, uint64_t page, unsigned stage)
{
    unsigned slots = heap_rules[class].slots;

    slab->page = page;
    slab->used = 0;
    slab->stage = (uint8_t)stage;
    slab->place = NOT_QUEUED;
    for (unsigned i = 0; i * 64 < slots; i++)
        slab->free[i] = slots - i * 64 >= 64 ? UINT64_MAX : (UINT64_C(1) << slots % 64) - 1;
}

enum error slab_open(struct heap *heap, unsigned index)
{
    const struct heap_source *source = &heap->sources[heap->stage];
    struct heap_class *class;
    virt_t page;
    uint32_t row;
    enum error e = heap_make_room(heap);

    if (e != OK)
        return e;
    class = &heap->root->classes[index];
    e = rows_make_room(&class->slabs);
    if (e == OK)
        e = source->backend->take(source->context, PAGE_SIZE, PAGE_SIZE, 0, &page);
    if (e != OK) {
        rows_trim(&class->slabs);
        heap_trim(heap);
        return e;
    }
    row = rows_push(&class->slabs);
    slab_fill(slab_at(heap->root, index, row), index, page_of(page), heap->stage);
    e = lookup_add(heap_pages(heap, source->window), page_of(page),
                   value_of(heap->stage, index, row));
    ASSERT(e == OK);
    heap->root->recent.slab = NULL;
    slab_enqueue(heap->root, index, row);
    return OK;
}

/* The last row takes the place of `hole`, which keeps its place of the queue. */
static void slab_move(struct heap *heap, unsigned class, uint32_t hole, uint32_t last)
{
    struct slab *to = slab_at(heap->root, class, hole);
    const struct slab *from = slab_at(heap->root, class, last);
    uint32_t queued = to->queued;

    memcpy(to, from, heap_rules[class].record);
    to->queued = queued;
    lookup_set(heap_pages(heap, heap->sources[to->stage].window), to->page,
               value_of(to->stage, class, hole));
    if (to->place != NOT_QUEUED)
        *place_at(heap->root, class, to->place) = hole;
}

enum error slab_close(struct heap *heap, unsigned index, uint32_t row)
{
    struct heap_class *class = &heap->root->classes[index];
    const struct slab *slab = slab_at(heap->root, index, row);
    const struct heap_source *source = &heap->sources[slab->stage];
    uint32_t last = rows_number(&class->slabs, class->slabs.count - 1), value;
    enum error e = source->backend->give(source->context, virt(slab->page << PAGE_SHIFT));

    if (e != OK)
        return e;
    heap->root->recent.slab = NULL;
    if (slab->place != NOT_QUEUED)
        slab_dequeue(heap->root, index, row);
    (void)lookup_remove(heap_pages(heap, source->window), slab->page, &value);
    if (row != last)
        slab_move(heap, index, row, last);
    rows_pop(&class->slabs);
    rows_trim(&class->slabs);
    find_lowest(heap->root, index);
    heap_forget(heap, source->window);
    return OK;
}
