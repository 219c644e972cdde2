/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support.h"

#include "tests/unit/heap_support.h"

#define RED 0xa7

struct arena arenas[HEAP_STAGES];
struct kpool heap_pool;
struct heap heap;
bool there_is_memory, reachable;
uint64_t takes_until_failure, arena_runs;

static unsigned char *pool_memory;

static bool fails(void)
{
    return takes_until_failure > 0 && --takes_until_failure == 0;
}

static void *node_take(void *context)
{
    return fails() ? NULL : kpool_take(context);
}

static void node_give(void *context, void *page)
{
    memset(page, 0x5a, PAGE_SIZE);
    kpool_give(context, page);
}

/* ---- backends ---- */

static bool all_free(const struct arena *arena, uint64_t first, uint64_t pages)
{
    for (uint64_t i = first; i < first + pages; i++)
        if (arena->busy[i])
            return false;
    return true;
}

static enum error arena_take(void *context, uint64_t size, uint64_t align, uint32_t tag,
                             virt_t *out)
{
    struct arena *arena = context;
    uint64_t pages = size >> PAGE_SHIFT;

    assert_true(pages > 0 && is_aligned(size, PAGE_SIZE) && align >= PAGE_SIZE);
    if (fails())
        return E_MEM_INJECTED;
    for (uint64_t i = 0; pages <= ARENA_PAGES && i <= ARENA_PAGES - pages; i++) {
        if (!is_aligned(arena->base + (i << PAGE_SHIFT), align) || !all_free(arena, i, pages))
            continue;
        memset(arena->busy + i, true, pages);
        memset(arena->memory + (i << PAGE_SHIFT), 0xcc, size);
        arena->blocks[i] = (uint32_t)pages;
        arena->tags[i] = tag;
        *out = virt(arena->base + (i << PAGE_SHIFT));
        return OK;
    }
    return E_MEM_NONE;
}

static enum error arena_find(void *context, virt_t at, struct heap_block *block)
{
    const struct arena *arena = context;
    uint64_t i = (at.a - arena->base) >> PAGE_SHIFT;

    if (at.a < arena->base || i >= ARENA_PAGES)
        return E_MEM_UNMANAGED;
    if (!arena->busy[i])
        return E_MEM_FREE;
    while (arena->blocks[i] == 0)
        i--;
    *block = (struct heap_block){
        virt(arena->base + (i << PAGE_SHIFT)), (uint64_t)arena->blocks[i] << PAGE_SHIFT,
        arena->tags[i],
    };
    return OK;
}

static uint64_t arena_run(void *context, virt_t at, struct heap_block *block)
{
    const struct arena *arena = context;
    const uint64_t end = arena->base + (ARENA_PAGES << PAGE_SHIFT);
    uint64_t next = at.a < arena->base ? arena->base : align_down(at.a, PAGE_SIZE) + PAGE_SIZE;

    arena_runs++;
    block->size = 0;
    if (at.a >= end)
        return 0;
    if (arena_find(context, at, block) == OK)
        next = block->first.a + block->size;
    return next - at.a;
}

static enum error arena_grow(void *context, virt_t first, uint64_t size)
{
    struct arena *arena = context;
    uint64_t i = (first.a - arena->base) >> PAGE_SHIFT, pages = size >> PAGE_SHIFT;
    uint64_t had = arena->blocks[i];

    assert_true(had > 0 && pages > had && is_aligned(size, PAGE_SIZE));
    if (pages > ARENA_PAGES - i || !all_free(arena, i + had, pages - had))
        return E_MEM_NONE;
    if (fails())
        return E_MEM_INJECTED;
    memset(arena->busy + i + had, true, pages - had);
    memset(arena->memory + ((i + had) << PAGE_SHIFT), 0xcc, (pages - had) << PAGE_SHIFT);
    arena->blocks[i] = (uint32_t)pages;
    return OK;
}

static enum error arena_shrink(void *context, virt_t first, uint64_t size)
{
    struct arena *arena = context;
    uint64_t i = (first.a - arena->base) >> PAGE_SHIFT, left = size >> PAGE_SHIFT;

    if (arena->give_error != OK)
        return arena->give_error;
    assert_true(arena->blocks[i] > left);
    memset(arena->busy + i + left, false, arena->blocks[i] - left);
    arena->blocks[i] = (uint32_t)left;
    return OK;
}

static enum error arena_give(void *context, virt_t first)
{
    struct arena *arena = context;
    uint64_t i = (first.a - arena->base) >> PAGE_SHIFT;

    assert_true(arena->blocks[i] > 0);
    return arena_shrink(context, first, 0);
}

static const struct heap_backend backend = {
    arena_take, arena_give, arena_grow, arena_shrink, arena_find, arena_run,
};

