/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/radix_support.h"

#include "arch/s390x/pte.h"
#include "arch/x86/pte.h"

static const struct geometry geometries[] = {
    { "x86_64", &pte_format_4_levels, MMU_ALL, UINT64_C(1) << 47 },
    { "i386", &pte_format_pae, MMU_ALL, UINT64_C(1) << 32 },
    { "s390x", &pte_format_region_third, MMU_READ_ONLY | MMU_NO_EXECUTE, PTE_LIMIT },
};

/* ---- The world ---- */

struct radix radix;
const struct geometry *machine;
uint64_t world;
unsigned tables_live, tables_left, flushes;
uint64_t invalidations;
bool tables_are_owned;

#define MAPPED (UINT64_C(1) << 63)    /* of a record: with it, physical address | attributes */

static uint64_t *records;
static bool unflushed;
static uint64_t random_state;

/* Each table is memory of its own, so that ASan sees a touch of one that went back. */
struct table { void *memory; uint64_t size; bool owned; };
static struct table tables[8192];
static unsigned ntables;

static struct table *table_find(const void *memory)
{
    for (unsigned i = 0; i < ntables; i++)
        if (tables[i].memory == memory)
            return &tables[i];
    return NULL;
}

static void *take(void *context, uint64_t size)
{
    void *memory;

    assert_ptr_equal(context, &tables_live);
    if (tables_left == 0)
        return NULL;
    tables_left -= tables_left != UINT_MAX;
    memory = aligned_alloc(size, size);
    memset(memory, 0xa5, size);
    assert_true(ntables < ARRAY_SIZE(tables));
    tables[ntables++] = (struct table){ memory, size, tables_are_owned };
    tables_live += tables_are_owned;
    return memory;
}

/* Is there an entry somewhere that points to it? */
static bool is_linked(const uint64_t *in, unsigned level, const void *table)
{
    for (unsigned i = 0; level > 1 && i < radix.format->level[level].entries; i++) {
        const void *below;

        if (!radix_is_present(radix.format, level, in[i])
            || radix_is_unit(radix.format, level, in[i]))
            continue;
        below = radix.pointer(radix_address(radix.format, level, in[i]));
        if (below == table || is_linked(below, level - 1, table))
            return true;
    }
    return false;
}

static void give(void *context, void *memory, uint64_t size)
{
    struct table *table = table_find(memory);

    assert_ptr_equal(context, &tables_live);
    assert_non_null(table);
    assert_true(table->owned);
    assert_int_equal(table->size, size);
    assert_false(unflushed);
    assert_false(is_linked(radix.root, radix.format->levels, memory));
    tables_live--;
    free(memory);
    *table = tables[--ntables];
}

static bool owns(void *context, const void *memory)
{
    const struct table *table = table_find(memory);

    assert_ptr_equal(context, &tables_live);
    return table != NULL && table->owned;
}

/* Not the identity, so that a pointer is not taken for a number. */
#define SHIFTED (UINT64_C(1) << 50)

static void *pointer(uint64_t address)
{
    return (void *)(uintptr_t)(address ^ SHIFTED);
}

static uint64_t number(const void *table)
{
    return (uintptr_t)table ^ SHIFTED;
}

/* The entry really is that of the address: whoever flushes goes by it. */
static void write(unsigned level, uint64_t *entry, uint64_t value, uint64_t at)
{
    uint64_t *table = radix.root;
    const struct radix_level *shape;

    for (unsigned here = radix.format->levels; ; here--) {
        shape = &radix.format->level[here];
        if (here == level)
            break;
        table = pointer(radix_address(radix.format, 
            here, table[at >> shape->shift & (shape->entries - 1)]));
    }
    assert_ptr_equal(entry, &table[at >> shape->shift & (shape->entries - 1)]);
    unflushed |= radix_is_present(radix.format, level, *entry);
    invalidations += radix_is_present(radix.format, level, *entry);
    *entry = value;
}

static void detach(unsigned level, uint64_t *entry, uint64_t at)
{
    assert_true(radix_is_present(radix.format, level, *entry));
    assert_false(radix_is_unit(radix.format, level, *entry));
    write(level, entry, radix.format->empty(level), at);
}

static void written(void)
{
    flushes += unflushed;
    unflushed = false;
}

static void world_open(const struct geometry *geometry)
{
    const struct radix_format *format = geometry->format;
    const struct radix_level *top = &format->level[format->levels];

    machine = geometry;
    world = geometry->limit - (WORLD_PAGES << PAGE_SHIFT);
    radix = (struct radix){
        .format = format, .limit = geometry->limit, .pointer = pointer, .number = number,
        .write = write, .detach = detach, .written = written,
        .source = { .context = &tables_live, .take = take, .give = give, .owns = owns },
    };
    radix.root = calloc(top->entries, sizeof(*radix.root));
    for (unsigned i = 0; i < top->entries; i++)
        radix.root[i] = format->empty(format->levels);
    records = calloc(WORLD_PAGES, sizeof(*records));
    tables_are_owned = true;
    tables_left = UINT_MAX;
    tables_live = flushes = 0;
    invalidations = 0;
    unflushed = false;
    random_state = 1;
}

static void world_close(void)
{
    while (ntables > 0)
        free(tables[--ntables].memory);
    free(radix.root);
    free(records);
}

static int begin(void **geometry)
{
    world_open(*geometry);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    world_close();
    return 0;
}

