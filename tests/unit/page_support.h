/* SPDX-License-Identifier: MIT */
/*
 * An engine on a map, for unit tests: memory of the exact size, so that ASan sees a step beyond it,
 * and a source of nodes that counts and can be starved.
 */
#ifndef PFNLAB_PAGE_SUPPORT_H
#define PFNLAB_PAGE_SUPPORT_H

#include "kernel/mm/list.h"
#include "kernel/mm/page.h"
#include "kernel/mm/page_class.h"
#include "kernel/mm/page_hot.h"
#include "tests/unit/support.h"

#define GIB_PAGES UINT64_C(0x40000)

struct source {
    size_t used, limit;       /* pages */
    bool refused;             /* since it was last cleared */
};

struct fixture {
    const struct page_engine *engine;
    void *memory;
    struct source source;
};

/*
 * Which engine the next fixtures have: the tree, unless a test that depends on no placement runs a
 * second time, as both_unit_tests().
 */
int with_list(void **state);
int with_tree(void **state);
const struct page_engine *fixture_engine(void);
#define both_unit_tests(f) \
    cmocka_unit_test(f), { "list: " #f, (f), with_list, with_tree, NULL }

/* An engine on `map`; fails the test if init() does. No limit on nodes. */
void fixture_init(struct fixture *f, const struct page_map *map);
/* The same with one area "all" and one fresh range. */
void fixture_one(struct fixture *f, uint64_t first, uint64_t pages);
/* The invariants hold, and the engine accounts for each node; then frees all. */
void fixture_done(struct fixture *f);
struct node_source fixture_source(struct source *source);
struct page_tree *fixture_tree(struct fixture *f);

/* Shall check() stop? */
bool never(void);

/* Fails the test, naming the invariant, unless all hold. */
void assert_whole(struct fixture *f);

/* A request for one naturally aligned block of any area. */
struct page_request request_order(unsigned order);
/* A request for a number of pages of any alignment. */
struct page_request request_pages(uint64_t pages);

/* Allocate and expect success: the first frame. */
uint64_t take(struct fixture *f, struct page_request request);
uint64_t take_order(struct fixture *f, unsigned order);
/* Allocate and expect that error. */
void refuse(struct fixture *f, struct page_request request, enum error error, uint64_t blame);
/* Free and expect success: pages. */
uint64_t give(struct fixture *f, uint64_t first);
void reserve(struct fixture *f, uint64_t first, uint64_t pages);
void unreserve(struct fixture *f, uint64_t first, uint64_t pages);
struct page_info query(struct fixture *f, uint64_t frame);
struct page_area_info area_info(struct fixture *f, unsigned area);

#endif
