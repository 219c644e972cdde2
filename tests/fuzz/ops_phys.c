/* SPDX-License-Identifier: MIT */
/*
 * Early memory against a model that keeps one record for each cell of a small address space. A cell
 * is a byte, or 8, or 64: all addresses and sizes are multiples of it.
 */
#include "kernel/mm/phys.h"
#include "tests/fuzz/ops.h"

#define CELLS 2048u
#define CAPACITY 400u
#define HOLE 9

struct cell {
    uint8_t state;                /* enum phys_state, or HOLE */
    bool used;
    uint16_t id;                  /* of the early allocation */
};

static struct cell cells[CELLS];
static struct phys_extent records[CAPACITY];
static struct phys_allocator phys_allocator;
static uint64_t base, cell_size, minimum;
static uint16_t next_id;
static bool handed;

static bool alike(const struct cell *a, const struct cell *b)
{
    return a->state == b->state && a->used == b->used && a->id == b->id;
}

static uint64_t address_of(size_t i) { return base + i * cell_size; }

/* ---- the whole state ---- */

static void check(void)
{
    size_t n = 0;
    unsigned number;
    phys_t at;

    for (size_t i = 0, end; i < CELLS; i = end) {
        for (end = i + 1; end < CELLS && alike(&cells[i], &cells[end]);)
            end++;
        if (cells[i].state == HOLE)
            continue;
        SAME(n < phys_allocator.count, true, "an extent is there");
        SAME(records[n].start, address_of(i), "start of an extent");
        SAME(records[n].end, address_of(end), "end of an extent");
        SAME(records[n].state, cells[i].state, "state of an extent");
        SAME(records[n].used, cells[i].used, "use of an extent");
        n++;
    }
    SAME(phys_allocator.count, n, "number of extents");
    if (!phys_check(&phys_allocator, &number, &at))
        ops_fail("invariant", 200 + number, "the extents of early memory are broken");
}

/* ---- the map ---- */

static void add(struct input *in)
{
    size_t start = take_short(in) % CELLS, n = 1 + take_short(in) % (CELLS - start);
    bool reserve = take_byte(in) % 4 == 3;
    struct phys_range range = {
        { address_of(start) }, n * cell_size, reserve ? RANGE_RESERVED : RANGE_USABLE,
    };

    script_request("map_add 0x%llx 0x%llx%s", (unsigned long long)range.start.a,
                   (unsigned long long)range.size, reserve ? " kind=reserved" : "");
    SAME(phys_add(&phys_allocator, &range), OK, "add");
    for (size_t i = start; i < start + n; i++) {
        bool taken = reserve || address_of(i) < PAGE_SIZE;

        if (taken || cells[i].state == HOLE)
            cells[i] = (struct cell){ .state = taken ? PHYS_RESERVED : PHYS_FREE };
    }
}

static void begin(struct input *in)
{
    static const uint8_t shifts[] = { 0, 3, 6 };
    unsigned choice = take_byte(in);

    cell_size = 1u << shifts[choice % ARRAY_SIZE(shifts)];
    uint64_t bases[] = { 0, PAGE_SIZE, (UINT64_C(1) << 32) - CELLS / 2 * cell_size,
                         ADDRESS_LIMIT - CELLS * cell_size };
    base = bases[choice / 4 % ARRAY_SIZE(bases)];
    minimum = 32;
    handed = false;
    for (size_t i = 0; i < CELLS; i++)
        cells[i] = (struct cell){ .state = HOLE };
    phys_init(&phys_allocator, records, CAPACITY);
    script_request("map_begin");
    script_request("map_area all 0x10000000000000");
    for (unsigned n = 1 + take_byte(in) % 6; n > 0; n--)
        add(in);
    script_request("map_commit stage=early");
    script_nothing();
}

/* ---- operations ---- */

/* Whether the block at a cell could be had: the rules of phys.h, cell by cell. */
static bool could_be(const struct phys_request *q, size_t start)
{
    uint64_t at = address_of(start), align = q->align > minimum ? q->align : minimum;
    size_t n = q->size / cell_size;

    if (n > CELLS - start || !is_aligned(at, align) || at < q->min || at + q->size > q->max)
        return false;
    for (size_t i = start; i < start + n; i++)
        if (cells[i].state != PHYS_FREE)
            return false;
    return true;
}

static enum error model_alloc(const struct phys_request *q, uint64_t *at)
{
    for (size_t i = 0; i < CELLS; i++) {
        size_t start = q->direction == PHYS_LOW ? i : CELLS - 1 - i;

        if (!could_be(q, start))
            continue;
        next_id++;
        for (size_t j = start; j < start + q->size / cell_size; j++)
            cells[j] = (struct cell){ PHYS_EARLY, true, next_id };
        *at = address_of(start);
        return OK;
    }
    return E_MEM_NONE;
}

