/* SPDX-License-Identifier: MIT */
/* The memory of a CPU, for smp.c. */
#ifndef PFNLAB_SMP_MEMORY_H
#define PFNLAB_SMP_MEMORY_H

#include "kernel/smp.h"

/* Enter a stack and what the machine needs into *info, or nothing. Errors as smp_start(). */
MUST_USE enum error smp_memory_take(struct smp_info *info, uint32_t tag, const char **lacking);

/*
 * The CPU runs: give back what only its start needed. If no record can be had for that, it is given
 * back with the rest.
 */
void smp_memory_started(struct smp_info *info);

/* Give it all back. Errors as smp_stop(). */
MUST_USE enum error smp_memory_give(struct smp_info *info);

#endif
