/* SPDX-License-Identifier: MIT */
/*
 * Workloads whose result is a figure, not a count of instructions: what is left of large blocks
 * after churn, requests that fail, bytes of records, bytes that a start touches.
 */
#include <string.h>

#include "tests/bench/engine_bench.h"

#define CHURN_OPS 1000000u
#define MIX_REQUESTS 1000000u

/* ---- Compaction ---- */

static void give_page(struct bench *b)
{
    size_t i = rnd(b) % b->blocks;
    give(b, b->frames[i]);
    b->frames[i] = b->frames[--b->blocks];
}

static void take_page(struct bench *b) { b->frames[b->blocks++] = take(b, 0, 0); }

/* Single pages to 90 %, back to 10 %, then pages come and go: how many 2 MiB can be had of 512. */
void run_compaction(struct bench *b)
{
    while (b->blocks < GIB_PAGES / 10 * 9)
        take_page(b);
    while (b->blocks > GIB_PAGES / 10)
        give_page(b);
    for (unsigned i = 0; i < CHURN_OPS; i++) {
        give_page(b);
        take_page(b);
    }
    b->ops = GIB_PAGES / 10 * 17 + CHURN_OPS * 2;
    b->expected = b->blocks;
    for (uint64_t frame; !b->empty && take_or_not(b, 9, &frame); b->figure++)
        b->expected += 512;
}

/* ---- Requests that fail ---- */

void prepare_256m(struct bench *b) { engine_make(b, GIB_PAGES / 4); }

static void give_mixed(struct bench *b)
{
    size_t i = rnd(b) % b->blocks;
    b->occupied -= UINT64_C(1) << b->orders[i];
    b->orders[i] = b->orders[b->blocks - 1];
    give(b, b->frames[i]);
    b->frames[i] = b->frames[--b->blocks];
}

/* Random orders as in mix90, after a failure one is freed: how many of a million find no place. */
void run_failed(struct bench *b)
{
    while (b->ops < MIX_REQUESTS) {
        unsigned order = (unsigned)__builtin_ctzll(rnd(b) | 512);
        uint64_t frame;
        if (b->occupied >= b->pages / 100 * 90) {
            give_mixed(b);
            continue;
        }
        b->ops++;
        if (!take_or_not(b, order, &frame)) {
            b->figure++;
            give_mixed(b);
            continue;
        }
        b->frames[b->blocks] = frame;
        b->orders[b->blocks++] = (uint8_t)order;
        b->occupied += UINT64_C(1) << order;
    }
    b->expected = b->occupied;
}

/* ---- Bytes ---- */

/* All records of a GiB all in single pages, in thousandths of a byte a page. */
void run_metadata(struct bench *b)
{
    uint64_t before = pool_taken();
    for (; b->ops < GIB_PAGES; b->ops++)
        take(b, 0, 0);
    b->expected = GIB_PAGES;
    uint64_t records = (pool_taken() - before) * PAGE_SIZE + b->engine->memory_size(&b->map);
    b->figure = records * 1000 / GIB_PAGES;
}

static uint64_t differing(const unsigned char *memory, size_t size, unsigned char from)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < size; i++)
        bytes += memory[i] != from;
    return bytes;
}

/* The bytes that a start writes: that differ from one background or from another; and nodes. */
void run_init_bytes(struct bench *b)
{
    size_t size = b->engine->memory_size(&b->map);
    uint64_t bytes[2];
    for (unsigned i = 0; i < 2; i++) {
        unsigned char background = i == 0 ? 0xa5 : 0x5a;
        uint64_t before = pool_taken();
        memset(b->memory, background, size);
        REQUIRE(b->engine->init(b->memory, &b->map, &pool_source) == OK);
        bytes[i] = differing(b->memory, size, background) + (pool_taken() - before) * PAGE_SIZE;
    }
    b->ops = 1;
    b->figure = bytes[0] > bytes[1] ? bytes[0] : bytes[1];
}
