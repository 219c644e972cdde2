/* SPDX-License-Identifier: MIT */
/*
 * The one address space of a port whose page tables the walker walks: what kernel/mmu.h asks for,
 * and the direct map, whose tables come from the boot and stay.
 */
#ifndef PFNLAB_ARCH_COMMON_SPACE_H
#define PFNLAB_ARCH_COMMON_SPACE_H

#include "arch/common/flush.h"
#include "arch/common/radix.h"

/* The port's. `source` begins as SPACE_EARLY(take), with tables for what is mapped at once. */
extern struct radix space;

#define SPACE_EARLY(function) \
    { .take = (function), .give = space_give_nothing, .owns = space_owns_nothing }

/* Of the initializer of arch_mmu. */
#define SPACE_OPERATIONS \
    .set_tables = space_set_tables, .map = space_map, .unmap = space_unmap, \
    .protect = space_protect, .query = space_query, .entry = space_entry, \
    .tables_size = space_tables_size

void space_set_tables(const struct table_source *source);
MUST_USE enum error space_map(virt_t at, phys_t phys, uint64_t size, unsigned attributes);
void space_unmap(virt_t at, uint64_t size, pfn_t *frames);
MUST_USE enum error space_protect(virt_t at, uint64_t size, unsigned attributes);
bool space_query(virt_t at, struct mmu_mapping *mapping);
bool space_entry(virt_t at, unsigned level, struct mmu_entry *entry);
uint64_t space_tables_size(void);
void space_give_nothing(void *context, void *table, uint64_t size);
bool space_owns_nothing(void *context, const void *table);

/* Map to itself what is not mapped yet of [from, end) and its border pages. False: no table. */
MUST_USE bool space_map_same(uint64_t from, uint64_t end, unsigned attributes);

/* The same with tables of arch_map_memory(). False also beyond the limit of the tables. */
MUST_USE bool space_map_memory(phys_t start, uint64_t size, unsigned attributes,
                               void *(*table)(uint64_t size));

/* Is each byte mapped to itself? The size is not 0. */
bool space_is_direct(phys_t start, uint64_t size);

/*
 * For write() of `space`: note what became stale when the value of an entry of `level` over `at`
 * was changed. One address stands for the whole unit, and for what is kept of the tables above it,
 * but where a table became a unit its parts are known by themselves.
 */
void space_note(struct flush *flush, unsigned level, uint64_t before, uint64_t value, uint64_t at);

/* For arch_window(): [first, limit), less of it where memory lies. */
struct space_window { uint64_t first, limit; };
void space_window_behind(struct space_window *window, const struct phys_range *memory);

#endif
