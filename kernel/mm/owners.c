/* SPDX-License-Identifier: MIT */
/*
 * Records lie densely in pages. There are as many buckets as records: record number i also holds
 * the head of bucket i, so that a table of n records is nothing but n records. A record more splits
 * one bucket, a record less joins two (linear hashing); the hole that a removed record leaves is
 * filled with the last one.
 */
#include "kernel/mm/owners.h"

#include "kernel/lib/string.h"

#define NONE OWNERS_MAX           /* no record */

struct record {
    uint64_t frame : 40, next : 24;    /* the next record of the same bucket */
    uint32_t tag;
    uint32_t head;                     /* the first record of the bucket numbered as this record */
};

#define PAGE_RECORDS_SHIFT 8u
#define PAGE_RECORDS (1u << PAGE_RECORDS_SHIFT)
#define DIRECTORY_SHIFT 9u
#define DIRECTORY_ENTRIES (1u << DIRECTORY_SHIFT)
#define DIRECTORIES 128u

_Static_assert(sizeof(struct record) * PAGE_RECORDS == PAGE_SIZE, "records fill a page");
_Static_assert(DIRECTORIES * DIRECTORY_ENTRIES * PAGE_RECORDS > OWNERS_MAX, "all records fit");

struct directory {
    struct record *pages[DIRECTORY_ENTRIES];
};

struct owners {
    struct node_source nodes;
    uint32_t count;                    /* records, and buckets */
    uint32_t room;                     /* records for which there are pages */
    struct directory *directories[DIRECTORIES];
};

_Static_assert(sizeof(struct owners) <= PAGE_SIZE, "the root fits into its page");
_Static_assert(sizeof(struct directory) <= PAGE_SIZE, "a directory fits into its page");

struct owners *owners_create(const struct node_source *nodes)
{
    struct owners *owners = nodes->take(nodes->context);

    if (owners != NULL) {
        memset(owners, 0, sizeof(*owners));
        owners->nodes = *nodes;
    }
    return owners;
}

static struct record **page_slot(const struct owners *owners, uint32_t index)
{
    uint32_t page = index >> PAGE_RECORDS_SHIFT;

    return &owners->directories[page >> DIRECTORY_SHIFT]->pages[page & (DIRECTORY_ENTRIES - 1)];
}

static struct record *record_at(const struct owners *owners, uint32_t index)
{
    return *page_slot(owners, index) + (index & (PAGE_RECORDS - 1));
}

