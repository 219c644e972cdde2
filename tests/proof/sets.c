/* SPDX-License-Identifier: MIT */
/*
 * What is claimed of bit sets with a summary (kernel/lib/bitmap.h); a part of claims.c. Of two
 * sizes: 1024 bits, the most that is searched without a summary, and one word more, which needs
 * one.
 */
#define SET_WORDS 17u
#define SET_SUMMARY (1 + SET_WORDS)          /* its place, behind the count and the words */

static unsigned each_size(void) { return (16 + each_below(2)) * WORD_BITS; }

static bool is_member(const uint64_t *set, unsigned n)
{
    return has(set[1 + n / WORD_BITS], n % WORD_BITS);
}

/* What the summary has to say of the words. */
static uint64_t defined_set_summary(const uint64_t *set)
{
    uint64_t summary = 0;
    for (unsigned w = 0; w < SET_WORDS; w++)
        summary |= (uint64_t)(set[1 + w] != 0) << w;
    return summary;
}

/* Any members and any count; with a true summary, if there is one. */
static void any_set(uint64_t set[SET_SUMMARY + 1], unsigned bits)
{
    for (unsigned w = 0; w < SET_SUMMARY; w++)
        set[w] = any_word();
    if (bits <= (SET_WORDS - 1) * WORD_BITS)
        set[SET_WORDS] = 0;
    set[SET_SUMMARY] = defined_set_summary(set);
}

static bool is_summed(const uint64_t *set, unsigned bits)
{
    return bits <= (SET_WORDS - 1) * WORD_BITS || set[SET_SUMMARY] == defined_set_summary(set);
}

CLAIM(set_shape)
{
    unsigned bits = each_size();
    struct bitset_shape shape = bitset_shape(bits);
    unsigned words = bits / WORD_BITS, levels = words > 16 ? 2 : 1;
    return shape.levels == levels && shape.offset[0] == 1 && shape.words == words + levels
           && (levels == 1 || shape.offset[1] == SET_SUMMARY);
}

CLAIM(set_added)
{
    uint64_t set[SET_SUMMARY + 1];
    unsigned bits = each_size(), n = (unsigned)any_word() % bits;
    unsigned other = (unsigned)any_word() % bits;
    struct bitset_shape shape = bitset_shape(bits);
    any_set(set, bits);
    GIVEN(!is_member(set, n));
    bool had = is_member(set, other);
    uint64_t count = bitset_count(set);
    bitset_add(set, &shape, n);
    return (is_member(set, other) == (had | (other == n))) & is_summed(set, bits)
           & (bitset_count(set) == count + 1);
}

CLAIM(set_removed)
{
    uint64_t set[SET_SUMMARY + 1];
    unsigned bits = each_size(), n = (unsigned)any_word() % bits;
    unsigned other = (unsigned)any_word() % bits;
    struct bitset_shape shape = bitset_shape(bits);
    any_set(set, bits);
    GIVEN(is_member(set, n));
    bool had = is_member(set, other);
    uint64_t count = bitset_count(set);
    bitset_remove(set, &shape, n);
    return (is_member(set, other) == (had & (other != n))) & is_summed(set, bits)
           & (bitset_count(set) == count - 1);
}

CLAIM(lowest_of_a_set)
{
    uint64_t set[SET_SUMMARY + 1];
    unsigned bits = each_size(), other = (unsigned)any_word() % bits;
    struct bitset_shape shape = bitset_shape(bits);
    any_set(set, bits);
    GIVEN(defined_set_summary(set) != 0);
    unsigned lowest = bitset_lowest(set, &shape);
    return lowest < bits && is_member(set, lowest) && (!is_member(set, other) || other >= lowest);
}
