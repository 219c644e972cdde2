/* SPDX-License-Identifier: MIT */
/*
 * The last lines that came, as they came, for whoever looks from outside: a debugger, a dump of the
 * memory. The guest itself never reads them. So it can be told what a guest was asked last when its
 * serial line no longer answers, and what it was doing.
 */
#ifndef PFNLAB_RING_H
#define PFNLAB_RING_H

#include <stddef.h>
#include <stdint.h>

#define RING_LINES 64u                /* kept; older ones are overwritten */
#define RING_TEXT 104u                /* bytes of one with the NUL; the rest is cut off */

struct ring_line {
    char sigil;                       /* of its final line, NUL: it has none yet */
    char text[RING_TEXT - 1];
};

struct ring {
    uint64_t count;                   /* lines since the start; number n lies at n % RING_LINES */
    struct ring_line lines[RING_LINES];
};

/* A line begins to be worked on. */
void ring_line(const char *text, size_t length);

/* The last one has its final line. */
void ring_answer(char sigil);

#endif
