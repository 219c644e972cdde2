/* SPDX-License-Identifier: MIT */
/*
 * The command table as rows, and its checksum.
 */
#ifndef PFNLAB_HELP_H
#define PFNLAB_HELP_H

#include "protocol/table.h"

/* CRC-16 of all rows of `help`, untagged and without checksum, a LF behind each. */
uint16_t help_schema(void);

#endif
