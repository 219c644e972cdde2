/* SPDX-License-Identifier: MIT */
/*
 * Claims that are false, or true only by what C leaves undefined: `make prove` wants none of them
 * proven before it believes any of claims.c.
 */
#include "tests/proof/claims.h"

#define WRONG(name) CLAIM(name); CLAIM(name)

struct neighbours {
    uint64_t one[4], other[4];
};

static void write_fives(struct neighbours *all)
{
    for (unsigned i = 0; i < 4; i++)
        all->one[i] = all->other[i] = 5;
}

static uint64_t word_at(const uint64_t *words, uint64_t i) { return words[i]; }

WRONG(one_value_of_all)
{
    return any_word() != UINT64_C(0xdeadbeefcafe1234);
}

WRONG(last_of_each)
{
    return each_below(5) != 4;
}

WRONG(one_of_two_ways)
{
    uint64_t word = any_word();
    return (word > 5 ? word : 5) > 5;
}

WRONG(words_that_change_places)
{
    uint64_t one = 1, other = 2;
    for (uint64_t n = any_word() % 4; n > 0; n--) {
        uint64_t was = one;
        one = other;
        other = was;
    }
    return one == 1;
}

WRONG(sign_extended)
{
    return (uint64_t)(int8_t)any_word() != UINT64_C(0xffffffffffffff81);
}

WRONG(shift_by_too_much)
{
    uint64_t word = any_word(), shifted = word << any_word() % 65;
    return shifted == 0 || word != 0;
}

WRONG(signed_overflow)
{
    int word = (int)any_word();
    return word + 1 > word;
}

WRONG(division_by_zero)
{
    return 10 / any_word() <= 10;
}

WRONG(lowest_of_none)
{
    return __builtin_ctzll(any_word()) < 64;
}

WRONG(beyond_an_array)
{
    uint64_t words[4] = { 1, 1, 1, 1 };
    return word_at(words, any_word() % 5) == 1;
}

/* What lies behind it in the same struct is another's. */
WRONG(beyond_a_member)
{
    struct neighbours all;
    write_fives(&all);
    return word_at(all.one, any_word() % 8) == 5;
}

/* So many words further is the same place, counted in the bits that a place has. */
WRONG(place_that_comes_round)
{
    uint64_t words[4] = { 1, 1, 1, 1 };
    return word_at(words, any_word() % 4 + (uint64_t)each_below(2) * (SIZE_MAX / 8 + 1)) == 1;
}

WRONG(never_written)
{
    uint64_t words[4];
    words[0] = words[1] = words[2] = 1;
    return word_at(words, any_word() % 4) == 1;
}

/* Each round of a loop has an array of its own. */
WRONG(written_in_another_round)
{
    unsigned others = 0;
    for (unsigned round = 0; round < 2; round++) {
        uint64_t words[2];
        if (round == 0)
            words[0] = words[1] = 1;
        others += word_at(words, any_word() & 1) != 1;
    }
    return others == 0;
}
