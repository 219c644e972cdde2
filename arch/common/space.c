/* SPDX-License-Identifier: MIT */
#include "arch/common/space.h"

/* So that what is mapped at the window's beginning can have large units. */
#define WINDOW_ALIGN (UINT64_C(2) << 20)

void space_set_tables(const struct table_source *source)
{
    space.source = *source;
}

enum error space_map(virt_t at, phys_t phys, uint64_t size, unsigned attributes)
{
    return radix_map(&space, at.a, phys.a, size, attributes);
}

void space_unmap(virt_t at, uint64_t size, pfn_t *frames)
{
    radix_unmap(&space, at.a, size, frames);
}

enum error space_protect(virt_t at, uint64_t size, unsigned attributes)
{
    return radix_protect(&space, at.a, size, attributes);
}

bool space_query(virt_t at, struct mmu_mapping *mapping)
{
    return radix_query(&space, at.a, mapping);
}

bool space_entry(virt_t at, unsigned level, struct mmu_entry *entry)
{
    return radix_entry(&space, at.a, level, entry);
}

uint64_t space_tables_size(void)
{
    return radix_tables_size(&space);
}

void space_give_nothing(void *context, void *table, uint64_t size)
{
    (void)context, (void)table, (void)size;
    ASSERT(!"a table of the boot stays");
}

bool space_owns_nothing(void *context, const void *table)
{
    (void)context, (void)table;
    return false;
}

bool space_map_same(uint64_t from, uint64_t end, unsigned attributes)
{
    return from >= end || radix_map_same(&space, align_down(from, PAGE_SIZE),
                                         align_up(end, PAGE_SIZE), attributes) == OK;
}

static void *take(void *context, uint64_t size)
{
    void *(**table)(uint64_t size) = context;

    return (*table)(size);
}

bool space_map_memory(phys_t start, uint64_t size, unsigned attributes,
                      void *(*table)(uint64_t size))
{
    const struct table_source before = space.source;
    bool fits;

    if (start.a >= space.limit || size > space.limit - start.a)
        return false;
    space.source = (struct table_source)SPACE_EARLY(take);
    space.source.context = &table;
    fits = space_map_same(start.a, start.a + size, attributes);
    space.source = before;
    return fits;
}

bool space_is_direct(phys_t start, uint64_t size)
{
    struct mmu_mapping mapping;

    if (size > UINT64_MAX - start.a)
        return false;
    for (uint64_t at = start.a; at < start.a + size;
         at = mapping.unit.a + (UINT64_C(1) << mapping.shift))
        if (!radix_query(&space, at, &mapping) || mapping.phys.a != mapping.unit.a)
            return false;
    return true;
}

void space_note(struct flush *flush, unsigned level, uint64_t before, uint64_t value, uint64_t at)
{
    const struct radix_format *format = space.format;

    if (!radix_is_present(format, level, before))
        return;
    if (!radix_is_unit(format, level, before) && radix_is_present(format, level, value)
        && radix_is_unit(format, level, value))
        flush_all(flush);
    else
        flush_add(flush, at);
}

void space_window_behind(struct space_window *window, const struct phys_range *memory)
{
    uint64_t end = align_up(memory->start.a + memory->size, WINDOW_ALIGN);

    if (memory->kind != RANGE_USABLE || memory->start.a >= window->limit || end <= window->first)
        return;
    window->first = end < window->limit ? end : window->limit;
}
