/* SPDX-License-Identifier: MIT */
/* The page allocator with its owners, against the oracle of the unit tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/mm/page.h"
#include "kernel/mm/pages.h"
#include "tests/fuzz/ops.h"
#include "tests/unit/page_oracle.h"

#define MAX_RANGES 4u
#define ROOM 1536u                    /* frames of the map at most, from its first to its last */
#define MAX_LIVE 64u
#define POOL (512u << 10)

static unsigned char pool_memory[POOL] __attribute__((aligned(4096)));
static struct kpool pool;
static struct pages pages;
static struct oracle oracle;
static uint64_t base, span;
static size_t nareas;
static uint64_t live[MAX_LIVE];       /* first frames of blocks, mostly */
static size_t nlive;

static enum error zero(pfn_t first, uint64_t count)
{
    (void)first, (void)count;
    return E_CALL_UNSUPPORTED;
}

static bool stopped(void) { return false; }

static const struct pages_hooks hooks = { .zero = zero, .stopped = stopped };

/* ---- the map ---- */

static void script_range(const struct page_range *range)
{
    script_request("map_add 0x%llx 0x%llx", (unsigned long long)pfn_phys(range->first).a,
                   (unsigned long long)range->pages << PAGE_SHIFT);
}

static size_t choose_ranges(struct input *in, struct page_range *ranges)
{
    size_t n = 0, want = 1 + take_byte(in) % MAX_RANGES;
    uint64_t at = base + (base == 0);

    for (; n < want && at < base + ROOM; n++) {
        uint64_t count = 1 + take_short(in) % ROOM, left = base + ROOM - at;

        ranges[n] = (struct page_range){ pfn(at), count < left ? count : left, true };
        at += ranges[n].pages + 1 + take_byte(in);
    }
    span = ranges[n - 1].first.n + ranges[n - 1].pages - base;
    return n;
}

static void choose_areas(struct input *in, struct area_limit *areas)
{
    uint64_t limit = base;
    size_t n = take_byte(in) % 4;

    nareas = 0;
    for (size_t i = 0; i < n; i++) {
        limit += 1 + take_short(in) % ROOM;
        if (limit >= PFN_LIMIT)
            break;
        snprintf(areas[nareas].name, AREA_NAME_SIZE, "a%zu", nareas);
        areas[nareas++].limit = pfn(limit);
    }
    areas[nareas++] = (struct area_limit){ "rest", { PFN_LIMIT } };
}

static void begin(struct input *in)
{
    static const uint64_t bases[] = {
        0, 3, 512, (1u << 18) - 700, 5 * (UINT64_C(1) << 18) - 512, PFN_LIMIT - 2 * ROOM,
    };
    struct page_range ranges[MAX_RANGES];
    struct area_limit areas[MAX_AREAS];
    struct page_map map = { .ranges = ranges, .areas = areas };
    uint64_t needed;

    base = bases[take_byte(in) % ARRAY_SIZE(bases)];
    map.nranges = choose_ranges(in, ranges);
    choose_areas(in, areas);
    map.nareas = nareas;
    nlive = 0;
    script_request("map_begin");
    for (size_t i = 0; i < nareas; i++)
        script_request("map_area %s 0x%llx", areas[i].name,
                       (unsigned long long)pfn_phys(areas[i].limit).a);
    for (size_t i = 0; i < map.nranges; i++)
        script_range(&ranges[i]);
    script_request("map_commit");
    script_nothing();
    kpool_init(&pool, pool_memory, POOL >> PAGE_SHIFT);
    oracle_init(&oracle, &map);
    SAME(pages_init(&pages, &page_engine_tree, &map, false, &pool, &hooks, &needed), OK, "init");
}

/* ---- operations ---- */

/* A frame of the map or just beyond it. */
static uint64_t take_frame(struct input *in)
{
    return base + take_short(in) % (span + 8);
}

static const char *area_words(uint32_t set)
{
    static char text[MAX_AREAS * AREA_NAME_SIZE];

    text[0] = '\0';
    for (size_t i = 0; i < nareas; i++)
        if (set >> i & 1)
            strcat(strcat(text, text[0] == '\0' ? "" : "|"), oracle.area[i].name);
    return text;
}

