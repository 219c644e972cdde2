/* SPDX-License-Identifier: MIT */
/*
 * realloc on the lab's own backends, with each thing that it takes refused in turn: that alone, and
 * all from there on, so that what is undone must do without. A refusal changes nothing.
 */
#include "tests/unit/lab_machine.h"

static virt_t get(uint64_t size)
{
    const struct heap_request request = { .size = size, .align = 1, .tag = 4 };
    bool zeroed;
    virt_t at;

    assert_int_equal(heap_alloc(&lab.heap, &request, &at, &zeroed), OK);
    return at;
}

static void put(virt_t at)
{
    uint64_t pages;
    virt_t blame;

    assert_int_equal(heap_free(&lab.heap, at, false, &pages, &blame), OK);
}

/* ---- what there is ---- */

struct world {
    uint64_t frames, early, pool, tables, window, changed;
    struct heap_totals heap[HEAP_CLASSES + 1];
};

static struct world world(void)
{
    struct page_area_info info;
    struct world now = {
        .pool = lab.pool.used, .tables = lab_tables.used, .window = lab.vmap.virt.used,
        .changed = lab.attributes.changed,
    };

    for (unsigned i = 0; lab.stage > STAGE_EARLY
                         && lab.engine->area_info(lab.pages.state, i, &info); i++)
        now.frames += info.free;
    for (size_t i = 0; i < lab.phys.count; i++)
        if (lab.phys.extents[i].state == PHYS_EARLY)
            now.early += lab.phys.extents[i].end - lab.phys.extents[i].start;
    for (unsigned class = 0; class <= HEAP_CLASSES; class++)
        heap_totals(&lab.heap, class, &now.heap[class]);
    return now;
}

static void assert_same(const struct world *before)
{
    struct world now = world();

    assert_memory_equal(&now, before, sizeof(now));
    assert_whole();
}

/* ---- the plan ---- */

/* The nth of a kind; or of all kinds, and all that follow. */
static void refuse(unsigned what, uint64_t n)
{
    const struct fail_plan plan = {
        .nth = what == FAIL_ALL ? 0 : n, .every = what == FAIL_ALL, .what = what,
        .areas = UINT32_MAX, .order = FAIL_ANY_ORDER,
    };

    fail_begin(&lab.fail, &plan);
    lab.fail.until = n;
}

/* ---- the cases ---- */

/* More pages than are taken at a time. */
#define MANY (UINT64_C(70) << PAGE_SHIFT)

static const struct {
    enum lab_stage made, stage;       /* when the object was made, and when it is moved */
    uint64_t from, to;                /* bytes */
    bool lonely;                      /* nothing else is in its slab, so that it goes */
    bool hemmed;                      /* what follows it is taken, so that it cannot grow */
} cases[] = {
    { STAGE_EARLY, STAGE_EARLY, 40, 700, true, false },
    { STAGE_EARLY, STAGE_EARLY, 40, 9000, false, false },
    { STAGE_EARLY, STAGE_EARLY, 9000, 40, true, false },
    { STAGE_EARLY, STAGE_EARLY, 90000, 9000, true, false },
    { STAGE_EARLY, STAGE_EARLY, 9000, 90000, true, false },
    { STAGE_EARLY, STAGE_EARLY, 9000, 90000, true, true },
    { STAGE_EARLY, STAGE_PAGE, 9000, 90000, true, false },
    { STAGE_EARLY, STAGE_PAGE, 9000, 90000, true, true },
    { STAGE_EARLY, STAGE_VIRTUAL, 40, 9000, true, false },
    { STAGE_PAGE, STAGE_PAGE, 40, 700, true, false },
    { STAGE_PAGE, STAGE_PAGE, 700, 40, false, false },
    { STAGE_PAGE, STAGE_PAGE, 9000, 90000, true, false },
    { STAGE_PAGE, STAGE_PAGE, 9000, 90000, true, true },
    { STAGE_PAGE, STAGE_PAGE, 5 * M, 3 * M + 5, true, false },
    { STAGE_PAGE, STAGE_PAGE, 3 * M, 7 * M + 1, true, false },
    { STAGE_PAGE, STAGE_PAGE, 4 * M, 100, true, false },
    { STAGE_PAGE, STAGE_VIRTUAL, 3 * M, 2 * M + 1, true, false },
    { STAGE_PAGE, STAGE_VIRTUAL, 100, MANY, false, false },
    { STAGE_PAGE, STAGE_VIRTUAL, 9000, 50000, true, false },
    { STAGE_PAGE, STAGE_VIRTUAL, 9000, 50000, true, true },
    { STAGE_VIRTUAL, STAGE_VIRTUAL, 40, 700, true, false },
    { STAGE_VIRTUAL, STAGE_VIRTUAL, 40, 9000, false, false },
    { STAGE_VIRTUAL, STAGE_VIRTUAL, 2 * MANY, 9000, true, false },
    { STAGE_VIRTUAL, STAGE_VIRTUAL, 9000, MANY, true, false },
    { STAGE_VIRTUAL, STAGE_VIRTUAL, 9000, MANY, true, true },
    { STAGE_VIRTUAL, STAGE_VIRTUAL, 5 * MANY, 40, true, false },
};

