/* SPDX-License-Identifier: MIT */
#include "protocol/origins.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"

/* A key has 40 bits (lookup.h), an address 47 at most. */
enum { KEY_BITS = 40, TABLES = 128 };

/* Address to CPU, of each 2^40 bytes; NULL: nothing is noted there. */
static struct lookup *tables[ORIGIN_KINDS][TABLES];
static uint64_t lost[SMP_MAX];

static uint64_t key_of(uint64_t at)
{
    return at & ((UINT64_C(1) << KEY_BITS) - 1);
}

/* The place of the table for an address; NULL: it is beyond all of them. */
static struct lookup **table_for(enum origin_kind kind, uint64_t at)
{
    return at >> KEY_BITS < TABLES ? &tables[kind][at >> KEY_BITS] : NULL;
}

static void table_trim(struct lookup **table)
{
    if (lookup_count(*table) > 0)
        return;
    lookup_destroy(*table);
    *table = NULL;
}

static enum error put(enum origin_kind kind, uint64_t at, unsigned cpu)
{
    const struct node_source nodes = kpool_source(&lab.pool);
    struct lookup **table = table_for(kind, at);
    enum error e;

    if (table != NULL && *table == NULL)
        *table = lookup_create(&nodes);
    if (table == NULL || *table == NULL)
        return E_MEM_METADATA;
    e = lookup_add(*table, key_of(at), cpu);
    table_trim(table);
    return e;
}

static void note(enum origin_kind kind, uint64_t at, unsigned cpu)
{
    if (put(kind, at, cpu) != OK)
        lost[cpu]++;
}

/* The CPU that was noted there, and is no more; 0: none was. */
static unsigned take(enum origin_kind kind, uint64_t at)
{
    struct lookup **table = table_for(kind, at);
    uint32_t cpu;

    if (table == NULL || *table == NULL || !lookup_remove(*table, key_of(at), &cpu))
        return 0;
    table_trim(table);
    return cpu;
}

void origin_note(enum origin_kind kind, uint64_t at)
{
    if (smp_self() != 0)
        note(kind, at, smp_self());
}

void origin_forget(enum origin_kind kind, uint64_t at)
{
    (void)take(kind, at);
}

void origin_move(enum origin_kind kind, uint64_t from, uint64_t to)
{
    unsigned cpu = from != to ? take(kind, from) : 0;

    if (cpu != 0)
        note(kind, to, cpu);
}

void origin_cut(const struct page_info *block, pfn_t first, uint64_t pages)
{
    const pfn_t rest = pfn(first.n + pages);
    unsigned cpu = take(ORIGIN_BLOCK, pfn_phys(block->block).a);

    if (cpu != 0 && first.n > block->block.n)
        note(ORIGIN_BLOCK, pfn_phys(block->block).a, cpu);
    if (cpu != 0 && rest.n < block->block.n + block->pages)
        note(ORIGIN_BLOCK, pfn_phys(rest).a, cpu);
}

void origins_forget(void)
{
    memset(tables, 0, sizeof(tables));
    memset(lost, 0, sizeof(lost));
}

/* ---- questions ---- */

static void count_one(struct origins *all, enum origin_kind kind, uint64_t at, unsigned cpu)
{
    struct page_info info = { .pages = 0 };

    if (kind == ORIGIN_BLOCK)
        pages_query(&lab.pages, phys_pfn(phys(at)), &info);
    all[cpu].n[kind]++;
    all[cpu].pages += info.pages;
}

static void count_table(struct origins *all, enum origin_kind kind, unsigned number)
{
    const struct lookup *table = tables[kind][number];

    for (uint64_t i = 0; table != NULL && i < lookup_count(table); i++) {
        uint64_t key;
        uint32_t cpu;

        lookup_at(table, i, &key, &cpu);
        count_one(all, kind, (uint64_t)number << KEY_BITS | key, cpu);
    }
}

const struct origins *origins_count(void)
{
    static struct origins all[SMP_MAX];

    memset(all, 0, sizeof(all));
    for (unsigned cpu = 0; cpu < SMP_MAX; cpu++)
        all[cpu].lost = lost[cpu];
    for (unsigned kind = 0; kind < ORIGIN_KINDS; kind++)
        for (unsigned number = 0; number < TABLES; number++)
            count_table(all, (enum origin_kind)kind, number);
    return all;
}

void origins_add(struct origins *sum, const struct origins *more)
{
    for (unsigned kind = 0; kind < ORIGIN_KINDS; kind++)
        sum->n[kind] += more->n[kind];
    sum->pages += more->pages;
    sum->lost += more->lost;
}

/* ---- answers ---- */

static void fields(struct reply *reply, const struct origins *origins, bool all,
                   void (*field)(struct reply *reply, const char *key, uint64_t number))
{
    static const char *const names[] = {
        [ORIGIN_BLOCK] = "blocks", [ORIGIN_RANGE] = "ranges", [ORIGIN_OBJECT] = "objects",
        [ORIGIN_EARLY] = "early",
    };

    for (unsigned kind = 0; kind < ORIGIN_KINDS; kind++) {
        if (all || origins->n[kind] > 0)
            field(reply, names[kind], origins->n[kind]);
        if (kind == ORIGIN_BLOCK && (all || origins->pages > 0))
            field(reply, "pages", origins->pages);
    }
    if (origins->lost > 0)
        field(reply, "lost", origins->lost);
}

void reply_origins(struct reply *reply, const struct origins *origins)
{
    fields(reply, origins, true, reply_key_number);
}

void row_origins(struct reply *reply, const struct origins *origins)
{
    fields(reply, origins, false, row_key_number);
}
