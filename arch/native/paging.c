/* SPDX-License-Identifier: MIT */
/*
 * Simulated address translation: the page tables of x86_64 in the fake RAM, and a processor that
 * keeps translations until they are flushed, so that a forgotten flush is seen. What the direct map
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

/* The simulated TLB: each slot has the unit of one of the pages that fall to it. */
#define TLB_SLOTS 64u
static struct mmu_mapping tlb[TLB_SLOTS];     /* shift 0: nothing */

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
    if (!pte_format_4_levels.is_present(level, value))
        return PROT_NONE;
    return (pte_format_4_levels.attributes(level, value) & MMU_READ_ONLY) != 0
        ? PROT_READ : PROT_READ | PROT_WRITE;
}

static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    const struct radix_format *format = &pte_format_4_levels;
    uint64_t before = *entry, size = UINT64_C(1) << format->level[level].shift;
    bool is_table = level > 1 && format->is_present(level, value) && !format->is_unit(level, value);

    *entry = value;
    if (!is_table && at < memory_end())
        memory_protect(align_down(at, size), size, host_protection(level, value));
    space_note(&flush, level, before, value, at);
}

static void table_detach(unsigned level, uint64_t *entry, uint64_t at)
{
    entry_write(level, entry, pte_format_4_levels.empty(level), at);
    flush_all(&flush);
}

static void translation_drop(uint64_t at)
{
    for (size_t i = 0; i < TLB_SLOTS; i++)
        if ((at ^ tlb[i].unit.a) >> tlb[i].shift == 0)
            tlb[i].shift = 0;
}

static void translations_drop(void)
{
    memset(tlb, 0, sizeof(tlb));
}

static void entries_written(void)
{
    flush_run(&flush, translation_drop, translations_drop);
}

struct radix space = {
    .format = &pte_format_4_levels, .root = root, .limit = LIMIT,
    .pointer = memory_at, .number = memory_address,
    .write = entry_write, .detach = table_detach, .written = entries_written,
    .source = SPACE_EARLY(take_early),
};

/* ---- The simulated processor ---- */

static _Noreturn void fault(enum error class, uint64_t address, const void *pc)
{
    const struct fault fault = {
        .class = class, .has_address = true, .address = address, .pc = (uintptr_t)pc,
    };
    kernel_fault(&fault);
}

static const struct mmu_mapping *translate(uint64_t address)
{
    struct mmu_mapping *slot = &tlb[address >> PAGE_SHIFT & (TLB_SLOTS - 1)];

    if (slot->shift == 0 || (address ^ slot->unit.a) >> slot->shift != 0)
        if (!radix_query(&space, address, slot)) {
            slot->shift = 0;
            return NULL;
        }
    return slot;
}

/* Where the memory is; an access that `accesses` has none of faults with `refused`. */
static volatile void *host_address(uint64_t address, unsigned width, unsigned access,
                                   enum error refused, const void *pc)
{
    const struct mmu_mapping *mapping = translate(address);
    uint64_t physical;

    if (mapping == NULL)
        fault(E_FAULT_ADDRESS, address, pc);
    if ((mmu_accesses(mapping->attributes) & access) == 0)
        fault(refused, address, pc);
    physical = mapping->phys.a + (address - mapping->unit.a);
    /* As an emulator: a mapping of nothing. */
    if (!memory_is_ram(physical, width))
        fault(E_FAULT_ADDRESS, address, pc);
    return memory_on_bus(physical);
}

uint64_t arch_load(virt_t address, unsigned width)
{
    volatile void *at = host_address(address.a, width, ACCESS_READ, E_FAULT_PROTECTION,
                                     __builtin_return_address(0));
    switch (width) {
    case 1: return *(volatile uint8_t *)at;
    case 2: return *(volatile uint16_t *)at;
    case 4: return *(volatile uint32_t *)at;
    default: return *(volatile uint64_t *)at;
    }
}

void arch_store(virt_t address, unsigned width, uint64_t value)
{
    volatile void *at = host_address(address.a, width, ACCESS_WRITE, E_FAULT_PROTECTION,
                                     __builtin_return_address(0));
    switch (width) {
    case 1: *(volatile uint8_t *)at = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)at = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)at = (uint32_t)value; break;
    default: *(volatile uint64_t *)at = value; break;
    }
}

/* This processor knows one instruction. */
const uint8_t arch_return_code[] = { 0xc3 };
const size_t arch_return_code_size = sizeof(arch_return_code);

void arch_execute(virt_t address)
{
    const void *pc = __builtin_return_address(0);
    volatile uint8_t *at = host_address(address.a, 1, ACCESS_EXECUTE, E_FAULT_EXECUTE, pc);

    if (*at != arch_return_code[0])
        fault(E_FAULT_OTHER, address.a, pc);
}

enum error paging_fault_class(uint64_t address)
{
    struct mmu_mapping mapping;
    return radix_query(&space, address, &mapping) ? E_FAULT_PROTECTION : E_FAULT_ADDRESS;
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
