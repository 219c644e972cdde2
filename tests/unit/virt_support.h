/* SPDX-License-Identifier: MIT */
/* A window of 1 GiB at 1 TiB, and a pool for its records, of which a test may leave none. */
#ifndef PFNLAB_UNIT_VIRT_SUPPORT_H
#define PFNLAB_UNIT_VIRT_SUPPORT_H

#include "tests/unit/support.h"

#include "kernel/mm/kpool.h"
#include "kernel/mm/virt.h"

#define P PAGE_SIZE
#define FIRST (UINT64_C(1) << 40)
#define WINDOW_PAGES (UINT64_C(1) << 18)

static unsigned char pool_memory[256 * PAGE_SIZE] __attribute__((aligned(4096)));
static struct kpool pool;
static struct virt window;

static inline void open_window(uint64_t first, uint64_t pages, uint64_t pool_pages)
{
    struct node_source nodes;

    kpool_init(&pool, pool_memory, pool_pages);
    nodes = kpool_source(&pool);
    virt_init(&window, virt(first), virt(first + pages * P), &nodes);
}

static inline int begin(void **unused)
{
    (void)unused;
    open_window(FIRST, WINDOW_PAGES, 256);
    return 0;
}

static inline void assert_whole(void)
{
    struct page_violation violation = { .text = "" };

    if (!virt_check(&window, &violation))
        fail_msg("invariant %u: %s", violation.invariant, violation.text);
}

/* A request for `pages`, the rest by name: take(.pages = 3, .front = 1). */
#define take(...) take_request((struct virt_request){ __VA_ARGS__ })
static inline uint64_t take_request(struct virt_request request)
{
    virt_t out = virt(0), blame;

    assert_int_equal(virt_alloc(&window, &request, &out, &blame), OK);
    return out.a;
}

#define refused(error, at, ...) refuse_request(error, at, (struct virt_request){ __VA_ARGS__ })
static inline void refuse_request(enum error e, uint64_t at, struct virt_request request)
{
    virt_t out = virt(1), blame = virt(1);
    uint64_t used = window.used;

    assert_int_equal(virt_alloc(&window, &request, &out, &blame), e);
    assert_int_equal(blame.a, at);
    assert_int_equal(out.a, 1);
    assert_int_equal(window.used, used);
}

static inline void drop(uint64_t at)
{
    const struct virt_range *range = NULL;
    enum error e = OK;

    for (unsigned kind = VIRT_VMALLOC; kind <= VIRT_PAGES; kind++)
        if ((e = virt_find(&window, virt(at), kind, &range)) != E_MEM_KIND)
            break;
    assert_int_equal(e, OK);
    virt_free(&window, range);
}

static inline enum error find(uint64_t at, enum virt_kind kind)
{
    const struct virt_range *range;

    return virt_find(&window, virt(at), kind, &range);
}

#endif
