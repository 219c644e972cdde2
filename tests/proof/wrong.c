/* SPDX-License-Identifier: MIT */
/*
 * Claims that are false, or true only by what C leaves undefined: `make prove` wants each of them
 * refuted before it believes any of claims.c; REFUSED, of what the prover does not model: refused.
 */
#include "tests/proof/claims.h"
#include <stddef.h>

#define WRONG(name) CLAIM(name); CLAIM(name)
#define REFUSED(name) WRONG(refused_##name)

struct neighbours {
    uint64_t one[4], other[4];
};

struct pair {
    uint64_t one, other;
};

static void write_fives(struct neighbours *all)
{
    for (unsigned i = 0; i < 4; i++)
        all->one[i] = all->other[i] = 5;
}

static uint64_t word_at(const uint64_t *words, uint64_t i) { return words[i]; }
static uint64_t *place_at(uint64_t *words, uint64_t i) { return words + i; }

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

/* The bit of the sign is no place to shift to. */
WRONG(signed_shift)
{
    int one = 1;
    return one << any_word() % 32 != 0;
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

/* Nor is the next member the element's own, whichever element it is. */
WRONG(beyond_a_member_of_an_element)
{
    struct neighbours all[2];
    write_fives(&all[0]);
    write_fives(&all[1]);
    return word_at(all[any_word() % 2].one, any_word() % 8) == 5;
}

WRONG(beyond_a_scalar_of_an_element)
{
    struct pair all[2];
    all[0].one = all[0].other = all[1].one = all[1].other = 5;
    return word_at(&all[any_word() % 2].one, any_word() % 2) == 5;
}

/* The place behind the last element is one, but what lies there is no element. */
struct pairs { struct pair some[2], more; };
static uint64_t one_at(const struct pair *pairs, uint64_t i) { return pairs[i].one; }

WRONG(member_beyond_an_array)
{
    struct pairs all;
    all.some[0].one = all.some[1].one = all.more.one = 5;
    all.some[0].other = all.some[1].other = all.more.other = 5;
    return one_at(all.some, any_word() % 3) == 5;
}

WRONG(beyond_a_row)
{
    uint64_t rows[2][2];
    rows[0][0] = rows[0][1] = rows[1][0] = rows[1][1] = 5;
    return word_at(rows[0], any_word() % 4) == 5;
}

/* One behind the last word is a place, two behind it is none, even if nobody reads there. */
WRONG(place_beyond_an_array)
{
    uint64_t words[4];
    return place_at(words, any_word() % 6) >= words;
}

WRONG(place_of_nothing)
{
    uint64_t words[1] = { 1 };
    return word_at(words, 0) == 1 && word_at(NULL, 0) == 1;
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

/* Nor is what another function has in the same place the one that is gone. */
static uint64_t *place_that_is_left(void)
{
    uint64_t words[2] = { 1, 1 };
    return place_at(words, 0);
}

static bool is_one(const uint64_t *place)
{
    uint64_t words[2] = { 1, 1 };
    return word_at(place, 0) == word_at(words, 0);
}

WRONG(place_that_is_gone)
{
    return is_one(place_that_is_left());
}

WRONG(written_after_its_end)
{
    uint64_t *place;
    {
        uint64_t words[2];
        place = place_at(words, 0);
    }
    *place = 1;
    return *place == 1;
}

WRONG(constant_written)
{
    static const uint64_t ones[2] = { 1, 1 };
    uint64_t *place = (uint64_t *)ones + any_word() % 2;
    *place = 1;
    return *place == 1;
}

/* Who is given a copy has not changed the original. */
static uint64_t change(struct neighbours all)
{
    return *place_at(all.one, 0) = 7;
}

REFUSED(passed_by_value)
{
    struct neighbours all;
    write_fives(&all);
    return change(all) == all.one[0];
}
