/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "tests/fuzz/ops_heap.h"

struct page pages[HEAP_STAGES][ROOM];

static unsigned until_refusal;        /* attempts; 0: none is refused */
static bool refused;

void refuse_nth(unsigned n)
{
    until_refusal = n;
    refused = false;
}

bool was_refused(void) { return refused; }

bool refuses(void)
{
    bool now = until_refusal > 0 && --until_refusal == 0;

    refused |= now;
    return now;
}

static unsigned stage_of(const void *context)
{
    return (unsigned)((const struct page(*)[ROOM])context - pages);
}

uint64_t lowest_pages(const struct page *of, uint64_t n, uint64_t align)
{
    uint64_t base = BASE(stage_of(of)), run;

    for (uint64_t first = 0; first + n <= ROOM && n <= ROOM; first++) {
        if (!is_aligned(base + (first << PAGE_SHIFT), align))
            continue;
        for (run = 0; run < n && of[first + run].block == 0;)
            run++;
        if (run == n)
            return first;
    }
    return ROOM;
}

/* What a page held before says nothing: an input does the same whatever ran before. */
static void page_comes(struct page *of, uint64_t i, uint64_t first, uint32_t tag)
{
    of[i] = (struct page){ .block = (uint16_t)(first + 1), .tag = tag };
    memset(byte_at(BASE(stage_of(of)) + (i << PAGE_SHIFT)), JUNK, PAGE_SIZE);
}

static enum error backend_take(void *context, uint64_t size, uint64_t align, uint32_t tag,
                               virt_t *out)
{
    struct page *of = context;
    uint64_t base = BASE(stage_of(context)), n = size >> PAGE_SHIFT, first;

    if (refuses())
        return E_MEM_INJECTED;
    first = lowest_pages(of, n, align);
    if (first == ROOM)
        return E_MEM_NONE;
    for (uint64_t i = first; i < first + n; i++)
        page_comes(of, i, first, tag);
    *out = (virt_t){ base + (first << PAGE_SHIFT) };
    return OK;
}

uint64_t pages_behind(const struct page *of, uint64_t first)
{
    uint64_t end = first, limit;

    while (end < ROOM && of[end].block == first + 1)
        end++;
    for (limit = end; limit < ROOM && of[limit].block == 0;)
        limit++;
    return limit - end;
}

static enum error backend_grow(void *context, virt_t first, uint64_t size)
{
    struct page *of = context;
    uint64_t at = (first.a - BASE(stage_of(context))) >> PAGE_SHIFT, limit = at;

    if (refuses())
        return E_MEM_INJECTED;
    while (limit < ROOM && of[limit].block == at + 1)
        limit++;
    if (size >> PAGE_SHIFT > limit - at + pages_behind(of, at))
        return E_MEM_NONE;
    for (; limit < at + (size >> PAGE_SHIFT); limit++)
        page_comes(of, limit, at, of[at].tag);
    return OK;
}

static enum error backend_shrink(void *context, virt_t first, uint64_t size)
{
    struct page *of = context;
    uint64_t at = (first.a - BASE(stage_of(context))) >> PAGE_SHIFT, block = at + 1;

    for (at += size >> PAGE_SHIFT; at < ROOM && of[at].block == block; at++)
        of[at] = (struct page){ .block = 0 };
    return OK;
}

static enum error backend_give(void *context, virt_t first)
{
    return backend_shrink(context, first, 0);
}

static enum error backend_find(void *context, virt_t at, struct heap_block *block)
{
    const struct page *of = context;
    uint64_t base = BASE(stage_of(context)), page = (at.a - base) >> PAGE_SHIFT, first;

    if (at.a < base || page >= ROOM)
        return E_MEM_UNMANAGED;
    if (of[page].block == 0)
        return E_MEM_FREE;
    first = of[page].block - 1u;
    while (page < ROOM && of[page].block == first + 1)
        page++;
    *block = (struct heap_block){
        { base + (first << PAGE_SHIFT) }, (page - first) << PAGE_SHIFT, of[first].tag,
    };
    return OK;
}

static uint64_t backend_run(void *context, virt_t at, struct heap_block *block)
{
    uint64_t base = BASE(stage_of(context)), next = align_down(at.a, PAGE_SIZE) + PAGE_SIZE;

    block->size = 0;
    if (at.a >= base + (ROOM << PAGE_SHIFT))
        return 0;
    if (at.a < base)
        next = base;
    else if (backend_find(context, at, block) == OK)
        next = block->first.a + block->size;
    return next - at.a;
}

const struct heap_backend heap_pages = {
    backend_take, backend_give, backend_grow, backend_shrink, backend_find, backend_run,
};
