/* SPDX-License-Identifier: MIT */
#include "arch/arch.h"
#include "arch/x86/machine.h"

const char arch_name[] = "x86_64";

/* Addresses are canonical in two halves; the upper one is not used. */
static _Alignas(4096) uint64_t root[512];
const struct paging paging = { .levels = 4, .end = UINT64_C(1) << 47, .root = root };

void paging_load(void)
{
    __asm__ volatile ("mov %0, %%cr3" : : "r"(root) : "memory");
}
