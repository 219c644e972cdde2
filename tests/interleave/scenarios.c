/* SPDX-License-Identifier: MIT */
/* What CPUs do at once, and what must be so afterwards. */
#include "tests/interleave/ground.h"
#include "tests/interleave/scenarios.h"

/* ---- pages: blocks come and go on both, with owners ---- */

static void pages_both(void)
{
    uint64_t first, second;

    if (take(2, 7, &first) != OK || take(1, 0, &second) != OK || first == second)
        ASSERT(!"memory for all");
    if (give(first, 1) != OK || give(second, 0) != OK || give(first + 1, 0) != OK)
        ASSERT(!"what one has can be given back");
}

/* ---- twice: one block is freed by both ---- */

static void twice_begin(void)
{
    afresh();
    ASSERT(take(1, 0, &shared) == OK);
}

static void twice_begin_cached(void)
{
    afresh_with_caches();
    ASSERT(take(1, 0, &shared) == OK);
}

static void twice_free(void)
{
    enum error e = give(shared, 0);

    ASSERT(e == OK || e == E_MEM_FREE);
    done[cpu_self()] = e == OK;
}

static const char *twice_wrong(void)
{
    if (done[0] + done[1] != 1)
        return "not exactly one of them freed it";
    return broken_or_lost();
}

/* ---- last: of the last page with caches nobody is refused without need ---- */

static void last_begin(void)
{
    pfn_t blame;

    afresh_with_caches();
    ASSERT(pages_reserve(&pages, pfn(FRAME_FIRST), SMALL - 2, 0, &blame) == OK);
}

static void last_take(void)
{
    uint64_t frame;

    ASSERT(take(1, 0, &frame) == OK);
    ASSERT(give(frame, 0) == OK);
    ASSERT(take(1, 5, &frame) == OK);
    ASSERT(give(frame, 0) == OK);
}

static const char *last_wrong(void)
{
    const char *wrong = broken();

    return wrong != NULL ? wrong : free_now() == 2 ? NULL : "pages are missing";
}

/* ---- drained: while one looks through the caches, a page moves behind it ---- */

/* One page is CPU 0's, one is in the cache of CPU 1, and there are no more. */
static void drained_begin(void)
{
    uint64_t kept;

    last_begin();
    ASSERT(take(1, 0, &shared) == OK && take(1, 0, &kept) == OK);
    schedule_be(1);
    ASSERT(give(kept, 0) == OK);
    schedule_be(0);
}

/* Into the cache that was looked through first. */
static void drained_give(void)
{
    ASSERT(give(shared, 0) == OK);
    done[0] = 1;
}

/* Out of the one that will be looked through last, once there is another page. */
static void drained_take(void)
{
    uint64_t frame;

    if (done[0])
        ASSERT(take(1, 0, &frame) == OK);
    done[1] = done[0];
}

/* In somebody's name, which no cache serves. Of two free pages the others take one at most. */
static void drained_ask(void)
{
    uint64_t frame;

    ASSERT(take(1, 5, &frame) == OK);
    done[2] = 1;
}

static const char *drained_wrong(void)
{
    const char *wrong = broken();

    return wrong != NULL ? wrong : free_now() + done[1] + done[2] == 2 ? NULL : "pages are missing";
}

/* ---- crosswise: caches get what others took ---- */

static void cross_take(void)
{
    uint64_t frame;

    ASSERT(take(1, 0, &frame) == OK);
    shared = frame;
}

static void cross_give(void)
{
    uint64_t frame = shared;
    pfn_t blame;

    if (frame != 0)
        ASSERT(give(frame, 0) == OK);
    if (frame != 0 && pages_reserve(&pages, pfn(frame), 1, 0, &blame) == OK)
        ASSERT(pages_unreserve(&pages, pfn(frame), 1, 0, &blame) == OK);
    done[1] = frame != 0;
}

static const char *cross_wrong(void)
{
    const char *wrong = broken();

    return wrong != NULL ? wrong : free_now() + !done[1] == SMALL ? NULL : "pages are missing";
}

/* ---- attributes: a page gets some while it is freed ---- */

static void attributes_give(void)
{
    pfn_t blame;
    enum error e = attributes_protect(&attributes, pfn(shared), 1, MMU_DATA | MMU_READ_ONLY,
                                      &blame);

    ASSERT(e == OK || e == E_MEM_FREE);
}

/* ---- window ---- */

static void window_both(void)
{
    uint64_t first, second;

    ASSERT(window_take(2, &first) == OK && window_take(1, &second) == OK && first != second);
    ASSERT(window_give(first) == OK && window_give(second) == OK);
}

static void window_begin(void)
{
    afresh();
    ASSERT(window_take(2, &shared) == OK);
}

static void window_free(void)
{
    enum error e = window_give(shared);

    ASSERT(e == OK || e == E_MEM_FREE);
    done[cpu_self()] = e == OK;
}

static void window_protect(void)
{
    virt_t blame;
    enum error e = vmap_protect(&vmap, virt(shared), 2, MMU_DATA | MMU_READ_ONLY, &blame);

    ASSERT(e == OK || e == E_FAULT_ADDRESS);
}

/* ---- heap ---- */

