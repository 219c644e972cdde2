/* SPDX-License-Identifier: MIT */
/*
 * The page tables of the machine under their lock, which also guards the memory of tables
 * (mm/tables.h): nobody else takes and gives it. Held until no CPU has a stale translation, it
 * makes sure that one CPU at a time asks the others to drop some.
 *
 * An entry is written in one piece, so that a panic leaves tables that can be looked at; but one
 * that came in the middle of a change may have left a list of free tables that cannot be changed.
 */
#include "arch/arch.h"
#include "kernel/lock.h"
#include "kernel/machine.h"

static struct lock lock = LOCK_INIT(LOCK_MMU);
static bool changes;                  /* whoever has the lock does not only look */

static enum error change_begin(void)
{
    if (changes && lock_was_broken(&lock))
        return E_BUG_DEAD;
    changes = true;
    return OK;
}

static enum error map(virt_t at, phys_t phys, uint64_t size, unsigned attributes)
{
    enum error e;

    machine_at_work();
    lock_take(&lock);
    e = change_begin();
    if (e == OK) {
        e = arch_mmu.map(at, phys, size, attributes);
        changes = false;
    }
    lock_release(&lock);
    return e;
}

static void unmap(virt_t at, uint64_t size, pfn_t *frames)
{
    machine_at_work();
    lock_take(&lock);
    changes = true;
    arch_mmu.unmap(at, size, frames);
    changes = false;
    lock_release(&lock);
}

static enum error protect(virt_t at, uint64_t size, unsigned attributes)
{
    enum error e;

    lock_take(&lock);
    e = change_begin();
    if (e == OK) {
        e = arch_mmu.protect(at, size, attributes);
        changes = false;
    }
    lock_release(&lock);
    return e;
}

static bool query(virt_t at, struct mmu_mapping *mapping)
{
    bool found;

    lock_take(&lock);
    found = arch_mmu.query(at, mapping);
    lock_release(&lock);
    return found;
}

static bool entry(virt_t at, unsigned level, struct mmu_entry *entry)
{
    bool found;

    lock_take(&lock);
    found = arch_mmu.entry(at, level, entry);
    lock_release(&lock);
    return found;
}

static uint64_t tables_size(void)
{
    uint64_t size;

    lock_take(&lock);
    size = arch_mmu.tables_size();
    lock_release(&lock);
    return size;
}

static uint64_t flushes(void)
{
    uint64_t count;

    lock_take(&lock);
    count = arch_mmu.flushes();
    lock_release(&lock);
    return count;
}

static void set_tables(const struct table_source *source)
{
    arch_mmu.set_tables(source);
}

const struct mmu *machine_mmu(void)
{
    static struct mmu locked;

    if (locked.map != NULL)
        return &locked;
    locked = arch_mmu;
    locked.set_tables = set_tables;
    locked.unmap = unmap;
    locked.protect = protect;
    locked.query = query;
    locked.entry = entry;
    locked.tables_size = tables_size;
    locked.flushes = flushes;
    locked.map = map;
    return &locked;
}
