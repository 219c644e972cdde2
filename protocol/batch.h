/* SPDX-License-Identifier: MIT */
/*
 * The stored lines of `store` and `run`.
 */
#ifndef PFNLAB_BATCH_H
#define PFNLAB_BATCH_H

/* A guest that has just started: nothing is stored. */
void batch_begin(void);

#endif
