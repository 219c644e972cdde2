/* SPDX-License-Identifier: MIT */
/* Injected maps: one may be in force while the next one is being listed. */
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/lib/string.h"

static struct lab_map lists[2];
static unsigned next;                 /* the list that lab_map_begin() begins */
static bool begun, own_areas;

enum error lab_map_append(struct lab_map *map, const struct phys_range *range)
{
    if (map->n == ARRAY_SIZE(map->ranges))
        return E_MEM_METADATA;
    map->ranges[map->n++] = *range;
    return OK;
}

void lab_map_begin(void)
{
    struct lab_map *list = &lists[next];

    list->n = 0;
    list->areas = lab_machine_map.areas;
    memcpy(list->scan, lab_machine_map.scan, sizeof(list->scan));
    list->injected = true;
    begun = true;
    own_areas = false;
}

enum error lab_map_area(const char *name, uint64_t limit)
{
    struct lab_map *list = &lists[next];
    struct area_table table = list->areas;
    enum error e;

    if (!begun)
        return E_CALL_STATE;
    if (!own_areas)
        table.n = 0;
    e = area_table_add(&table, name, strlen(name), limit);
    if (e != OK)
        return e;
    list->areas = table;
    scan_order_default(list->scan, table.n);
    own_areas = true;
    return OK;
}

uint64_t lab_map_least_limit(void)
{
    const struct area_table *table = &lists[next].areas;

    return own_areas ? pfn_phys(table->rows[table->n - 1].limit).a + PAGE_SIZE : PAGE_SIZE;
}

enum error lab_map_add(uint64_t base, uint64_t size, enum range_kind kind)
{
    if (!begun)
        return E_CALL_STATE;
    if (size == 0 || base > ADDRESS_LIMIT || size > ADDRESS_LIMIT - base)
        return E_CALL_RANGE;
    return lab_map_append(&lists[next], &(struct phys_range){ phys(base), size, kind });
}

enum error lab_map_commit(enum lab_stage stage, uint64_t *needed)
{
    enum error e;

    *needed = 0;
    if (!begun)
        return E_CALL_STATE;
    e = lab_build(&lists[next], stage, needed);
    if (e != OK)
        return e;
    begun = false;
    next = !next;
    return OK;
}

enum error lab_map_machine(enum lab_stage stage)
{
    uint64_t needed;
    enum error e = lab_build(&lab_machine_map, stage, &needed);

    if (e == OK)
        begun = false;
    return e;
}
