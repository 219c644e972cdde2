/* SPDX-License-Identifier: MIT */
/*
 * A machine made of data for tests of the lab: a map, real memory for what the kernel takes at
 * boot, a log, a panic that cmocka sees. And the lab's calls made short.
 */
#ifndef PFNLAB_UNIT_LAB_MACHINE_H
#define PFNLAB_UNIT_LAB_MACHINE_H

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/no_memory.h"
#include "tests/unit/support.h"

#include "arch/arch.h"

#define FAKE_MMU struct mmu arch_mmu
#include "tests/unit/fake_mmu.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

const struct area_limit arch_areas[] = {
    { "lowest", { 16 * M >> PAGE_SHIFT } }, { "low", { 4 * G >> PAGE_SHIFT } },
    { "normal", { PFN_LIMIT } },
};
const size_t arch_areas_count = ARRAY_SIZE(arch_areas);

static const struct phys_range usual_map[] = {
    { { 4 * G }, 2 * G, RANGE_USABLE },
    { { 0 }, 640 << 10, RANGE_USABLE },
    { { M }, M, RANGE_RESERVED },
    { { M }, 256 * M, RANGE_USABLE },
    { { 256 * M }, M, RANGE_RESERVED },
};
static const struct phys_range *machine_map;
static size_t machine_ranges;

/* Real memory for what the kernel takes at boot, everything below this end. */
#define BOOT_MEMORY_END (256 * M)
#define BOOT_MEMORY (254 * M)
static unsigned char *boot_memory;
static uint64_t tables_wanted, tables_got, table_size;

void arch_memory_map(void (*range)(const struct phys_range *range, const char *name))
{
    for (size_t i = 0; i < machine_ranges; i++)
        range(&machine_map[i], "memory");
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table)(uint64_t size))
{
    (void)size;
    /* What lies high needs page tables. */
    for (uint64_t i = 0; start.a >= 4 * G && i < tables_wanted; i++) {
        unsigned char *memory = table(table_size);

        if (memory == NULL)
            return false;
        assert_true(is_aligned((uintptr_t)(memory - boot_memory), table_size));
        memset(memory, 0xff, table_size);
        tables_got++;
    }
    return true;
}

void *arch_pointer(phys_t start, uint64_t size)
{
    uint64_t first = BOOT_MEMORY_END - BOOT_MEMORY;

    if (start.a < first || start.a > BOOT_MEMORY_END || size > BOOT_MEMORY_END - start.a)
        return NULL;
    return boot_memory + (start.a - first);
}

void arch_window(virt_t *first, virt_t *limit)
{
    *first = virt(FAKE_FIRST);
    *limit = virt(FAKE_FIRST + FAKE_PAGES * PAGE_SIZE);
}

static const char *panic_kind;

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    (void)fault;
    panic_kind = kind;
    mock_assert(0, kind, file, line);
    abort();
}

static unsigned zeroings;

enum error machine_zero(pfn_t first, uint64_t pages)
{
    (void)first;
    (void)pages;
    zeroings++;
    return OK;
}

static unsigned polls, polls_until_stopped;   /* 0: never */

void machine_at_work(void) { }
bool machine_wait_interrupted(void) { return false; }

bool machine_interrupted(void)
{
    return ++polls == polls_until_stopped;
}

/* ---- short words for what follows ---- */

static char log_text[65536];

static void log_line(const char *text)
{
    size_t used = strlen(log_text);

    snprintf(log_text + used, sizeof(log_text) - used, "%s\n", text);
}

static inline bool logged(const char *text)
{
    for (const char *at = log_text; *at != '\0'; at++)
        if (memcmp(at, text, strlen(text)) == 0)
            return true;
    return false;
}

static inline void boot(const char *command_line)
{
    log_text[0] = '\0';
    lab_boot(command_line, log_line);
}

static inline void assert_whole(void)
{
    struct page_violation violation = { .text = "" };

    if (lab_check(&violation) != OK)
        fail_msg("invariant %u: %s", violation.invariant, violation.text);
}

static inline int begin(void **unused)
{
    (void)unused;
    tables_wanted = tables_got = 0;
    table_size = PAGE_SIZE;
    machine_map = usual_map;
    machine_ranges = ARRAY_SIZE(usual_map);
    boot("");
    assert_whole();
    return 0;
}

static inline int open_memory(void **unused)
{
    (void)unused;
    boot_memory = aligned_alloc(PAGE_SIZE, BOOT_MEMORY);
    return boot_memory == NULL;
}

static inline int close_memory(void **unused)
{
    (void)unused;
    free(boot_memory);
    return 0;
}

static inline enum error alloc(uint32_t areas, uint64_t pages, uint64_t *first)
{
    struct page_request request = {
        .areas = areas, .pages = pages, .align = order_for(pages), .max = pfn(PFN_LIMIT),
    };
    pfn_t out, blame;
    bool zeroed;
    enum error e = pages_alloc(&lab.pages, &request, 9, false, &out, &zeroed, &blame);

    if (e == OK)
        *first = out.n;
    return e;
}

static inline enum page_state state_of(uint64_t frame)
{
    struct page_info info;

    lab.engine->query(lab.pages.state, pfn(frame), &info);
    return info.state;
}

static inline uint64_t managed(void)
{
    struct page_area_info info;
    uint64_t pages = 0;

    for (unsigned i = 0; lab.engine->area_info(lab.pages.state, i, &info); i++)
        pages += info.managed;
    return pages;
}

static inline enum error commit(enum lab_stage stage)
{
    uint64_t needed;

    return lab_map_commit(stage, &needed);
}

#endif
