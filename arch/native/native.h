/* SPDX-License-Identifier: MIT */
/* What the files of this port know of each other. */
#ifndef PFNLAB_NATIVE_H
#define PFNLAB_NATIVE_H

#include "arch/arch.h"

/* Exit statuses, those of run-guest.sh. */
enum { EXIT_ORDERLY = 0, EXIT_USAGE = 2, EXIT_EMULATOR = 3, EXIT_PANIC = 4 };

/* Reserve the address space of a machine with `size` bytes of RAM; false: the host refuses. */
#define NATIVE_MINIMUM (UINT64_C(4) << 20)
#define NATIVE_MAXIMUM (UINT64_C(1) << 40)
bool memory_open(uint64_t size);

/* True if `host` lies in the fake address space; *address is what the guest calls it. */
bool memory_guest_address(uintptr_t host, uint64_t *address);

/* Catch what the processor reports; after it a wild access is a fault of the guest. */
void trap_open(void);

/* A terminal goes into raw mode until the process ends, however it ends. */
void console_open(void);
/* Safe in a signal handler. */
void console_restore(void);

#endif
