/* SPDX-License-Identifier: MIT */
/* Area tables: their names, the aliases, the orders in which areas are tried. */
#include "kernel/lab.h"
#include "kernel/lab_parts.h"
#include "kernel/lib/string.h"

/* Words for all memory below so many address bits; 64: for all there is. */
static const struct {
    const char *name;
    unsigned bits;
} aliases[] = { { "any", 64 }, { "dma24", 24 }, { "dma31", 31 }, { "dma32", 32 } };

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* The index of the alias, or their number. */
static size_t alias_find(const char *word, size_t length)
{
    size_t i = 0;

    while (i < ARRAY_SIZE(aliases) && !is_word(word, length, aliases[i].name))
        i++;
    return i;
}

static bool is_area_name(const char *name, size_t length)
{
    if (length == 0 || length >= AREA_NAME_SIZE)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool letter = name[i] >= 'a' && name[i] <= 'z';
        bool other = (name[i] >= '0' && name[i] <= '9') || name[i] == '_';

        if (!letter && !(other && i > 0))
            return false;
    }
    return alias_find(name, length) == ARRAY_SIZE(aliases);
}

static size_t row_find(const struct area_limit *rows, size_t n, const char *name, size_t length)
{
    size_t i = 0;

    while (i < n && !is_word(name, length, rows[i].name))
        i++;
    return i;
}

size_t area_table_find(const struct area_table *table, const char *name, size_t length)
{
    return row_find(table->rows, table->n, name, length);
}

enum error area_table_add(struct area_table *table, const char *name, size_t length,
                          uint64_t limit)
{
    struct area_limit *row = &table->rows[table->n];

    if (table->n == MAX_AREAS)
        return E_MEM_METADATA;
    if (!is_area_name(name, length))
        return E_CALL_WORD;
    if (area_table_find(table, name, length) < table->n)
        return E_CALL_TWICE;
    if (!is_aligned(limit, PAGE_SIZE))
        return E_CALL_ALIGN;
    if (limit == 0 || limit > ADDRESS_LIMIT)
        return E_CALL_RANGE;
    if (table->n > 0 && limit <= pfn_phys(table->rows[table->n - 1].limit).a)
        return E_CALL_RANGE;
    *row = (struct area_limit){ .limit = phys_pfn(phys(limit)) };
    memcpy(row->name, name, length);
    table->n++;
    return OK;
}

const char *lab_area_error_text(enum error e)
{
    _Static_assert(MAX_AREAS == 16 && ADDRESS_BITS == 52, "as these words say");
    switch (e) {
    case E_MEM_METADATA: return "16 areas at most";
    case E_CALL_WORD: return "not a name for an area, or one that means some anyway";
    case E_CALL_MISSING: return "an area without a name";
    case E_CALL_ALIGN: return "the limit is not that of a page";
    case E_CALL_RANGE: return "the limit is not above the one before, or beyond 2^52";
    default: return error_text(e);
    }
}

void scan_order_default(uint8_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint8_t)(n - 1 - i);
}

/* The areas that begin below 2^bits bytes. */
static void below(unsigned bits, uint32_t *areas, pfn_t *limit)
{
    pfn_t bound = pfn(bits > ADDRESS_BITS ? PFN_LIMIT : UINT64_C(1) << (bits - PAGE_SHIFT));
    pfn_t start = pfn(0);

    *areas = 0;
    *limit = pfn(PFN_LIMIT);
    for (size_t i = 0; i < lab.nareas && start.n < bound.n; start = lab.areas[i++].limit) {
        *areas |= UINT32_C(1) << i;
        if (lab.areas[i].limit.n > bound.n)
            *limit = bound;
    }
}

enum error lab_area_set(const char *word, size_t length, uint32_t *areas, pfn_t *limit)
{
    size_t alias = alias_find(word, length);
    size_t area = row_find(lab.areas, lab.nareas, word, length);

    if (alias < ARRAY_SIZE(aliases)) {
        below(aliases[alias].bits, areas, limit);
        return OK;
    }
    if (area == lab.nareas)
        return E_CALL_AREA;
    *areas = UINT32_C(1) << area;
    *limit = pfn(PFN_LIMIT);
    return OK;
}
