/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic on bits: words of 64, and bit sets with summaries. No call into a compiler's library
 * on 32-bit targets, nothing that depends on byte order.
 */
#ifndef PFNLAB_BITMAP_H
#define PFNLAB_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORD_BITS 64u

static inline uint64_t bit_of(unsigned n) { return UINT64_C(1) << n; }

/* Number of the lowest set bit; `x` is not 0. */
static inline unsigned bit_lowest(uint64_t x)
{
#if UINTPTR_MAX > UINT32_MAX
    return (unsigned)__builtin_ctzll(x);
#else
    uint32_t low = (uint32_t)x;
    return (unsigned)(low ? __builtin_ctz(low) : 32 + __builtin_ctz((uint32_t)(x >> 32)));
#endif
}

/* Number of the highest set bit; `x` is not 0. */
static inline unsigned bit_highest(uint64_t x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

static inline unsigned bits_count(uint64_t x)
{
    x -= x >> 1 & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    x += x >> 8;
    x += x >> 16;
    return (unsigned)(x + (x >> 32)) & 0x7f;
}

/* The bits from..to-1 set; from < to <= 64. */
static inline uint64_t bits_between(unsigned from, unsigned to)
{
    return ~UINT64_C(0) >> (WORD_BITS - (to - from)) << from;
}

/* The part of the bits from..to-1 of a long bitmap that lies in its word `w`, as a mask. */
static inline uint64_t bits_in_word(size_t w, size_t from, size_t to)
{
    size_t start = w * WORD_BITS, end = start + WORD_BITS;
    return bits_between((unsigned)(from > start ? from - start : 0),
                        (unsigned)((to < end ? to : end) - start));
}

static inline bool bitmap_test(const uint64_t *words, size_t n)
{
    return words[n / WORD_BITS] >> (n % WORD_BITS) & 1;
}

static inline void bitmap_set(uint64_t *words, size_t n)
{
    words[n / WORD_BITS] |= bit_of(n % WORD_BITS);
}

static inline void bitmap_clear(uint64_t *words, size_t n)
{
    words[n / WORD_BITS] &= ~bit_of(n % WORD_BITS);
}

static inline void bitmap_write(uint64_t *words, size_t n, bool value)
{
    uint64_t *word = &words[n / WORD_BITS];
    *word = (*word & ~bit_of(n % WORD_BITS)) | (uint64_t)value << (n % WORD_BITS);
}

/* Set or clear the bits from..to-1; from < to. */
static inline void bitmap_fill(uint64_t *words, size_t from, size_t to, bool value)
{
    size_t w = from / WORD_BITS, last = (to - 1) / WORD_BITS;
    uint64_t fill = value ? ~UINT64_C(0) : 0, mask = ~UINT64_C(0) << from % WORD_BITS;
    for (; w < last; w++, mask = ~UINT64_C(0))
        words[w] = (words[w] & ~mask) | (fill & mask);
    mask &= ~UINT64_C(0) >> (WORD_BITS - 1 - (to - 1) % WORD_BITS);
    words[w] = (words[w] & ~mask) | (fill & mask);
}

/*
 * A bit set with summaries: word 0 counts the members, level 0 holds the bits, a bit of each
 * further level says that a word of the level below is not 0. Levels end at 16 words, which are
 * searched one by one: so 1024 bits need no summary and 65536 need one. One shape serves many sets.
 */
#define BITSET_LEVELS 3u      /* enough for 2^22 bits */
#define BITSET_TOP 16u

struct bitset_shape {
    unsigned levels;
    uint32_t offset[BITSET_LEVELS];   /* of each level's first word */
    uint32_t words;                   /* of one set */
};

/* The shape of sets of `bits` bits, 1 to 2^22. */
static inline struct bitset_shape bitset_shape(uint32_t bits)
{
    struct bitset_shape shape = { .levels = 0, .words = 1 };
    do {
        bits = (bits + WORD_BITS - 1) / WORD_BITS;
        shape.offset[shape.levels++] = shape.words;
        shape.words += bits;
    } while (bits > BITSET_TOP);
    return shape;
}

/*
 * The summaries after word `n` of level 0 is no longer 0, or has become so. Only large sets have
 * any: out of line, so that the others pay nothing for it.
 */
static __attribute__((noinline, unused))
void bitset_note_word(uint64_t *set, const struct bitset_shape *shape, uint32_t n)
{
    uint64_t before = 0;
    for (unsigned level = 1; before == 0 && level < shape->levels; level++, n /= WORD_BITS) {
        uint64_t *word = &set[shape->offset[level] + n / WORD_BITS];
        before = *word;
        *word = before | bit_of(n % WORD_BITS);
    }
}

static __attribute__((noinline, unused))
void bitset_drop_word(uint64_t *set, const struct bitset_shape *shape, uint32_t n)
{
    uint64_t rest = 0;
    for (unsigned level = 1; rest == 0 && level < shape->levels; level++, n /= WORD_BITS)
        rest = set[shape->offset[level] + n / WORD_BITS] &= ~bit_of(n % WORD_BITS);
}

/* `n` is not a member. */
static inline void bitset_add(uint64_t *set, const struct bitset_shape *shape, uint32_t n)
{
    uint64_t *word = &set[1 + n / WORD_BITS], before = *word;
    set[0]++;
    *word = before | bit_of(n % WORD_BITS);
    if (before == 0 && shape->levels > 1)
        bitset_note_word(set, shape, n / WORD_BITS);
}

/* `n` is a member. */
static inline void bitset_remove(uint64_t *set, const struct bitset_shape *shape, uint32_t n)
{
    uint64_t rest = set[1 + n / WORD_BITS] &= ~bit_of(n % WORD_BITS);
    set[0]--;
    if (rest == 0 && shape->levels > 1)
        bitset_drop_word(set, shape, n / WORD_BITS);
}

static inline uint64_t bitset_count(const uint64_t *set) { return set[0]; }

/* The lowest member of a set that is not empty. */
static inline uint32_t bitset_lowest(const uint64_t *set, const struct bitset_shape *shape)
{
    unsigned level = shape->levels - 1;
    const uint64_t *top = &set[shape->offset[level]];
    uint32_t n = 0;
    while (top[n] == 0)
        n++;
    n = n * WORD_BITS + bit_lowest(top[n]);
    while (level-- > 0)
        n = n * WORD_BITS + bit_lowest(set[shape->offset[level] + n]);
    return n;
}

#endif
