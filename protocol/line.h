/* SPDX-License-Identifier: MIT */
/*
 * From bytes to lines. The first byte of a line decides what it is: a sigil begins a quiet line,
 * anything else a person's, which is echoed and can be edited. In a strict session every line is
 * quiet.
 */
#ifndef PFNLAB_LINE_H
#define PFNLAB_LINE_H

#include <stddef.h>

/* Nothing read yet; prints the first prompt. */
void line_begin(void);

/* Bytes as they come in; runs each request as its line ends. */
void line_feed(const char *bytes, size_t size);

#endif
