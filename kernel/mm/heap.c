/* SPDX-License-Identifier: MIT */
#include "kernel/mm/heap_parts.h"

/* What is seldom wanted, kept out of the way of what is. */
#define NOINLINE __attribute__((noinline))

void heap_init(struct heap *heap, const struct node_source *nodes,
               const struct heap_source sources[HEAP_STAGES], const struct memory_hooks *memory)
{
    *heap = (struct heap){ .lock = LOCK_INIT(LOCK_HEAP), .nodes = *nodes, .memory = memory };
    for (unsigned i = 0; i < HEAP_STAGES; i++)
        heap->sources[i] = sources[i];
}

void heap_advance(struct heap *heap, unsigned stage)
{
    ASSERT(stage >= heap->stage && stage < HEAP_STAGES);
    heap->stage = stage;
    for (unsigned class = 0; heap->root != NULL && class < HEAP_CLASSES; class++)
        while (heap->root->classes[class].waiting > 0)
            slab_dequeue(heap->root, class, heap->root->classes[class].lowest_row);
}

/* ---- classes ---- */

/* By the size in units of 16 bytes, rounded up. */
static const uint8_t class_by_size[HEAP_SMALL / 16 + 1] = {
    [0 ... 1] = 0, [2] = 1, [3] = 2, [4] = 3, [5 ... 6] = 4, [7 ... 8] = 5, [9 ... 12] = 6,
    [13 ... 16] = 7, [17 ... 24] = 8, [25 ... 32] = 9, [33 ... 48] = 10, [49 ... 64] = 11,
    [65 ... 84] = 12, [85 ... 128] = 13,
};

unsigned class_for(uint64_t size, uint64_t align)
{
    unsigned class;

    if (size > HEAP_SMALL)
        return HEAP_LARGE;
    class = class_by_size[(size + 15) / 16];
    while (class < HEAP_LARGE && !is_aligned(heap_rules[class].size, align))
        class++;
    return class;
}

/* ---- objects come ---- */

/* The lowest free slot of the first slab of the queue, which is not empty and may be full then. */
static inline virt_t slot_take(struct heap_root *root, unsigned index, uint32_t tag)
{
    const struct heap_class_rule *rule = &heap_rules[index];
    const struct heap_class *class = &root->classes[index];
    struct slab *slab = class->lowest;
    unsigned word = 0, slot;

    while (slab->free[word] == 0)
        word++;
    slot = word * 64 + bit_lowest(slab->free[word]);
    slab->free[word] &= slab->free[word] - 1;
    slab_tags(slab, index)[slot] = tag;
    root->recent = (struct heap_recent){ slab, class->lowest_row, index };
    slab->used++;
    return virt((slab->page << PAGE_SHIFT) + slot * rule->size);
}

static enum error slot_alloc(struct heap *heap, unsigned class, uint32_t tag, virt_t *out)
{
    enum error e = OK;

    if (heap->root == NULL || heap->root->classes[class].lowest == NULL)
        e = slab_open(heap, class);
    if (e != OK)
        return e;
    *out = slot_take(heap->root, class, tag);
    if (heap->root->recent.slab->used == heap_rules[class].slots)
        slab_dequeue(heap->root, class, heap->root->recent.row);
    return OK;
}

static enum error block_alloc(struct heap *heap, const struct heap_request *request, uint64_t size,
                              virt_t *out)
{
    const struct heap_source *source = &heap->sources[heap->stage];
    uint64_t align = request->align > PAGE_SIZE ? request->align : PAGE_SIZE;
    enum error e;

    if (size > UINT64_MAX - PAGE_SIZE)
        return E_MEM_NONE;
    e = heap_make_room(heap);
    if (e != OK)
        return e;
    e = source->backend->take(source->context, align_up(size, PAGE_SIZE), align, request->tag, out);
    if (e != OK) {
        heap_trim(heap);
        return e;
    }
    e = lookup_add(heap_pages(heap, source->window), page_of(*out),
                   value_of(heap->stage, HEAP_LARGE, 0));
    ASSERT(e == OK);
    heap->root->recent.slab = NULL;
    return OK;
}

static enum error request_check(const struct heap_request *request)
{
    if (request->size == 0 || request->align > HEAP_ALIGN_MAX)
        return E_CALL_RANGE;
    return is_power_of_two(request->align) ? OK : E_CALL_ALIGN;
}