static void heap_both(void)
{
    uint64_t small, large;

    ASSERT(object_take(40, false, &small) == OK && object_take(5000, false, &large) == OK);
    ASSERT(object_give(large) == OK && object_give(small) == OK);
}

/* Into the same pages: one of them has to move. */
static void grow_both(void)
{
    uint64_t at;
    virt_t out, blame;
    bool copied;

    ASSERT(object_take(5000, false, &at) == OK);
    ASSERT(heap_realloc(&heap, virt(at), 9000, &out, &copied, &blame) == OK);
    ASSERT(object_give(out.a) == OK);
}

static void heap_begin(void)
{
    afresh();
    ASSERT(object_take(100, false, &shared) == OK);
}

static void zone_begin(void)
{
    afresh();
    ASSERT(object_take(100, true, &shared) == OK);
}

/* One with a red zone, which moves. */
static void zone_both(void)
{
    uint64_t at;
    virt_t out, blame;
    bool copied;

    ASSERT(object_take(40, true, &at) == OK);
    ASSERT(heap_realloc(&heap, virt(at), 90, &out, &copied, &blame) == OK && copied);
    ASSERT(object_give(out.a) == OK);
}

static void heap_move(void)
{
    virt_t out, blame;
    bool copied;
    enum error e = heap_realloc(&heap, virt(shared), 3000, &out, &copied, &blame);

    ASSERT(e == OK || e == E_MEM_FREE);
    if (e == OK)
        ASSERT(object_give(out.a) == OK);
}

/* With a red zone: its pattern has to come where the object ends now. */
static void heap_shrink(void)
{
    virt_t out, blame;
    bool copied;
    enum error e = heap_realloc(&heap, virt(shared), 98, &out, &copied, &blame);

    ASSERT(e == OK || e == E_MEM_FREE);
    if (e != OK)
        return;
    ASSERT(out.a == shared);
    e = object_give(out.a);
    ASSERT(e == OK || e == E_MEM_FREE);
}

static void heap_drop(void)
{
    enum error e = object_give(shared);

    ASSERT(e == OK || e == E_MEM_FREE);
}

/* ---- planted: some are taken, and no more than there are ---- */

static struct { struct lock lock; unsigned left; } planted;

static void planted_begin(unsigned left)
{
    memset(done, 0, sizeof(done));
    planted.lock = (struct lock)LOCK_INIT(LOCK_POOL);
    planted.left = left;
}

static void planted_one(void) { planted_begin(1); }
static void planted_two(void) { planted_begin(2); }

/* The lock comes after the look. */
static void take_late(void)
{
    if (planted.left == 0)
        return;
    lock_take(&planted.lock);
    planted.left--;
    lock_release(&planted.lock);
    done[cpu_self()] = 1;
}

/* What was seen under the lock is written without. */
static void release_early(void)
{
    unsigned left;

    lock_take(&planted.lock);
    left = planted.left;
    lock_release(&planted.lock);
    planted.left = left - 1;
    done[cpu_self()] = 1;
}

static const char *one_wrong(void)
{
    return done[0] + done[1] == 1 ? NULL : "one was taken twice";
}

static const char *two_wrong(void)
{
    return planted.left + done[0] + done[1] == 2 ? NULL : "two were counted as one";
}

const struct scenario planted_races[] = {
    { "planted-late", 2, planted_one, { take_late, take_late }, one_wrong },
    { "planted-early", 2, planted_two, { release_early, release_early }, two_wrong },
};

const size_t planted_races_count = ARRAY_SIZE(planted_races);

const struct scenario scenarios[] = {
    { "pages", 2, afresh, { pages_both, pages_both }, broken_or_lost },
    { "pages-of-three", 1, afresh, { pages_both, pages_both, pages_both }, broken_or_lost },
    { "twice", 3, twice_begin, { twice_free, twice_free }, twice_wrong },
    { "caches", 2, afresh_with_caches, { pages_both, pages_both }, broken_or_lost },
    { "twice-cached", 3, twice_begin_cached, { twice_free, twice_free }, twice_wrong },
    { "last", 2, last_begin, { last_take, last_take }, last_wrong },
    { "drained", 2, drained_begin, { drained_give, drained_take, drained_ask }, drained_wrong },
    { "crosswise", 2, afresh_with_caches, { cross_take, cross_give }, cross_wrong },
    { "attributes", 3, twice_begin, { attributes_give, twice_free }, broken_or_lost },
    { "attributes-cached", 2, twice_begin_cached, { attributes_give, twice_free },
      broken_or_lost },
    { "window", 2, afresh, { window_both, window_both }, broken_or_lost },
    { "window-twice", 2, window_begin, { window_free, window_free }, twice_wrong },
    { "window-protect", 2, window_begin, { window_protect, window_free }, broken_or_lost },
    { "heap", 2, afresh, { heap_both, heap_both }, broken },
    { "heap-move", 2, heap_begin, { heap_move, heap_drop }, broken },
    { "heap-grow", 2, afresh, { grow_both, grow_both }, broken },
    { "heap-zone", 2, afresh, { zone_both, zone_both }, broken },
    { "heap-zone-move", 2, zone_begin, { heap_move, heap_drop }, broken },
    { "heap-zone-shrink", 2, zone_begin, { heap_shrink, heap_drop }, broken },
};

const size_t scenarios_count = ARRAY_SIZE(scenarios);
