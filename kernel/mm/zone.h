/* SPDX-License-Identifier: MIT */
/*
 * The pattern of red zones: bytes behind the end of what was asked for, which whoever writes beyond
 * the end destroys.
 */
#ifndef PFNLAB_MM_ZONE_H
#define PFNLAB_MM_ZONE_H

#include "kernel/base.h"

/* Differs from byte to byte, so that a copy of one to another is seen; never 0. */
static inline uint8_t zone_byte(uint64_t address)
{
    return (uint8_t)(0x80 | (address * 29 >> 1));
}

/* Write the pattern of [address, address + size) to `bytes`. */
static inline void zone_fill(uint8_t *bytes, uint64_t address, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = zone_byte(address + i);
}

/* How many bytes at `bytes` hold it, up to the first that does not. */
static inline uint64_t zone_intact(const uint8_t *bytes, uint64_t address, uint64_t size)
{
    uint64_t i = 0;

    while (i < size && bytes[i] == zone_byte(address + i))
        i++;
    return i;
}

#endif
