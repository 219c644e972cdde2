/* SPDX-License-Identifier: MIT */
/*
 * The processor's page tables. One to one is mapped what is there: usable memory, the image and the
 * local APIC's page. Anything else faults, page 0 too.
 */
#include "arch/arch.h"
#include "arch/common/space.h"
#include "arch/x86/apic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/cpus.h"
#include "arch/x86/machine.h"
#include "arch/x86/pte.h"

#define MSR_PAT 0x277u
#define MSR_EFER 0xc0000080u
#define EFER_NXE (UINT64_C(1) << 11)
#define CPUID_FEATURES 1u
#define CPUID_PAT (1u << 16)          /* EDX */
#define CPUID_PSE36 (1u << 17)        /* EDX */
#define CPUID_EXTENDED 0x80000000u
#define CPUID_EXTENDED_FEATURES 0x80000001u
#define CPUID_ADDRESS_SIZES 0x80000008u /* EAX bits 7:0 */
#define CPUID_NX (1u << 20)           /* EDX */
#define CPUID_1G (1u << 26)           /* EDX */

/* Memory below is mapped by paging_open(), above it when the lab asks. */
#define EARLY_END (UINT64_C(4) << 30)

/* Tables for what is below EARLY_END: 5 upper ones, and one for each 2 MiB that hold a border. */
#define EARLY_TABLES 64u

static _Alignas(4096) uint64_t early_tables[EARLY_TABLES][512];
static unsigned early_used;
static struct radix_format format;
static struct flush flush;

/* ---- The tree ---- */

static void *take_early(void *context, uint64_t size)
{
    (void)context, (void)size;
    return early_used < EARLY_TABLES ? early_tables[early_used++] : NULL;
}

static void *table_pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static uint64_t table_number(const void *table)
{
    return (uintptr_t)table;
}

/* In one piece, so that no CPU sees half an entry, in 32-bit mode either; they are aligned. */
static void entry_set(uint64_t *entry, uint64_t value)
{
    typedef uint64_t __attribute__((aligned(8))) aligned_entry;
    aligned_entry *place = (aligned_entry *)entry;
    while (!__sync_bool_compare_and_swap(place, *place, value))
        ;
}

static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    uint64_t before = *entry;
    entry_set(entry, value);
    space_note(&flush, level, before, value, at);
}

static void table_detach(unsigned level, uint64_t *entry, uint64_t at)
{
    (void)at;
    entry_set(entry, format.empty(level));
    flush_all(&flush);
}

static void entries_written(void)
{
    cpus_flush(&flush);
    flush_run(&flush, translation_drop, translations_drop);
}

struct radix space = {
    .format = &format, .pointer = table_pointer, .number = table_number,
    .write = entry_write, .detach = table_detach, .written = entries_written,
    .source = SPACE_EARLY(take_early),
};

/* ---- The kernel's own parts ---- */

extern char image_start[], image_rodata[], image_data[], boot_stack_guard[], boot_stack_top[],
    double_fault_stack_guard[], double_fault_stack_top[], text_return[], data_return[];

const uint8_t arch_return_code[] = { 0xc3 };
const size_t arch_return_code_size = sizeof(arch_return_code);

#define UNMAPPED (~0u)

/* One behind the other, up to the end of the image's reservation. */
static const struct {
    const char *name;
    char *first, *probe;
    unsigned attributes;
} parts[] = {
    { "text", image_start, text_return, MMU_READ_ONLY },
    { "rodata", image_rodata, (char *)(uintptr_t)arch_return_code, MMU_READ_ONLY | MMU_NO_EXECUTE },
    { "data", image_data, data_return, MMU_DATA },
    { "guard", boot_stack_guard, boot_stack_guard, UNMAPPED },
    { "stack", boot_stack_guard + PAGE_SIZE, boot_stack_guard + PAGE_SIZE, MMU_DATA },
    { "guard", double_fault_stack_guard, double_fault_stack_guard, UNMAPPED },
    { "stack", double_fault_stack_guard + PAGE_SIZE, double_fault_stack_guard + PAGE_SIZE,
      MMU_DATA },
    /* The rest of the reservation is mapped too, so that it is memory to whoever looks. */
    { "data", double_fault_stack_top, double_fault_stack_top, MMU_DATA },
};

static uint64_t part_end(size_t i)
{
    return i + 1 < ARRAY_SIZE(parts) ? (uintptr_t)parts[i + 1].first : IMAGE_END;
}

static bool map_same(uint64_t from, uint64_t end, unsigned attributes)
{
    return space_map_same(from, end, attributes & arch_mmu.attributes);
}

