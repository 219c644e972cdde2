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

/*
 * An address of the window, in a page at which nothing is mapped, and the frame that may be mapped
 * there for a moment: what lies at the address then is the kernel's, and may be read, written back
 * and executed (arch_parts()). MEM_NONE: no address is left. CALL_UNSUPPORTED: nothing is shared.
 */
struct access_ground {
    virt_t page, at;
    phys_t frame;
};
MUST_USE enum error access_share(struct access_ground *ground);

/*
 * Is [address, address + size), within one page, mapped to memory that the allocators own, and that
 * no running CPU stands on?
 */
bool access_is_owned(const struct mmu_mapping *mapping, uint64_t address, uint64_t size);

#endif
