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

/*
 * Simulated address translation. Memory at a physical address is at memory_at(), reachable by the
 * process as far as it is mapped there; memory_protect() is what mprotect() says to the host.
 */
void *memory_at(uint64_t address);
void *memory_on_bus(uint64_t address);        /* for the simulated processor, always accessible */
uint64_t memory_address(const void *at);
bool memory_is_ram(uint64_t start, uint64_t size);
uint64_t memory_end(void);
void memory_protect(uint64_t start, uint64_t size, int protection);

/*
 * The kernel of this machine is the process; in the image's reservation lies what a kernel has
 * elsewhere, so that its parts can be tried: code, constants, data, a stack with a guard page.
 */
#define IMAGE_START (UINT64_C(1) << 20)
#define IMAGE_END (UINT64_C(3) << 20)
#define IMAGE_TABLES (UINT64_C(2) << 20)      /* page tables of the boot, up to IMAGE_END */

/* Map the image and the usable memory below 4 GiB. */
void paging_open(void);

/* As the processor walks the tables, at any moment: false if `address` is not mapped. */
bool paging_walk(uint64_t address, struct mmu_mapping *mapping);

/* No access is under way: all other CPUs stand still, wherever they were. */
void processors_open(void);

/* All processors forget what they know of the unit that `at` lies in, or all they know. */
void processors_drop(uint64_t at);
void processors_drop_all(void);

/* The class of a fault of the process at an address of the guest: mapped at all, or not? */
enum error paging_fault_class(uint64_t address);

/* Catch what the processor reports; after it a wild access is a fault of the guest. */
void trap_open(void);

/* This thread has a stack of its own, of `size` bytes, for what its faults bring. */
void trap_open_thread(void *stack, size_t size);

/* The machine has so many CPUs, 1 to ARCH_CPUS_MAX. Once, by the thread that is CPU 0. */
void cpus_open(unsigned count);

/*
 * The serial line is the socket `path`, which is made anew: waits for the first client, and has it
 * as standard input and output. False, with errno: it cannot be had.
 */
bool socket_open(const char *path);

/* Take the next client, waiting for it; false if there will be none. */
bool socket_accept(void);

/* The client has left; false if there is no socket, and never will be another one. */
bool socket_leave(void);

/* What becomes readable when the next client is there; -1 while one is, or without a socket. */
int socket_waiting(void);

/* Nobody shall find the socket any more. Safe in a signal handler. */
void socket_remove(void);

/* A terminal goes into raw mode until the process ends, however it ends. */
void console_open(void);
/* Safe in a signal handler. */
void console_restore(void);

#endif
