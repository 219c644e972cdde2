/* SPDX-License-Identifier: MIT */
/* Random histories against a byte for each page, with a pool that runs dry now and then. */
#include "tests/unit/virt_support.h"

#include <stdlib.h>
#include <string.h>

#define PAGES 700u
#define RANGES 400u
#define ODD 37u                       /* the window begins at no round address */

static unsigned char taken[PAGES];
static struct { uint64_t at, front, pages, back; } ranges[RANGES];
static unsigned nranges;
static uint64_t random_state;

static uint64_t draw(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* Page `i` of the window, as a number. */
static uint64_t page_number(uint64_t i)
{
    return (FIRST >> PAGE_SHIFT) + ODD + i;
}

static bool is_free(uint64_t start, uint64_t pages)
{
    for (uint64_t i = start; i < start + pages; i++)
        if (i >= PAGES || taken[i])
            return false;
    return true;
}

/* The lowest index of a usable page, or PAGES. */
static uint64_t lowest(const struct virt_request *want)
{
    uint64_t all = want->front + want->pages + want->back;

    for (uint64_t start = 0; start < PAGES; start++)
        if (is_aligned(page_number(start + want->front), UINT64_C(1) << want->align)
            && is_free(start, all))
            return start + want->front;
    return PAGES;
}

static void remember(uint64_t index, const struct virt_request *want)
{
    ranges[nranges].at = page_number(index) * P;
    ranges[nranges].front = want->front;
    ranges[nranges].pages = want->pages;
    ranges[nranges++].back = want->back;
    memset(taken + index - want->front, 1, want->front + want->pages + want->back);
}

static void allocate(bool starved)
{
    struct virt_request want = {
        .pages = 1 + draw(draw(8) == 0 ? 90 : 9), .front = draw(3), .back = draw(3),
        .align = (unsigned)draw(draw(4) == 0 ? 8 : 2), .exact = draw(5) == 0,
    };
    uint64_t index = draw(PAGES + 20), expected;
    virt_t out = virt(0), blame;
    enum error e;

    want.at = virt(page_number(index) * P);
    e = virt_alloc(&window, &want, &out, &blame);
    if (want.exact)
        expected = index >= want.front && is_aligned(page_number(index), UINT64_C(1) << want.align)
            && is_free(index - want.front, want.front + want.pages + want.back) ? index : PAGES;
    else
        expected = lowest(&want);
    if (starved && e == E_MEM_METADATA) {
        assert_int_equal(pool.used, pool.pages);
        return;
    }
    if (expected == PAGES) {
        assert_int_not_equal(e, OK);
        assert_int_equal(e == E_MEM_NONE && !want.exact, !want.exact);
        return;
    }
    assert_int_equal(e, OK);
    assert_int_equal(out.a, page_number(expected) * P);
    remember(expected, &want);
}

static void give_back(void)
{
    unsigned which = (unsigned)draw(nranges);
    uint64_t index = (ranges[which].at >> PAGE_SHIFT) - page_number(0);

    drop(ranges[which].at);
    memset(taken + index - ranges[which].front, 0,
           ranges[which].front + ranges[which].pages + ranges[which].back);
    ranges[which] = ranges[--nranges];
}

static void history(uint64_t seed, unsigned steps, uint64_t pool_pages)
{
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    open_window(page_number(0) * P, PAGES, pool_pages);
    memset(taken, 0, sizeof(taken));
    nranges = 0;
    for (unsigned i = 0; i < steps; i++) {
        /* Waves: mostly more for a while, then mostly less. */
        if (nranges > 0 && (nranges == RANGES || draw(100) < (i / 200 % 2 ? 65 : 35)))
            give_back();
        else
            allocate(pool_pages < 8);
        if (i % 16 == 0)
            assert_whole();
    }
    while (nranges > 0)
        give_back();
    assert_whole();
    assert_int_equal(pool.used, 0);
    assert_int_equal(window.used, 0);
}

static unsigned operations(void)
{
    const char *told = getenv("PFNLAB_ORACLE_OPS");

    return told != NULL ? (unsigned)strtoul(told, NULL, 0) : 3000;
}

static void agrees_with_brute_force(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 20; seed++)
        history(seed, operations(), 200);
}

static void agrees_with_brute_force_on_a_starved_pool(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 10; seed++)
        history(seed, operations(), seed % 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_brute_force),
        cmocka_unit_test(agrees_with_brute_force_on_a_starved_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
