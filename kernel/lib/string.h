/* SPDX-License-Identifier: MIT */
/*
 * What freestanding C lacks: the memory functions that compilers call, with their standard meaning,
 * and a few string functions on the same terms.
 */
#ifndef PFNLAB_STRING_H
#define PFNLAB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *at, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

#endif
