/* SPDX-License-Identifier: MIT */
#include "arch/s390x/dat.h"

#include "arch/s390x/cpu.h"
#include "arch/s390x/machine.h"
#include "arch/s390x/parts.h"
#include "arch/s390x/pte.h"

#define FACILITY_EXECUTION_PROTECTION 130u

#define IMAGE_PAGES (IMAGE_END >> PAGE_SHIFT)
#define IMAGE_SEGMENTS (IMAGE_END >> PTE_SEGMENT_SHIFT)
#define SEGMENT_TABLE_SIZE (PTE_SEGMENTS * sizeof(uint64_t))
#define PAGE_TABLE_SIZE (PTE_PAGES * sizeof(uint64_t))

_Static_assert(IMAGE_PAGES == IMAGE_SEGMENTS * PTE_PAGES, "the image has its own page tables");
_Static_assert(LC_VIEW == DAT_MEMORY_MAX + (UINT64_C(1) << PTE_REGION_SHIFT) - LC_SIZE,
               "the view ends the last region before the window, which has no memory");

/* What the image needs; the tables of all other memory lie at its end. */
_Alignas(SEGMENT_TABLE_SIZE) uint64_t dat_root[PTE_REGIONS];
static _Alignas(SEGMENT_TABLE_SIZE) uint64_t first_segments[PTE_SEGMENTS];
static _Alignas(PAGE_TABLE_SIZE) uint64_t image_pages[IMAGE_PAGES];
static _Alignas(SEGMENT_TABLE_SIZE) uint64_t view_segments[PTE_SEGMENTS];
static _Alignas(PAGE_TABLE_SIZE) uint64_t view_pages[PTE_PAGES];

static const struct radix_format *const format = &pte_format_region_third;
static uint64_t protections = CR0_LOW_ADDRESS_PROTECTION;   /* bits of CR0 */

static bool has_facility(unsigned n)
{
    uint64_t bits[3] = { 0 };
    register uint64_t last __asm__("0") = ARRAY_SIZE(bits) - 1;

    __asm__ volatile ("stfle %0" : "=Q"(bits), "+d"(last) : : "cc", "memory");
    return n / 64 < ARRAY_SIZE(bits) && (bits[n / 64] >> (63 - n % 64) & 1) != 0;
}

static uint64_t page_entry(uint64_t to, unsigned wanted)
{
    return format->unit(PTE_PAGE, to, wanted & arch_mmu.attributes);
}

static uint64_t table_entry(unsigned level, const uint64_t *table)
{
    return format->table(level, (uintptr_t)table);
}

static void table_clear(uint64_t *table, unsigned entries, unsigned level)
{
    for (unsigned i = 0; i < entries; i++)
        table[i] = format->empty(level);
}

static void part_map(const struct part *part)
{
    for (uint64_t at = (uintptr_t)part->first; at < (uintptr_t)part->end; at += PAGE_SIZE)
        image_pages[at >> PAGE_SHIFT] = part->attributes == PART_UNMAPPED
            ? format->empty(PTE_PAGE) : page_entry(at, part->attributes);
}

/* One to one, but for what is not to be seen. */
static void image_map(void)
{
    for (uint64_t i = 0; i < IMAGE_PAGES; i++)
        image_pages[i] = page_entry(i << PAGE_SHIFT, MMU_DATA);
    for (size_t i = 0; i < parts_count; i++)
        if ((uintptr_t)parts[i].first < IMAGE_END)
            part_map(&parts[i]);
    table_clear(first_segments, PTE_SEGMENTS, PTE_SEGMENT);
    for (unsigned i = 0; i < IMAGE_SEGMENTS; i++)
        first_segments[i] = table_entry(PTE_SEGMENT, image_pages + i * PTE_PAGES);
    dat_root[0] = table_entry(PTE_REGION_THIRD, first_segments);
}

