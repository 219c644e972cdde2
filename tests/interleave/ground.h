/* SPDX-License-Identifier: MIT */
/* What scenarios stand on: allocators, words for what a CPU does with them, what may be broken. */
#ifndef PFNLAB_GROUND_H
#define PFNLAB_GROUND_H

#include <stdio.h>

/* A machine that is quickly made afresh. */
#define FAKE_PAGES UINT64_C(512)
#define FAKE_DIRECT UINT64_C(5120)
#include "tests/unit/vmap_support.h"

#include "kernel/lock.h"
#include "kernel/mm/heap.h"
#include "kernel/mm/heap_backends.h"
#include "tests/interleave/schedule.h"

#define WINDOW 64u
#define SMALL 576u                    /* frames: more than a leaf */

static struct heap heap;
static unsigned done[CPUS_MAX];       /* what each CPU got done, as its scenario counts */
static uint64_t shared;               /* an address that both have */

/* ---- words for what CPUs do ---- */

static struct page_request one_of(uint64_t count)
{
    return (struct page_request){ .areas = ALL_AREAS, .pages = count, .align = order_for(count),
                                  .max = pfn(PFN_LIMIT) };
}

static enum error take(uint64_t count, uint32_t tag, uint64_t *frame)
{
    struct page_request request = one_of(count);
    pfn_t out = pfn(0), blame;
    bool zeroed;
    enum error e = pages_alloc(&pages, &request, tag, false, &out, &zeroed, &blame);

    *frame = out.n;
    return e;
}

static enum error give(uint64_t frame, uint64_t count)
{
    uint64_t freed;
    pfn_t blame;

    return attributes_free(&attributes, pfn(frame), count, &freed, &blame);
}

static enum error window_take(uint64_t count, uint64_t *at)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMALLOC }, .attributes = MMU_DATA, .areas = ALL_AREAS,
        .max = pfn(PFN_LIMIT),
    };
    virt_t out = virt(0), blame;
    bool zeroed;
    enum error e = vmap_pages(&request, count * PAGE_SIZE, false);

    if (e == OK)
        e = vmap_alloc(&vmap, &request, &out, &zeroed, &blame);
    *at = out.a;
    return e;
}

static enum error window_give(uint64_t at)
{
    uint64_t count;
    virt_t blame;

    return vmap_free(&vmap, virt(at), VIRT_VMALLOC, false, &count, &blame);
}

static enum error object_take(uint64_t size, bool redzone, uint64_t *at)
{
    struct heap_request request = { .size = size, .align = 1, .redzone = redzone };
    virt_t out = virt(0);
    bool zeroed;
    enum error e = heap_alloc(&heap, &request, &out, &zeroed);

    *at = out.a;
    return e;
}

static enum error object_give(uint64_t at)
{
    uint64_t count;
    virt_t blame;

    return heap_free(&heap, virt(at), false, &count, &blame);
}

/* ---- before and after ---- */

static bool never(void) { return false; }
static bool always(void) { return true; }
static enum error touch(virt_t at, uint64_t size, virt_t *bad)
{
    (void)at, (void)size, (void)bad;
    lock_hold_none("touch");
    return OK;
}

static enum error copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    (void)to, (void)from, (void)size, (void)bad;
    lock_hold_none("copy");
    return OK;
}

static bool inspect(virt_t at, uint64_t size, virt_t *bad)
{
    bad->a = at.a + size;
    return true;
}

static const struct memory_hooks untouched = { always, touch, copy, touch, inspect };

static void afresh(void)
{
    static struct heap_frames frames;
    static const struct heap_source sources[HEAP_STAGES] = {
        { &heap_backend_pages, &frames, false },
    };
    struct node_source nodes;

    begin_with(SMALL, WINDOW, sizeof(table_memory));
    nodes = kpool_source(&pool);
    heap_frames_init(&frames, &attributes, phys(ADDRESS_LIMIT));
    heap_init(&heap, &nodes, sources, &untouched);
    memset(done, 0, sizeof(done));
    shared = 0;
}

static void afresh_with_caches(void)
{
    uint64_t needed;

    afresh();
    ASSERT(pages_use_caches(&pages, CPUS_MAX, &pool, &needed) == OK);
}

static uint64_t free_now(void)
{
    struct page_area_info info;
    uint64_t free = 0;

    for (unsigned i = 0; pages_area_info(&pages, i, &info); i++)
        free += info.free;
    return free;
}

static const char *broken(void)
{
    static char text[160];
    struct page_violation violation = { .text = "" };
    uint64_t changed = 0;

    if (pages_check(&pages, &violation) == OK && vmap_check(&vmap, &violation)
        && attributes_check_range(&attributes, pfn(FRAME_FIRST), SMALL, &changed, &violation)
        && attributes_check_total(&attributes, changed, &violation)
        && heap_check(&heap, never, &violation))
        return NULL;
    snprintf(text, sizeof(text), "invariant %u: %s", violation.invariant, violation.text);
    return text;
}

static inline const char *broken_or_lost(void)
{
    const char *wrong = broken();

    if (wrong != NULL)
        return wrong;
    return free_now() == SMALL ? NULL : "pages are missing";
}

#endif
