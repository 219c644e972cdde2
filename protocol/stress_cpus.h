/* SPDX-License-Identifier: MIT */
/* The two kinds of `stress` of each other: alone and repeatable, or of several CPUs. */
#ifndef PFNLAB_STRESS_CPUS_H
#define PFNLAB_STRESS_CPUS_H

#include "protocol/handlers.h"

/* A stress that was given cpus=, seconds= or mix=. */
MUST_USE enum error stress_cpus(const struct args_stress *args, struct reply *reply);

/*
 * All processors that run work without end, on all kinds; in the middle of that `cpu` panics.
 * CALL_CPU, CALL_STATE: that one does not run, this is not CPU 0, or there are no pages yet.
 * STOP_INTERRUPTED: ^C was earlier. Other errors are those of the work.
 */
MUST_USE enum error stress_panic(uint64_t cpu, struct reply *reply);

/* lab_check(), told as `check` tells it but for the text. */
MUST_USE enum error stress_check(struct reply *reply);

/*
 * Operations of a CPU in the last stress of several; 0 if it was in none, or after stress_forget(),
 * as what it worked on is gone.
 */
uint64_t stress_operations(unsigned cpu);
void stress_forget(void);

#endif