static void reach(enum lab_stage stage)
{
    uint64_t needed;

    while (lab.stage < stage)
        assert_int_equal(lab_advance(&needed), OK);
}

/* The object of a case, on a lab as it is afresh; one page of it is read-only where that can be. */
static virt_t prepare(size_t i, bool read_only)
{
    virt_t at, other;
    pfn_t blame;

    assert_int_equal(lab_reset(cases[i].made), OK);
    /* That pages are not fresh any more takes records, which stay. */
    put(get(3000));
    other = get(cases[i].from);
    at = get(cases[i].from);
    /* Early memory is served from the top: what follows is what came before. */
    if (cases[i].hemmed && cases[i].made != STAGE_EARLY)
        (void)get(cases[i].from);
    else if (cases[i].lonely && !cases[i].hemmed)
        put(other);
    reach(cases[i].stage);
    put(get(3000));
    if (read_only && cases[i].made == STAGE_PAGE)
        assert_int_equal(attributes_protect(&lab.attributes, phys_pfn(phys(at.a)), 1,
                                            MMU_READ_ONLY, &blame), OK);
    return at;
}

/* True: nothing was refused, so that there is no further step. */
static bool goes_through(size_t i, unsigned what, uint64_t n, bool read_only)
{
    virt_t at = prepare(i, read_only), out = virt(0), blame;
    struct world before = world();
    bool copied, through;
    enum error e;

    refuse(what, n);
    e = heap_realloc(&lab.heap, at, cases[i].to, &out, &copied, &blame);
    through = fail_refusals(&lab.fail) == 0;
    fail_end(&lab.fail);
    if (e != OK) {
        assert_true(e == E_MEM_METADATA || e == E_MEM_INJECTED);
        assert_same(&before);
        put(at);
    } else {
        assert_whole();
        put(out);
    }
    assert_whole();
    return through;
}

static void every_step_of_realloc_fails_without_a_trace(void **unused)
{
    static const unsigned kinds[] = { FAIL_FRAMES, FAIL_TABLES, FAIL_POOL, FAIL_ALL };
    unsigned refused[ARRAY_SIZE(kinds)] = { 0 };

    (void)unused;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
            for (unsigned read_only = 0; read_only <= (cases[i].made == STAGE_PAGE); read_only++)
                for (uint64_t n = 1; !goes_through(i, kinds[kind], n, read_only); n++)
                    refused[kind]++;
    for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
        assert_true(refused[kind] > 3);
}

/* Where pages can have attributes of their own. */
static int begin_low(void **unused)
{
    (void)begin(unused);
    boot("scan=low");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_step_of_realloc_fails_without_a_trace, begin_low),
    };

    return cmocka_run_group_tests(tests, open_memory, close_memory);
}
