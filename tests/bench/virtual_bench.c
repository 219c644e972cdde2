/* SPDX-License-Identifier: MIT */
/*
 * The virtual layer and malloc, on the page engine and the walker with the tables of x86_64:
 * virtual_bench prepares, then runs a workload whose instructions callgrind counts. Says how many
 * operations that were, bytes of tables and frames in use afterwards, and how often translations
 * were dropped, as a PC does it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/common/space.h"
#include "arch/x86/pte.h"
#include "kernel/mm/attributes.h"
#include "kernel/mm/heap_backends.h"
#include "kernel/mm/page.h"
#include "kernel/mm/tables.h"
#include "kernel/mm/vmap.h"

#define ROUNDS 10000u
#define GIB (UINT64_C(1) << 30)

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    exit(1);
}

static struct kpool pool;
static struct tables tables;
static struct pages pages;
static struct attributes attributes;
static struct vmap vmap;
static struct heap heap;
static struct flush flush;
static uint64_t operations, made;

/* ---- a machine ---- */

static uint64_t root[512] __attribute__((aligned(4096)));

static void *pointer(uint64_t address) { return (void *)(uintptr_t)address; }
static uint64_t number(const void *table) { return (uintptr_t)table; }
static void drop(uint64_t at) { (void)at; }
static void drop_all(void) { }
static void written(void) { flush_run(&flush, drop, drop_all); }
static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    uint64_t before = *entry;

    *entry = value;
    space_note(&flush, level, before, value, at);
}

static void table_detach(unsigned level, uint64_t *entry, uint64_t at)
{
    (void)at;
    *entry = pte_format_4_levels.empty(level);
    flush_all(&flush);
}

static void *take(void *context, uint64_t size) { return tables_take(context, size); }
static void give(void *context, void *table, uint64_t size) { tables_give(context, table, size); }
static bool owns(void *context, const void *table) { return tables_owns(context, table); }

struct radix space = {
    .format = &pte_format_4_levels, .root = root, .limit = UINT64_C(1) << 47,
    .source = { &tables, take, give, owns }, .pointer = pointer, .number = number,
    .write = entry_write, .detach = table_detach, .written = written,
};

static const struct mmu mmu = {
    .attributes = MMU_ALL, .limit = { UINT64_C(1) << 47 }, .phys_limit = { ADDRESS_LIMIT },
    SPACE_OPERATIONS,
};

static enum error zero(pfn_t first, uint64_t count) { return (void)first, (void)count, OK; }

/* Where malloc's stages take pages: the first one is not used. */
static void heap_begin(const struct node_source *nodes)
{
    static struct heap_frames frames;
    static const struct heap_source sources[HEAP_STAGES] = {
        [1] = { &heap_backend_pages, &frames, false },
        [2] = { &heap_backend_virtual, &vmap, true },
    };

    heap_frames_init(&frames, &attributes, (phys_t){ ADDRESS_LIMIT });
    heap_init(&heap, nodes, sources, NULL);
    heap_advance(&heap, 1);
}

static void begin(void)
{
    static const struct page_range range = { { GIB >> PAGE_SHIFT }, 4 * (GIB >> PAGE_SHIFT), true };
    static const struct area_limit area = { "all", { PFN_LIMIT } };
    const struct page_map all = { &range, 1, &area, 1 };
    const struct pages_hooks hooks = { .zero = zero };
    const uint64_t size = UINT64_C(64) << 20;
    struct node_source nodes;
    uint64_t needed;

    kpool_init(&pool, aligned_alloc(PAGE_SIZE, size), size >> PAGE_SHIFT);
    tables_init(&tables, aligned_alloc(TABLE_UNIT, size), size);
    nodes = kpool_source(&pool);
    ASSERT(pages_init(&pages, &page_engine_tree, &all, true, &pool, &hooks, &needed) == OK);
    vmap_init(&vmap, &mmu, (virt_t){ UINT64_C(1) << 40 }, (virt_t){ UINT64_C(1) << 42 }, &nodes,
              &pages, NULL);
    attributes_init(&attributes, &mmu, &pages);
    heap_begin(&nodes);
}

static uint64_t frames_used(void)
{
    struct page_area_info info;

    ASSERT(pages.engine->area_info(pages.state, 0, &info));
    return info.allocated;
}

/* ---- workloads ---- */

static uint64_t vmalloc(uint64_t size)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMALLOC, .tag = 1 }, .attributes = MMU_DATA, .areas = ALL_AREAS,
        .max = { PFN_LIMIT },
    };
    virt_t out, blame;
    bool zeroed;

    ASSERT(vmap_pages(&request, size, false) == OK);
    ASSERT(vmap_alloc(&vmap, &request, &out, &zeroed, &blame) == OK);
    return out.a;
}