static uint32_t script_alloc(const struct page_request *q)
{
    char keys[256] = "";
    size_t n = 0;

    if (script_wanted()) {
        if (q->min.n != 0)
            n += (size_t)snprintf(keys + n, sizeof(keys) - n, " min=0x%llx",
                                  (unsigned long long)pfn_phys(q->min).a);
        if (q->max.n != PFN_LIMIT)
            n += (size_t)snprintf(keys + n, sizeof(keys) - n, " max=0x%llx",
                                  (unsigned long long)pfn_phys(q->max).a);
        if (q->exact)
            n += (size_t)snprintf(keys + n, sizeof(keys) - n, " at=0x%llx",
                                  (unsigned long long)pfn_phys(q->at).a);
        if (q->fresh)
            snprintf(keys + n, sizeof(keys) - n, " fresh=1");
    }
    return script_request("alloc_pages_exact %llu area=%s align=0x%llx%s dontzero=1",
                          (unsigned long long)q->pages, area_words(q->areas),
                          1ull << (q->align + PAGE_SHIFT), keys);
}

static struct page_request take_request(struct input *in)
{
    unsigned flags = take_byte(in), size = take_byte(in);
    struct page_request q = {
        .areas = (UINT32_C(1) << nareas) - 1, .pages = UINT64_C(1) << size % 12,
        .max = pfn(PFN_LIMIT), .fresh = (flags & 1) != 0, .exact = (flags & 2) != 0,
    };

    q.align = flags & 4 ? take_byte(in) % 12 : order_for(q.pages);
    if (flags & 8)
        q.pages = 1 + take_short(in) % ROOM;
    if (flags & 16)
        q.min = pfn(take_frame(in));
    if (flags & 32)
        q.max = pfn(take_frame(in));
    if (flags & 64)
        q.areas = 1 + take_byte(in) % q.areas;
    if (q.exact)
        q.at = pfn(take_frame(in));
    return q;
}

static void blame_script(enum error e, pfn_t blame)
{
    bool named = e == E_MEM_UNMANAGED || e == E_MEM_BUSY || e == E_MEM_RESERVED || e == E_MEM_FREE;

    script_error(e, named ? pfn_phys(blame).a : 0);
}

static void step_alloc(struct input *in)
{
    struct page_request q = take_request(in);
    pfn_t a = pfn(0), b = pfn(0), blame = pfn(1), other = pfn(1);
    uint32_t owner = script_alloc(&q);
    enum error e = oracle_alloc(&oracle, &q, &b, &other);
    bool zeroed;

    if (e == OK)
        script_address(pfn_phys(b).a);
    else
        blame_script(e, other);
    SAME(pages_alloc(&pages, &q, owner, true, &a, &zeroed, &blame), e, "alloc");
    SAME(blame.n, other.n, "alloc blames frame");
    SAME(a.n, b.n, "alloc gives frame");
    if (e != OK)
        return;
    SAME(pages_owner(&pages, a), owner, "owner");
    live[nlive < MAX_LIVE ? nlive++ : owner % MAX_LIVE] = a.n;
}

static uint64_t take_block(struct input *in)
{
    unsigned i = take_byte(in);
    uint64_t frame;

    if (i >= 224 || nlive == 0)
        return take_frame(in);
    frame = live[i % nlive];
    live[i % nlive] = live[nlive - 1];
    nlive--;
    return frame;
}

static void step_free(struct input *in)
{
    uint64_t frame = take_block(in), a = 0, b = 0;
    pfn_t blame = pfn(frame);
    enum error e;

    script_request("free 0x%llx", (unsigned long long)frame << PAGE_SHIFT);
    e = oracle_free(&oracle, pfn(frame), &b);
    if (e == OK)
        script_number(b);
    else
        script_error(e, frame << PAGE_SHIFT);
    SAME(pages_free(&pages, pfn(frame), 0, &a, &blame), e, "free");
    SAME(e == OK ? frame : blame.n, frame, "free blames frame");
    SAME(a, b, "free gives back pages");
}

/* realloc does this for a heap: the transcript has nothing like it for pages. */
static void step_extend(struct input *in)
{
    uint64_t frame = take_block(in), count = take_short(in) % 1024;
    unsigned limited = take_byte(in);
    pfn_t limit = pfn(limited < 32 ? take_frame(in) : PFN_LIMIT), a = pfn(1), b = pfn(1);
    enum error e = oracle_extend(&oracle, pfn(frame), count, limit, &b);

    SAME(pages_extend(&pages, pfn(frame), count, limit, &a), e, "extend");
    SAME(a.n, b.n, "extend blames frame");
    if (nlive < MAX_LIVE)
        live[nlive++] = frame;
}