static bool map_image(void)
{
    bool fits = true;
    for (size_t i = 0; fits && i < ARRAY_SIZE(parts); i++)
        if (parts[i].attributes != UNMAPPED)
            fits = map_same((uintptr_t)parts[i].first, part_end(i), parts[i].attributes);
    return fits;
}

void arch_parts(void (*part)(const struct arch_part *part))
{
    static const struct arch_part null = { .name = "null", .size = PAGE_SIZE };
    part(&null);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        unsigned attributes = parts[i].attributes;
        uint64_t first = (uintptr_t)parts[i].first;
        part(&(struct arch_part){
            .name = parts[i].name, .first = virt(first), .size = part_end(i) - first,
            .probe = virt((uintptr_t)parts[i].probe),
            .accesses = attributes == UNMAPPED ? 0 : mmu_accesses(attributes & arch_mmu.attributes),
        });
    }
}

/* ---- What kernel/mmu.h asks for ---- */

static uint64_t flushes(void)
{
    return flush.count;
}

struct mmu arch_mmu = {
    .attributes = MMU_READ_ONLY | MMU_UNCACHED, .observable = MMU_READ_ONLY,
    .units = UINT64_C(1) << PAGE_SHIFT | UINT64_C(1) << 21,
    SPACE_OPERATIONS, .flushes = flushes,
};

/* ---- Start ---- */

/* Leaves beyond the last one answer with something else. */
static uint32_t extended_features(void)
{
    return cpuid(CPUID_EXTENDED).a >= CPUID_EXTENDED_FEATURES ? cpuid(CPUID_EXTENDED_FEATURES).d
                                                               : 0;
}

/*
 * Bits of a physical address (Intel SDM volume 3, section 4.1.4). Where no leaf tells, QEMU gives a
 * processor 36 with PSE-36 and 32 without, and faults on an entry with more.
 */
static unsigned physical_bits(void)
{
    unsigned bits;
    if (cpuid(CPUID_EXTENDED).a < CPUID_ADDRESS_SIZES)
        return (cpuid(CPUID_FEATURES).d & CPUID_PSE36) != 0 ? 36 : 32;
    bits = cpuid(CPUID_ADDRESS_SIZES).a & 0xff;
    return bits < ADDRESS_BITS ? bits : ADDRESS_BITS;
}

void paging_open_cpu(void)
{
    if ((arch_mmu.attributes & MMU_WRITE_COMBINING) != 0)
        wrmsr(MSR_PAT, PTE_PAT);
}

static void features_open(void)
{
    uint32_t extended = extended_features();
    format = *paging.format;
    if ((extended & CPUID_NX) != 0) {
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
        arch_mmu.attributes |= MMU_NO_EXECUTE;
        arch_mmu.observable |= MMU_NO_EXECUTE;
    }
    if ((cpuid(CPUID_FEATURES).d & CPUID_PAT) != 0)
        arch_mmu.attributes |= MMU_WRITE_COMBINING;
    paging_open_cpu();
    if (format.levels > 2 && (extended & CPUID_1G) != 0)
        arch_mmu.units |= UINT64_C(1) << 30;
    else if (format.levels > 2)
        format.level[3].maps = false;
    space.root = paging.root;
    space.limit = paging.limit;
    arch_mmu.levels = format.levels;
    arch_mmu.limit = virt(paging.limit);
    arch_mmu.phys_limit = phys(UINT64_C(1) << physical_bits());
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
    return map_same(from, before, MMU_DATA) && map_same(behind, end, MMU_DATA);
}

void paging_open(void)
{
    bool fits;
    features_open();
    double_fault_stack_guard[PAGE_SIZE] = (char)arch_return_code[0];
    boot_stack_guard[PAGE_SIZE] = (char)arch_return_code[0];
    double_fault_stack_top[0] = (char)arch_return_code[0];
    fits = map_image() && map_same(APIC_PAGE, APIC_PAGE + PAGE_SIZE, MMU_UNCACHED | MMU_DATA);
    for (size_t i = 0; fits && i < boot_info.count; i++)
        fits = map_usable(&boot_info.ranges[i].range);
    if (!fits)
        machine_refuse("the memory map has too many borders");
    paging_load();
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table)(uint64_t size))
{
    return space_map_memory(start, size, MMU_DATA & arch_mmu.attributes, table);
}

void arch_window(virt_t *first, virt_t *limit)
{
    struct space_window window = { paging.window_first, paging.window_limit };
    for (size_t i = 0; i < boot_info.count; i++)
        space_window_behind(&window, &boot_info.ranges[i].range);
    *first = virt(window.first);
    *limit = virt(window.limit);
}

void *arch_pointer(phys_t start, uint64_t size)
{
    return space_is_direct(start, size) ? (void *)(uintptr_t)start.a : NULL;
}
