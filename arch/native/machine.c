/* SPDX-License-Identifier: MIT */
/* The process as a machine: its name, its areas, how it comes up, its clock. */
#define _GNU_SOURCE
#include <time.h>

#include "arch/native/native.h"

const char arch_name[] = "native";

/* As on x86, so that a scenario finds the same areas on both. */
const struct area_limit arch_areas[] = {
    { "realmode", { UINT64_C(0x100000) >> PAGE_SHIFT } },
    { "lowest", { UINT64_C(0x1000000) >> PAGE_SHIFT } },
    { "low", { UINT64_C(0x100000000) >> PAGE_SHIFT } },
    { "high", { UINT64_C(0x1000000000) >> PAGE_SHIFT } },
    { "normal", { PFN_LIMIT } },
};
const size_t arch_areas_count = ARRAY_SIZE(arch_areas);

void arch_init(void)
{
    trap_open();
    console_open();
    paging_open();
}

uint64_t arch_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t arch_ticks_per_second(void)
{
    return 1000000000u;
}
