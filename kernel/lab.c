/* SPDX-License-Identifier: MIT */
/*
 * Two banks, each with a pool and records for an instance; `active` is the one that `lab` uses. The
 * other one is where the next instance is built. An instance that was abandoned half-way, by a
 * failed assertion, harms nothing: the next one is built on the bank that is not active, from the
 * map in force.
 */
#include "kernel/lab.h"

#include "kernel/lab_parts.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "kernel/machine_memory.h"
#include "kernel/mm/engine_common.h"
#include "kernel/smp.h"

struct bank {
    struct kpool pool;                /* as kpool_init() left it */
    struct phys_extent records[LAB_EXTENTS];
};

struct lab lab;
struct tables lab_tables;
struct journal lab_journal;
struct lab_map lab_machine_map;

static struct bank banks[2];
static unsigned active;
static const struct lab_map *in_force;
static struct page_range page_ranges[LAB_EXTENTS];

static const struct pages_hooks hooks = {
    .zero = machine_zero, .event = lab_event_record, .tell = lab_tell_kept,
    .stopped = machine_interrupted,
};

void lab_set_pool(unsigned char *base, uint64_t pages_each)
{
    kpool_init(&banks[0].pool, base, pages_each);
    kpool_init(&banks[1].pool, base + (size_t)(pages_each << PAGE_SHIFT), pages_each);
}

struct phys_extent *lab_scratch_records(void)
{
    return banks[!active].records;
}

enum error lab_map_replay(const struct lab_map *map, struct phys_allocator *phys,
                          struct phys_extent *records, size_t capacity)
{
    enum error e = OK;

    phys_init(phys, records, capacity);
    for (size_t i = 0; e == OK && i < map->n; i++)
        e = phys_add(phys, &map->ranges[i]);
    return e;
}

/* No frame of an injected map is touched: machines agree on which ones serve. */
static phys_t reach(void)
{
    return lab.injected ? phys(ADDRESS_LIMIT) : lab.reach;
}

static void virtual_begin(void)
{
    struct node_source nodes = kpool_source(&lab.pool);

    attributes_init(&lab.attributes, lab.mmu, &lab.pages);
    vmap_init(&lab.vmap, lab.mmu, lab.window, lab.window_limit, &nodes, &lab.pages,
              &machine_memory);
    heap_frames_init(&lab.heap_frames, &lab.attributes, reach());
    lab.pages.fail = &lab.fail;
}

/*
 * What the instance before has done to the page tables. It may have ended in the middle of
 * anything, so that its records are not asked.
 */
static void virtual_end(struct lab *before)
{
    if (before->mmu == NULL)
        return;
    before->mmu->unmap(before->window, before->window_limit.a - before->window.a, NULL);
    if (before->injected || (before->attributes.changed == 0 && !before->dead))
        return;
    for (size_t i = 0; i < before->phys.count; i++) {
        const struct phys_extent *e = &before->phys.extents[i];
        uint64_t first = e->start >> PAGE_SHIFT, end = e->end >> PAGE_SHIFT;

        if (e->state == PHYS_HANDED)
            attributes_clear(&before->attributes, pfn(first), end - first);
    }
}

/*
 * What is written here is undone by the callers, who keep a copy of `lab`: but for the pages of the
 * pool that were given back, which are linked through their first words, and are left alone.
 */
static enum error hand_over(uint64_t *needed)
{
    struct page_map map = { .ranges = page_ranges, .areas = lab.areas, .nareas = lab.nareas };
    void *returned = lab.pool.returned;
    enum error e = phys_hand_over(&lab.phys, page_ranges, ARRAY_SIZE(page_ranges), &map.nranges);

    lab.pool.returned = NULL;
    if (e == OK)
        e = pages_init(&lab.pages, lab.engine, &map, !lab.injected, &lab.pool, &hooks, needed);
    if (e == OK && lab.percpu)
        e = pages_use_caches(&lab.pages, smp_count(), &lab.pool, needed);
    if (e == OK)
        e = pages_set_scan_order(&lab.pages, lab.scan, lab.nareas);
    if (e != OK)
        return e;
    kpool_return(&lab.pool, returned);
    virtual_begin();
    lab.stage = STAGE_PAGE;
    heap_advance(&lab.heap, STAGE_PAGE);
    return OK;
}

static void heap_begin(void)
{
    static const struct heap_source sources[HEAP_STAGES] = {
        [STAGE_EARLY] = { &heap_backend_early, &lab.heap_early, false },
        [STAGE_PAGE] = { &heap_backend_pages, &lab.heap_frames, false },
        [STAGE_VIRTUAL] = { &heap_backend_virtual, &lab.vmap, true },
    };
    struct node_source nodes = kpool_source(&lab.pool);

    lab.heap_early = (struct heap_early){ &lab.phys, reach() };
    heap_init(&lab.heap, &nodes, sources, &machine_memory);
}

static void virtual_advance(void)
{
    lab.stage = STAGE_VIRTUAL;
    heap_advance(&lab.heap, STAGE_VIRTUAL);
}

enum error lab_build(const struct lab_map *map, enum lab_stage stage, uint64_t *needed)
{
    struct lab before = lab;
    enum error e;

    *needed = 0;
    lab.stage = STAGE_EARLY;
    lab.injected = map->injected;
    lab.dead = false;
    lab.fail = (struct fail){ .on = false };
    lab.attributes = (struct attributes){ .changed = 0 };
    lab.pool = banks[!active].pool;
    lab.pool.fail = &lab.fail;
    lab.nareas = map->areas.n;
    memcpy(lab.areas, map->areas.rows, sizeof(lab.areas));
    memcpy(lab.scan, map->scan, sizeof(lab.scan));
    heap_begin();
    e = lab_map_replay(map, &lab.phys, banks[!active].records, LAB_EXTENTS);
    if (e == OK && stage >= STAGE_PAGE)
        e = hand_over(needed);
    if (e == OK && stage == STAGE_VIRTUAL)
        virtual_advance();
    if (e != OK) {
        lab = before;
        return e;
    }
    smp_abandon();
    lab_corrupt_heal();
    virtual_end(&before);
    active = !active;
    in_force = map;
    journal_clear(&lab_journal);
    return OK;
}

enum error lab_reset(enum lab_stage stage)
{
    uint64_t needed;

    return lab_build(in_force, stage, &needed);
}

/*
 * In place: the heap's records are in this bank. The other one keeps a copy of what phys has, which
 * is who refuses a second time.
 */
enum error lab_hand_over(uint64_t *needed)
{
    const struct lab before = lab;
    struct phys_extent *records = banks[!active].records;
    enum error e;

    *needed = 0;
    memcpy(records, lab.phys.extents, lab.phys.count * sizeof(*records));
    e = hand_over(needed);
    if (e != OK) {
        lab = before;
        memcpy(lab.phys.extents, records, lab.phys.count * sizeof(*records));
    }
    return e;
}

enum error lab_advance(uint64_t *needed)
{
    *needed = 0;
    if (lab.stage == STAGE_EARLY)
        return lab_hand_over(needed);
    if (lab.stage == STAGE_VIRTUAL)
        return E_CALL_STATE;
    virtual_advance();
    return OK;
}

enum error lab_scan_order(const uint8_t *order)
{
    enum error e;

    if (lab.stage < STAGE_PAGE)
        return E_CALL_STATE;
    if (!scan_order_valid(order, lab.nareas))
        return E_CALL_RANGE;
    e = pages_set_scan_order(&lab.pages, order, lab.nareas);
    if (e == OK)
        memcpy(lab.scan, order, lab.nareas);
    return e;
}
