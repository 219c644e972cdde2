/* SPDX-License-Identifier: MIT */
/* Other attributes for a part of what is mapped: units are split, and joined again. */
#include "arch/common/radix_parts.h"

/* Put a table with the same mapping in the place of a unit. */
static enum error split(struct radix *radix, unsigned level, uint64_t *entry, uint64_t at)
{
    const struct radix_format *format = radix->format;
    uint64_t address = radix_address(format, level, *entry), part = entry_size(radix, level - 1);
    unsigned attributes = format->attributes(level, *entry);
    uint64_t *below = radix->source.take(radix->source.context, table_size(radix, level - 1));

    if (below == NULL)
        return E_MEM_METADATA;
    for (unsigned i = 0; i < format->level[level - 1].entries; i++)
        below[i] = format->unit(level - 1, address + i * part, attributes);
    radix->write(level, entry, format->table(level, radix->number(below)) | format->split, at);
    return OK;
}

/* See to it that no unit with other attributes lies across `edge`. */
static enum error split_at(struct radix *radix, uint64_t edge, unsigned attributes)
{
    uint64_t *table = radix->root;

    if (edge >= radix->limit)
        return OK;
    for (unsigned level = radix->format->levels; !is_aligned(edge, entry_size(radix, level));
         level--) {
        uint64_t *entry = entry_in(radix, table, level, edge);

        if (!is_present(radix, level, *entry))
            return OK;
        if (is_unit(radix, level, *entry)) {
            enum error e = OK;

            if (radix->format->attributes(level, *entry) != attributes)
                e = split(radix, level, entry, edge);
            if (e != OK || is_unit(radix, level, *entry))
                return e;
        }
        table = table_below(radix, level, *entry);
    }
    return OK;
}

/* Does the table map what one unit of the level above could map? */
static bool parts_agree(const struct radix *radix, const uint64_t *table, unsigned level)
{
    const struct radix_format *format = radix->format;
    uint64_t address, part = entry_size(radix, level);
    unsigned attributes;

    if (!is_present(radix, level, table[0]) || !is_unit(radix, level, table[0]))
        return false;
    address = radix_address(format, level, table[0]);
    attributes = format->attributes(level, table[0]);
    for (unsigned i = 1; i < format->level[level].entries; i++)
        if (table[i] != format->unit(level, address + i * part, attributes))
            return false;
    return true;
}

/* Undo a split whose parts agree (again). */
static void join(struct radix *radix, struct gone *gone, unsigned level, uint64_t *entry,
                 uint64_t at)
{
    const struct radix_format *format = radix->format;
    uint64_t *below = table_below(radix, level, *entry);

    if ((*entry & format->split) == 0 || !is_owned(radix, below)
        || !parts_agree(radix, below, level - 1))
        return;
    radix->write(level, entry, format->unit(level, radix_address(format, level - 1, below[0]),
                                            format->attributes(level - 1, below[0])), at);
    radix_gone_add(gone, below, level - 1);
}

/* Give the range these attributes if `change`; put together what can be. */
static void settle_in(struct radix *radix, struct gone *gone, uint64_t *table, unsigned level,
                      uint64_t at, uint64_t end, bool change, unsigned attributes)
{
    const struct radix_format *format = radix->format;

    for (uint64_t next; at < end; at = next) {
        uint64_t *entry = entry_in(radix, table, level, at);

        next = part_end(radix, level, at, end);
        if (!is_present(radix, level, *entry)) {
            ASSERT(!change);
        } else if (!is_unit(radix, level, *entry)) {
            settle_in(radix, gone, table_below(radix, level, *entry), level - 1, at, next, change,
                      attributes);
            join(radix, gone, level, entry, at);
        } else if (change && format->attributes(level, *entry) != attributes) {
            ASSERT(next - at == entry_size(radix, level));
            radix->write(level, entry,
                         format->unit(level, radix_address(format, level, *entry), attributes), at);
        }
    }
}

enum error radix_protect(struct radix *radix, uint64_t at, uint64_t size, unsigned attributes)
{
    struct gone gone;
    enum error e;

    check_range(radix, at, size);
    radix_gone_begin(&gone, radix);
    /* All that can fail comes first: at most one table for each level and edge. */
    e = split_at(radix, at, attributes);
    if (e == OK)
        e = split_at(radix, at + size, attributes);
    settle_in(radix, &gone, radix->root, radix->format->levels, at, at + size, e == OK, attributes);
    radix_gone_give(&gone);
    return e;
}
