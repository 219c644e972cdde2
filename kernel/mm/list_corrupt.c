/* SPDX-License-Identifier: MIT */
/* Breaks what list_check() verifies, one invariant at a time: the mildest way that it names. */
#include "kernel/mm/list_parts.h"

/* ---- pieces ---- */

struct piece {
    const struct list_range *range;
    uint64_t first;
    unsigned byte;
    bool behind_block;        /* what ends before it is allocated */
};

typedef bool (*fits)(const struct piece *piece);

static bool is_allocated(const struct piece *piece)
{
    enum piece_kind kind = byte_kind(piece->byte);
    return kind == PIECE_FIRST || kind == PIECE_NEXT;
}

static bool is_lone_first(const struct piece *piece)
{
    return byte_kind(piece->byte) == PIECE_FIRST && !piece->behind_block;
}

static bool is_long_free(const struct piece *piece)
{
    return byte_kind(piece->byte) == PIECE_FREE && byte_order(piece->byte) > 0;
}

/* The first such piece. */
static bool find_piece(const struct list_engine *engine, fits fits, struct piece *piece)
{
    for (size_t r = 0; r < engine->nranges; r++) {
        piece->range = &engine->range[r];
        piece->behind_block = false;
        for (piece->first = piece->range->first; piece->first < piece->range->limit;
             piece->first = piece_limit(piece->byte, piece->first)) {
            piece->byte = page_byte(engine, piece->range, piece->first);
            if (fits(piece))
                return true;
            piece->behind_block = is_allocated(piece);
        }
    }
    return false;
}

static enum error corrupt_piece(struct list_engine *engine, unsigned invariant)
{
    static const fits wanted[] = {
        [52] = is_long_free, [53] = is_allocated, [54] = is_lone_first, [55] = is_long_free,
    };
    struct piece piece;
    if (!find_piece(engine, wanted[invariant], &piece))
        return E_CALL_STATE;
    uint8_t *byte = &engine->byte[page_number(piece.range, piece.first)];
    uint8_t *end = byte + order_pages(byte_order(piece.byte));
    switch (invariant) {
    case 52: byte[1] ^= 1; break;
    case 53: byte[0] |= BYTE_FRESH; break;
    case 54:
        for (; byte < end; byte++)
            *byte ^= (PIECE_FIRST ^ PIECE_NEXT) << BYTE_KIND_SHIFT;
        break;
    default:                  /* two of the order below */
        for (; byte < end; byte++)
            (*byte)--;
    }
    return OK;
}

/* ---- lists ---- */

/* The first list that is not empty, by area and order: where it begins, and its count. */
static uint32_t *find_list(struct list_engine *engine, uint64_t **count)
{
    for (size_t a = 0; a < engine->nareas; a++)
        for (unsigned order = 0; order < ORDERS; order++) {
            *count = &engine->area[a].count[order];
            if (**count > 0)
                return &engine->area[a].head[order];
        }
    return NULL;
}

static enum error corrupt_list(struct list_engine *engine, unsigned invariant)
{
    uint64_t *count;
    uint32_t *head = find_list(engine, &count);
    if (head == NULL)
        return E_CALL_STATE;
    if (invariant == 56) {
        engine->link[*head].previous = *head;
        return OK;
    }
    *head = engine->link[*head].next;         /* the one that was there is lost */
    --*count;
    if (*head != NO_PAGE)
        engine->link[*head].previous = NO_PAGE;
    return OK;
}

enum error list_corrupt(void *memory, unsigned invariant)
{
    struct list_engine *engine = memory;
    switch (invariant) {
    case 51: engine->area[0].first++; return OK;
    case 52: case 53: case 54: case 55: return corrupt_piece(engine, invariant);
    case 56: case 57: return corrupt_list(engine, invariant);
    case 58: engine->area[engine->nareas - 1].reserved++; return OK;
    default: return E_CALL_UNSUPPORTED;
    }
}
