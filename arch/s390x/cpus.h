/* SPDX-License-Identifier: MIT */
/* The mainframe's processors. */
#ifndef PFNLAB_S390X_CPUS_H
#define PFNLAB_S390X_CPUS_H

#include "arch/arch.h"

/* This CPU is CPU 0; of those `told` addresses that are there, the others follow. */
void cpus_open(const uint8_t *addresses, unsigned told);

/* All other CPUs drop what they know of translations. Returns when they have. */
void cpus_flush(void);

#endif
