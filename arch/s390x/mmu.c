/* SPDX-License-Identifier: MIT */
/*
 * The tables of dat.c for the layers above. An entry that may be in use is invalidated by IPTE or
 * IDTE, or gets another value by CSPG, so that no CPU finds it invalid in between; it is never just
 * overwritten (Principles of Operation, "Modification of Translation Tables"). At the end of an
 * operation follows one PTLB on each CPU: QEMU 7.2 puts off what these are for until a CPU comes to
 * its main loop. (That is soon: without PTLB `truth` and `shootdown` see each promise kept, without
 * all of these none.) A new translation where there was none needs nothing of that.
 */
#include "arch/arch.h"
#include "arch/common/space.h"
#include "arch/s390x/cpu.h"
#include "arch/s390x/cpus.h"
#include "arch/s390x/dat.h"
#include "arch/s390x/pte.h"

/* From here to the end of what three levels reach; memory ends far below. */
#define WINDOW_FIRST (UINT64_C(1) << 40)

static struct {
    bool pending;                         /* PTLB is due */
    uint64_t count;                       /* IPTE, IDTE, CSPG and PTLB since boot */
} flush;

static void *no_table(void *context, uint64_t size)
{
    (void)context, (void)size;
    return NULL;
}

static void *table_pointer(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

static uint64_t table_number(const void *table)
{
    return (uintptr_t)table;
}

static void entry_invalidate(unsigned level, const uint64_t *entry, uint64_t at)
{
    const struct radix_level *shape = &pte_format_region_third.level[level];
    uint64_t table = align_down((uintptr_t)entry, shape->entries * sizeof(*entry));

    at = align_down(at, UINT64_C(1) << shape->shift);
    if (level == PTE_PAGE)
        __asm__ volatile ("ipte %0, %1" : : "a"(table), "a"(at) : "memory");
    else
        __asm__ volatile ("idte %0, %%r0, %1"
                          : : "a"(pte_designation(level, table)), "a"(at) : "memory");
}

/* An odd address asks for the purge of all CPUs. */
static void entry_replace(uint64_t *entry, uint64_t value)
{
    register uint64_t before __asm__("2") = *entry;
    register uint64_t after __asm__("3") = value;

    __asm__ volatile ("cspg %0, %2" : "+d"(before), "+d"(after) : "a"((uintptr_t)entry | 1)
                      : "cc", "memory");
}

static void entry_write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    const struct radix_format *format = &pte_format_region_third;
    bool was_present = radix_is_present(format, level, *entry);

    flush.count += was_present;
    flush.pending |= was_present;
    if (was_present && radix_is_present(format, level, value)) {
        entry_replace(entry, value);
        return;
    }
    if (was_present)
        entry_invalidate(level, entry, at);
    __asm__ volatile ("stg %1, %0" : "=QS"(*entry) : "d"(value) : "memory");
}

/* IDTE also clears what was formed through the entry, of all that is below it. */
static void table_detach(unsigned level, uint64_t *entry, uint64_t at)
{
    entry_write(level, entry, pte_format_region_third.empty(level), at);
}

static void entries_written(void)
{
    if (!flush.pending)
        return;
    translations_drop();
    cpus_flush();
    flush.count++;
    flush.pending = false;
}

struct radix space = {
    .format = &pte_format_region_third, .root = dat_root, .limit = PTE_LIMIT,
    .source = SPACE_EARLY(no_table), .pointer = table_pointer, .number = table_number,
    .write = entry_write, .detach = table_detach, .written = entries_written,
};

static uint64_t flushes(void)
{
    return flush.count;
}

/* dat_open() adds what depends on facilities. There is no attribute of caching. */
struct mmu arch_mmu = {
    .attributes = MMU_READ_ONLY, .observable = MMU_READ_ONLY,
    .units = UINT64_C(1) << PAGE_SHIFT, .levels = PTE_REGION_THIRD, .limit = { PTE_LIMIT },
    .phys_limit = { ADDRESS_LIMIT }, SPACE_OPERATIONS, .flushes = flushes,
};

void arch_window(virt_t *first, virt_t *limit)
{
    *first = virt(WINDOW_FIRST);
    *limit = virt(PTE_LIMIT);
}

void arch_execute(virt_t address)
{
    ((void (*)(void))(uintptr_t)address.a)();
}
