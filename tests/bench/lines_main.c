/* SPDX-License-Identifier: MIT */
/*
 * The workloads once more, counting the cache lines that each operation touches: the engines are
 * compiled for the thread sanitizer, whose calls before each access end here. What lies on the
 * stack and is nobody else's is not counted. lines_bench ENGINE WORKLOAD SEED prints operations,
 * lines, lines that were written, and the most of one operation.
 */
#include <stdio.h>
#include <string.h>

#include "kernel/mm/list.h"
#include "tests/bench/engine_bench.h"

#define LINE_SHIFT 6u
#define MOST_LINES 65536u     /* of one operation that are told apart */

const struct page_engine empty_engine = { .name = "empty" };

static bool counting;
static struct line { uintptr_t number; bool written; } line[MOST_LINES];
static uint64_t operations, lines, written, most, now;

static void touch_line(uintptr_t number, bool write)
{
    uint64_t i = now;
    while (i > 0 && line[i - 1].number != number)
        i--;
    if (i == 0) {
        REQUIRE(now < MOST_LINES);
        line[now++] = (struct line){ number, write };
    } else {
        line[i - 1].written |= write;
    }
}

static void touch(const void *at, size_t size, bool write)
{
    uintptr_t first = (uintptr_t)at >> LINE_SHIFT, last = ((uintptr_t)at + size - 1) >> LINE_SHIFT;
    for (; counting && first <= last; first++)
        touch_line(first, write);
}

#define HOOK(name, size, write) \
    void __tsan_##name(void *at); \
    void __tsan_##name(void *at) { touch(at, size, write); }
HOOK(read1, 1, false) HOOK(read2, 2, false) HOOK(read4, 4, false) HOOK(read8, 8, false)
HOOK(read16, 16, false) HOOK(write1, 1, true) HOOK(write2, 2, true) HOOK(write4, 4, true)
HOOK(write8, 8, true) HOOK(write16, 16, true)

void __tsan_read_range(void *at, size_t size);
void __tsan_read_range(void *at, size_t size) { touch(at, size, false); }
void __tsan_write_range(void *at, size_t size);
void __tsan_write_range(void *at, size_t size) { touch(at, size, true); }
void __tsan_init(void);
void __tsan_init(void) { }
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void);
void __tsan_func_exit(void) { }

/* ---- The engine that is counted ---- */

static const struct page_engine *engine;

static void begin(void)
{
    now = 0;
    counting = true;
}

static void end(void)
{
    counting = false;
    operations++;
    lines += now;
    most = now > most ? now : most;
    for (uint64_t i = 0; i < now; i++)
        written += line[i].written;
}

static enum error count_alloc(void *memory, const struct page_request *request, pfn_t *out,
                              pfn_t *blame)
{
    begin();
    enum error error = engine->alloc(memory, request, out, blame);
    end();
    return error;
}

static enum error count_free(void *memory, pfn_t first, uint64_t *pages)
{
    begin();
    enum error error = engine->free(memory, first, pages);
    end();
    return error;
}

static enum error count_reserve(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    begin();
    enum error error = engine->reserve(memory, first, pages, blame);
    end();
    return error;
}

static enum error count_unreserve(void *memory, pfn_t first, uint64_t pages, pfn_t *blame)
{
    begin();
    enum error error = engine->unreserve(memory, first, pages, blame);
    end();
    return error;
}

static void count_query(void *memory, pfn_t frame, struct page_info *info)
{
    begin();
    engine->query(memory, frame, info);
    end();
}

/* What is counted begins here: the preparation is none of it. */
void measured(void (*run)(struct bench *b), struct bench *b)
{
    operations = lines = written = most = 0;
    run(b);
}

int main(int argc, char **argv)
{
    engine = argc == 4 && strcmp(argv[1], "list") == 0 ? &page_engine_list : &page_engine_tree;
    struct page_engine counted = *engine;
    counted.alloc = count_alloc;
    counted.free = count_free;
    counted.reserve = count_reserve;
    counted.unreserve = count_unreserve;
    counted.query = count_query;
    const struct bench_engine engines[] = { { &counted, engine == &page_engine_list, false } };
    int status = bench_main(argc, argv, engines, 1);
    printf("%llu %llu %llu %llu\n", (unsigned long long)operations, (unsigned long long)lines,
           (unsigned long long)written, (unsigned long long)most);
    return status;
}
