/* SPDX-License-Identifier: MIT */
#include "kernel/lib/format.h"

#include "kernel/lib/string.h"

void text_init(struct text *t, char *buffer, size_t size)
{
    t->buffer = buffer;
    t->size = size;
    t->length = 0;
    t->truncated = false;
    buffer[0] = '\0';
}

void text_char(struct text *t, char c)
{
    text_bytes(t, &c, 1);
}

void text_string(struct text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}

void text_bytes(struct text *t, const char *s, size_t length)
{
    size_t room = t->size - 1 - t->length;

    if (length > room) {
        length = room;
        t->truncated = true;
    }
    memcpy(t->buffer + t->length, s, length);
    t->length += length;
    t->buffer[t->length] = '\0';
}

/* By subtraction: a 32-bit machine has no division of 64 bits without a library. */
void text_decimal(struct text *t, uint64_t number)
{
    static const uint64_t powers[] = {
        UINT64_C(10000000000000000000), UINT64_C(1000000000000000000),
        UINT64_C(100000000000000000), UINT64_C(10000000000000000), UINT64_C(1000000000000000),
        UINT64_C(100000000000000), UINT64_C(10000000000000), UINT64_C(1000000000000),
        UINT64_C(100000000000), UINT64_C(10000000000), 1000000000, 100000000, 10000000, 1000000,
        100000, 10000, 1000, 100, 10, 1,
    };
    const size_t last = sizeof(powers) / sizeof(powers[0]) - 1;
    size_t i = 0;

    while (i < last && number < powers[i])
        i++;
    for (; i <= last; i++) {
        char digit = '0';

        for (; number >= powers[i]; number -= powers[i])
            digit++;
        text_char(t, digit);
    }
}

void text_hex(struct text *t, uint64_t number, unsigned digits)
{
    unsigned n = digits > 16 ? 16 : digits < 1 ? 1 : digits;

    while (n < 16 && number >> (4 * n) != 0)
        n++;
    text_string(t, "0x");
    while (n-- > 0)
        text_char(t, "0123456789abcdef"[number >> (4 * n) & 15]);
}
