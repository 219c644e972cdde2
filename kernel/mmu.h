/* SPDX-License-Identifier: MIT */
/*
 * Address translation as the layers above a machine see it: one address space, that of the kernel,
 * and what can be asked of its tables. A port supplies one `struct mmu`; kernel/mm/vmap.c and
 * kernel/mm/attributes.c get it by a pointer, so that they know no machine and unit tests give
 * them one of their own.
 *
 * Part of the address space is the *direct map*: each reachable byte of physical memory at the
 * virtual address of the same number, writable and not executable, made at boot. Part of it is the
 * *window*, which is empty at boot and which the virtual allocator hands out. Page 0 is never
 * mapped.
 */
#ifndef PFNLAB_MMU_H
#define PFNLAB_MMU_H

#include "kernel/base.h"

/* Attributes of a mapping, a set; none of them: read, write, execute, cached. */
enum {
    MMU_READ_ONLY = 1,
    MMU_NO_EXECUTE = 2,
    MMU_UNCACHED = 4,
    MMU_WRITE_COMBINING = 8,          /* not together with MMU_UNCACHED */
    MMU_ALL = 15,
    /* What the direct map has, and what a mapping of data has unless told otherwise. */
    MMU_DATA = MMU_NO_EXECUTE,
};

/* Kinds of access, a set. */
#define ACCESS_READ 1u
#define ACCESS_WRITE 2u
#define ACCESS_EXECUTE 4u

/* What a mapping with these attributes allows. */
static inline unsigned mmu_accesses(unsigned attributes)
{
    return ACCESS_READ | ((attributes & MMU_READ_ONLY) != 0 ? 0 : ACCESS_WRITE)
        | ((attributes & MMU_NO_EXECUTE) != 0 ? 0 : ACCESS_EXECUTE);
}

/*
 * Memory of page tables: reachable, aligned to `size`, content undefined. `size` is a power of two
 * from 2 KiB to 16 KiB: a table of s390x has 2 KiB or 16 KiB (Principles of Operation, "Dynamic
 * Address Translation"), elsewhere a page. `take` returns NULL when there is none. `owns` tells
 * what came from here: tables that were made at boot stay where they are.
 */
struct table_source {
    void *context;
    void *(*take)(void *context, uint64_t size);
    void (*give)(void *context, void *table, uint64_t size);
    bool (*owns)(void *context, const void *table);
};

/* What one address is mapped to. */
struct mmu_mapping {
    virt_t unit;                      /* first address of the unit that one entry maps */
    unsigned shift;                   /* it has 2^shift bytes */
    phys_t phys;                      /* what `unit` is mapped to */
    unsigned attributes;
};

/* One entry of a table, for whoever shows them. */
enum mmu_entry_kind { MMU_EMPTY, MMU_TABLE, MMU_UNIT };
struct mmu_entry {
    virt_t start;                     /* what it covers: 2^shift bytes from here */
    unsigned shift, level;            /* level 1 has the pages */
    enum mmu_entry_kind kind;
    phys_t phys;                      /* of the table of the level below, or of the unit */
    unsigned attributes;              /* of a unit */
};

/*
 * A port's operations need no lock of their own: kernel/machine_mmu.c lets one CPU in at a time.
 * The processors themselves look at the tables whenever they like.
 */
struct mmu {
    unsigned attributes;              /* those that this machine has */
    unsigned observable;              /* of these, those whose effect an access shows */
    uint64_t units;                   /* bit n: an entry can map 2^n bytes; PAGE_SHIFT is one */
    unsigned levels;                  /* of tables; the highest one is the root */
    virt_t limit;                     /* addresses below can be mapped, in the window */
    phys_t phys_limit;                /* an entry can name physical addresses below */

    /* Where tables come from and go to from now on. Called once, by the lab, before map(). */
    void (*set_tables)(const struct table_source *source);

    /*
     * Map [at, at + size) to the physical memory from `phys` on, in the largest units that fit.
     * `at`, `size` and `phys` are multiples of PAGE_SIZE, `attributes` is a subset of
     * mmu.attributes, nothing in the range is mapped. MEM_METADATA: no table; nothing has changed.
     */
    MUST_USE enum error (*map)(virt_t at, phys_t phys, uint64_t size, unsigned attributes);

    /*
     * Unmap whatever is mapped in [at, at + size), which cuts through no unit; then no CPU has a
     * stale translation of it, and tables that have become empty went back, if they are owned.
     * Unless `frames` is NULL, it is told for each page which frame was behind it, 0 for none.
     * Cost: per table that the range touches; per unit only in the tables at its two borders, if
     * no frames are wanted.
     */
    void (*unmap)(virt_t at, uint64_t size, pfn_t *frames);

    /*
     * Give [at, at + size), all of it mapped, other attributes; larger units are split where the
     * range cuts through them, and put together again where all parts of one have come to agree
     * (tables that are not owned stay). As unmap() for stale translations. MEM_METADATA: no table
     * for a split; nothing has changed.
     */
    MUST_USE enum error (*protect)(virt_t at, uint64_t size, unsigned attributes);

    /* What `at` is mapped to; false if it is not. Looks, never touches. */
    bool (*query)(virt_t at, struct mmu_mapping *mapping);

    /*
     * The entry of the tables that covers `at`: that of `level`, from 1 to `levels`, or of a level
     * above if the way down ends there. False: `at` is beyond all tables.
     */
    bool (*entry)(virt_t at, unsigned level, struct mmu_entry *entry);

    /* Bytes of owned tables in use, counted by walking them; what check() compares. */
    uint64_t (*tables_size)(void);

    /* How often translations were dropped since boot: by an address, or all of them. */
    uint64_t (*flushes)(void);
};

#endif