enum error object_alloc(struct heap *heap, const struct heap_request *request, uint64_t size,
                               virt_t *out)
{
    unsigned class = class_for(size, request->align);

    return class == HEAP_LARGE ? block_alloc(heap, request, size, out)
                               : slot_alloc(heap, class, request->tag, out);
}

static NOINLINE enum error alloc_slowly(struct heap *heap, const struct heap_request *request,
                                        virt_t *out)
{
    enum error e = request_check(request);

    if (e != OK)
        return e;
    return request->redzone ? zoned_alloc(heap, request, out)
                            : object_alloc(heap, request, request->size, out);
}

enum error alloc_locked(struct heap *heap, const struct heap_request *request, virt_t *out)
{
    struct heap_root *root = heap->root;
    const struct slab *slab;
    unsigned class;

    /* What most requests are: small, of a slab that there is and stays, and no more than that. */
    if (root == NULL || request->size - 1 >= HEAP_SMALL || request->align != 1
        || request->redzone)
        return alloc_slowly(heap, request, out);
    class = class_by_size[(request->size + 15) / 16];
    slab = root->classes[class].lowest;
    if (slab == NULL || slab->used + 1u == heap_rules[class].slots)
        return alloc_slowly(heap, request, out);
    *out = slot_take(root, class, request->tag);
    return OK;
}

/*
 * Without the lock, zero an object that was just allocated and write its red zone; or take it back:
 * then *at is what cannot be written.
 */
static enum error object_fill(struct heap *heap, const struct heap_request *request,
                              uint32_t zone, virt_t *at, bool *zeroed)
{
    enum error e = OK, undone;
    virt_t bad, unused;
    uint64_t pages;

    *zeroed = !request->zero || heap->memory->is_there();
    if (request->zero && *zeroed)
        e = heap->memory->zero(*at, request->size, &bad);
    if (e == OK && zone != 0)
        e = heap->memory->stamp(virt(at->a + request->size), zone, &bad);
    if (e == OK)
        return OK;
    /* What an allocation took of the records suffices to undo it. */
    undone = heap_free(heap, *at, true, &pages, &unused);
    ASSERT(undone == OK);
    *at = bad;
    return e;
}

enum error heap_alloc(struct heap *heap, const struct heap_request *request, virt_t *out,
                      bool *zeroed)
{
    uint32_t zone = 0;
    enum error e;

    lock_take(&heap->lock);
    e = alloc_locked(heap, request, out);
    if (e == OK && request->redzone)
        zone = zone_size(heap, *out);
    lock_release(&heap->lock);
    *zeroed = e == OK;
    return e == OK && (request->zero || zone != 0) ? object_fill(heap, request, zone, out, zeroed)
                                                   : e;
}

/* ---- objects are found ---- */

/* What is at an address where no page is the heap's, but for later pages of a block. */
static NOINLINE enum error blame(const struct heap *heap, virt_t at)
{
    for (unsigned i = heap->stage + 1; i-- > 0;) {
        const struct heap_source *source = &heap->sources[i];
        struct heap_block block;
        enum error e = source->backend->find(source->context, at, &block);
        uint32_t value;

        if (e == OK)
            return page_find(heap, source->window, page_of(block.first), &value) ? E_MEM_INSIDE
                                                                                : E_MEM_KIND;
        if (e != E_MEM_UNMANAGED)
            return e;
    }
    return E_MEM_UNMANAGED;
}

/* The slab or the block that a page is; false: neither. */
static NOINLINE bool spot_look_up(const struct heap *heap, virt_t at, struct spot *spot)
{
    uint32_t value;

    if (!heap_look_up(heap, page_of(at), &value))
        return false;
    *spot = (struct spot){
        .class = value_class(value), .stage = value_stage(value), .row = value_row(value),
    };
    if (spot->class == HEAP_LARGE)
        return true;
    spot->slab = slab_at(heap->root, spot->class, spot->row);
    heap->root->recent = (struct heap_recent){ spot->slab, spot->row, spot->class };
    return true;
}

/* The slab found last, if `at` is in it. */
static inline bool spot_recent(const struct heap *heap, virt_t at, struct spot *spot)
{
    const struct heap_recent *recent;

    if (heap->root == NULL)
        return false;
    recent = &heap->root->recent;
    if (recent->slab == NULL || recent->slab->page != page_of(at))
        return false;
    spot->class = recent->class;
    spot->stage = recent->slab->stage;
    spot->row = recent->row;
    spot->slab = recent->slab;
    return true;
}

