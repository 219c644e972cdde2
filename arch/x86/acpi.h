/* SPDX-License-Identifier: MIT */
/*
 * The machine's processors, as ACPI's tables tell (ACPI Specification 6.5, section 5.2: root
 * pointer, root tables, and the MADT with its entries of local APICs). Plain C over an accessor, so
 * that unit tests feed it tables made by hand.
 */
#ifndef PFNLAB_X86_ACPI_H
#define PFNLAB_X86_ACPI_H

#include "arch/x86/multiboot.h"

/* Identifiers of the local APICs of processors that can be started; they may have gaps. */
#define ACPI_CPUS_MAX 256u
struct acpi_cpus {
    uint8_t apic[ACPI_CPUS_MAX];
    unsigned count;
};

/* The MADT's address, by the root pointer in the BIOS's memory; 0: none is there, or none whole. */
uint64_t acpi_find_madt(boot_view view);

/* Processors of the MADT at `madt`, in its order; none of a damaged one. */
void acpi_read_cpus(boot_view view, uint64_t madt, struct acpi_cpus *out);

#endif
