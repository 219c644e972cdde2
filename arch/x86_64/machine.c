/* SPDX-License-Identifier: MIT */
#include "arch/arch.h"
#include "arch/x86/machine.h"
#include "arch/x86/pte.h"

const char arch_name[] = "x86_64";

/* Addresses are canonical in two halves; the upper one is not used. */
static _Alignas(4096) uint64_t root[512];
const struct paging paging = {
    .format = &pte_format_4_levels, .root = root, .limit = UINT64_C(1) << 47,
    .window_first = UINT64_C(1) << 40, .window_limit = UINT64_C(4) << 40,
};

void paging_load(void)
{
    __asm__ volatile ("mov %0, %%cr3" : : "r"(root) : "memory");
}
