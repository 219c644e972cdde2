/* SPDX-License-Identifier: MIT */
/*
 * Simulated address translation: the page tables of x86_64 in the fake RAM. What the direct map
 * forbids is forbidden to this process as well: C code that writes through arch_pointer() faults
 * for real.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "arch/common/space.h"
#include "arch/native/native.h"
#include "arch/x86/pte.h"

#define LIMIT (UINT64_C(1) << 47)
#define EARLY_END (UINT64_C(4) << 30)

static uint64_t early_next = IMAGE_TABLES;
static _Alignas(4096) uint64_t root[512];
static struct flush flush;

/* ---- The tree ---- */

static void *take_early(void *context, uint64_t size)
{
    void *table = early_next < IMAGE_END ? memory_at(early_next) : NULL;
    (void)context;
    early_next += size;
    return table;
}

/* What an entry allows the process at the memory itself. */
static int host_protection(unsigned level, uint64_t value)
{
    if (!radix_is_present(&pte_format_4_levels, level, value))
        return PROT_NONE;
    return (pte_format_4_levels.attributes(level, value) & MMU_READ_ONLY) != 0
        ? PROT_READ : PROT_READ | PROT_WRITE;
}

static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    const struct radix_format *format = &pte_format_4_levels;
    uint64_t before = *entry, size = UINT64_C(1) << format->level[level].shift;
    bool is_table = radix_is_present(format, level, value) && !radix_is_unit(format, level, value);

    /* Processors look at it whenever they like; release: what it points to is written. */
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    if (!is_table && at < memory_end())
        memory_protect(align_down(at, size), size, host_protection(level, value));
    space_note(&flush, level, before, value, at);
}

static void table_detach(unsigned level, uint64_t *entry, uint64_t at)
{
    entry_write(level, entry, pte_format_4_levels.empty(level), at);
    flush_all(&flush);
}

static void entries_written(void)
{
    flush_run(&flush, processors_drop, processors_drop_all);
}

struct radix space = {
    .format = &pte_format_4_levels, .root = root, .limit = LIMIT,
    .pointer = memory_at, .number = memory_address,
    .write = entry_write, .detach = table_detach, .written = entries_written,
    .source = SPACE_EARLY(take_early),
};

bool paging_walk(uint64_t address, struct mmu_mapping *mapping)
{
    const struct radix_format *format = &pte_format_4_levels;
    const uint64_t *table = root;

    for (unsigned level = format->levels; address < LIMIT; level--) {
        const struct radix_level *shape = &format->level[level];
        uint64_t entry = __atomic_load_n(&table[address >> shape->shift & (shape->entries - 1)],
                                         __ATOMIC_ACQUIRE);

        if (!radix_is_present(format, level, entry))
            return false;
        if (!radix_is_unit(format, level, entry)) {
            table = memory_at(radix_address(format, level, entry));
            continue;
        }
        *mapping = (struct mmu_mapping){
            .unit = virt(align_down(address, UINT64_C(1) << shape->shift)), .shift = shape->shift,
            .phys = phys(radix_address(format, level, entry)),
            .attributes = format->attributes(level, entry),
        };
        return true;
    }
    return false;
}

enum error paging_fault_class(uint64_t address)
{
    struct mmu_mapping mapping;
    return paging_walk(address, &mapping) ? E_FAULT_PROTECTION : E_FAULT_ADDRESS;
}

/* ---- The image ---- */

#define UNMAPPED (~0u)

static const struct {
    const char *name;
    uint64_t first;
    unsigned attributes;
} parts[] = {
    { "text", IMAGE_START, MMU_READ_ONLY },
    { "rodata", IMAGE_START + (UINT64_C(128) << 10), MMU_READ_ONLY | MMU_NO_EXECUTE },
    { "guard", IMAGE_START + (UINT64_C(192) << 10), UNMAPPED },
    { "stack", IMAGE_START + (UINT64_C(196) << 10), MMU_DATA },
    { "data", IMAGE_START + (UINT64_C(256) << 10), MMU_DATA },
};

static uint64_t part_end(size_t i)
{
    return i + 1 < ARRAY_SIZE(parts) ? parts[i + 1].first : IMAGE_END;
}

void arch_parts(void (*part)(const struct arch_part *part))
{
    static const struct arch_part null = { .name = "null", .size = PAGE_SIZE };
    part(&null);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        part(&(struct arch_part){
            .name = parts[i].name, .first = virt(parts[i].first),
            .size = part_end(i) - parts[i].first, .probe = virt(parts[i].first),
            .accesses = parts[i].attributes == UNMAPPED ? 0 : mmu_accesses(parts[i].attributes),
        });
}

static void map_image(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        memcpy(memory_at(parts[i].first), arch_return_code, arch_return_code_size);
        if (parts[i].attributes == UNMAPPED)
            memory_protect(parts[i].first, part_end(i) - parts[i].first, PROT_NONE);
        else
            ASSERT(space_map_same(parts[i].first, part_end(i), parts[i].attributes));
    }
}

static void map_usable(const struct phys_range *range, const char *name)
{
    uint64_t from = range->start.a, end = from + range->size;
    (void)name;
    if (range->kind != RANGE_USABLE || from >= EARLY_END)
        return;
    from = from < PAGE_SIZE ? PAGE_SIZE : from;
    if (from == IMAGE_START)
        from = IMAGE_END;
    ASSERT(from >= end || space_map_same(from, end, MMU_DATA));
}

void paging_open(void)
{
    map_image();
    arch_memory_map(map_usable);
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table)(uint64_t size))
{
    return memory_is_ram(start.a, size) && space_map_memory(start, size, MMU_DATA, table);
}

static uint64_t flushes(void)
{
    return flush.count;
}

struct mmu arch_mmu = {
    .attributes = MMU_ALL, .observable = MMU_READ_ONLY | MMU_NO_EXECUTE,
    .units = UINT64_C(1) << PAGE_SHIFT | UINT64_C(1) << 21 | UINT64_C(1) << 30,
    .levels = 4, .limit = { LIMIT }, .phys_limit = { ADDRESS_LIMIT },
    SPACE_OPERATIONS, .flushes = flushes,
};

static struct space_window window = { UINT64_C(1) << 40, UINT64_C(4) << 40 };

static void window_range(const struct phys_range *range, const char *name)
{
    (void)name;
    space_window_behind(&window, range);
}

void arch_window(virt_t *first, virt_t *limit)
{
    arch_memory_map(window_range);
    *first = virt(window.first);
    *limit = virt(window.limit);
}
