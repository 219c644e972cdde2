/* SPDX-License-Identifier: MIT */
/*
 * Page tables, one to one: four levels in 64-bit mode, three with PAE (Intel SDM volume 3, sections
 * 4.5 and 4.4), with 512 entries of 64 bits each. Only what is there is mapped: usable memory, the
 * image and the local APIC's page. Anything else faults, page 0 too.
 */
#include "arch/arch.h"
#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"

#define PRESENT UINT64_C(0x001)
#define WRITE UINT64_C(0x002)
#define UNCACHED UINT64_C(0x018)      /* PCD and PWT */
#define LARGE UINT64_C(0x080)
#define NO_EXECUTE (UINT64_C(1) << 63)
#define ENTRY_ADDRESS UINT64_C(0x000ffffffffff000)

#define LARGE_SIZE (UINT64_C(1) << 21)
#define MSR_EFER 0xc0000080u
#define EFER_NXE (UINT64_C(1) << 11)
#define CPUID_EXTENDED 0x80000001u
#define CPUID_NX (1u << 20)

#define APIC_PAGE UINT64_C(0xfee00000)

/* Memory below is mapped by paging_open(), above it when the lab asks. */
#define EARLY_END (UINT64_C(4) << 30)

/* Tables for what is below EARLY_END: 5 upper ones, and one for each 2 MiB that hold a border. */
#define EARLY_TABLES 64u

extern char image_start[], image_rodata[], image_data[], image_end[], boot_stack_guard[];

static _Alignas(4096) uint64_t early_tables[EARLY_TABLES][512];
static unsigned early_used;
static uint64_t no_execute;           /* the bit, or 0 on a processor without it */

static void *early_table(void)
{
    return early_used < EARLY_TABLES ? early_tables[early_used++] : NULL;
}

static unsigned level_shift(unsigned level)
{
    return PAGE_SHIFT + 9 * (level - 1);
}

/* The root may have more entries than 512, and none for addresses that cannot be mapped. */
static uint64_t *entry_in(uint64_t *table, uint64_t address, unsigned level)
{
    uint64_t index = address >> level_shift(level);
    return &table[level == paging.levels ? index : index & 511];
}

static uint64_t *entry_table(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & ENTRY_ADDRESS);
}

/* The entry for `address` at `level`; makes the tables above it. NULL: there is no page for one. */
static uint64_t *entry_make(uint64_t address, unsigned level, void *(*table_page)(void))
{
    uint64_t *table = paging.root;
    for (unsigned at = paging.levels; at > level; at--) {
        uint64_t *entry = entry_in(table, address, at);
        if ((*entry & PRESENT) == 0) {
            void *page = table_page();
            if (page == NULL)
                return NULL;
            *entry = (uintptr_t)page | PRESENT | WRITE;
        }
        table = entry_table(*entry);
    }
    return entry_in(table, address, level);
}

/* The entry that maps `address`, or NULL; *size is how much it maps. */
static const uint64_t *entry_find(uint64_t address, uint64_t *size)
{
    uint64_t *table = paging.root;
    if (address >= paging.end)
        return NULL;
    for (unsigned level = paging.levels; ; level--) {
        const uint64_t *entry = entry_in(table, address, level);
        *size = UINT64_C(1) << level_shift(level);
        if ((*entry & PRESENT) == 0)
            return NULL;
        if (level == 1 || (*entry & LARGE) != 0)
            return entry;
        table = entry_table(*entry);
    }
}

static bool is_mapped(uint64_t address, uint64_t *size)
{
    return entry_find(address, size) != NULL;
}

/* Maps [from, end), page borders, leaving alone what is mapped; large pages where they fit. */
static bool map(uint64_t from, uint64_t end, uint64_t flags, void *(*table_page)(void))
{
    while (from < end) {
        uint64_t size = PAGE_SIZE;
        if (!is_mapped(from, &size)) {
            bool large = is_aligned(from, LARGE_SIZE) && end - from >= LARGE_SIZE
                && size >= LARGE_SIZE;
            uint64_t *entry = entry_make(from, large ? 2 : 1, table_page);
            if (entry == NULL)
                return false;
            size = large ? LARGE_SIZE : PAGE_SIZE;
            *entry = from | flags | PRESENT | (large ? LARGE : 0);
        }
        from = align_down(from, size) + size;
    }
    return true;
}

static bool map_early(uint64_t from, uint64_t end, uint64_t flags)
{
    return map(from, end, flags, early_table);
}

static bool map_image(void)
{
    uintptr_t text = (uintptr_t)image_start, rodata = (uintptr_t)image_rodata,
              data = (uintptr_t)image_data, guard = (uintptr_t)boot_stack_guard;
    /* The rest of the reservation is mapped too, so that it is memory to whoever looks. */
    return map_early(text, rodata, 0)
        && map_early(rodata, data, no_execute)
        && map_early(data, guard, WRITE | no_execute)
        && map_early(guard + PAGE_SIZE, IMAGE_END, WRITE | no_execute);
}

/* Usable memory below EARLY_END; a page that is usable only in part is mapped. */
static bool map_usable(const struct phys_range *range)
{
    uint64_t from = align_down(range->start.a, PAGE_SIZE);
    uint64_t end = range->start.a + range->size;
    if (range->kind != RANGE_USABLE || from >= EARLY_END)
        return true;
    end = end < EARLY_END ? align_up(end, PAGE_SIZE) : EARLY_END;
    from = from < PAGE_SIZE ? PAGE_SIZE : from;
    uint64_t before = end < IMAGE_START ? end : IMAGE_START;
    uint64_t behind = from > IMAGE_END ? from : IMAGE_END;
    return map_early(from, before, WRITE | no_execute)
        && map_early(behind, end, WRITE | no_execute);
}

void paging_open(void)
{
    bool fits;
    if ((cpuid(CPUID_EXTENDED).d & CPUID_NX) != 0) {
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
        no_execute = NO_EXECUTE;
    }
    fits = map_image() && map_early(APIC_PAGE, APIC_PAGE + PAGE_SIZE,
                                    WRITE | UNCACHED | no_execute);
    for (size_t i = 0; fits && i < boot_info.count; i++)
        fits = map_usable(&boot_info.ranges[i].range);
    if (!fits)
        machine_refuse("the memory map has too many borders");
    paging_load();
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table_page)(void))
{
    if (start.a >= paging.end || size > paging.end - start.a)
        return false;
    return map(align_down(start.a, PAGE_SIZE), align_up(start.a + size, PAGE_SIZE),
               WRITE | no_execute, table_page);
}

void *arch_pointer(phys_t start, uint64_t size)
{
    uint64_t mapped = 0;
    if (size > UINT64_MAX - start.a)
        return NULL;
    for (uint64_t at = start.a; at < start.a + size; at = align_down(at, mapped) + mapped)
        if (!is_mapped(at, &mapped))
            return NULL;
    return (void *)(uintptr_t)start.a;
}
