/* SPDX-License-Identifier: MIT */
/*
 * Text in a buffer of fixed size. Every function appends and never writes beyond the end: what does
 * not fit is dropped and `truncated` is set. The text is always NUL-terminated.
 */
#ifndef PFNLAB_FORMAT_H
#define PFNLAB_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *buffer;
    size_t size;              /* of the buffer, at least 1 */
    size_t length;            /* without the NUL */
    bool truncated;
};

void text_init(struct text *t, char *buffer, size_t size);
void text_char(struct text *t, char c);
void text_string(struct text *t, const char *s);
void text_bytes(struct text *t, const char *s, size_t length);
void text_decimal(struct text *t, uint64_t number);
/* 0x and at least `digits` lower-case hex digits. */
void text_hex(struct text *t, uint64_t number, unsigned digits);

#endif
