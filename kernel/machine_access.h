/* SPDX-License-Identifier: MIT */
/* What machine*.c share: one access under guard. */
#ifndef PFNLAB_MACHINE_ACCESS_H
#define PFNLAB_MACHINE_ACCESS_H

#include "kernel/base.h"
#include "kernel/mmu.h"
#include "kernel/trap.h"

struct access {
    virt_t address;
    unsigned width;
    uint64_t value;
};

/* To be run by access_run(). */
void access_load(void *access);
void access_store(void *access);
void access_execute(void *access);

/* Run one of these, or any function with an argument of its own. FAULT_* with *fault. */
MUST_USE enum error access_run(void (*function)(void *), void *argument, struct fault *fault);

/* Is [address, address + size), within one page, mapped to memory that the allocators own? */
bool access_is_owned(const struct mmu_mapping *mapping, uint64_t address, uint64_t size);

#endif
