/* SPDX-License-Identifier: MIT */
#include "kernel/lib/string.h"

#include <stdint.h>

/* A word that may be laid over any object, as these functions do. */
typedef uintptr_t __attribute__((may_alias)) word_t;
#define WORD sizeof(word_t)

/* Keeps the compiler from seeing a memset or memcpy in the loop that is to be one. */
#define NOT_AN_IDIOM() __asm__ volatile("" ::: "memory")

static int aligned_alike(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & (WORD - 1)) == 0;
}

static int aligned(const void *p)
{
    return ((uintptr_t)p & (WORD - 1)) == 0;
}

static void copy_up(unsigned char *to, const unsigned char *from, size_t size)
{
    if (aligned_alike(to, from)) {
        for (; size > 0 && !aligned(to); size--) {
            NOT_AN_IDIOM();
            *to++ = *from++;
        }
        for (; size >= WORD; size -= WORD, to += WORD, from += WORD) {
            NOT_AN_IDIOM();
            *(word_t *)to = *(const word_t *)from;
        }
    }
    for (; size > 0; size--) {
        NOT_AN_IDIOM();
        *to++ = *from++;
    }
}

static void copy_down(unsigned char *to, const unsigned char *from, size_t size)
{
    to += size;
    from += size;
    if (aligned_alike(to, from)) {
        for (; size > 0 && !aligned(to); size--) {
            NOT_AN_IDIOM();
            *--to = *--from;
        }
        for (; size >= WORD; size -= WORD) {
            NOT_AN_IDIOM();
            to -= WORD;
            from -= WORD;
            *(word_t *)to = *(const word_t *)from;
        }
    }
    for (; size > 0; size--) {
        NOT_AN_IDIOM();
        *--to = *--from;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    /* Unsigned: also true where `to` lies below `from`. */
    if ((uintptr_t)to - (uintptr_t)from >= size)
        copy_up(to, from, size);
    else
        copy_down(to, from, size);
    return to;
}

void *memset(void *at, int byte, size_t size)
{
    unsigned char *p = at;
    word_t word = (word_t)-1 / 255 * (unsigned char)byte;

    for (; size > 0 && !aligned(p); size--) {
        NOT_AN_IDIOM();
        *p++ = (unsigned char)byte;
    }
    for (; size >= WORD; size -= WORD, p += WORD) {
        NOT_AN_IDIOM();
        *(word_t *)p = word;
    }
    for (; size > 0; size--) {
        NOT_AN_IDIOM();
        *p++ = (unsigned char)byte;
    }
    return at;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (; size > 0; size--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

size_t strlen(const char *s)
{
    size_t length = 0;

    for (; s[length] != '\0'; length++)
        NOT_AN_IDIOM();
    return length;
}

int strcmp(const char *a, const char *b)
{
    for (; *a != '\0' && *a == *b; a++, b++)
        ;
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}