int world_run_tests(const struct CMUnitTest *tests, size_t n)
{
    struct CMUnitTest copies[32];
    int failed = 0;

    assert_true(n <= ARRAY_SIZE(copies));
    for (size_t i = 0; i < ARRAY_SIZE(geometries); i++) {
        for (size_t j = 0; j < n; j++) {
            copies[j] = tests[j];
            copies[j].setup_func = begin;
            copies[j].teardown_func = end;
            copies[j].initial_state = (void *)(uintptr_t)&geometries[i];
        }
        failed += _cmocka_run_group_tests(geometries[i].name, copies, n, NULL, NULL);
    }
    return failed;
}

bool world_has_unit(unsigned shift)
{
    for (unsigned level = 1; level <= radix.format->levels; level++)
        if (radix.format->level[level].shift == shift)
            return radix.format->level[level].maps;
    return false;
}

static uint64_t address_of(uint64_t page)
{
    return world + (page << PAGE_SHIFT);
}

enum error world_map(uint64_t page, uint64_t phys, uint64_t pages, unsigned attributes)
{
    enum error e = radix_map(&radix, address_of(page), phys, pages << PAGE_SHIFT, attributes);

    assert_false(unflushed);
    for (uint64_t i = 0; e == OK && i < pages; i++)
        records[page + i] = MAPPED | (phys + (i << PAGE_SHIFT)) | attributes;
    return e;
}

static void unmap(uint64_t page, uint64_t pages, pfn_t *frames)
{
    radix_unmap(&radix, address_of(page), pages << PAGE_SHIFT, frames);
    assert_false(unflushed);
    for (uint64_t i = 0; frames != NULL && i < pages; i++)
        assert_int_equal(frames[i].n, (records[page + i] & ~MAPPED) >> PAGE_SHIFT);
    memset(records + page, 0, pages * sizeof(*records));
}

void world_unmap(uint64_t page, uint64_t pages)
{
    unmap(page, pages, NULL);
}

void world_unmap_asking(uint64_t page, uint64_t pages)
{
    pfn_t *frames = malloc(pages * sizeof(*frames));

    unmap(page, pages, frames);
    free(frames);
}

enum error world_protect(uint64_t page, uint64_t pages, unsigned attributes)
{
    enum error e = radix_protect(&radix, address_of(page), pages << PAGE_SHIFT, attributes);

    assert_false(unflushed);
    for (uint64_t i = 0; e == OK && i < pages; i++)
        records[page + i] = (records[page + i] & ~(PAGE_SIZE - 1)) | attributes;
    return e;
}

struct mmu_mapping world_query(uint64_t page)
{
    struct mmu_mapping mapping = { .shift = 0 };

    if (!radix_query(&radix, address_of(page), &mapping))
        mapping.shift = 0;
    return mapping;
}

bool world_is_mapped(uint64_t page)
{
    return records[page] != 0;
}

/* Returns the bytes of owned tables. None is empty; of those split, none could be joined. */
static uint64_t tables_check(const uint64_t *table, unsigned level, bool owned, bool was_split)
{
    const struct radix_format *format = radix.format;
    uint64_t size = owned ? format->level[level].entries * 8 : 0, unit = 0;
    unsigned present = 0, alike = 0;

    for (unsigned i = 0; i < format->level[level].entries; i++) {
        const uint64_t *below;

        if (!radix_is_present(format, level, table[i]))
            continue;
        present++;
        if (radix_is_unit(format, level, table[i])) {
            unit = i == 0 ? radix_address(format, level, table[i]) : unit;
            alike += table[i] == format->unit(level, unit
                                              + ((uint64_t)i << format->level[level].shift),
                                              format->attributes(level, table[0]));
            continue;
        }
        below = pointer(radix_address(format, level, table[i]));
        size += tables_check(below, level - 1, owns(&tables_live, below),
                             (table[i] & format->split) != 0);
    }
    assert_true(!owned || present > 0);
    assert_true(!owned || !was_split || alike < format->level[level].entries);
    return size;
}

void world_check(void)
{
    struct mmu_entry entry;
    uint64_t page = 0;

    assert_int_equal(tables_check(radix.root, radix.format->levels, false, false),
                     radix_tables_size(&radix));
    while (page < WORLD_PAGES) {
        uint64_t pages, first;

        assert_true(radix_entry(&radix, address_of(page), 1, &entry));
        assert_int_not_equal(entry.kind, MMU_TABLE);
        pages = UINT64_C(1) << (entry.shift - PAGE_SHIFT);
        first = entry.start.a < world ? 0 : (entry.start.a - world) >> PAGE_SHIFT;
        assert_int_equal(first, page);
        pages -= entry.start.a < world ? (world - entry.start.a) >> PAGE_SHIFT : 0;
        for (uint64_t i = 0; i < pages && page < WORLD_PAGES; i++, page++) {
            uint64_t wanted = entry.kind == MMU_EMPTY ? 0
                : MAPPED | (entry.phys.a + (i << PAGE_SHIFT)) | entry.attributes;

            if (records[page] != wanted)
                fail_msg("page %#llx: %#llx, not %#llx", (unsigned long long)page,
                         (unsigned long long)wanted, (unsigned long long)records[page]);
        }
    }
}

static uint64_t hash_in(const uint64_t *table, unsigned level, uint64_t hash)
{
    for (unsigned i = 0; i < radix.format->level[level].entries; i++) {
        hash = (hash ^ table[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
        if (radix_is_present(radix.format, level, table[i])
            && !radix_is_unit(radix.format, level, table[i]))
            hash = hash_in(pointer(radix_address(radix.format, level, table[i])), level - 1, hash);
    }
    return hash;
}

uint64_t world_hash(void)
{
    return hash_in(radix.root, radix.format->levels, 1);
}

uint64_t world_random(uint64_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 20) % n;
}
