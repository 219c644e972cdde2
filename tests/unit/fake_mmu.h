/* SPDX-License-Identifier: MIT */
/*
 * Address translation that is an array: a direct map of the first pages, a window of a GiB at
 * 1 TiB, pages only. A table of 4 KiB for each 2 MiB of the window in which something is mapped,
 * and one for each 2 MiB of the direct map in which attributes differ, as a split would need it.
 */
#ifndef PFNLAB_UNIT_FAKE_MMU_H
#define PFNLAB_UNIT_FAKE_MMU_H

#include <string.h>

#include "tests/unit/support.h"

#include "kernel/mmu.h"

#define FAKE_FIRST (UINT64_C(1) << 40)
#ifndef FAKE_PAGES
#define FAKE_PAGES (UINT64_C(1) << 18)
#endif
#ifndef FAKE_DIRECT
#define FAKE_DIRECT (UINT64_C(1) << 16)
#endif
#define FAKE_LEAF 512u
#define FAKE_LIMIT (UINT64_C(1) << 47)

struct fake_page {
    uint64_t frame;
    bool mapped;
    unsigned attributes;
};

static struct fake_page fake_pages[FAKE_PAGES];
static unsigned fake_direct[FAKE_DIRECT];
static void *fake_tables[FAKE_PAGES / FAKE_LEAF], *fake_splits[FAKE_DIRECT / FAKE_LEAF];
static unsigned fake_used[FAKE_PAGES / FAKE_LEAF];
static struct table_source fake_source;
static uint64_t fake_bytes, fake_flushes;

static void fake_begin(void);
static void fake_set_tables(const struct table_source *source)
{
    fake_source = *source;
    fake_begin();
}

static uint64_t fake_tables_size(void) { return fake_bytes; }
static uint64_t fake_flush_count(void) { return fake_flushes; }

static bool fake_take(void **table)
{
    if (*table != NULL)
        return true;
    *table = fake_source.take(fake_source.context, PAGE_SIZE);
    fake_bytes += *table != NULL ? PAGE_SIZE : 0;
    return *table != NULL;
}

static void fake_give(void **table)
{
    fake_source.give(fake_source.context, *table, PAGE_SIZE);
    *table = NULL;
    fake_bytes -= PAGE_SIZE;
}

static bool fake_in_window(uint64_t at, uint64_t *page)
{
    *page = (at - FAKE_FIRST) >> PAGE_SHIFT;
    return at >= FAKE_FIRST && *page < FAKE_PAGES;
}

static void fake_trim(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fake_tables); i++)
        if (fake_tables[i] != NULL && fake_used[i] == 0)
            fake_give(&fake_tables[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(fake_splits); i++) {
        bool same = true;

        for (unsigned j = 0; j < FAKE_LEAF; j++)
            same = same && fake_direct[i * FAKE_LEAF + j] == fake_direct[i * FAKE_LEAF];
        if (fake_splits[i] != NULL && same)
            fake_give(&fake_splits[i]);
    }
}

static enum error fake_map(virt_t at, phys_t phys, uint64_t size, unsigned attributes)
{
    uint64_t page, n = size >> PAGE_SHIFT;

    assert_true(fake_in_window(at.a, &page) && page + n <= FAKE_PAGES);
    for (uint64_t i = page; i < page + n; i++) {
        assert_false(fake_pages[i].mapped);
        if (!fake_take(&fake_tables[i / FAKE_LEAF])) {
            fake_trim();
            return E_MEM_METADATA;
        }
    }
    for (uint64_t i = 0; i < n; i++) {
        fake_pages[page + i] = (struct fake_page){ (phys.a >> PAGE_SHIFT) + i, true, attributes };
        fake_used[(page + i) / FAKE_LEAF]++;
    }
    return OK;
}

static void fake_unmap(virt_t at, uint64_t size, pfn_t *frames)
{
    uint64_t page, n = size >> PAGE_SHIFT;

    assert_true(fake_in_window(at.a, &page) && page + n <= FAKE_PAGES);
    fake_flushes++;
    for (uint64_t i = page; i < page + n; i++) {
        if (frames != NULL)
            frames[i - page] = pfn(fake_pages[i].mapped ? fake_pages[i].frame : 0);
        if (!fake_pages[i].mapped)
            continue;
        fake_pages[i].mapped = false;
        if (--fake_used[i / FAKE_LEAF] == 0)
            fake_give(&fake_tables[i / FAKE_LEAF]);
    }
}

