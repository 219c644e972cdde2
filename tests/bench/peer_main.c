/* SPDX-License-Identifier: MIT */
/*
 * Allocators of bytes that people would take instead, asked for pages: aligned_alloc and free of
 * their shared libraries, as engines that can do nothing else. They are loaded beside the program's
 * own malloc, not in its place. `glibc` is the program's own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include "tests/bench/engine_bench.h"

const struct page_engine empty_engine = { .name = "empty" };

/* What is counted: the rest is preparation. */
__attribute__((noinline)) void measured(void (*run)(struct bench *b), struct bench *b)
{
    run(b);
}

static void *(*peer_alloc)(size_t align, size_t size);
static void (*peer_free)(void *pointer);

static size_t peer_size(const struct page_map *map)
{
    (void)map;
    return 64;
}

static enum error peer_init(void *memory, const struct page_map *map,
                            const struct node_source *nodes)
{
    (void)memory;
    (void)map;
    (void)nodes;
    return OK;
}

static enum error peer_take(void *memory, const struct page_request *request, pfn_t *out,
                            pfn_t *blame)
{
    uint64_t align = PAGE_SIZE << request->align;
    void *pointer = peer_alloc(align, request->pages * PAGE_SIZE);
    (void)memory;
    (void)blame;
    REQUIRE(pointer != NULL && is_aligned((uintptr_t)pointer, align));
    *out = pfn((uintptr_t)pointer >> PAGE_SHIFT);
    return OK;
}

static enum error peer_give(void *memory, pfn_t first, uint64_t *pages)
{
    (void)memory;
    *pages = 1;
    peer_free((void *)(uintptr_t)(first.n << PAGE_SHIFT));
    return OK;
}

static const struct {
    const char *name, *library;
} peers[] = {
    { "glibc", NULL }, { "jemalloc", "libjemalloc.so.2" }, { "mimalloc", "libmimalloc.so.2" },
    { "tcmalloc", "libtcmalloc_minimal.so.4" },
};

static void peer_load(const char *library)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&peer_alloc = dlsym(handle, "aligned_alloc");
    *(void **)&peer_free = dlsym(handle, "free");
    REQUIRE(peer_alloc != NULL && peer_free != NULL);
}

int main(int argc, char **argv)
{
    struct page_engine engine = {
        .memory_size = peer_size, .init = peer_init, .alloc = peer_take, .free = peer_give,
    };
    const struct bench_engine bench = { .engine = &engine, .peer = true };
    for (size_t i = 0; argc == 4 && i < ARRAY_SIZE(peers); i++)
        if (peers[i].name[0] == argv[1][0]) {
            engine.name = peers[i].name;
            peer_load(peers[i].library);
        }
    return bench_main(argc, argv, &bench, 1);
}
