/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of the line: whole lines, each in one write, never glued to a prompt or an echo.
 */
#ifndef PFNLAB_OUTPUT_H
#define PFNLAB_OUTPUT_H

#include "protocol/protocol.h"

#define CRC_LENGTH 6u                          /* " *hhhh" */
#define BODY_LENGTH (LINE_LENGTH - CRC_LENGTH) /* what fits before a checksum */

void output_open(const struct channel *channel);

/* One line, at most BODY_LENGTH characters, sealed with its checksum if `crc`. */
void output_line(const char *text, size_t length, bool crc);

/*
 * The same for what comes between replies: `redraw`, if set, is called behind it when the line it
 * interrupted held a prompt.
 */
void output_between(const char *text, size_t length, bool crc);
void output_on_interruption(void (*redraw)(void));

/* A sealed line from CPU 0 in a strict session, whatever locks it holds (machine_gives_sign()). */
void output_sign(const char *text, size_t length);

/* Free text as one "; text" line; what cannot be printed becomes a dot, what is too long is cut. */
void output_log(const char *text, size_t length);

/* Characters as they are: echo and prompt. */
void output_raw(const char *text, size_t length);
void output_string(const char *text);

/* Is nothing open: no prompt, no echo? */
bool output_at_line_start(void);

/* End the line that echo or prompt left open, if there is one. */
void output_fresh_line(void);

#endif
