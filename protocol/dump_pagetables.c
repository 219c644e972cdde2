/* SPDX-License-Identifier: MIT */
/* `dump pagetables`: tables, and runs of units that map on and on in the same way. */
#include "kernel/machine.h"
#include "protocol/dump.h"

static uint64_t entry_end(const struct mmu_entry *entry)
{
    return entry->start.a + (UINT64_C(1) << entry->shift);
}

static void table_row(struct reply *reply, const struct mmu_entry *entry)
{
    row_begin(reply);
    row_address(reply, entry->start.a);
    row_number(reply, UINT64_C(1) << (entry->shift - PAGE_SHIFT));
    row_word(reply, "table");
    row_key_number(reply, "level", entry->level);
    row_key_address(reply, "phys", entry->phys.a);
}

static void run_row(struct reply *reply, const struct mmu_entry *first, uint64_t end)
{
    row_begin(reply);
    row_address(reply, first->start.a);
    row_number(reply, (end - first->start.a) >> PAGE_SHIFT);
    row_word(reply, "mapping");
    row_key_number(reply, "level", first->level);
    row_key_address(reply, "phys", first->phys.a);
    row_key_word(reply, "attributes", attributes_text(first->attributes, ATTRIBUTE_NAMES).text);
}

/* The entry at which the way down to `at` ends; rows for the tables that begin there. */
static bool descend(uint64_t at, struct mmu_entry *entry, struct listing *listing,
                    struct reply *reply, bool *more)
{
    const struct mmu *mmu = machine_mmu();

    for (unsigned level = mmu->levels; level >= 1; level--) {
        if (!mmu->entry(virt(at), level, entry))
            return false;
        if (entry->kind != MMU_TABLE)
            break;
        if (*more && entry->start.a == at) {
            table_row(reply, entry);
            *more = listing_row(listing, reply);
        }
    }
    return true;
}

/* Where the run of units that begins with `first` ends; at most `limit` is looked at. */
static uint64_t run_end(const struct mmu_entry *first, uint64_t limit)
{
    uint64_t end = entry_end(first);
    struct mmu_entry next;

    while (end < limit && machine_mmu()->entry(virt(end), 1, &next) && next.kind == MMU_UNIT
           && next.level == first->level && next.attributes == first->attributes
           && next.phys.a - first->phys.a == next.start.a - first->start.a)
        end = entry_end(&next);
    return end;
}

enum error dump_pagetables(const struct dump_range *range, struct reply *reply)
{
    uint64_t at = pfn_phys(range->first).a, limit = pfn_phys(range->limit).a;
    struct listing listing = { .n = 0 };
    struct mmu_entry entry;
    bool more = true;

    while (more && at < limit && descend(at, &entry, &listing, reply, &more)) {
        uint64_t next = entry_end(&entry);

        if (!more)
            break;
        if (entry.kind == MMU_UNIT) {
            next = run_end(&entry, limit);
            run_row(reply, &entry, next);
            more = listing_row(&listing, reply);
        }
        at = next;
    }
    return listing_end(&listing, reply, more, at);
}
