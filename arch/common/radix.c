/* SPDX-License-Identifier: MIT */
/*
 * All walks go down from the root by recursion, one call for a table and the part of the range that
 * lies in it. A mapping is linear, so that one number, physical minus virtual address, says where
 * any part of it goes.
 */
#include "arch/common/radix.h"

#include "arch/common/radix_parts.h"

/* ---- Tables that go ---- */

void radix_gone_give(struct gone *gone)
{
    struct radix *radix = gone->radix;

    radix->written();
    while (gone->n > 0) {
        gone->n--;
        radix->source.give(radix->source.context, gone->tables[gone->n].table,
                           table_size(radix, gone->tables[gone->n].level));
    }
}

void radix_gone_add(struct gone *gone, uint64_t *table, unsigned level)
{
    if (gone->n == GONE_TABLES)
        radix_gone_give(gone);
    gone->tables[gone->n].table = table;
    gone->tables[gone->n].level = level;
    gone->n++;
}

/* ---- The way down ---- */

/* Tables that hold all of a range and more, from the root to the lowest of them, by level. */
struct way {
    uint64_t *table[RADIX_LEVELS + 1];
    unsigned lowest;
};

/*
 * Most ranges lie in one table of pages: walks begin there. Not below an entry that tells of a
 * split, which may have to tell something else.
 */
static void way_find(struct way *way, const struct radix *radix, uint64_t at, uint64_t end)
{
    const struct radix_format *format = radix->format;
    const struct radix_level *shape = &format->level[format->levels];
    uint64_t *table = radix->root;
    unsigned level = format->levels;

    for (way->table[level] = table; level > 1; shape--, way->table[--level] = table) {
        uint64_t entry = table[at >> shape->shift & (shape->entries - 1)];

        if (((at ^ (end - 1)) + 1) >> shape->shift != 0
            || (entry & (shape->mask | shape->unit | format->split)) != shape->present)
            break;
        table = radix->pointer(entry & shape->table_address);
    }
    way->lowest = level;
}

/* ---- map ---- */

/* A table of `level` with nothing in it; NULL: there is no memory for one. */
static uint64_t *table_make(const struct radix *radix, unsigned level)
{
    uint64_t *table = radix->source.take(radix->source.context, table_size(radix, level));
    uint64_t empty = radix->format->empty(level);

    for (unsigned i = 0; table != NULL && i < radix->format->level[level].entries; i++)
        table[i] = empty;
    return table;
}

/* Can an entry of `level` alone map [at, next)? */
static bool unit_fits(const struct radix *radix, unsigned level, uint64_t at, uint64_t next,
                      uint64_t offset)
{
    uint64_t size = entry_size(radix, level);

    return radix->format->level[level].maps && next - at == size && is_aligned(at + offset, size);
}

static enum error map_in(struct radix *radix, uint64_t *table, unsigned level, uint64_t at,
                         uint64_t end, uint64_t offset, unsigned attributes)
{
    const struct radix_format *format = radix->format;
    enum error e = OK;

    for (uint64_t next; e == OK && at < end; at = next) {
        uint64_t *entry = entry_in(radix, table, level, at), *below;
        bool present = is_present(radix, level, *entry);

        next = part_end(radix, level, at, end);
        if (!present && unit_fits(radix, level, at, next, offset)) {
            radix->write(level, entry, format->unit(level, at + offset, attributes), at);
            continue;
        }
        ASSERT(!present || !is_unit(radix, level, *entry));
        below = present ? table_below(radix, level, *entry) : table_make(radix, level - 1);
        if (below == NULL)
            return E_MEM_METADATA;
        if (!present)
            radix->write(level, entry, format->table(level, radix->number(below)), at);
        e = map_in(radix, below, level - 1, at, next, offset, attributes);
    }
    return e;
}

enum error radix_map(struct radix *radix, uint64_t at, uint64_t phys, uint64_t size,
                     unsigned attributes)
{
    struct way way;
    enum error e;

    check_range(radix, at, size);
    ASSERT(is_aligned(phys, PAGE_SIZE));
    way_find(&way, radix, at, at + size);
    e = map_in(radix, way.table[way.lowest], way.lowest, at, at + size, phys - at, attributes);
    /* All of the range was empty: what is in it now is ours, and so are tables without anything. */
    if (e != OK)
        radix_unmap(radix, at, size, NULL);
    else
        radix->written();
    return e;
}

