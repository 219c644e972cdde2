/* SPDX-License-Identifier: MIT */
/* The image's parts, as they are mapped and as arch_parts() tells them. */
#ifndef PFNLAB_S390X_PARTS_H
#define PFNLAB_S390X_PARTS_H

#include "arch/arch.h"

#define PART_UNMAPPED (~0u)

/* Ascending; what lies between two of them is memory like any other. Page borders. */
struct part {
    const char *name;
    const char *first, *end;
    const char *probe;                    /* arch_parts() explains */
    unsigned attributes;                  /* of kernel/mmu.h, or PART_UNMAPPED */
};
extern const struct part parts[];
extern const size_t parts_count;

/* Lay down what the probes of data and stacks are to find. They are mapped. */
void parts_open(void);

#endif
