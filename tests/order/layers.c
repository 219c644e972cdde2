/* SPDX-License-Identifier: MIT */
/*
 * What each lock guards. Of every layer with a lock, each operation that several CPUs may do at
 * once is done by CPU 0 and any other one, or the same, by CPU 1 then: what one of them touches
 * without the lock, before it is taken or after it was given back is a race, whatever the other
 * does. Each pair begins afresh; what an operation needs is made for both CPUs before.
 */
#include "kernel/machine.h"

#define FAKE_MMU struct mmu arch_mmu
#define fake_mmu (*machine_mmu())     /* under its lock, as all see it */
#include "tests/interleave/ground.h"
#include "tests/order/order.h"

#define HELD FRAME_FIRST              /* frames that are taken before, some for each CPU */
#define OF_CPU 8u

void schedule_be(unsigned cpu) { (void)cpu; }

/* What the CPU that asks has. */
static uint64_t at[ORDER_CPUS];
static uint64_t *mine(void) { return &at[cpu_self()]; }
static uint64_t frame(void) { return HELD + cpu_self() * OF_CPU; }

static void need(enum error e) { ASSERT(e == OK); }

/* ---- pages: of each CPU a block of two, one for some purpose, one reserved, one single ---- */

static void pages_prepare(void)
{
    for (unsigned cpu = 0; cpu < ORDER_CPUS; cpu++) {
        struct page_request request = one_of(2);
        pfn_t out, blame;
        bool zeroed;

        request.exact = true;
        request.at = pfn(HELD + cpu * OF_CPU);
        need(pages_alloc(&pages, &request, 0, true, &out, &zeroed, &blame));
        request.at = pfn(HELD + cpu * OF_CPU + 2);
        request.pages = 1;
        need(pages_alloc_use(&pages, &request, 1, PAGES_CPU, true, &out, &zeroed, &blame));
        need(pages_reserve(&pages, pfn(HELD + cpu * OF_CPU + 4), 1, 0, &blame));
        request.at = pfn(HELD + cpu * OF_CPU + 6);
        need(pages_alloc(&pages, &request, 0, true, &out, &zeroed, &blame));
    }
}

static bool zero_stops[ORDER_CPUS];         /* by ^C */

static enum error zero_or_stop(pfn_t first, uint64_t count)
{
    return zero_stops[cpu_self()] ? E_STOP_INTERRUPTED : zero(first, count);
}

static void pages_begin(void)
{
    afresh();
    pages.hooks.zero = zero_or_stop;
    pages_prepare();
}

static void pages_stop(void)
{
    uint64_t first;

    zero_stops[cpu_self()] = true;
    ASSERT(take(1, 7, &first) == E_STOP_INTERRUPTED);
    zero_stops[cpu_self()] = false;
}

static void pages_take(void)
{
    uint64_t first;

    need(take(1, 7, &first));
}

static void pages_give(void)
{
    uint64_t freed;
    pfn_t blame;

    need(pages_free(&pages, pfn(frame()), 0, &freed, &blame));
}

static void pages_give_part(void)
{
    uint64_t freed;
    pfn_t blame;

    need(pages_free(&pages, pfn(frame()), 1, &freed, &blame));
}

static void pages_grow(void)
{
    pfn_t blame;

    need(pages_extend(&pages, pfn(frame() + 6), 1, pfn(PFN_LIMIT), &blame));
}

static void pages_give_use(void) { need(pages_give_back(&pages, pfn(frame() + 2), PAGES_CPU)); }

static void pages_keep(void)
{
    pfn_t blame;

    need(pages_reserve(&pages, pfn(frame() + 5), 1, 0, &blame));
}

static void pages_keep_not(void)
{
    pfn_t blame;

    need(pages_unreserve(&pages, pfn(frame() + 4), 1, 0, &blame));
}

static void pages_ask(void)
{
    struct page_info info;

    pages_query(&pages, pfn(frame()), &info);
}