/* Does a range with new attributes cut through what is one unit of the direct map until then? */
static bool fake_is_cut(uint64_t page, uint64_t first, uint64_t limit, unsigned attributes)
{
    uint64_t leaf = page / FAKE_LEAF, start = leaf * FAKE_LEAF;

    return fake_splits[leaf] == NULL && fake_direct[start] != attributes
        && (first > start || limit < start + FAKE_LEAF);
}

static enum error fake_protect(virt_t at, uint64_t size, unsigned attributes)
{
    uint64_t page, first = at.a >> PAGE_SHIFT, n = size >> PAGE_SHIFT;

    fake_flushes++;
    if (fake_in_window(at.a, &page)) {
        for (uint64_t i = page; i < page + n; i++) {
            assert_true(fake_pages[i].mapped);
            fake_pages[i].attributes = attributes;
        }
        return OK;
    }
    assert_true(first + n <= FAKE_DIRECT);
    for (uint64_t i = first; i < first + n; i++) {
        if (fake_is_cut(i, first, first + n, attributes)
            && !fake_take(&fake_splits[i / FAKE_LEAF])) {
            fake_trim();
            return E_MEM_METADATA;
        }
    }
    for (uint64_t i = first; i < first + n; i++)
        fake_direct[i] = attributes;
    fake_trim();
    return OK;
}

static bool fake_entry(virt_t at, unsigned level, struct mmu_entry *entry)
{
    uint64_t page;

    (void)level;
    *entry = (struct mmu_entry){ .start = { align_down(at.a, PAGE_SIZE) }, .shift = PAGE_SHIFT,
                                 .level = 1 };
    if (fake_in_window(at.a, &page)) {
        if (fake_tables[page / FAKE_LEAF] == NULL) {
            entry->start.a = align_down(at.a, FAKE_LEAF * PAGE_SIZE);
            entry->shift = 21;
            entry->level = 2;
        } else if (fake_pages[page].mapped) {
            entry->kind = MMU_UNIT;
            entry->phys = pfn_phys(pfn(fake_pages[page].frame));
            entry->attributes = fake_pages[page].attributes;
        }
    } else if (at.a >> PAGE_SHIFT < FAKE_DIRECT) {
        if (fake_splits[(at.a >> PAGE_SHIFT) / FAKE_LEAF] == NULL) {
            entry->start.a = align_down(at.a, FAKE_LEAF * PAGE_SIZE);
            entry->shift = 21;
            entry->level = 2;
        }
        entry->kind = MMU_UNIT;
        entry->phys = phys(entry->start.a);
        entry->attributes = fake_direct[at.a >> PAGE_SHIFT];
    } else {
        entry->start.a = align_down(at.a, UINT64_C(1) << 28);
        entry->shift = 28;
        entry->level = 2;
    }
    return at.a < FAKE_LIMIT;
}

static bool fake_query(virt_t at, struct mmu_mapping *mapping)
{
    struct mmu_entry entry;

    if (!fake_entry(at, 1, &entry) || entry.kind != MMU_UNIT)
        return false;
    *mapping = (struct mmu_mapping){ entry.start, entry.shift, entry.phys, entry.attributes };
    return true;
}

#ifndef FAKE_MMU
#define FAKE_MMU static struct mmu fake_mmu
#endif
FAKE_MMU = {
    .attributes = MMU_READ_ONLY | MMU_NO_EXECUTE | MMU_UNCACHED, .observable = MMU_READ_ONLY,
    .units = 1 << PAGE_SHIFT, .levels = 2, .limit = { FAKE_LIMIT },
    .phys_limit = { ADDRESS_LIMIT },
    .set_tables = fake_set_tables, .map = fake_map, .unmap = fake_unmap, .protect = fake_protect,
    .query = fake_query, .entry = fake_entry, .tables_size = fake_tables_size,
    .flushes = fake_flush_count,
};

/* As it is after boot. */
static void fake_begin(void)
{
    memset(fake_pages, 0, sizeof(fake_pages));
    memset(fake_tables, 0, sizeof(fake_tables));
    memset(fake_splits, 0, sizeof(fake_splits));
    memset(fake_used, 0, sizeof(fake_used));
    for (unsigned i = 0; i < FAKE_DIRECT; i++)
        fake_direct[i] = MMU_DATA;
    fake_bytes = fake_flushes = 0;
}

#endif
