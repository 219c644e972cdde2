/* SPDX-License-Identifier: MIT */
#include "kernel/lib/crc.h"

uint16_t crc16_more(uint16_t crc, const void *data, size_t size)
{
    /* Entry n is the remainder of n * 2^16: four bits of input at a time. */
    static const uint16_t table[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
    };
    const unsigned char *byte = data;

    for (; size > 0; size--, byte++) {
        crc = (uint16_t)(crc << 4 ^ table[crc >> 12 ^ *byte >> 4]);
        crc = (uint16_t)(crc << 4 ^ table[crc >> 12 ^ (*byte & 15)]);
    }
    return crc;
}

uint16_t crc16(const void *data, size_t size)
{
    return crc16_more(CRC16_BEGIN, data, size);
}