static void step_free_part(struct input *in)
{
    uint64_t frame = take_block(in) + take_byte(in), count = 1 + take_short(in) % 1024, freed = 0;
    pfn_t head = pfn(0), rest = pfn(0), blame = pfn(0);
    uint64_t left = 0;
    enum error e;

    script_request("free 0x%llx %llu", (unsigned long long)frame << PAGE_SHIFT,
                   (unsigned long long)count);
    e = oracle_free_part(&oracle, pfn(frame), count, &head, &rest, &left);
    if (e == OK)
        script_number(count);
    else
        script_error(e, (e == E_MEM_BEYOND ? head.n : frame) << PAGE_SHIFT);
    SAME(pages_free(&pages, pfn(frame), count, &freed, &blame), e, "free of a part");
    if (e != OK) {
        SAME(blame.n, e == E_MEM_BEYOND ? head.n : frame, "free blames frame");
        return;
    }
    SAME(freed, count, "free gives back pages");
    if (left > 0 && nlive < MAX_LIVE)
        live[nlive++] = rest.n;
    if (head.n < frame && nlive < MAX_LIVE)
        live[nlive++] = head.n;
}

static void step_reserve(struct input *in, bool back)
{
    uint64_t frame = take_frame(in), count = 1 + take_short(in) % ROOM;
    pfn_t a = pfn(1), b = pfn(1);
    enum error e;

    script_request("%s 0x%llx %llu", back ? "unreserve" : "reserve",
                   (unsigned long long)frame << PAGE_SHIFT, (unsigned long long)count);
    e = (back ? oracle_unreserve : oracle_reserve)(&oracle, pfn(frame), count, &b);
    if (e != OK)
        blame_script(e, b);
    else if (back)
        script_nothing();
    else
        script_address(frame << PAGE_SHIFT);
    SAME((back ? pages_unreserve : pages_reserve)(&pages, pfn(frame), count, 0, &a), e,
         back ? "unreserve" : "reserve");
    SAME(a.n, b.n, "reserve blames frame");
}

static void step_scan_order(struct input *in)
{
    unsigned choice = take_byte(in);
    char words[MAX_AREAS * AREA_NAME_SIZE] = "";

    for (size_t i = nareas; i > 1; i--, choice /= 4) {
        uint8_t swap = oracle.scan[i - 1];

        oracle.scan[i - 1] = oracle.scan[choice % i];
        oracle.scan[choice % i] = swap;
    }
    for (size_t i = 0; i < nareas; i++)
        strcat(strcat(words, i == 0 ? "" : "|"), oracle.area[oracle.scan[i]].name);
    script_request("scan_order %s", words);
    script_nothing();
    SAME(pages.engine->set_scan_order(pages.state, oracle.scan, nareas), OK, "scan_order");
}

static void check(void)
{
    struct page_violation violation = { .text = "" };

    if (pages_check(&pages, &violation) != OK)
        ops_fail("invariant", violation.invariant, violation.text);
}

static void step(struct input *in)
{
    static void (*const steps[])(struct input *) = {
        step_alloc, step_alloc, step_alloc, step_free, step_free, step_free_part,
    };
    unsigned byte = take_byte(in), what = byte % 10;

    if (byte >= 240)
        step_extend(in);
    else if (what < ARRAY_SIZE(steps))
        steps[what](in);
    else if (what < 9)
        step_reserve(in, what == 8);
    else
        step_scan_order(in);
}

/* ---- the end ---- */

static void same_info(uint64_t frame, const struct page_info *a, const struct page_info *b)
{
    SAME(a->state, b->state, "state of a frame");
    SAME(a->fresh, b->fresh, "freshness of a frame");
    SAME(a->block.n, b->block.n, "block of a frame");
    SAME(a->pages, b->pages, "pages of a block");
    if (a->state != PAGE_UNMANAGED)
        SAME(a->area, b->area, "area of a frame");
    (void)frame;
}

static void same_areas(void)
{
    for (unsigned i = 0; i < nareas; i++) {
        struct page_area_info a, b;

        SAME(pages.engine->area_info(pages.state, i, &a), oracle_area_info(&oracle, i, &b), "area");
        SAME(a.free, b.free, "free pages of an area");
        SAME(a.allocated, b.allocated, "allocated pages of an area");
        SAME(a.reserved, b.reserved, "reserved pages of an area");
        for (unsigned order = 0; order <= MAX_ORDER; order++)
            SAME(a.free_blocks[order], b.free_blocks[order], "free blocks of an order");
    }
}

static void end(void)
{
    for (uint64_t frame = base; frame < base + span + 8;) {
        struct page_info a, b;
        uint64_t run = pages.engine->run(pages.state, pfn(frame), pfn(PFN_LIMIT), &a);

        SAME(run, oracle_run(&oracle, pfn(frame), pfn(PFN_LIMIT), &b), "length of a run");
        same_info(frame, &a, &b);
        frame += run;
    }
    same_areas();
    oracle_destroy(&oracle);
}

const struct ops ops_page = { "page", begin, step, check, end };
