/* SPDX-License-Identifier: MIT */
/*
 * 32 bits: memory below 4 GiB is mapped one to one, memory above is managed and can be mapped into
 * the window. That lies where there is no memory below 4 GiB: behind 2 GiB, or behind the memory if
 * that is larger, and below the devices that every PC has there (the IO APIC at 0xfec00000). QEMU's
 * and Bochs's memory below 4 GiB ends at 0xe0000000 at the latest.
 */
#include "arch/arch.h"
#include "arch/i386/machine.h"
#include "arch/x86/machine.h"
#include "arch/x86/pte.h"

#define CR0_PG 0x80000000u
#define CR4_PAE 0x20u
#define DIRECTORIES 4u
#define PRESENT 1u

const char arch_name[] = "i386";

/*
 * The processor reads the four entries of the topmost table when CR3 is written and never again
 * (SDM volume 3, section 4.4.1). So they are there from the start, and the four directories that
 * they point to are treated as one.
 */
static _Alignas(4096) uint64_t root[DIRECTORIES * 512];
static _Alignas(32) uint64_t pointers[DIRECTORIES];
const struct paging paging = {
    .format = &pte_format_pae, .root = root, .limit = UINT64_C(1) << 32,
    .window_first = UINT64_C(2) << 30, .window_limit = UINT64_C(0xfec00000),
};

void paging_load(void)
{
    uintptr_t cr0, cr4;
    for (unsigned i = 0; i < DIRECTORIES; i++)
        pointers[i] = (uintptr_t)&root[i * 512] | PRESENT;
    trap_set_root((uintptr_t)pointers);
    __asm__ volatile ("mov %0, %%cr3" : : "r"(pointers) : "memory");
    __asm__ volatile ("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile ("mov %0, %%cr4" : : "r"(cr4 | CR4_PAE) : "memory");
    __asm__ volatile ("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile ("mov %0, %%cr0" : : "r"(cr0 | CR0_PG) : "memory");
}
