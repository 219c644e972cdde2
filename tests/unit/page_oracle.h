/* SPDX-License-Identifier: MIT */
/*
 * A second implementation of kernel/mm/page.h by brute force: one record for each page, every
 * question answered by walking over all of them. Knows nothing of nodes, so never MEM_METADATA.
 */
#ifndef PFNLAB_PAGE_ORACLE_H
#define PFNLAB_PAGE_ORACLE_H

#include "kernel/mm/engine.h"

struct oracle_page {
    uint64_t frame;
    uint8_t state;        /* enum page_state */
    uint8_t area;
    bool fresh, starts;   /* starts: an allocated block begins here */
};

struct oracle {
    struct oracle_page *page;   /* ascending; whole 2 MiB units around all that is managed */
    size_t pages;
    size_t nareas;
    struct area_limit area[MAX_AREAS];
    uint8_t scan[MAX_AREAS];
};

void oracle_init(struct oracle *oracle, const struct page_map *map);
void oracle_destroy(struct oracle *oracle);

/* As the functions of the same name in engine.h. */
enum error oracle_alloc(struct oracle *oracle, const struct page_request *request, pfn_t *out,
                        pfn_t *blame);
enum error oracle_extend(struct oracle *oracle, pfn_t first, uint64_t pages, pfn_t limit,
                         pfn_t *blame);
enum error oracle_free(struct oracle *oracle, pfn_t first, uint64_t *pages);
enum error oracle_free_part(struct oracle *oracle, pfn_t first, uint64_t pages, pfn_t *head,
                            pfn_t *rest, uint64_t *rest_pages);
enum error oracle_reserve(struct oracle *oracle, pfn_t first, uint64_t pages, pfn_t *blame);
enum error oracle_unreserve(struct oracle *oracle, pfn_t first, uint64_t pages, pfn_t *blame);
void oracle_query(const struct oracle *oracle, pfn_t frame, struct page_info *info);
uint64_t oracle_run(const struct oracle *oracle, pfn_t from, pfn_t limit, struct page_info *info);
bool oracle_area_info(const struct oracle *oracle, unsigned area, struct page_area_info *info);

/* Shared by the two files of the oracle. The record of a frame, or NULL. */
struct oracle_page *oracle_find(const struct oracle *oracle, uint64_t frame);
/* True if page[i] and page[i - 1] are neighbours in one area. */
bool oracle_adjoins(const struct oracle *oracle, size_t i);
/* The records [*start, *end) of the block that holds `frame`, or why there is none. */
enum error oracle_block(const struct oracle *oracle, uint64_t frame, size_t *start, size_t *end);

#endif
