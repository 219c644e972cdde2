/* SPDX-License-Identifier: MIT */
/* From the machine's map and the command line to a lab that serves. */
#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"

/* The pool and page tables are reachable with the page tables that a port boots with. */
#define REACHABLE_AT_BOOT (UINT64_C(1) << 32)

static void (*log_text)(const char *text);
static size_t told;                   /* ranges of the machine's map; the kernel's claims follow */

static void range_log(const struct phys_range *range, const char *name, enum error e)
{
    char buffer[96];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, range->kind == RANGE_USABLE ? "usable " : "reserved ");
    text_hex(&line, range->start.a, 16);
    text_string(&line, " ");
    text_hex(&line, range->size, 16);
    text_string(&line, " ");
    text_string(&line, name);
    if (e != OK)
        text_string(&line, ": one range too many");
    log_text(buffer);
}

static void range_take(const struct phys_range *range, const char *name)
{
    enum error e = lab_map_append(&lab_machine_map, range);

    range_log(range, name, e);
    /* Memory may be left out; what must not be used may not. */
    if (e != OK && range->kind == RANGE_RESERVED)
        panic("map", __FILE__, __LINE__, NULL);
}

static void machine_replay(struct phys_allocator *phys)
{
    if (lab_map_replay(&lab_machine_map, phys, lab_scratch_records(), LAB_EXTENTS) != OK)
        panic("map", __FILE__, __LINE__, NULL);
}

/* Take memory for the kernel out of the machine's map for good; `size` is a multiple of `align`. */
static enum error claim(uint64_t size, uint64_t align, phys_t *out)
{
    struct phys_allocator phys;
    struct phys_request request = {
        .size = size, .align = align, .max = REACHABLE_AT_BOOT, .direction = PHYS_HIGH,
    };
    struct phys_range *last;
    enum error e;

    machine_replay(&phys);
    e = phys_alloc(&phys, &request, out);
    if (e != OK)
        return e;
    /* Claims follow one another downwards: one range holds most of them. */
    last = &lab_machine_map.ranges[lab_machine_map.n - 1];
    if (lab_machine_map.n > told && last->start.a == out->a + size) {
        last->start = *out;
        last->size += size;
        return OK;
    }
    return lab_map_append(&lab_machine_map, &(struct phys_range){ *out, size, RANGE_RESERVED });
}

static void *claim_memory(uint64_t size, uint64_t align)
{
    phys_t at;

    return claim(size, align, &at) == OK ? arch_pointer(at, size) : NULL;
}

static void *table(uint64_t size)
{
    return claim_memory(size, size);
}

/* The first usable run that ends above `from`; looked up anew, as page tables take memory. */
static bool usable_run(uint64_t from, phys_t *start, uint64_t *size)
{
    struct phys_allocator phys;

    machine_replay(&phys);
    for (size_t i = 0; i < phys.count; i++) {
        const struct phys_extent *e = &phys.extents[i];

        if (e->state == PHYS_FREE && e->end > from) {
            start->a = e->start > from ? e->start : from;
            *size = e->end - start->a;
            return true;
        }
    }
    return false;
}

/* Returns the bytes of usable memory. */
static uint64_t map_memory(void)
{
    uint64_t size = 0, total = 0;
    phys_t start = phys(0);

    lab.reach = phys(ADDRESS_LIMIT);
    while (usable_run(start.a + size, &start, &size)) {
        total += size;
        if (arch_map_memory(start, size, table))
            continue;
        log_text("memory that this machine cannot reach is handed out as it is");
        if (start.a < lab.reach.a)
            lab.reach = phys(align_down(start.a, PAGE_SIZE));
    }
    return total;
}

/* At most a quarter of `total` bytes of memory for both halves. */
static void pool_take(uint64_t pool_size, uint64_t total)
{
    uint64_t size = align_up(pool_size, PAGE_SIZE), limit = align_down(total >> 3, PAGE_SIZE);
    unsigned char *base;
    phys_t at;

    size = size < limit ? size : limit;
    while (size >= POOL_MINIMUM && claim(2 * size, PAGE_SIZE, &at) != OK)
        size = align_down(size >> 1, PAGE_SIZE);
    if (size < POOL_MINIMUM)
        panic("memory", __FILE__, __LINE__, NULL);
    base = arch_pointer(at, 2 * size);
    if (base == NULL)
        panic("memory", __FILE__, __LINE__, NULL);
    lab_set_pool(base, size >> PAGE_SHIFT);
}

static void claims_log(void)
{
    for (size_t i = told; i < lab_machine_map.n; i++)
        range_log(&lab_machine_map.ranges[i], "pool", OK);
}

static void map_default(void)
{
    struct lab_map *map = &lab_machine_map;

    ASSERT(arch_areas_count <= MAX_AREAS);
    map->n = 0;
    memcpy(map->areas.rows, arch_areas, arch_areas_count * sizeof(*arch_areas));
    map->areas.n = arch_areas_count;
    scan_order_default(map->scan, map->areas.n);
}

void lab_boot(const char *command_line, void (*log)(const char *text))
{
    struct lab_wishes wishes;
    uint64_t total, needed;

    log_text = log;
    map_default();
    lab_options(command_line, log, &wishes);
    arch_memory_map(range_take);
    told = lab_machine_map.n;
    total = map_memory();
    pool_take(wishes.pool_size, total);
    lab_boot_virtual(&wishes, total, claim_memory, log);
    claims_log();
    if (lab_build(&lab_machine_map, STAGE_VIRTUAL, &needed) == OK)
        return;
    log_text("the pool is too small for the page allocator: phys alone serves");
    if (lab_build(&lab_machine_map, STAGE_EARLY, &needed) != OK)
        panic("map", __FILE__, __LINE__, NULL);
}
