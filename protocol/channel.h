/* SPDX-License-Identifier: MIT */
/*
 * Bytes in, bytes out: all that the protocol knows of the machine's line. main.c makes it of the
 * port's console.
 */
#ifndef PFNLAB_CHANNEL_H
#define PFNLAB_CHANNEL_H

#include "kernel/base.h"

struct channel {
    /* At least 1 byte, waiting idly; SIZE_MAX at the end of the input. */
    size_t (*read)(char *buffer, size_t size);
    /* All of it. */
    void (*write)(const char *text, size_t size);
};

#endif
