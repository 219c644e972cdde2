/* SPDX-License-Identifier: MIT */
/*
 * The CPUs of the machine: started with memory from the allocators under test, given work, stopped.
 *
 * CPU 0 runs the commands, has the line, and alone starts, stops and posts; the others idle until
 * it posts a job. It does not go on to the next command before all of them idle again: so what a
 * command does between its steps needs no lock, only what several CPUs do in one command.
 */
#ifndef PFNLAB_SMP_H
#define PFNLAB_SMP_H

#include "kernel/base.h"

/* What is known of one CPU, and what memory it has from the allocators; sizes are in bytes. */
struct smp_info {
    bool running;                 /* idle, or at work; after a panic only CPU 0 still is */
    uint32_t tag;                 /* of the request that started it */
    uint64_t drained;             /* single pages that its cache gave back when it stopped last */
    uint64_t need_size;           /* 0: none */
    phys_t need;                  /* arch_cpu_need */
    uint64_t stack_size;          /* 0: none of theirs */
    virt_t stack;                 /* its lowest byte */
    bool guarded;                 /* a page that is not mapped lies below it */
};

#define SMP_MAX 256u              /* CPUs at most, as arch.h says */
unsigned smp_count(void);

/* The CPU that asks. */
unsigned smp_self(void);

void smp_info(unsigned cpu, struct smp_info *info);

/* The word for what a CPU of this machine needs beside a stack. */
const char *smp_need_name(void);

/*
 * Is the frame memory of a CPU: of its stack, or what its machine needs? As long as the CPU has it,
 * nobody else frees or writes it. Cost: the pages of all such memory.
 */
bool smp_has(pfn_t frame);

/*
 * Start a CPU, in the name of request `tag`. From STAGE_PAGE on its stack is single pages in the
 * window with a guard page below, and what its machine needs beside it comes from the pages below
 * the address that the machine demands; before, both are early memory, and nothing guards the
 * stack. Errors: CALL_CPU: there is none of that number. CALL_STATE: it runs. CALL_UNSUPPORTED: the
 * map in force has no memory. As pages_alloc_use(), vmap_alloc(), phys_alloc(): *lacking is a word
 * for what could not be had, else NULL. FAULT_START: it did not come. Nothing has changed on error;
 * but of a CPU that did not come, memory that no record can be had for stays its own, until the
 * next try.
 */
MUST_USE enum error smp_start(unsigned cpu, uint32_t tag, const char **lacking);

/*
 * Stop a CPU, and give back what it had. CALL_CPU. CALL_STATE: it does not run, or is CPU 0.
 * MEM_METADATA: it has stopped, but no record can be had for all of its memory, of which it keeps
 * the rest for its next start.
 */
MUST_USE enum error smp_stop(unsigned cpu);

/* Stop all that run; their memory is that of an instance of the lab that is gone. */
void smp_abandon(void);

/*
 * Let a running CPU call function(argument) and be done. What was written before is seen by it, and
 * what it writes by whoever has seen smp_done().
 */
void smp_post(unsigned cpu, void (*function)(void *argument), void *argument);
bool smp_done(unsigned cpu);

/* On CPU 0: has no other CPU a job, so that nobody waits for its locks? */
bool smp_is_alone(void);

/* Serve until the CPU has done its job. */
void smp_wait(unsigned cpu);

/*
 * Let CPU 0 call function(argument), and wait for it, holding no lock; at once on CPU 0 itself.
 * This is how others use the line. CPU 0 does it in smp_wait() and smp_serve(), which it calls now
 * and then while it works along with them.
 */
void smp_call(void (*function)(void *argument), void *argument);
void smp_serve(void);

/*
 * Have CPU 0 call function() when it serves next, and go on at once: locks may be held. It is
 * called once for all who asked meanwhile, and may be called in a later command: it must ask
 * whether it is still wanted. Only one function is asked for at a time, the latest.
 */
void smp_ask(void (*function)(void));

/* In a loop that waits for what another CPU will do. */
void smp_relax(void);

#endif
