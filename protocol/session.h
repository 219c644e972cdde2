/* SPDX-License-Identifier: MIT */
/*
 * Requests in order: decoration, the strict session, and what is remembered of earlier requests.
 */
#ifndef PFNLAB_SESSION_H
#define PFNLAB_SESSION_H

#include "kernel/mm/engine.h"
#include "protocol/reply_struct.h"

/* A guest that has just started: not strict, nothing remembered. */
void session_begin(void);

/* Is a checksum demanded of every line? Nothing is echoed then. */
bool session_is_strict(void);

/* The tag of the last request of a strict session that ran. */
uint32_t session_last(void);

/* A line without its end, printable characters only; `person`: it was typed at the prompt. */
void session_line(const char *text, size_t length, bool person);

/* A line that could not even be read: LINK_LONG, LINK_BYTE. */
void session_refuse(enum error e, bool person);

/* Results: of a tag, if among the last SLOTS; of a variable; of the last line that had one. */
struct result session_result(uint64_t tag);
struct result session_variable(uint64_t variable);
struct result session_last_result(void);

/* Remember the outcome of a line for `$`: a failure (not given, `failed`) forgets the last one. */
void session_remember(const struct result *result, bool failed);
void session_set_variable(uint64_t variable, const struct result *result);

/*
 * Invariants of what is remembered, after those of the lab: true if all hold.
 *   800  a slot is empty or holds a tag of its own place
 */
MUST_USE bool session_check(struct page_violation *violation);

/* To test whoever should notice: break 800, until results are forgotten. */
void session_corrupt(void);

/* A fresh instance of the lab: results and variables are of the old one. */
void session_forget_results(void);

/*
 * The final line of mutator `tag`, without sigil and tag: *final, *length, *sigil and *result.
 * False if it is not among the last SLOTS.
 */
bool session_final(uint64_t tag, const char **final, size_t *length, char *sigil,
                   struct result *result);

#endif
