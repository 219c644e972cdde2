/* SPDX-License-Identifier: MIT */
/*
 * The virtual layer, on the page engine and the walker with the tables of x86_64: virtual_bench
 * prepares, then runs a workload whose instructions callgrind counts. Says how many operations that
 * were, bytes of tables in use afterwards, and how often translations were dropped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/pte.h"
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
static struct vmap vmap;
static uint64_t flush_count, operations;

/* ---- a machine ---- */

static uint64_t root[512] __attribute__((aligned(4096)));

static void *pointer(uint64_t address) { return (void *)(uintptr_t)address; }
static uint64_t number(const void *table) { return (uintptr_t)table; }
static void written(void) { flush_count++; }
static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    (void)level, (void)at;
    *entry = value;
}

static void *take(void *context, uint64_t size) { return tables_take(context, size); }
static void give(void *context, void *table, uint64_t size) { tables_give(context, table, size); }
static bool owns(void *context, const void *table) { return tables_owns(context, table); }

static struct radix tree = {
    .format = &pte_format_4_levels, .root = root, .limit = UINT64_C(1) << 47,
    .source = { &tables, take, give, owns }, .pointer = pointer, .number = number,
    .write = entry_write, .written = written,
};

static enum error map(virt_t at, phys_t phys, uint64_t size, unsigned attributes)
{
    return radix_map(&tree, at.a, phys.a, size, attributes);
}

static void unmap(virt_t at, uint64_t size) { radix_unmap(&tree, at.a, size); }
static enum error protect(virt_t at, uint64_t size, unsigned attributes)
{
    return radix_protect(&tree, at.a, size, attributes);
}
static bool query(virt_t at, struct mmu_mapping *mapping)
{
    return radix_query(&tree, at.a, mapping);
}

static const struct mmu mmu = {
    .attributes = MMU_ALL, .limit = { UINT64_C(1) << 47 }, .phys_limit = { ADDRESS_LIMIT },
    .map = map, .unmap = unmap, .protect = protect, .query = query,
};

static enum error zero(pfn_t first, uint64_t count) { return (void)first, (void)count, OK; }

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

static void pairs(uint64_t size, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        vfree(vmalloc(size));
    operations = rounds;
}

static void pair_1_page(void) { pairs(PAGE_SIZE, ROUNDS); }
static void pair_1_mib(void) { pairs(UINT64_C(1) << 20, ROUNDS / 100); }
static void gib_of_pages(void) { vmalloc(GIB); operations = 1; }
static void gib_at_once(void) { map_gib(GIB); operations = 1; }
static void gib_at_odd_page(void) { map_gib(GIB + PAGE_SIZE); operations = 1; }

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
};

/* What callgrind counts. */
__attribute__((noinline)) void measured(void (*run)(void));
void measured(void (*run)(void))
{
    run();
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < ARRAY_SIZE(workloads); i++) {
        if (argc < 2) {
            puts(workloads[i].name);
        } else if (strcmp(argv[argc - 1], workloads[i].name) == 0) {
            begin();
            workloads[i].prepare();
            flush_count = 0;
            measured(workloads[i].run);
            printf("%llu %llu %llu\n", (unsigned long long)operations,
                   (unsigned long long)tables.used, (unsigned long long)flush_count);
        }
    }
    return 0;
}
