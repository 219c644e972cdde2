/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device (QEMU documentation, "QEMU Firmware Configuration Device"):
 * what it hands to firmware is there for everybody.
 */
#ifndef PFNLAB_X86_FW_CFG_H
#define PFNLAB_X86_FW_CFG_H

#include "kernel/base.h"

/*
 * Copy the ACPI table of that signature, as firmware is given it: its checksum is not set. 0: not
 * in QEMU, no such table, or larger than `size`; else its length.
 */
size_t fw_cfg_acpi_table(const char signature[4], void *to, size_t size);

#endif
