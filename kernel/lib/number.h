/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people write them, read strictly: decimal without a leading zero, with an optional
 * suffix K, M, G or T (2^10 .. 2^40), or 0x and 1 to 16 hex digits of either case. No sign, no
 * blanks, nothing behind.
 */
#ifndef PFNLAB_NUMBER_H
#define PFNLAB_NUMBER_H

#include "kernel/base.h"

/* CALL_NUMBER: not of that form. CALL_RANGE: of the form, but 2^64 or more. */
MUST_USE enum error number_parse(const char *text, size_t length, uint64_t *value);

#endif
