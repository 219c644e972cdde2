/* SPDX-License-Identifier: MIT */
/*
 * CRC-16/CCITT-FALSE: polynomial 0x1021, begins with 0xffff, bits not reflected, nothing added.
 * Its value for "123456789" is 0x29b1; Python: binascii.crc_hqx(data, 0xffff).
 */
#ifndef PFNLAB_CRC_H
#define PFNLAB_CRC_H

#include <stddef.h>
#include <stdint.h>

uint16_t crc16(const void *data, size_t size);

/* The same, on from the value of the bytes before; crc16() begins with CRC16_BEGIN. */
#define CRC16_BEGIN 0xffffu
uint16_t crc16_more(uint16_t crc, const void *data, size_t size);

#endif
