/* SPDX-License-Identifier: MIT */
/* What the locks guard of those who serve the layers, as layers.c. */
#include "kernel/lab_parts.h"
#include "kernel/mm/fail.h"
#include "kernel/mm/journal.h"
#include "kernel/mm/kpool.h"
#include "kernel/mm/phys.h"
#include "tests/order/order.h"

static void need(enum error e) { ASSERT(e == OK); }

/* ---- pool ---- */

static unsigned char pool_memory[8 * PAGE_SIZE] __attribute__((aligned(4096)));
static struct kpool pool;
static void *page_of[ORDER_CPUS];

static void pool_begin(void)
{
    kpool_init(&pool, pool_memory, sizeof(pool_memory) >> PAGE_SHIFT);
    for (unsigned cpu = 0; cpu < ORDER_CPUS; cpu++)
        page_of[cpu] = kpool_take(&pool);
}

static void pool_take(void) { ASSERT(kpool_take(&pool) != NULL); }
static void pool_give(void) { kpool_give(&pool, page_of[cpu_self()]); }

/* ---- refusals on purpose ---- */

static struct fail refusals;

static void fail_prepare(void)
{
    const struct fail_plan plan = { .every = 2, .per_million = 500000, .what = FAIL_POOL };

    fail_begin(&refusals, &plan);
}

static void fail_ask(void) { (void)fail_refuses(&refusals, FAIL_POOL, 0, 0); }
static void fail_count(void) { ASSERT(fail_refusals(&refusals) <= 2); }

/* ---- journal ---- */

struct journal lab_journal;

static void journal_begin(void) { journal_clear(&lab_journal); }
static void journal_note(void) { journal_event(&lab_journal, PAGES_ALLOC, pfn(1), 1, 0); }
static void journal_refuse(void) { journal_refusal(&lab_journal, &(struct refusal){ .tag = 1 }); }
static void journal_ask(void) { (void)journal_refusals(&lab_journal); }

/* ---- queue of events ---- */

static void hear(enum pages_event event, pfn_t first, uint64_t count, uint32_t tag)
{
    (void)event, (void)first, (void)count, (void)tag;
}

static void queue_begin(void)
{
    journal_begin();
    lab_set_event_hook(hear);
    lab_event_record(PAGES_ALLOC, pfn(1), 1, 0);
}

static void queue_put(void) { lab_event_record(PAGES_FREE, pfn(3), 1, 0); }

/* CPU 0 tells, for whoever asks. */
static void queue_tell(void)
{
    if (cpu_self() == 0)
        lab_tell_kept();
}

/* ---- early memory ---- */

#define EARLY_SIZE 256u

static struct phys_allocator early;
static uint64_t start_of[ORDER_CPUS];

static const struct phys_request early_request = {
    .size = EARLY_SIZE, .align = 1, .max = ADDRESS_LIMIT, .direction = PHYS_LOW,
};

static void early_begin(void)
{
    static struct phys_extent extents[64];

    phys_init(&early, extents, ARRAY_SIZE(extents));
    need(phys_add(&early, &(struct phys_range){ { 1 << 20 }, 1 << 20, RANGE_USABLE }));
    for (unsigned cpu = 0; cpu < ORDER_CPUS; cpu++) {
        phys_t start;

        need(phys_alloc(&early, &early_request, &start));
        start_of[cpu] = start.a;
    }
}

static void early_take(void)
{
    phys_t start;

    need(phys_alloc(&early, &early_request, &start));
}

static void early_give(void)
{
    uint64_t size;

    need(phys_free(&early, phys(start_of[cpu_self()]), &size));
}

static void early_trim(void) { need(phys_trim(&early, phys(start_of[cpu_self()]), 64)); }

/* What lies behind may be somebody else's. */
static void early_extend(void)
{
    enum error e = phys_extend(&early, phys(start_of[cpu_self()]), EARLY_SIZE + 64,
                               phys(ADDRESS_LIMIT));

    ASSERT(e == OK || e == E_MEM_NONE);
}

static void early_find(void)
{
    struct phys_extent extent;

    need(phys_find(&early, phys(start_of[cpu_self()]), &extent));
}

static void early_next(void)
{
    struct phys_extent extent;

    ASSERT(phys_next(&early, phys(start_of[cpu_self()]), &extent));
}

static void early_look(void) { ASSERT(phys_is_memory(&early, start_of[cpu_self()], 8)); }

const struct layer service_layers[] = {
    { "pool", pool_begin, { pool_take, pool_give }, NULL },
    { "fail", fail_prepare, { fail_ask, fail_count }, NULL },
    { "journal", journal_begin, { journal_note, journal_refuse, journal_ask }, NULL },
    { "queue", queue_begin, { queue_put, queue_tell }, NULL },
    { "phys", early_begin,
      { early_take, early_give, early_trim, early_extend, early_find, early_next, early_look },
      NULL },
    { .name = NULL },
};