/* The last pages of a region. */
static void view_map(void)
{
    const unsigned pages = LC_SIZE >> PAGE_SHIFT;

    table_clear(view_pages, PTE_PAGES, PTE_PAGE);
    for (unsigned i = 0; i < pages; i++)
        view_pages[PTE_PAGES - pages + i] = page_entry(i << PAGE_SHIFT, MMU_DATA);
    table_clear(view_segments, PTE_SEGMENTS, PTE_SEGMENT);
    view_segments[PTE_SEGMENTS - 1] = table_entry(PTE_SEGMENT, view_pages);
    dat_root[LC_VIEW >> PTE_REGION_SHIFT] = table_entry(PTE_REGION_THIRD, view_segments);
}

void dat_enter(void)
{
    const uint64_t asce = pte_designation(PTE_REGION_THIRD, (uintptr_t)dat_root);
    uint64_t control_0;
    uint8_t mask;

    __asm__ volatile ("stctg %%c0, %%c0, %0" : "=QS"(control_0));
    control_0 |= protections;
    __asm__ volatile ("lctlg %%c0, %%c0, %1\n\t"
                      "lctlg %%c1, %%c1, %2\n\t"
                      "stosm %0, %3"
                      : "=Q"(mask) : "QS"(control_0), "QS"(asce), "n"(SYSTEM_MASK_DAT) : "memory");
}

void dat_open(void)
{
    if (has_facility(FACILITY_EXECUTION_PROTECTION)) {
        arch_mmu.attributes |= MMU_NO_EXECUTE;
        arch_mmu.observable |= MMU_NO_EXECUTE;
        protections |= CR0_EXECUTION_PROTECTION;
    }
    table_clear(dat_root, PTE_REGIONS, PTE_REGION_THIRD);
    image_map();
    view_map();
    dat_enter();
    parts_open();
}

/* ---- All memory: segment tables but the first one, then page tables ---- */

/* SCLP tells of memory in whole MiB, as segments are. */
static uint64_t segments(uint64_t memory)
{
    return memory >> PTE_SEGMENT_SHIFT;
}

static uint64_t regions(uint64_t memory)
{
    return ((memory - 1) >> PTE_REGION_SHIFT) + 1;
}

uint64_t dat_tables(uint64_t memory)
{
    uint64_t size = (regions(memory) - 1) * SEGMENT_TABLE_SIZE
        + (segments(memory) - IMAGE_SEGMENTS) * PAGE_TABLE_SIZE;

    return align_down(memory - size, SEGMENT_TABLE_SIZE);
}

static void page_table_fill(uint64_t *table, uint64_t from)
{
    const uint64_t first = page_entry(from, MMU_DATA);

    for (uint64_t i = 0; i < PTE_PAGES; i++)
        table[i] = first + (i << PAGE_SHIFT);
}

static void segment_set(uint64_t n, const uint64_t *table)
{
    uint64_t region = dat_root[n / PTE_SEGMENTS];
    uint64_t *entries = (uint64_t *)(uintptr_t)radix_address(format, PTE_REGION_THIRD, region);

    entries[n % PTE_SEGMENTS] = table_entry(PTE_SEGMENT, table);
}

void dat_map_memory(uint64_t memory)
{
    uint64_t *at = (uint64_t *)(uintptr_t)dat_tables(memory);
    /* The tables are not mapped themselves yet. */
    uint8_t mask = translation_off();

    for (uint64_t n = 1; n < regions(memory); n++, at += PTE_SEGMENTS) {
        table_clear(at, PTE_SEGMENTS, PTE_SEGMENT);
        dat_root[n] = table_entry(PTE_REGION_THIRD, at);
    }
    for (uint64_t n = IMAGE_SEGMENTS; n < segments(memory); n++, at += PTE_PAGES) {
        page_table_fill(at, n << PTE_SEGMENT_SHIFT);
        segment_set(n, at);
    }
    system_mask_restore(mask);
}
