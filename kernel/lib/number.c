/* SPDX-License-Identifier: MIT */
#include "kernel/lib/number.h"

/* The value of a digit in `base`, or `base`. */
static unsigned digit_value(char c, unsigned base)
{
    unsigned value = base;

    if (c >= '0' && c <= '9')
        value = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
        value = (unsigned)(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F')
        value = (unsigned)(c - 'A') + 10;
    return value < base ? value : base;
}

static enum error parse_hex(const char *text, size_t length, uint64_t *value)
{
    uint64_t sum = 0;

    if (length == 0 || length > 16)
        return E_CALL_NUMBER;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digit_value(text[i], 16);

        if (digit == 16)
            return E_CALL_NUMBER;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return OK;
}

/* The shift that a suffix means; 0 for none. */
static unsigned suffix_shift(char c)
{
    switch (c) {
    case 'K': return 10;
    case 'M': return 20;
    case 'G': return 30;
    case 'T': return 40;
    default: return 0;
    }
}

static enum error parse_decimal(const char *text, size_t length, unsigned shift, uint64_t *value)
{
    uint64_t sum = 0;
    bool overflow = false;

    if (length == 0 || (length > 1 && text[0] == '0'))
        return E_CALL_NUMBER;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digit_value(text[i], 10);

        if (digit == 10)
            return E_CALL_NUMBER;
        overflow |= sum > UINT64_MAX / 10 || sum * 10 > UINT64_MAX - digit;
        sum = sum * 10 + digit;
    }
    if (overflow || sum > UINT64_MAX >> shift)
        return E_CALL_RANGE;
    *value = sum << shift;
    return OK;
}

enum error number_parse(const char *text, size_t length, uint64_t *value)
{
    unsigned shift;

    if (length >= 2 && text[0] == '0' && text[1] == 'x')
        return parse_hex(text + 2, length - 2, value);
    shift = length > 0 ? suffix_shift(text[length - 1]) : 0;
    return parse_decimal(text, length - (shift != 0), shift, value);
}
