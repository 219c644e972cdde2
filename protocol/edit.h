/* SPDX-License-Identifier: MIT */
/*
 * A person's line: echo, editing, history. Nothing but printable characters, BS, CR and LF is sent,
 * so that any terminal will do.
 */
#ifndef PFNLAB_EDIT_H
#define PFNLAB_EDIT_H

#include <stdbool.h>

#include "protocol/protocol.h"

#define HISTORY_LINES 16u

/* A guest that has just started: no history, an empty line behind a prompt. */
void edit_begin(void);

/* A fresh line with the prompt and nothing typed. */
void edit_prompt(void);

/* Prompt and what was typed so far, on a line of their own. */
void edit_redraw(void);

/* A byte of the line, not its end. False if the line is as empty as at its beginning. */
bool edit_byte(char c);

/* The line's end: runs it, and prompts for the next one. */
void edit_end(void);

/* ^C: drops it, and prompts. */
void edit_cancel(void);

/* For completion: put text in at the cursor. */
void edit_insert(const char *text, size_t length);

#endif
