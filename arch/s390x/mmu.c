/* SPDX-License-Identifier: MIT */
/* Translation is off: each address of memory is its own, and no other can be mapped. */
#include "arch/arch.h"

static void set_tables(const struct table_source *source)
{
    (void)source;
}

static enum error map(virt_t at, phys_t phys, uint64_t size, unsigned attributes)
{
    (void)at, (void)phys, (void)size, (void)attributes;
    return E_MEM_METADATA;
}

static void unmap(virt_t at, uint64_t size)
{
    (void)at, (void)size;
}

static enum error protect(virt_t at, uint64_t size, unsigned attributes)
{
    (void)at, (void)size, (void)attributes;
    return OK;
}

static bool query(virt_t at, struct mmu_mapping *mapping)
{
    if (arch_pointer(phys(at.a), 1) == NULL)
        return false;
    mapping->unit = virt(align_down(at.a, PAGE_SIZE));
    mapping->phys = phys(mapping->unit.a);
    mapping->shift = PAGE_SHIFT;
    mapping->attributes = 0;
    return true;
}

static bool entry(virt_t at, unsigned level, struct mmu_entry *out)
{
    (void)at, (void)level, (void)out;
    return false;
}

static uint64_t nothing(void)
{
    return 0;
}

struct mmu arch_mmu = {
    .units = UINT64_C(1) << PAGE_SHIFT, .levels = 1, .limit = { UINT64_C(1) << 42 },
    .set_tables = set_tables, .map = map, .unmap = unmap, .protect = protect, .query = query,
    .entry = entry, .tables_size = nothing, .flushes = nothing,
};

void arch_window(virt_t *first, virt_t *limit)
{
    *first = virt(UINT64_C(1) << 40);
    *limit = virt(UINT64_C(4) << 40);
}

const uint8_t arch_return_code[] = { 0x07, 0xfe };
const size_t arch_return_code_size = sizeof(arch_return_code);

void arch_execute(virt_t address)
{
    ((void (*)(void))(uintptr_t)address.a)();
}

void arch_parts(void (*part)(const struct arch_part *part))
{
    (void)part;
}