static void pages_ask_run(void)
{
    struct page_info info;

    ASSERT(pages_run(&pages, pfn(HELD), pfn(HELD + 64), &info) > 0);
}

static void pages_ask_count(void) { ASSERT(pages_have(&pages, ALL_AREAS, 1)); }
static void pages_ask_area(void) { ASSERT(free_now() > 0); }
static void pages_ask_owner(void) { (void)pages_owner(&pages, pfn(frame() + 2)); }
static void pages_ask_use(void) { (void)pages_use(&pages, pfn(frame() + 2)); }
static void pages_scan(void) { need(pages_set_scan_order(&pages, (const uint8_t[]){ 0, 1 }, 2)); }

/* ---- caches: each CPU's has a page, and each has one out ---- */

static void cache_take(void) { need(take(1, 0, mine())); }
static void cache_give(void) { ASSERT(pages_free_cached(&pages, pfn(*mine()))); }
static void cache_empty(void) { pages_drain(&pages); }
static void cache_empty_one(void) { (void)pages_drain_cpu(&pages, 0); }

static void cache_begin(void)
{
    afresh_with_caches();
    cache_take();
    at[1] = at[0];
    cache_take();
}

/* ---- window: of each CPU a vmalloc, a vmap, and mere addresses ---- */

static uint64_t mapped[ORDER_CPUS], bare[ORDER_CPUS];

static void bare_take(void)
{
    const struct virt_request place = { .kind = VIRT_PAGES, .pages = 1 };
    virt_t out, blame;

    need(vmap_take_addresses(&vmap, &place, &out, &blame));
    bare[cpu_self()] = out.a;
}

static void bare_give(void)
{
    uint64_t count;

    need(vmap_give_addresses(&vmap, virt(bare[cpu_self()]), &count));
}

static void window_map(void) { need(map(FRAME_FIRST * P, P, MMU_DATA, &mapped[cpu_self()])); }

static void window_unmap(void)
{
    uint64_t count;

    need(vmap_unmap(&vmap, virt(mapped[cpu_self()]), &count));
}

static void window_alloc(void) { need(window_take(2, mine())); }
static void window_free(void) { need(window_give(*mine())); }
static void window_shrink(void) { need(vmap_shrink(&vmap, virt(*mine()), VIRT_VMALLOC, 1)); }

/* The addresses behind it may be somebody else's. */
static void window_extend(void)
{
    const struct vmap_request request = {
        .place = { .pages = 3, .size = 3 * P }, .attributes = MMU_DATA, .areas = ALL_AREAS,
        .max = pfn(PFN_LIMIT),
    };
    enum error e = vmap_extend(&vmap, virt(*mine()), VIRT_VMALLOC, &request);

    ASSERT(e == OK || e == E_MEM_NONE);
}

static void window_protect(void)
{
    virt_t blame;

    need(vmap_protect(&vmap, virt(*mine()), 1, MMU_DATA | MMU_READ_ONLY, &blame));
}

static void window_next(void)
{
    struct virt_range range = { .first = virt(FAKE_FIRST) };

    while (vmap_next(&vmap, virt(range.first.a + range.pages * P), &range))
        continue;
}

static void window_begin(void)
{
    afresh();
    window_alloc();
    window_map();
    bare_take();
    at[1] = at[0];
    mapped[1] = mapped[0];
    bare[1] = bare[0];
    window_alloc();
    window_map();
    bare_take();
}

/* ---- attributes of pages ---- */

static void attributes_give(void)
{
    pfn_t blame;

    need(attributes_protect(&attributes, pfn(frame()), 1, MMU_DATA | MMU_READ_ONLY, &blame));
}

static void attributes_ask(void) { (void)attributes_are_changed(&attributes, pfn(frame())); }
static void attributes_end(void) { need(give(frame(), 0)); }

static void attributes_keep_not(void)
{
    pfn_t blame;

    need(attributes_unreserve(&attributes, pfn(frame() + 4), 1, 0, &blame));
}

/* ---- page tables: of each CPU a page that is mapped, and one that is not ---- */

