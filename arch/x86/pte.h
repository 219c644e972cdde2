/* SPDX-License-Identifier: MIT */
/*
 * Entries of page tables: four levels in 64-bit mode, and with PAE in 32-bit mode (Intel SDM volume
 * 3, sections 4.5 and 4.4). They have the same 64 bits; the tables differ in their number. Plain
 * functions, also of use where the tables are simulated.
 */
#ifndef PFNLAB_X86_PTE_H
#define PFNLAB_X86_PTE_H

#include "arch/common/radix.h"

/* Units of 4 KiB, 2 MiB and 1 GiB (a processor may lack the last: CPUID 0x80000001 EDX bit 26). */
extern const struct radix_format pte_format_4_levels;

/*
 * Units of 4 KiB and 2 MiB. The four directories lie one behind the other and are one root: the
 * processor reads the topmost table, of the four entries that point to them, only with CR3.
 */
extern const struct radix_format pte_format_pae;

/*
 * What MSR IA32_PAT must hold for these entries: as after reset, but write-combining for index 4,
 * which no entry asks for until there is that value (section 11.12.4).
 */
#define PTE_PAT UINT64_C(0x0007040100070406)

#endif
