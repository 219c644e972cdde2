/* SPDX-License-Identifier: MIT */
/*
 * Records lie densely in pages. There are as many buckets as records: record number i also holds
 * the head of bucket i, so that a table of n records is nothing but n records. A record more splits
 * one bucket, a record less joins two (linear hashing); the hole that a removed record leaves is
 * filled with the last one.
 */
#include "kernel/mm/lookup.h"

#define NONE LOOKUP_MAX           /* no record */
#define DIRECTORIES 128u

struct record {
    uint64_t key : 40, next : 24;    /* the next record of the same bucket */
    uint32_t value;
    uint32_t head : 24;                /* the first record of the bucket numbered as this record */
    uint32_t mark : 8;
};

_Static_assert(sizeof(struct record) << ROWS_SHIFT == PAGE_SIZE, "records are numbered in a row");
_Static_assert(DIRECTORIES << (ROWS_DIRECTORY_SHIFT + ROWS_SHIFT) > LOOKUP_MAX, "all records fit");

struct lookup {
    struct rows records;               /* as many as there are buckets */
    struct rows_directory *directories[DIRECTORIES];
};

_Static_assert(sizeof(struct lookup) <= PAGE_SIZE, "the root fits into its page");

struct lookup *lookup_create(const struct node_source *nodes)
{
    struct lookup *lookup = nodes->take(nodes->context);

    if (lookup != NULL)
        rows_init(&lookup->records, nodes, sizeof(struct record), lookup->directories, DIRECTORIES);
    return lookup;
}

static inline struct record *record_at(const struct lookup *lookup, uint32_t index)
{
    return rows_at(&lookup->records, index, sizeof(struct record));
}

static const uint64_t HASH_FACTOR = UINT64_C(0x9e3779b97f4a7c15);
enum { HASH_SHIFT = 32 };

static uint32_t hash(uint64_t key)
{
    return (uint32_t)(key * HASH_FACTOR >> HASH_SHIFT);
}

/* The smallest 2^k - 1 that is not below `n`. */
static uint32_t mask_for(uint32_t n)
{
    return n == 0 ? 0 : UINT32_MAX >> __builtin_clz(n);
}

/* The bucket of a key when there are `buckets` of them, at least 1. */
static uint32_t bucket_of(uint64_t key, uint32_t buckets)
{
    uint32_t mask = mask_for(buckets - 1), bucket = hash(key) & mask;

    return bucket < buckets ? bucket : bucket & mask >> 1;
}

/* The bucket out of which bucket number `bucket`, not 0, was split. */
static uint32_t bucket_parent(uint32_t bucket)
{
    return bucket & mask_for(bucket) >> 1;
}

/* `record` is number `index`. */
static void push(struct lookup *lookup, uint32_t bucket, struct record *record, uint32_t index)
{
    struct record *head = record_at(lookup, bucket);

    record->next = head->head;
    head->head = index;
}

/* The record of `key`, NONE if it has none. */
static inline uint32_t find(const struct lookup *lookup, uint64_t key)
{
    uint32_t index;

    if (lookup->records.count == 0)
        return NONE;
    index = record_at(lookup, bucket_of(key, lookup->records.count))->head;
    while (index != NONE && record_at(lookup, index)->key != key)
        index = record_at(lookup, index)->next;
    return index;
}

enum error lookup_make_room(struct lookup *lookup)
{
    return lookup->records.count == LOOKUP_MAX ? E_MEM_METADATA : rows_make_room(&lookup->records);
}

void lookup_trim(struct lookup *lookup)
{
    rows_trim(&lookup->records);
}

void lookup_destroy(struct lookup *lookup)
{
    const struct node_source nodes = lookup->records.nodes;

    ASSERT(lookup->records.count == 0);
    rows_trim(&lookup->records);
    nodes.give(nodes.context, lookup);
}

/* Bucket `lookup->records.count` comes into being: part of its parent's chain moves to it. */
static void split(struct lookup *lookup)
{
    uint32_t bucket = rows_push(&lookup->records), index;
    struct record *parent;

    record_at(lookup, bucket)->head = NONE;
    if (bucket == 0)
        return;
    parent = record_at(lookup, bucket_parent(bucket));
    index = parent->head;
    parent->head = NONE;
    while (index != NONE) {
        struct record *record = record_at(lookup, index);
        uint32_t next = record->next;

        push(lookup, bucket_of(record->key, lookup->records.count), record, index);
        index = next;
    }
}

