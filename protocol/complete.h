/* SPDX-License-Identifier: MIT */
#ifndef PFNLAB_COMPLETE_H
#define PFNLAB_COMPLETE_H

#include <stddef.h>

/*
 * Tab behind text[0..length): put in what all candidates have in common, by the command table and
 * the areas in force; if that is nothing, list them.
 */
void complete(const char *text, size_t length);

#endif
