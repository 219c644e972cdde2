/* SPDX-License-Identifier: MIT */
/*
 * A screen of one line, for consoles that take whole lines only: what is written as to a terminal
 * (backspace and carriage return move left, later text overwrites) becomes lines as one would see
 * them. A line that shows nothing but a prompt is left out.
 */
#ifndef PFNLAB_S390X_SCREEN_H
#define PFNLAB_S390X_SCREEN_H

#include "kernel/base.h"

#define SCREEN_COLUMNS 3000u          /* a longer line is folded */

struct screen {
    char line[SCREEN_COLUMNS];
    size_t length, cursor;
};

/* Calls `put` for each line that ends in `text`, without its end. An empty screen is zeroed. */
void screen_write(struct screen *screen, const char *text, size_t size,
                  void (*put)(const char *line, size_t length));

/* The line as it stands, if there is one, is put and gone. */
void screen_flush(struct screen *screen, void (*put)(const char *line, size_t length));

#endif
