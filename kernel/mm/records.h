/* SPDX-License-Identifier: MIT */
/*
 * Records of one size, out of pages of a node source: taken and given back one by one, where they
 * are they stay. A page comes when no page has room and goes when its last record does.
 */
#ifndef PFNLAB_MM_RECORDS_H
#define PFNLAB_MM_RECORDS_H

#include "kernel/mm/engine.h"

struct record_page;

struct records {
    struct node_source nodes;
    size_t size;                      /* bytes of a record */
    struct record_page *roomy;        /* pages with room, any order */
    uint64_t used, pages;
};

/* No records yet; `size` is at least that of a pointer, and a page holds some of them. */
void records_init(struct records *records, const struct node_source *nodes, size_t size);

/* A record, content undefined; NULL: no page for it. O(1), as is records_give(). */
void *records_take(struct records *records);
void records_give(struct records *records, void *record);

#endif
