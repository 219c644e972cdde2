/* SPDX-License-Identifier: MIT */
/* The claims that `make prove` proves for all values (tests/proof), tried with some: no prover. */
#include "tests/proof/claims.c"
#include "tests/unit/support.h"

#define TRIES 20000

static uint64_t state;

static uint64_t random_word(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Sparse, dense, runs of all lengths, nothing and everything, as words of an allocator are. */
uint64_t any_word(void)
{
    uint64_t word = random_word(), run = ~UINT64_C(0) >> random_word() % 64;
    switch (random_word() % 8) {
    case 0: return 0;
    case 1: return ~UINT64_C(0);
    case 2: return run << random_word() % 64;
    case 3: return ~(run << random_word() % 64);
    case 4: return word & random_word() & random_word();
    case 5: return word | random_word() | random_word();
    default: return word;
    }
}

unsigned each_below(unsigned limit)
{
    return (unsigned)random_word() % limit;
}

#define TRY(name) \
    static void name(void **unused) \
    { \
        (void)unused; \
        state = 88172645463325252u; \
        for (unsigned i = 0; i < TRIES; i++) \
            assert_true(claim_##name()); \
    }
CLAIMS(TRY)

int main(void)
{
#define TEST(name) cmocka_unit_test(name),
    const struct CMUnitTest tests[] = { CLAIMS(TEST) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