static void vfree(uint64_t at)
{
    uint64_t n;
    virt_t blame;

    ASSERT(vmap_free(&vmap, (virt_t){ at }, VIRT_VMALLOC, false, &n, &blame) == OK);
}

static uint64_t map_gib(uint64_t physical)
{
    struct vmap_request request = {
        .place = { .kind = VIRT_VMAP, .align = 18 }, .attributes = MMU_DATA,
    };
    virt_t out, blame;

    ASSERT(vmap_pages(&request, GIB, false) == OK);
    ASSERT(vmap_map(&vmap, &request, (phys_t){ physical }, &out, &blame) == OK);
    return out.a;
}

static virt_t get(uint64_t size)
{
    const struct heap_request request = { .size = size, .align = 1, .tag = 1 };
    bool zeroed;
    virt_t out;

    ASSERT(heap_alloc(&heap, &request, &out, &zeroed) == OK);
    return out;
}

static void heap_pairs(uint64_t size)
{
    uint64_t n;
    virt_t blame;

    for (unsigned i = 0; i < ROUNDS; i++)
        ASSERT(heap_free(&heap, get(size), false, &n, &blame) == OK);
    operations = ROUNDS;
}

static void heap_many(uint64_t size)
{
    for (operations = 0; operations < 1000; operations++)
        (void)get(size);
}

static void pairs(uint64_t size, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        vfree(vmalloc(size));
    operations = rounds;
}

static void pair_1_page(void) { pairs(PAGE_SIZE, ROUNDS); }
static void pair_1_mib(void) { pairs(UINT64_C(1) << 20, ROUNDS / 100); }
static void gib_of_pages(void) { made = vmalloc(GIB); operations = 1; }
static void gib_at_once(void) { made = map_gib(GIB); operations = 1; }
static void gib_at_odd_page(void) { made = map_gib(GIB + PAGE_SIZE); operations = 1; }
static void free_made(void) { vfree(made); operations = 1; }
static void unmap_made(void)
{
    uint64_t n;

    ASSERT(vmap_unmap(&vmap, virt(made), &n) == OK);
    operations = 1;
}

static void heap_pair_32(void) { heap_pairs(32); }
static void heap_pair_page(void) { heap_pairs(PAGE_SIZE); }
static void heap_many_32(void) { heap_many(32); }
static void heap_many_pages(void) { heap_many(PAGE_SIZE); }
static void keep_object(void) { (void)get(32); }
static void keep_window_page(void) { heap_advance(&heap, 2); (void)get(PAGE_SIZE); }

static void keep_one(void) { vmalloc(PAGE_SIZE); }
static void keep_many(void)
{
    for (unsigned i = 0; i < 1000; i++)
        vmalloc(PAGE_SIZE);
}
static void keep_nothing(void) { }

static const struct workload {
    const char *name;
    void (*prepare)(void), (*run)(void);
} workloads[] = {
    { "vpair-page-cold", keep_nothing, pair_1_page }, { "vpair-page-warm", keep_one, pair_1_page },
    { "vpair-page-1000", keep_many, pair_1_page }, { "vpair-mib", keep_one, pair_1_mib },
    { "vgib-pages", keep_nothing, gib_of_pages }, { "vgib-large", keep_nothing, gib_at_once },
    { "vgib-odd", keep_nothing, gib_at_odd_page },
    { "vgib-pages-free", gib_of_pages, free_made }, { "vgib-large-free", gib_at_once, unmap_made },
    { "vgib-odd-free", gib_at_odd_page, unmap_made },
    { "heap32-warm", keep_object, heap_pair_32 }, { "heap32-cold", keep_nothing, heap_pair_32 },
    { "heappage", keep_object, heap_pair_page },
    { "heappage-window", keep_window_page, heap_pair_page },
    { "heap32-1000", keep_nothing, heap_many_32 },
    { "heappage-1000", keep_nothing, heap_many_pages },
};

/* What callgrind counts. */
__attribute__((noinline)) void measured(void (*run)(void));
void measured(void (*run)(void))
{
    run();
}

/* Called as engine_bench, with an engine, a workload and a seed; the second is what it needs. */
int main(int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_SIZE(workloads); i++) {
        if (argc < 3) {
            puts(workloads[i].name);
        } else if (strcmp(argv[2], workloads[i].name) == 0) {
            begin();
            workloads[i].prepare();
            flush.count = 0;
            measured(workloads[i].run);
            printf("%llu %llu %llu %llu\n", (unsigned long long)operations,
                   (unsigned long long)tables.used, (unsigned long long)frames_used(),
                   (unsigned long long)flush.count);
        }
    }
    return 0;
}
