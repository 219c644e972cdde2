/* SPDX-License-Identifier: MIT */
/*
 * The CPUs of a port that starts them itself: which of them run, what one makes all others forget,
 * and which one ends the machine. Several CPUs call these functions at once.
 */
#ifndef PFNLAB_ARCH_COMMON_CPUS_H
#define PFNLAB_ARCH_COMMON_CPUS_H

#include <stdatomic.h>

#include "arch/arch.h"

/*
 * A CPU runs from cpus_come(), by itself and with interrupts off, until it says that it does not,
 * when it uses its stack no more: its place is a byte that an instruction can write. `forget` drops
 * all that it knows of translations.
 */
bool cpus_is_running(unsigned cpu);
void cpus_come(void (*forget)(void));
extern atomic_bool cpus_running[ARCH_CPUS_MAX];

/*
 * The stack of a CPU, not CPU 0, that is to be started: where its ARCH_CPU_STACK bytes end. Are
 * these bytes in that of the CPU that asks, and mapped? For backtraces, which find anything.
 */
void cpus_set_stack(unsigned cpu, virt_t top);
bool cpus_is_stack(uintptr_t at, size_t size);

/* How many run, without the one that asks: each of them may use what was in the tables before. */
unsigned cpus_others(void);

/*
 * Let every other running CPU forget stale translations, and return when all have. `interrupt`
 * makes a CPU serve soon: it reads `cpus_forget_asked`, then forgets, then stores what it has read
 * in its place of `cpus_forgotten`. One caller at a time, as page tables have.
 */
void cpus_forget(void (*interrupt)(unsigned cpu));

/* On the interrupted CPU, interrupts off: the same in C. */
void cpus_forget_here(void (*forget)(void));

extern _Atomic uint32_t cpus_forget_asked, cpus_forgotten[ARCH_CPUS_MAX];

/*
 * True for the first CPU that wants all others to halt, whenever it asks. All others are to wait
 * for being halted: two that halt each other would end as a machine that nobody ended.
 */
bool cpus_may_halt(void);

/* This CPU, which has halted all others, is the one that does not run: CPU 0 is as if it had. */
void cpus_leave(void);

#endif