/* The last bucket joins its parent. */
static void join(struct lookup *lookup)
{
    uint32_t bucket = lookup->records.count - 1, index = record_at(lookup, bucket)->head;

    while (bucket != 0 && index != NONE) {
        struct record *record = record_at(lookup, index);
        uint32_t next = record->next;

        push(lookup, bucket_parent(bucket), record, index);
        index = next;
    }
}

enum error lookup_add_marked(struct lookup *lookup, uint64_t key, uint32_t value, uint8_t mark)
{
    enum error e = lookup_make_room(lookup);
    struct record *record;
    uint32_t index = lookup->records.count;

    if (e != OK)
        return e;
    split(lookup);
    record = record_at(lookup, index);
    record->key = key;
    record->value = value;
    record->mark = mark;
    push(lookup, bucket_of(key, lookup->records.count), record, index);
    return OK;
}

/* Make whatever links to record `from` of bucket `bucket` link to `to`. */
static void relink(struct lookup *lookup, uint32_t bucket, uint32_t from, uint32_t to)
{
    struct record *record = record_at(lookup, bucket);

    if (record->head == from) {
        record->head = to;
        return;
    }
    for (record = record_at(lookup, record->head); record->next != from;)
        record = record_at(lookup, record->next);
    record->next = to;
}

/* Take the record of `key` out of its bucket: *index is its number. NULL: it has none. */
static struct record *take_out(struct lookup *lookup, uint64_t key, uint32_t *index)
{
    struct record *head, *before = NULL, *record = NULL;

    if (lookup->records.count == 0)
        return NULL;
    head = record_at(lookup, bucket_of(key, lookup->records.count));
    for (*index = head->head; *index != NONE; *index = record->next, before = record) {
        record = record_at(lookup, *index);
        if (record->key == key)
            break;
    }
    if (*index == NONE)
        return NULL;
    if (before == NULL)
        head->head = record->next;
    else
        before->next = record->next;
    return record;
}

bool lookup_remove(struct lookup *lookup, uint64_t key, uint32_t *value)
{
    uint32_t hole, last = lookup->records.count - 1;
    struct record *record = take_out(lookup, key, &hole);

    if (record == NULL)
        return false;
    *value = record->value;
    join(lookup);
    rows_pop(&lookup->records);
    if (hole != last) {
        struct record *moved = record_at(lookup, last);

        relink(lookup, bucket_of(moved->key, lookup->records.count), last, hole);
        record->key = moved->key;
        record->next = moved->next;
        record->value = moved->value;
        record->mark = moved->mark;
    }
    lookup_trim(lookup);
    return true;
}

bool lookup_find(const struct lookup *lookup, uint64_t key, uint32_t *value)
{
    uint32_t index = find(lookup, key);

    if (index == NONE)
        return false;
    *value = record_at(lookup, index)->value;
    return true;
}

void lookup_set(struct lookup *lookup, uint64_t key, uint32_t value)
{
    uint32_t index = find(lookup, key);

    ASSERT(index != NONE);
    record_at(lookup, index)->value = value;
}

void lookup_mark(struct lookup *lookup, uint64_t key, uint8_t mark)
{
    uint32_t index = find(lookup, key);

    ASSERT(index != NONE);
    record_at(lookup, index)->mark = mark;
}

uint8_t lookup_marked(const struct lookup *lookup, uint64_t key)
{
    uint32_t index = find(lookup, key);

    return index == NONE ? 0 : record_at(lookup, index)->mark;
}

uint64_t lookup_count(const struct lookup *lookup)
{
    return lookup->records.count;
}

void lookup_at(const struct lookup *lookup, uint64_t index, uint64_t *key, uint32_t *value)
{
    const struct record *record = record_at(lookup, (uint32_t)index);

    *key = record->key;
    *value = record->value;
}

bool lookup_check(const struct lookup *lookup, uint64_t *at)
{
    for (uint32_t i = 0; i < lookup->records.count; i++) {
        *at = record_at(lookup, i)->key;
        if (find(lookup, *at) != i)
            return false;
    }
    return true;
}
