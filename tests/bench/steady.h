/* SPDX-License-Identifier: MIT */
/* What is counted depends on nothing around the program. */
#ifndef PFNLAB_STEADY_H
#define PFNLAB_STEADY_H

/*
 * Call work(argument) on a stack of 1 MiB that lies at the same place in every run. Where a process
 * has its own depends on its environment, its name and the kernel, and with it which sets of a
 * cache it shares with what is measured.
 */
void steady_call(void (*work)(void *argument), void *argument);

#endif
