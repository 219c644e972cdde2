/* SPDX-License-Identifier: MIT */
/*
 * Events of the page allocator on the line: `trace 1`.
 */
#ifndef PFNLAB_TRACE_H
#define PFNLAB_TRACE_H

#include "protocol/protocol.h"

void trace_set(bool on);

#endif
