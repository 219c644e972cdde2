/* SPDX-License-Identifier: MIT */
/* The process as a machine: its name, its areas, how it comes up, its clock. */
#define _GNU_SOURCE
#include <time.h>

#include "arch/native/native.h"

const char arch_name[] = "native";

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