/* ---- unmap ---- */

/*
 * Is nothing in the table? [at, end) was unmapped: whole entries of it are empty, those at its two
 * borders may not be. Whatever else there is lies near it, most of the time below.
 */
static bool is_empty(const struct radix *radix, uint64_t *table, unsigned level, uint64_t at,
                     uint64_t end)
{
    const uint64_t *limit = table + radix->format->level[level].entries;

    for (const uint64_t *entry = entry_in(radix, table, level, at) + 1; entry-- > table;)
        if (is_present(radix, level, *entry))
            return false;
    for (const uint64_t *entry = entry_in(radix, table, level, end - 1); entry < limit; entry++)
        if (is_present(radix, level, *entry))
            return false;
    return true;
}

/* A table that left the tree, with all below it: what is owned has nothing else below. */
static void gone_add_all(struct gone *gone, uint64_t *table, unsigned level)
{
    const struct radix *radix = gone->radix;

    for (unsigned i = 0; level > 1 && i < radix->format->level[level].entries; i++)
        if (is_present(radix, level, table[i]) && !is_unit(radix, level, table[i]))
            gone_add_all(gone, table_below(radix, level, table[i]), level - 1);
    radix_gone_add(gone, table, level);
}

static bool unmap_in(struct radix *radix, struct gone *gone, uint64_t *table, unsigned level,
                     uint64_t at, uint64_t end);

/* Unmap [at, end) of what an entry that points to a table covers. True: the entry is empty now. */
static bool unmap_below(struct radix *radix, struct gone *gone, unsigned level, uint64_t *entry,
                        uint64_t at, uint64_t end)
{
    const struct radix_format *format = radix->format;
    uint64_t *below = table_below(radix, level, *entry);

    if (gone->frames == NULL && end - at == entry_size(radix, level) && is_owned(radix, below)) {
        radix->detach(level, entry, at);
        gone_add_all(gone, below, level - 1);
        return true;
    }
    if (unmap_in(radix, gone, below, level - 1, at, end) && is_owned(radix, below)
        && is_empty(radix, below, level - 1, at, end)) {
        radix->write(level, entry, format->empty(level), at);
        radix_gone_add(gone, below, level - 1);
        return true;
    }
    /* What comes into the hole is another mapping: the two never become one unit. */
    if ((*entry & format->split) != 0)
        radix->write(level, entry, *entry & ~format->split, at);
    return false;
}

/* What is behind the pages of a unit that goes, for who wanted to know. */
static void frames_note(const struct gone *gone, uint64_t at, uint64_t end, uint64_t address)
{
    pfn_t *frame = gone->frames + ((at - gone->first) >> PAGE_SHIFT);

    for (; at < end; at += PAGE_SIZE, address += PAGE_SIZE)
        *frame++ = phys_pfn(phys(address));
}

/* True: the table's entries over [at, end) are empty now. */
static bool unmap_in(struct radix *radix, struct gone *gone, uint64_t *table, unsigned level,
                     uint64_t at, uint64_t end)
{
    bool emptied = true;

    for (uint64_t next; at < end; at = next) {
        uint64_t *entry = entry_in(radix, table, level, at);

        next = part_end(radix, level, at, end);
        if (!is_present(radix, level, *entry))
            continue;
        if (!is_unit(radix, level, *entry)) {
            emptied = unmap_below(radix, gone, level, entry, at, next) && emptied;
            continue;
        }
        ASSERT(next - at == entry_size(radix, level));
        if (gone->frames != NULL)
            frames_note(gone, at, next, radix_address(radix->format, level, *entry));
        radix->write(level, entry, radix->format->empty(level), at);
    }
    return emptied;
}