static virt_t tables_at(unsigned cpu, unsigned page)
{
    return virt(FAKE_FIRST + (cpu * OF_CPU + page) * P);
}

static void tables_map(void)
{
    need(machine_mmu()->map(tables_at(cpu_self(), 1), phys(FRAME_FIRST * P), P, MMU_DATA));
}

static void tables_unmap(void) { machine_mmu()->unmap(tables_at(cpu_self(), 0), P, NULL); }

static void tables_protect(void)
{
    need(machine_mmu()->protect(tables_at(cpu_self(), 0), P, MMU_DATA | MMU_READ_ONLY));
}

/* Of the direct map: that takes a table. */
static void tables_split(void)
{
    need(machine_mmu()->protect(virt(frame() * P), P, MMU_DATA | MMU_READ_ONLY));
}

/* What the other one has. */
static void tables_query(void)
{
    for (unsigned page = 0; page < 2; page++) {
        struct mmu_mapping mapping;

        (void)machine_mmu()->query(tables_at(1 - cpu_self(), page), &mapping);
    }
}

static void tables_entry(void)
{
    for (unsigned page = 0; page < 2; page++) {
        struct mmu_entry entry;

        ASSERT(machine_mmu()->entry(tables_at(1 - cpu_self(), page), 1, &entry));
    }
}

static void tables_count(void) { ASSERT(machine_mmu()->tables_size() > 0); }
static void tables_flushes(void) { (void)machine_mmu()->flushes(); }

static void tables_begin(void)
{
    afresh();
    for (unsigned cpu = 0; cpu < ORDER_CPUS; cpu++)
        need(machine_mmu()->map(tables_at(cpu, 0), phys(FRAME_FIRST * P), P, MMU_DATA));
}

/* ---- heap ---- */

static void heap_take(void) { need(object_take(40, false, mine())); }
static void heap_take_red(void) { need(object_take(40, true, mine())); }
static void heap_take_large(void) { need(object_take(5000, false, mine())); }
static void heap_give(void) { need(object_give(*mine())); }
static void heap_ask(void) { ASSERT(heap_has(&heap, virt(*mine()), false)); }

static void heap_change(void)
{
    virt_t out, blame;
    bool copied;

    need(heap_realloc(&heap, virt(*mine()), 300, &out, &copied, &blame));
}

static void heap_count(void)
{
    struct heap_totals totals;

    for (unsigned class = 0; class <= HEAP_CLASSES; class++)
        heap_totals(&heap, class, &totals);
}

static void heap_prepare(void (*one)(void))
{
    afresh();
    one();
    at[1] = at[0];
    one();
}

static void heap_begin(void) { heap_prepare(heap_take); }
static void heap_begin_red(void) { heap_prepare(heap_take_red); }

const struct layer layers[] = {
    { "pages", pages_begin,
      { pages_take, pages_stop, pages_give, pages_give_part, pages_give_use, pages_grow,
        pages_keep, pages_keep_not, pages_ask, pages_ask_run, pages_ask_count, pages_ask_area,
        pages_ask_owner, pages_ask_use, pages_scan }, broken },
    { "cache", cache_begin,
      { cache_take, cache_give, cache_empty, cache_empty_one, pages_take }, broken },
    { "window", window_begin,
      { window_alloc, window_free, window_shrink, window_extend, window_protect, window_next,
        window_map, window_unmap, bare_take, bare_give }, broken },
    { "attributes", pages_begin,
      { attributes_give, attributes_ask, attributes_end, attributes_keep_not }, broken },
    { "mmu", tables_begin,
      { tables_map, tables_unmap, tables_protect, tables_split, tables_query, tables_entry,
        tables_count, tables_flushes }, NULL },
    { "heap", heap_begin,
      { heap_take, heap_take_red, heap_take_large, heap_give, heap_ask, heap_change,
        heap_count }, broken },
    { "zones", heap_begin_red,
      { heap_take, heap_take_red, heap_give, heap_ask, heap_change, heap_count }, broken },
    { .name = NULL },
};
