/* SPDX-License-Identifier: MIT */
/*
 * What lab*.c share among themselves.
 */
#ifndef PFNLAB_LAB_PARTS_H
#define PFNLAB_LAB_PARTS_H

#include "kernel/lab.h"

/* Extents of one instance: twice LAB_MAP_RANGES by the map, the rest by early allocations. */
#define LAB_EXTENTS 4096u

struct area_table {
    struct area_limit rows[MAX_AREAS];
    size_t n;
};

/*
 * Append an area up to `limit` bytes. MEM_METADATA: the table is full. CALL_WORD: not a name (a
 * word of at most 15 characters [a-z][a-z0-9_]*, no alias). CALL_TWICE: the name is taken.
 * CALL_ALIGN: not a multiple of PAGE_SIZE. CALL_RANGE: not above the last limit, or beyond
 * ADDRESS_LIMIT.
 */
MUST_USE enum error area_table_add(struct area_table *table, const char *name, size_t length,
                                   uint64_t limit);

/* The index of the area named so, or table->n. */
size_t area_table_find(const struct area_table *table, const char *name, size_t length);

/* Highest area first. */
void scan_order_default(uint8_t *order, size_t n);

/* All that makes an instance. */
struct lab_map {
    struct phys_range ranges[LAB_MAP_RANGES];
    size_t n;
    struct area_table areas;
    uint8_t scan[MAX_AREAS];
    bool injected;
};

/* Append a range. MEM_METADATA: the list is full. */
MUST_USE enum error lab_map_append(struct lab_map *map, const struct phys_range *range);

/* The machine's own, filled at boot. */
extern struct lab_map lab_machine_map;

/* Tell lab.c where the two halves of the pool are. Once, at boot. */
void lab_set_pool(unsigned char *base, uint64_t pages_each);

/* Fill `phys` from a map. MEM_METADATA: the records are full. */
MUST_USE enum error lab_map_replay(const struct lab_map *map, struct phys_allocator *phys,
                                   struct phys_extent *records, size_t capacity);

/*
 * Make a fresh instance of `map` the one in force, or change nothing. `map` must live as long.
 * MEM_METADATA: *needed as pages_init().
 */
MUST_USE enum error lab_build(const struct lab_map *map, enum lab_stage stage, uint64_t *needed);

/* Records that lab_build() does not need before it runs: scratch for boot. LAB_EXTENTS of them. */
struct phys_extent *lab_scratch_records(void);

/* The hook of pages.h for what happened; lab_tell_kept() is the one that tells (lab_events.c). */
void lab_event_record(enum pages_event event, pfn_t first, uint64_t pages, uint32_t tag);

/* Mend what lab_corrupt() broke of the memory of page tables, which a new instance takes over. */
void lab_corrupt_heal(void);

/* A pool smaller than this holds no instance. */
#define POOL_MINIMUM (UINT64_C(64) << 10)

/* What the command line asks for beside what lab_options() enters elsewhere; 0: nothing. */
struct lab_wishes {
    uint64_t pool_size, tables_size;          /* bytes, defaults included */
    uint64_t window, window_size;             /* page aligned, not beyond 2^63 */
};

/*
 * Read the command line into *wishes, lab.engine and the areas and scan order of lab_machine_map,
 * which hold the defaults; each word that cannot be honoured is reported by `log`.
 */
void lab_options(const char *command_line, void (*log)(const char *text),
                 struct lab_wishes *wishes);

/*
 * Take memory for page tables and choose the window, at boot: when all of `total` bytes of memory
 * can be reached. `claim` takes aligned memory out of the map for good.
 */
void lab_boot_virtual(const struct lab_wishes *wishes, uint64_t total,
                      void *(*claim)(uint64_t size, uint64_t align),
                      void (*log)(const char *text));

#endif
