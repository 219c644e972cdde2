/* SPDX-License-Identifier: MIT */
/*
 * The whole virtual layer on the real page engine and a machine that is arrays: 64 MiB of frames
 * from 16 MiB on. There is memory behind the first of them, and behind a few more, which only the
 * window reaches.
 */
#ifndef PFNLAB_UNIT_VMAP_SUPPORT_H
#define PFNLAB_UNIT_VMAP_SUPPORT_H

#include "tests/unit/fake_mmu.h"

#include "kernel/mm/attributes.h"
#include "kernel/mm/page.h"
#include "kernel/mm/tables.h"
#include "kernel/mm/vmap.h"
#include "kernel/mm/zone.h"

#define P PAGE_SIZE
#define FRAMES 16384u
#define FRAME_FIRST 4096u
#define REAL 2048u                    /* so many have memory */

#define FAR_OFFSET (REAL * PAGE_SIZE)   /* what lies there has an address in the window only */
static unsigned char memory[REAL * PAGE_SIZE];
static unsigned char far_memory[16 * PAGE_SIZE];
static unsigned char pool_memory[512 * PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned char table_memory[64 * TABLE_UNIT] __attribute__((aligned(16384)));
static struct kpool pool;
static struct tables tables;
static struct pages pages;
static struct attributes attributes;
static struct vmap vmap;
static struct fail fail_plan;
static bool fresh_frames;             /* they are when it begins */

static void *pointer(phys_t start, uint64_t size)
{
    uint64_t offset = start.a - FRAME_FIRST * P;

    return start.a >= FRAME_FIRST * P && offset + size <= sizeof(memory) ? memory + offset : NULL;
}

static enum error zero(pfn_t first, uint64_t count)
{
    void *at = pointer(pfn_phys(first), count * P);

    if (at == NULL)
        return E_CALL_UNSUPPORTED;
    memset(at, 0, count * P);
    return OK;
}

/* ---- what is behind addresses of the window, by the tables ---- */

static unsigned char *byte_at(uint64_t at)
{
    struct mmu_mapping mapping;
    uint64_t offset;

    if (!fake_query(virt(at), &mapping))
        return NULL;
    offset = mapping.phys.a + (at - mapping.unit.a) - FRAME_FIRST * P;
    return offset < sizeof(memory) ? memory + offset
        : offset - FAR_OFFSET < sizeof(far_memory) ? far_memory + (offset - FAR_OFFSET) : NULL;
}

static bool window_is_there(void) { return true; }

/* Byte by byte: 0, or the pattern. */
static enum error write_bytes(virt_t at, uint64_t size, bool pattern, virt_t *bad)
{
    struct mmu_mapping mapping;

    for (*bad = at; size > 0; bad->a++, size--) {
        if (byte_at(bad->a) == NULL || !fake_query(*bad, &mapping))
            return E_FAULT_ADDRESS;
        if ((mapping.attributes & MMU_READ_ONLY) != 0)
            return E_FAULT_PROTECTION;
        *byte_at(bad->a) = pattern ? zone_byte(bad->a) : 0;
    }
    return OK;
}

static enum error window_zero(virt_t at, uint64_t size, virt_t *bad)
{
    return write_bytes(at, size, false, bad);
}

static enum error window_stamp(virt_t at, uint64_t size, virt_t *bad)
{
    return write_bytes(at, size, true, bad);
}

static enum error window_copy(virt_t to, virt_t from, uint64_t size, virt_t *bad)
{
    (void)to, (void)from, (void)size, (void)bad;
    return E_CALL_UNSUPPORTED;
}

static bool window_inspect(virt_t at, uint64_t size, virt_t *bad)
{
    for (*bad = at; size > 0; bad->a++, size--)
        if (byte_at(bad->a) == NULL || *byte_at(bad->a) != zone_byte(bad->a))
            return false;
    return true;
}

static const struct memory_hooks hooks_of_memory = {
    window_is_there, window_zero, window_copy, window_stamp, window_inspect,
};

static unsigned questions, stops_at;  /* the question that is answered with yes; 0: none */

static bool stopped(void)
{
    return ++questions == stops_at;
}

static void *take_table(void *context, uint64_t size) { return tables_take(context, size); }
static void give_table(void *context, void *table, uint64_t size)
{
    tables_give(context, table, size);
}
static bool owns_table(void *context, const void *table) { return tables_owns(context, table); }

static void begin_with(uint64_t frames, uint64_t window_pages, uint64_t table_size)
{
    const struct page_range range = { pfn(FRAME_FIRST), frames, fresh_frames };
    const struct area_limit areas[] = {
        { "low", { FRAME_FIRST + REAL } }, { "high", { PFN_LIMIT } },
    };
    const struct page_map map = { &range, 1, areas, 2 };
    const struct pages_hooks hooks = { .zero = zero, .stopped = stopped };
    const uint8_t low_first[] = { 0, 1 };
    const struct table_source source = { &tables, take_table, give_table, owns_table };
    struct node_source nodes;
    uint64_t needed;

    kpool_init(&pool, pool_memory, 512);
    nodes = kpool_source(&pool);
    tables_init(&tables, table_memory, table_size);
    assert_int_equal(pages_init(&pages, &page_engine_tree, &map, true, &pool, &hooks, &needed), OK);
    assert_int_equal(pages.engine->set_scan_order(pages.state, low_first, 2), OK);
    fake_mmu.set_tables(&source);
    attributes_init(&attributes, &fake_mmu, &pages);
    vmap_init(&vmap, &fake_mmu, virt(FAKE_FIRST), virt(FAKE_FIRST + window_pages * P), &nodes,
              &pages, &hooks_of_memory);
    pages.fail = tables.fail = pool.fail = &fail_plan;
    fail_end(&fail_plan);
}

static inline int begin(void **unused)
{
    (void)unused;
    begin_with(FRAMES, FAKE_PAGES, sizeof(table_memory));
    return 0;
}

static inline void assert_whole(void)
{
    struct page_violation violation = { .text = "" };
    uint64_t at, changed = 0;
    unsigned invariant;

    if (pages_check(&pages, &violation) != OK || !vmap_check(&vmap, &violation)
        || !attributes_check_range(&attributes, pfn(FRAME_FIRST), FRAMES, &changed, &violation)
        || !attributes_check_total(&attributes, changed, &violation))
        fail_msg("invariant %u at %llx: %s", violation.invariant,
                 (unsigned long long)violation.at.n, violation.text);
    if (!tables_check(&tables, &invariant, &at))
        fail_msg("invariant %u at %u", invariant, (unsigned)at);
    assert_int_equal(tables.used, fake_bytes);
}

static inline void assert_broken(unsigned invariant)
{
    struct page_violation violation = { .invariant = 0 };

    assert_false(vmap_check(&vmap, &violation));
    assert_int_equal(violation.invariant, invariant);
}

static inline uint64_t free_frames(void)
{
    struct page_area_info info;
    uint64_t free = 0;

    for (unsigned i = 0; pages.engine->area_info(pages.state, i, &info); i++)
        free += info.free;
    return free;
}

/* All that can be taken: equal before and after what is undone. */
struct left {
    uint64_t frames, pool, tables, window;
};

static inline struct left left(void)
{
    return (struct left){ free_frames(), pool.used, tables.used, vmap.virt.used };
}

static inline void assert_left(struct left before)
{
    struct left now = left();

    assert_int_equal(now.frames, before.frames);
    assert_int_equal(now.pool, before.pool);
    assert_int_equal(now.tables, before.tables);
    assert_int_equal(now.window, before.window);
    assert_whole();
}

static inline enum error vmalloc(uint64_t size, bool redzone, unsigned guards, uint64_t *out)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMALLOC, .tag = 7, .front = guards, .back = guards },
        .attributes = MMU_DATA, .areas = ALL_AREAS, .max = pfn(PFN_LIMIT),
    };
    virt_t at, blame;
    bool zeroed;
    enum error e = vmap_pages(&request, size, redzone);

    if (e == OK)
        e = vmap_alloc(&vmap, &request, &at, &zeroed, &blame);
    *out = e == OK ? at.a : 0;
    return e;
}

static inline enum error vfree(uint64_t at)
{
    virt_t blame;
    uint64_t n;

    return vmap_free(&vmap, virt(at), VIRT_VMALLOC, false, &n, &blame);
}

static inline enum error map(uint64_t physical, uint64_t size, unsigned wanted, uint64_t *out)
{
    struct vmap_request request = { .place = { .kind = VIRT_VMAP }, .attributes = wanted };
    virt_t at, blame;
    enum error e = vmap_pages(&request, size, false);

    if (e == OK)
        e = vmap_map(&vmap, &request, phys(physical), &at, &blame);
    *out = e == OK ? at.a : 0;
    return e;
}

/* The frame behind an address of the window. */
static inline uint64_t frame_at(uint64_t at)
{
    struct mmu_mapping mapping;

    assert_true(fake_query(virt(at), &mapping));
    return mapping.phys.a >> PAGE_SHIFT;
}

#endif
