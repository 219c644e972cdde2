/* SPDX-License-Identifier: MIT */
/*
 * EBCDIC code page 037, which line-mode consoles and the LOADPARM speak, for the printable
 * characters of ASCII (IBM CDRA, code page 00037).
 */
#ifndef PFNLAB_S390X_EBCDIC_H
#define PFNLAB_S390X_EBCDIC_H

#include <stdint.h>

/* A blank for what is not printable ASCII. */
uint8_t ebcdic_from_ascii(char c);

/* ETX (^C) is the same in both; ASCII's "substitute" for all else that is not printable ASCII. */
#define ASCII_SUBSTITUTE 0x1a
char ebcdic_to_ascii(uint8_t c);

/* Controls that an operator's program sends, never a person. */
enum { EBCDIC_ETX = 0x03, EBCDIC_ETB = 0x26, EBCDIC_ENQ = 0x2d };

#endif
