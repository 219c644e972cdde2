/* SPDX-License-Identifier: MIT */
/* What is claimed of words and of bitmaps of 512 bits (kernel/lib/bitmap.h); a part of claims.c. */
#define GIVEN(condition) do { if (!(condition)) return true; } while (0)

static unsigned any_bit(void) { return (unsigned)any_word() % WORD_BITS; }
static unsigned any_entry(void) { return (unsigned)any_word() % NODE_ENTRIES; }
static bool has(uint64_t word, unsigned bit) { return word >> bit & 1; }

/* ---- Bits ---- */

CLAIM(lowest_bit)
{
    uint64_t word = any_word();
    unsigned other = any_bit();
    GIVEN(word != 0);
    unsigned lowest = bit_lowest(word);
    return lowest < WORD_BITS && has(word, lowest) && (!has(word, other) || other >= lowest);
}

CLAIM(highest_bit)
{
    uint64_t word = any_word();
    unsigned other = any_bit();
    GIVEN(word != 0);
    unsigned highest = bit_highest(word);
    return highest < WORD_BITS && has(word, highest) && (!has(word, other) || other <= highest);
}

CLAIM(count_of_bits)
{
    uint64_t word = any_word();
    unsigned count = 0;
    for (unsigned bit = 0; bit < WORD_BITS; bit++)
        count += has(word, bit);
    return bits_count(word) == count;
}

CLAIM(bits_from_to)
{
    unsigned from = any_bit(), to = any_bit() + 1, bit = any_bit();
    GIVEN(from < to);
    return has(bits_between(from, to), bit) == (from <= bit && bit < to);
}

CLAIM(bits_from_to_in_a_word)
{
    unsigned from = any_entry(), to = any_entry() + 1, entry = any_entry(), w = entry / WORD_BITS;
    GIVEN(from < to && from < (w + 1) * WORD_BITS && w * WORD_BITS < to);
    return has(bits_in_word(w, from, to), entry % WORD_BITS) == (from <= entry && entry < to);
}

/* ---- Bitmaps of 512 bits ---- */

static void any_words(uint64_t words[NODE_WORDS])
{
    for (unsigned w = 0; w < NODE_WORDS; w++)
        words[w] = any_word();
}

static bool has_entry(const uint64_t words[NODE_WORDS], unsigned entry)
{
    return has(words[entry / WORD_BITS], entry % WORD_BITS);
}

CLAIM(one_bit_written)
{
    uint64_t words[NODE_WORDS];
    unsigned at = any_entry(), entry = any_entry(), how = each_below(4);
    any_words(words);
    bool before = has_entry(words, entry), value = how & 1;
    GIVEN(bitmap_test(words, entry) == before);
    if (how < 2)
        bitmap_write(words, at, value);
    else if (value)
        bitmap_set(words, at);
    else
        bitmap_clear(words, at);
    return has_entry(words, entry) == (entry == at ? value : before);
}

CLAIM(bits_filled)
{
    uint64_t words[NODE_WORDS];
    unsigned from = any_entry(), to = any_entry() + 1, entry = any_entry();
    bool value = each_below(2);
    GIVEN(from < to);
    any_words(words);
    bool before = has_entry(words, entry);
    bitmap_fill(words, from, to, value);
    return has_entry(words, entry) == (from <= entry && entry < to ? value : before);
}
