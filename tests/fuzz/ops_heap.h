/* SPDX-License-Identifier: MIT */
/*
 * What ops_heap*.c share: backends with a few pages of each stage, of which the lowest that fit are
 * given, memory of the host behind them, and the model's list of objects.
 */
#ifndef PFNLAB_FUZZ_OPS_HEAP_H
#define PFNLAB_FUZZ_OPS_HEAP_H

#include "kernel/mm/heap.h"

#define ROOM 96u                      /* pages of a stage */
#define BASE(stage) ((UINT64_C(64) + 4 * (stage)) << 20)

/* ---- backends ---- */

struct page {
    uint16_t block;                   /* 1 + index of its block's first page, 0: free */
    uint32_t tag;
    /* The model's, all 0 in pages that are given anew: */
    uint16_t objects;                 /* in a slab */
    uint32_t class;                   /* of a slab, 0: none */
};

extern struct page pages[HEAP_STAGES][ROOM];
extern const struct heap_backend heap_pages;      /* its context is a row of `pages` */

/* The index of the lowest free pages that fit; ROOM if there are none. */
uint64_t lowest_pages(const struct page *of, uint64_t n, uint64_t align);

/* How many pages are free behind the block that begins at index `first`. */
uint64_t pages_behind(const struct page *of, uint64_t first);

/* The nth attempt from now on to get pages or a record, or to write memory, is refused; 0: none. */
void refuse_nth(unsigned n);

/* Is this attempt the one? */
bool refuses(void);

/* Was there one, since refuse_nth()? */
bool was_refused(void);

/* ---- objects ---- */

#define MAX_OBJECTS 300u
#define MARKS 4u

/* A byte that somebody wrote. */
struct mark {
    uint64_t offset;
    uint8_t value;
};

struct object {
    uint64_t at, size;                /* all its bytes */
    uint64_t asked;                   /* its first bytes, which are its owner's */
    uint64_t sure;                    /* those that it has wherever there was room to move it */
    uint32_t owner;
    uint32_t name;                    /* the request whose result it is in the transcript */
    unsigned stage;
    bool zoned;                       /* what was not asked for is red */
    uint64_t broken;                  /* the first byte of its zone that was written, 0: none */
    unsigned nmarks;
    struct mark marks[MARKS];
};

extern struct heap heap;
extern const uint16_t classes[HEAP_CLASSES];      /* their sizes */
extern struct object objects[MAX_OBJECTS];
extern size_t nobjects;

/* The object that holds an address, or NULL. */
struct object *object_at(uint64_t address);

/* The page of a backend that was reached at an address, or NULL. */
struct page *page_at(uint64_t address);

/* Where an object of so many bytes must go, nobody's yet; at is 0: there is no room. */
struct object predicted(uint64_t size, uint64_t align, bool zoned);

void object_comes(struct object object);
void object_goes(struct object *object);

/* As heap_free() finds it, but for its red zone; *object is NULL unless the address is in one. */
enum error model_find(uint64_t address, struct object **object);

/* Does it stay where it is, with `size` bytes, if nothing is refused on purpose? */
bool stays(const struct object *object, uint64_t size);

/* Has it room for them where it is, if it cannot move? */
bool has_room(const struct object *object, uint64_t size);

/* It has `size` bytes from now on, where it is; or it is what predicted() said. */
void object_resize(struct object *object, uint64_t size);
void object_moves(struct object *object, const struct object *to);

/* ---- memory ---- */

/* What is in no object: no red zone has such a byte. */
enum { JUNK = 0x55 };

extern const struct memory_hooks heap_memory;

/* The byte at an address of a backend. */
unsigned char *byte_at(uint64_t address);

/* Write a byte of an object, or of its red zone, which must not hold it. */
void object_write(struct object *object, uint64_t offset, uint8_t value);

/* What was written is there and the red zone is as the model says, or the process ends. */
void object_look(const struct object *object);

#endif