static void step_alloc(struct input *in)
{
    unsigned flags = take_byte(in);
    struct phys_request q = {
        .size = (1 + (take_short(in) % CELLS >> flags % 8)) * cell_size,
        .align = UINT64_C(1) << take_byte(in) % 15,
        .min = flags & 64 ? address_of(take_short(in) % CELLS) : 0,
        .max = flags & 128 ? address_of(take_short(in) % CELLS) : ADDRESS_LIMIT,
        .direction = flags & 32 ? PHYS_LOW : PHYS_HIGH,
    };
    uint64_t expected = 0;
    phys_t got = phys(0);
    enum error e;

    script_request("phys_alloc %llu align=%llu min=0x%llx max=0x%llx from=%s",
                   (unsigned long long)q.size, (unsigned long long)q.align,
                   (unsigned long long)q.min, (unsigned long long)q.max,
                   q.direction == PHYS_LOW ? "low" : "high");
    e = model_alloc(&q, &expected);
    if (e == OK)
        script_address(expected);
    else
        script_error(e, 0);
    SAME(phys_alloc(&phys_allocator, &q, &got), e, "phys_alloc");
    SAME(got.a, expected, "phys_alloc gives");
}

static enum error model_free(size_t at, uint64_t *size)
{
    static const enum error errors[] = {
        [PHYS_FREE] = E_MEM_FREE, [PHYS_RESERVED] = E_MEM_RESERVED, [PHYS_HANDED] = E_MEM_BUSY,
        [HOLE] = E_MEM_UNMANAGED,
    };
    struct cell cell = cells[at];

    if (cell.state != PHYS_EARLY)
        return errors[cell.state];
    if (at > 0 && alike(&cells[at - 1], &cell))
        return E_MEM_INSIDE;
    for (*size = 0; at < CELLS && alike(&cells[at], &cell); at++, *size += cell_size)
        cells[at] = (struct cell){ .state = PHYS_FREE, .used = true };
    return OK;
}

static void step_free(struct input *in)
{
    unsigned choice = take_byte(in);
    uint64_t at = address_of(take_short(in) % CELLS), expected = 0, got = 0;
    enum error e;

    if (choice % 4 != 0 && phys_allocator.count > 0)
        at = records[choice / 4 % phys_allocator.count].start;
    script_request("phys_free 0x%llx", (unsigned long long)at);
    e = model_free((size_t)((at - base) / cell_size), &expected);
    if (e == OK)
        script_number(expected);
    else
        script_error(e, at);
    SAME(phys_free(&phys_allocator, phys(at), &got), e, "phys_free");
    SAME(got, expected, "phys_free gives back");
}

static void step_minimum(struct input *in)
{
    minimum = UINT64_C(1) << take_byte(in) % 13;
    script_request("phys_set_minimum_alignment %llu", (unsigned long long)minimum);
    script_nothing();
    SAME(phys_set_minimum_alignment(&phys_allocator, minimum), OK, "phys_set_minimum_alignment");
}

/* Whole free pages are handed over, page 0 never; *used: an early allocation touched it. */
static bool model_takes(uint64_t page, bool *used)
{
    *used = false;
    if (page < base || page + PAGE_SIZE > base + CELLS * cell_size || page == 0)
        return false;
    for (uint64_t at = page; at < page + PAGE_SIZE; at += cell_size) {
        const struct cell *cell = &cells[(at - base) / cell_size];

        *used |= cell->used;
        if (cell->state != PHYS_FREE)
            return false;
    }
    return true;
}

static void model_hand_over(const struct page_range *ranges, size_t n)
{
    uint64_t page = align_down(base, PAGE_SIZE), end = base + CELLS * cell_size, told = 0;

    for (size_t r = 0; r < n; r++)
        told += ranges[r].pages;
    for (; page < end; page += PAGE_SIZE) {
        bool used;
        size_t r = 0;

        if (!model_takes(page, &used))
            continue;
        while (r < n && page >> PAGE_SHIFT >= ranges[r].first.n + ranges[r].pages)
            r++;
        SAME(r < n && page >> PAGE_SHIFT >= ranges[r].first.n, true, "a free page is handed over");
        SAME(ranges[r].fresh, !used, "freshness of a range");
        for (uint64_t at = page; at < page + PAGE_SIZE; at += cell_size)
            cells[(at - base) / cell_size] = (struct cell){ .state = PHYS_HANDED, .used = used };
        told--;
    }
    SAME(told, 0, "pages handed over too many");
}

static void step_hand_over(struct input *in)
{
    struct page_range ranges[CELLS * 64 / 4096 + 1];
    size_t n = 0;
    enum error e = handed ? E_CALL_STATE : OK;

    (void)in;
    script_request("phys_hand_over");
    if (e == OK)
        script_nothing();
    else
        script_error(e, 0);
    SAME(phys_hand_over(&phys_allocator, ranges, ARRAY_SIZE(ranges), &n), e, "phys_hand_over");
    if (e == OK)
        model_hand_over(ranges, n);
    handed = true;
}

static void step(struct input *in)
{
    unsigned what = take_byte(in) % 16;

    if (what < 8)
        step_alloc(in);
    else if (what < 14)
        step_free(in);
    else if (what == 14)
        step_minimum(in);
    else
        step_hand_over(in);
}

static void end(void) { }

const struct ops ops_phys = { "phys", begin, step, check, end };