enum error spot_find(const struct heap *heap, virt_t at, struct spot *spot)
{
    const struct heap_class_rule *rule;
    unsigned offset = (unsigned)(at.a & (PAGE_SIZE - 1));

    if (!spot_recent(heap, at, spot) && !spot_look_up(heap, at, spot))
        return blame(heap, at);
    if (spot->slab == NULL)
        return offset == 0 ? OK : E_MEM_INSIDE;
    rule = &heap_rules[spot->class];
    spot->slot = offset / rule->size;
    if (spot->slot >= rule->slots)
        return E_MEM_INSIDE;
    if (slot_is_free(spot->slab, spot->slot))
        return E_MEM_FREE;
    return spot->slot * rule->size == offset ? OK : E_MEM_INSIDE;
}

struct heap_block spot_block(const struct heap *heap, virt_t at, const struct spot *spot)
{
    const struct heap_source *source = &heap->sources[spot->stage];
    struct heap_block block = { .first = at };
    enum error e;

    if (spot->slab != NULL) {
        block.size = heap_rules[spot->class].size;
        block.tag = slab_tags(spot->slab, spot->class)[spot->slot];
        return block;
    }
    e = source->backend->find(source->context, at, &block);
    ASSERT(e == OK && block.first.a == at.a);
    return block;
}

/* ---- objects go ---- */

static enum error block_free(struct heap *heap, virt_t at, const struct spot *spot,
                             uint64_t *pages)
{
    const struct heap_source *source = &heap->sources[spot->stage];
    uint64_t size = spot_block(heap, at, spot).size;
    enum error e = source->backend->give(source->context, at);
    uint32_t value;

    if (e != OK)
        return e;
    (void)lookup_remove(heap_pages(heap, source->window), page_of(at), &value);
    *pages = size >> PAGE_SHIFT;
    heap_forget(heap, source->window);
    return OK;
}

static inline enum error slot_free(struct heap *heap, const struct spot *spot, uint64_t *pages)
{
    struct slab *slab = spot->slab;

    *pages = slab->used == 1;
    if (slab->used == 1)
        return slab_close(heap, spot->class, spot->row);
    bitmap_set(slab->free, spot->slot);
    if (slab->used-- == heap_rules[spot->class].slots && slab->stage == heap->stage)
        slab_enqueue(heap->root, spot->class, spot->row);
    return OK;
}

enum error object_free(struct heap *heap, virt_t at, const struct spot *spot, uint64_t *pages)
{
    return spot->slab == NULL ? block_free(heap, at, spot, pages) : slot_free(heap, spot, pages);
}

static NOINLINE enum error free_slowly(struct heap *heap, virt_t at, bool force, uint64_t *pages,
                                       virt_t *blame)
{
    struct spot spot;
    enum error e = spot_find(heap, at, &spot);

    if (e == OK && !force)
        e = zone_inspect(heap, at, &spot, blame);
    if (e == OK)
        e = object_free(heap, at, &spot, pages);
    if (e == OK && zones_there(heap))
        zone_remove(heap, at);
    return e;
}

/* What most frees are: of an object of the slab that served last, not full and not to be empty. */
static inline bool free_quickly(const struct heap *heap, virt_t at)
{
    const struct heap_recent *recent = &heap->root->recent;
    const unsigned offset = (unsigned)(at.a & (PAGE_SIZE - 1));
    const struct heap_class_rule *rule = &heap_rules[recent->class];
    const unsigned slot = offset / rule->size;
    struct slab *slab = recent->slab;

    if (slab == NULL || slab->page != page_of(at) || slot >= rule->slots
        || slot * rule->size != offset || slot_is_free(slab, slot) || slab->used == 1
        || slab->used == rule->slots || heap->root->zoned > 0)
        return false;
    bitmap_set(slab->free, slot);
    slab->used--;
    return true;
}

enum error free_locked(struct heap *heap, virt_t at, bool force, uint64_t *pages, virt_t *blame)
{
    *blame = at;
    *pages = 0;
    if (heap->root != NULL && free_quickly(heap, at))
        return OK;
    return free_slowly(heap, at, force, pages, blame);
}

enum error heap_free(struct heap *heap, virt_t at, bool force, uint64_t *pages, virt_t *blame)
{
    enum error e;

    lock_take(&heap->lock);
    e = free_locked(heap, at, force, pages, blame);
    lock_release(&heap->lock);
    return e;
}