/* ---- memory ---- */

unsigned char *arena_byte(virt_t at)
{
    for (unsigned i = 0; i < HEAP_STAGES; i++)
        if (at.a - arenas[i].base < ARENA_PAGES << PAGE_SHIFT)
            return arenas[i].memory + (at.a - arenas[i].base);
    return NULL;
}

static bool is_there(void)
{
    return there_is_memory;
}

static enum error touch(virt_t at, virt_t *bad)
{
    lock_hold_none("touch");
    *bad = at;
    if (!there_is_memory)
        return E_CALL_UNSUPPORTED;
    return reachable ? OK : E_FAULT_PROTECTION;
}

static enum error zero(virt_t at, uint64_t size, virt_t *bad)
{
    enum error e = touch(at, bad);

    if (e == OK)
        memset(arena_byte(at), 0, size);
    return e;
}

static enum error copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    enum error e = touch(to, bad);

    if (e == OK)
        memcpy(arena_byte(to), arena_byte(from), size);
    return e;
}

static enum error stamp(virt_t at, uint64_t size, virt_t *bad)
{
    enum error e = touch(at, bad);

    if (e == OK)
        memset(arena_byte(at), RED, size);
    return e;
}

static bool inspect(virt_t at, uint64_t size, virt_t *bad)
{
    for (uint64_t i = 0; i < size; i++) {
        if (*arena_byte(virt(at.a + i)) != RED) {
            *bad = virt(at.a + i);
            return false;
        }
    }
    return true;
}

static const struct memory_hooks memory = { is_there, zero, copy, stamp, inspect };

/* ---- beginning and end ---- */

int heap_open(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < HEAP_STAGES; i++)
        arenas[i].memory = malloc(ARENA_PAGES << PAGE_SHIFT);
    pool_memory = aligned_alloc(PAGE_SIZE, POOL_PAGES << PAGE_SHIFT);
    return pool_memory == NULL;
}

int heap_close(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < HEAP_STAGES; i++)
        free(arenas[i].memory);
    free(pool_memory);
    return 0;
}

int heap_begin(void **unused)
{
    struct heap_source sources[HEAP_STAGES];
    const struct node_source nodes = { &heap_pool, node_take, node_give };

    (void)unused;
    for (unsigned i = 0; i < HEAP_STAGES; i++) {
        unsigned char *bytes = arenas[i].memory;

        arenas[i] = (struct arena){ .base = ARENA_BASE(4 * i), .memory = bytes };
        sources[i] = (struct heap_source){ &backend, &arenas[i], i == 2 };
    }
    kpool_init(&heap_pool, pool_memory, POOL_PAGES);
    heap_init(&heap, &nodes, sources, &memory);
    there_is_memory = reachable = true;
    takes_until_failure = 0;
    return 0;
}

uint64_t arenas_used(void)
{
    uint64_t used = 0;

    for (unsigned i = 0; i < HEAP_STAGES; i++)
        for (unsigned page = 0; page < ARENA_PAGES; page++)
            used += arenas[i].busy[page];
    return used;
}

/* ---- short words ---- */

uint64_t heap_get(uint64_t size, uint64_t align, uint32_t tag, enum error *e)
{
    const struct heap_request request = { .size = size, .align = align, .tag = tag };
    virt_t out = virt(0);
    bool zeroed;

    *e = heap_alloc(&heap, &request, &out, &zeroed);
    assert_true(*e == OK ? out.a != 0 : true);
    return *e == OK ? out.a : 0;
}

uint64_t must_get(uint64_t size)
{
    enum error e;
    uint64_t at = heap_get(size, 1, 7, &e);

    assert_int_equal(e, OK);
    return at;
}

enum error heap_put(uint64_t at)
{
    uint64_t pages;
    virt_t blame;

    return heap_free(&heap, virt(at), false, &pages, &blame);
}

enum error heap_move(uint64_t at, uint64_t size, uint64_t *out)
{
    virt_t where = virt(0), blame;
    bool copied;
    enum error e = heap_realloc(&heap, virt(at), size, &where, &copied, &blame);

    *out = where.a;
    return e;
}

bool heap_goes_on(void)
{
    return false;
}

bool heap_next(virt_t from, struct heap_object *object)
{
    struct heap_walk walk;

    heap_walk_begin(&walk, &heap, from, heap_goes_on);
    return heap_walk_next(&walk, object);
}

void heap_assert_whole(void)
{
    struct page_violation violation = { .text = "" };

    if (!heap_check(&heap, heap_goes_on, &violation))
        fail_msg("invariant %u at page %#llx: %s", violation.invariant,
                 (unsigned long long)violation.at.n, violation.text);
}