/* Tables on the way to [at, end), which is empty now, go if nothing else is in them. */
static void way_trim(const struct way *way, struct gone *gone, uint64_t at, uint64_t end)
{
    const struct radix *radix = gone->radix;

    for (unsigned level = way->lowest; level < radix->format->levels; level++) {
        uint64_t *table = way->table[level];

        if (!is_owned(radix, table) || !is_empty(radix, table, level, at, end))
            return;
        radix->write(level + 1, entry_in(radix, way->table[level + 1], level + 1, at),
                     radix->format->empty(level + 1), at);
        radix_gone_add(gone, table, level);
    }
}

void radix_unmap(struct radix *radix, uint64_t at, uint64_t size, pfn_t *frames)
{
    const uint64_t end = at + size;
    struct gone gone;
    struct way way;

    check_range(radix, at, size);
    radix_gone_begin(&gone, radix);
    gone.frames = frames;
    gone.first = at;
    for (uint64_t i = 0; frames != NULL && i < size >> PAGE_SHIFT; i++)
        frames[i] = pfn(0);
    way_find(&way, radix, at, end);
    if (unmap_in(radix, &gone, way.table[way.lowest], way.lowest, at, end))
        way_trim(&way, &gone, at, end);
    radix_gone_give(&gone);
}

/* ---- looking ---- */

bool radix_entry(const struct radix *radix, uint64_t at, unsigned level, struct mmu_entry *entry)
{
    const struct radix_format *format = radix->format;
    const uint64_t *in = NULL;
    uint64_t *table = radix->root;
    unsigned here = format->levels;

    if (at >= radix->limit)
        return false;
    for (;; here--) {
        in = entry_in(radix, table, here, at);
        if (here == level || !is_present(radix, here, *in) || is_unit(radix, here, *in))
            break;
        table = table_below(radix, here, *in);
    }
    *entry = (struct mmu_entry){
        .start = virt(align_down(at, entry_size(radix, here))),
        .shift = format->level[here].shift, .level = here, .kind = MMU_EMPTY,
    };
    if (!is_present(radix, here, *in))
        return true;
    entry->kind = is_unit(radix, here, *in) ? MMU_UNIT : MMU_TABLE;
    entry->phys = phys(radix_address(format, here, *in));
    if (entry->kind == MMU_UNIT)
        entry->attributes = format->attributes(here, *in);
    return true;
}

bool radix_query(const struct radix *radix, uint64_t at, struct mmu_mapping *mapping)
{
    struct mmu_entry entry;

    if (!radix_entry(radix, at, 1, &entry) || entry.kind != MMU_UNIT)
        return false;
    *mapping = (struct mmu_mapping){
        .unit = entry.start, .shift = entry.shift, .phys = entry.phys,
        .attributes = entry.attributes,
    };
    return true;
}

static uint64_t tables_size_in(const struct radix *radix, const uint64_t *table, unsigned level)
{
    uint64_t size = 0;

    for (unsigned i = 0; level > 1 && i < radix->format->level[level].entries; i++) {
        const uint64_t *below;

        if (!is_present(radix, level, table[i]) || is_unit(radix, level, table[i]))
            continue;
        below = table_below(radix, level, table[i]);
        size += is_owned(radix, below) ? table_size(radix, level - 1) : 0;
        size += tables_size_in(radix, below, level - 1);
    }
    return size;
}

uint64_t radix_tables_size(const struct radix *radix)
{
    return tables_size_in(radix, radix->root, radix->format->levels);
}

/* ---- the direct map ---- */

enum error radix_map_same(struct radix *radix, uint64_t from, uint64_t end, unsigned attributes)
{
    enum error e = OK;

    ASSERT(end <= radix->limit);
    while (e == OK && from < end) {
        struct mmu_entry entry = { .kind = MMU_EMPTY };
        uint64_t at = from;

        /* Runs of what is empty, in one piece, so that the units are as large as can be. */
        while (at < end && radix_entry(radix, at, 1, &entry) && entry.kind == MMU_EMPTY)
            at = entry.start.a + (UINT64_C(1) << entry.shift);
        at = at < end ? at : end;
        if (at > from)
            e = radix_map(radix, from, from, at - from, attributes);
        from = entry.kind == MMU_UNIT ? entry.start.a + (UINT64_C(1) << entry.shift) : at;
    }
    return e;
}
