/* SPDX-License-Identifier: MIT */
/*
 * One command line: find the command, read its arguments, run it.
 */
#ifndef PFNLAB_DISPATCH_H
#define PFNLAB_DISPATCH_H

#include "kernel/trap.h"
#include "protocol/parse.h"

/*
 * Run the command at [text, text + length) under guard. A failed assertion or a fault of the guest
 * is BUG_ASSERT or BUG_FAULT, and the lab is dead from then on: BUG_DEAD for every mutator but
 * those that make it afresh. A panic that is survived is BUG_PANIC: BUG_DEAD for those, too.
 */
enum error dispatch(const char *text, size_t length, struct reply *reply);

/* The same on any CPU, for a part of a command that dispatch() runs. */
enum error dispatch_guarded(const char *text, size_t length, struct reply *reply);

/* How a guard that did not end by itself is told: BUG_*. */
MUST_USE enum error dispatch_ended(const struct ending *ending, struct reply *reply);

/* The same for a line of a batch, inside the guard of the command `run`. */
enum error dispatch_nested(const char *text, size_t length, struct reply *reply);

/* The command that a line names, or NULL. */
const struct command *dispatch_find(const char *text, size_t length);

/* Does the line change something? For a line that is run on a CPU: what is run there does. */
bool dispatch_is_mutator(const char *text, size_t length);

#endif