static uint32_t hash(uint64_t frame)
{
    return (uint32_t)(frame * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* The smallest 2^k - 1 that is not below `n`. */
static uint32_t mask_for(uint32_t n)
{
    return n == 0 ? 0 : UINT32_MAX >> __builtin_clz(n);
}

/* The bucket of a frame when there are `buckets` of them, at least 1. */
static uint32_t bucket_of(uint64_t frame, uint32_t buckets)
{
    uint32_t mask = mask_for(buckets - 1), bucket = hash(frame) & mask;

    return bucket < buckets ? bucket : bucket & mask >> 1;
}

/* The bucket out of which bucket number `bucket`, not 0, was split. */
static uint32_t bucket_parent(uint32_t bucket)
{
    return bucket & mask_for(bucket) >> 1;
}

static void push(struct owners *owners, uint32_t bucket, uint32_t index)
{
    struct record *head = record_at(owners, bucket);

    record_at(owners, index)->next = head->head;
    head->head = index;
}

/* The record of `frame`, NONE if it has none. */
static uint32_t find(const struct owners *owners, uint64_t frame)
{
    uint32_t index;

    if (owners->count == 0)
        return NONE;
    index = record_at(owners, bucket_of(frame, owners->count))->head;
    while (index != NONE && record_at(owners, index)->frame != frame)
        index = record_at(owners, index)->next;
    return index;
}

enum error owners_make_room(struct owners *owners)
{
    const struct node_source *nodes = &owners->nodes;
    uint32_t number = owners->room >> PAGE_RECORDS_SHIFT;
    bool needs_directory = (number & (DIRECTORY_ENTRIES - 1)) == 0;
    void *directory = NULL, *page;

    if (owners->count < owners->room)
        return OK;
    if (owners->room > OWNERS_MAX - PAGE_RECORDS)
        return E_MEM_METADATA;
    if (needs_directory && (directory = nodes->take(nodes->context)) == NULL)
        return E_MEM_METADATA;
    page = nodes->take(nodes->context);
    if (page == NULL) {
        if (needs_directory)
            nodes->give(nodes->context, directory);
        return E_MEM_METADATA;
    }
    if (needs_directory)
        owners->directories[number >> DIRECTORY_SHIFT] = directory;
    *page_slot(owners, owners->room) = page;
    owners->room += PAGE_RECORDS;
    return OK;
}

void owners_trim(struct owners *owners)
{
    while (owners->room - owners->count >= PAGE_RECORDS) {
        uint32_t page;

        owners->room -= PAGE_RECORDS;
        page = owners->room >> PAGE_RECORDS_SHIFT;
        owners->nodes.give(owners->nodes.context, *page_slot(owners, owners->room));
        if ((page & (DIRECTORY_ENTRIES - 1)) == 0)
            owners->nodes.give(owners->nodes.context,
                               owners->directories[page >> DIRECTORY_SHIFT]);
    }
}

/* Bucket `owners->count` comes into being: part of its parent's chain moves to it. */
static void split(struct owners *owners)
{
    uint32_t bucket = owners->count++, index;

    record_at(owners, bucket)->head = NONE;
    if (bucket == 0)
        return;
    index = record_at(owners, bucket_parent(bucket))->head;
    record_at(owners, bucket_parent(bucket))->head = NONE;
    while (index != NONE) {
        uint32_t next = record_at(owners, index)->next;

        push(owners, bucket_of(record_at(owners, index)->frame, owners->count), index);
        index = next;
    }
}

/* The last bucket joins its parent. */
static void join(struct owners *owners)
{
    uint32_t bucket = owners->count - 1, index = record_at(owners, bucket)->head;

    while (bucket != 0 && index != NONE) {
        uint32_t next = record_at(owners, index)->next;

        push(owners, bucket_parent(bucket), index);
        index = next;
    }
}

enum error owners_add(struct owners *owners, pfn_t first, uint32_t tag)
{
    enum error e = owners_make_room(owners);
    struct record *record;
    uint32_t index = owners->count;

    if (e != OK)
        return e;
    split(owners);
    record = record_at(owners, index);
    record->frame = first.n;
    record->tag = tag;
    push(owners, bucket_of(first.n, owners->count), index);
    return OK;
}

/* Make whatever links to record `from` of bucket `bucket` link to `to`. */
static void relink(struct owners *owners, uint32_t bucket, uint32_t from, uint32_t to)
{
    struct record *record = record_at(owners, bucket);

    if (record->head == from) {
        record->head = to;
        return;
    }
    for (record = record_at(owners, record->head); record->next != from;)
        record = record_at(owners, record->next);
    record->next = to;
}

bool owners_remove(struct owners *owners, pfn_t first, uint32_t *tag)
{
    uint32_t hole = find(owners, first.n), last = owners->count - 1;
    struct record *record;

    if (hole == NONE)
        return false;
    record = record_at(owners, hole);
    *tag = record->tag;
    relink(owners, bucket_of(first.n, owners->count), hole, record->next);
    join(owners);
    owners->count = last;
    if (hole != last) {
        struct record *moved = record_at(owners, last);

        relink(owners, bucket_of(moved->frame, owners->count), last, hole);
        record->frame = moved->frame;
        record->next = moved->next;
        record->tag = moved->tag;
    }
    owners_trim(owners);
    return true;
}

bool owners_find(const struct owners *owners, pfn_t first, uint32_t *tag)
{
    uint32_t index = find(owners, first.n);

    if (index == NONE)
        return false;
    *tag = record_at(owners, index)->tag;
    return true;
}

uint64_t owners_count(const struct owners *owners)
{
    return owners->count;
}

void owners_at(const struct owners *owners, uint64_t index, pfn_t *first, uint32_t *tag)
{
    const struct record *record = record_at(owners, (uint32_t)index);

    *first = pfn(record->frame);
    *tag = record->tag;
}

bool owners_check(const struct owners *owners, pfn_t *at)
{
    for (uint32_t i = 0; i < owners->count; i++) {
        *at = pfn(record_at(owners, i)->frame);
        if (find(owners, at->n) != i)
            return false;
    }
    return true;
}
