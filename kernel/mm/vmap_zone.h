/* SPDX-License-Identifier: MIT */
/*
 * Red zones: what lies between the end of what was asked for and the end of the last page holds a
 * pattern, which whoever writes beyond the end destroys. Only the last page or two, by the direct
 * map. For vmap.c.
 */
#ifndef PFNLAB_MM_VMAP_ZONE_H
#define PFNLAB_MM_VMAP_ZONE_H

#include "kernel/mm/vmap.h"

/* Write the pattern. False: it cannot be reached, nothing was written. */
bool zone_stamp(const struct vmap *vmap, const struct virt_range *range);

/* Is the pattern still there? Else *at is the first byte that is not. */
bool zone_verify(const struct vmap *vmap, const struct virt_range *range, virt_t *at);

#endif
