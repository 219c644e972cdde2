/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is a plain LLVMFuzzerTestOneInput(), so that libFuzzer,
 * AFL++ and replay.c, which runs files without any of them, all take it. A target returns or
 * ends the process; it behaves the same for the same bytes, whatever ran before.
 */
#ifndef PFNLAB_FUZZ_H
#define PFNLAB_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as a source of numbers; at its end all are 0. */
struct input {
    const uint8_t *at, *end;
};

static inline bool input_ended(const struct input *in) { return in->at == in->end; }

static inline unsigned take_byte(struct input *in)
{
    return input_ended(in) ? 0 : *in->at++;
}

static inline unsigned take_short(struct input *in)
{
    unsigned low = take_byte(in);

    return low | take_byte(in) << 8;
}

/* Says what is wrong, printf-like, and ends the process. */
_Noreturn void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
