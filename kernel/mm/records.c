/* SPDX-License-Identifier: MIT */
#include "kernel/mm/records.h"

/* At the start of each page. Records from number `virgin` on were never taken from it. */
struct record_page {
    struct record_page *next, *previous;   /* with room */
    void *returned;                        /* records given back, linked by their first word */
    uint32_t virgin, used;
};

#define RECORDS_START 64u

_Static_assert(sizeof(struct record_page) <= RECORDS_START, "the head of a page fits");

static uint32_t capacity(const struct records *records)
{
    return (uint32_t)((PAGE_SIZE - RECORDS_START) / records->size);
}

void records_init(struct records *records, const struct node_source *nodes, size_t size)
{
    *records = (struct records){ .nodes = *nodes, .size = size };
    ASSERT(size >= sizeof(void *) && is_aligned(size, sizeof(void *)) && capacity(records) > 1);
}

static void page_link(struct records *records, struct record_page *page)
{
    page->previous = NULL;
    page->next = records->roomy;
    if (page->next != NULL)
        page->next->previous = page;
    records->roomy = page;
}

static void page_unlink(struct records *records, struct record_page *page)
{
    if (page->previous != NULL)
        page->previous->next = page->next;
    else
        records->roomy = page->next;
    if (page->next != NULL)
        page->next->previous = page->previous;
}

static struct record_page *page_add(struct records *records)
{
    struct record_page *page = records->nodes.take(records->nodes.context);

    if (page == NULL)
        return NULL;
    page->returned = NULL;
    page->virgin = page->used = 0;
    page_link(records, page);
    records->pages++;
    return page;
}

void *records_take(struct records *records)
{
    struct record_page *page = records->roomy != NULL ? records->roomy : page_add(records);
    void *record;

    if (page == NULL)
        return NULL;
    record = page->returned;
    if (record != NULL)
        page->returned = *(void **)record;
    else
        record = (unsigned char *)page + RECORDS_START + page->virgin++ * records->size;
    records->used++;
    if (++page->used == capacity(records))
        page_unlink(records, page);
    return record;
}

void records_give(struct records *records, void *record)
{
    size_t offset = (uintptr_t)record & (PAGE_SIZE - 1);
    struct record_page *page = (void *)((unsigned char *)record - offset);

    ASSERT(page->used > 0);
    *(void **)record = page->returned;
    page->returned = record;
    records->used--;
    if (page->used-- == capacity(records))
        page_link(records, page);
    if (page->used > 0)
        return;
    page_unlink(records, page);
    records->pages--;
    records->nodes.give(records->nodes.context, page);
}
