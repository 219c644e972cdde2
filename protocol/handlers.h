/* SPDX-License-Identifier: MIT */
/*
 * What several handlers say in the same way.
 */
#ifndef PFNLAB_HANDLERS_H
#define PFNLAB_HANDLERS_H

#include "kernel/lab.h"
#include "protocol/reply_struct.h"

/* Rows of one reply at most; the rest is asked for with the address in `more=`. */
#define MAX_ROWS 4096u

/* CALL_STATE as long as there is no page allocator. */
MUST_USE enum error need_pages(struct reply *reply);

/* An argument that is wrong only here: "arg=NAME". */
MUST_USE enum error refuse_argument(struct reply *reply, const char *name, enum error e);

/* The same with the greatest value allowed. */
MUST_USE enum error refuse_range(struct reply *reply, const char *name, uint64_t max);

/* A page's frame; MEM_UNALIGNED with "at=" if the address is not that of a page. */
MUST_USE enum error page_frame(struct reply *reply, const struct value *address, pfn_t *frame);

/* What the allocator said of a frame: "at=" for errors that blame one. Returns `e`. */
MUST_USE enum error blame_frame(struct reply *reply, enum error e, pfn_t frame);

/* MEM_METADATA with the bytes that were needed, if known. Returns `e`. */
MUST_USE enum error blame_needed(struct reply *reply, enum error e, uint64_t needed);

/* A set as words joined by |, in the order of their bits; the first name is that of none. */
enum attributes_names { ATTRIBUTE_NAMES, ACCESS_NAMES };
struct attributes_text { char text[32]; };
struct attributes_text attributes_text(unsigned set, enum attributes_names names);

/* The word for a stage. */
const char *stage_name(enum lab_stage stage);

/* The word for who made a range of the window. */
const char *range_name(enum virt_kind kind);

/* Is it the heap that has to say something to a free of this address? */
bool heap_answers(uint64_t address);

/* Free an object of the heap. */
MUST_USE enum error free_object(uint64_t address, bool force, struct reply *reply);

/* MEM_KIND with "at=" for an address of the direct map that is the heap's, whole pages or not. */
MUST_USE enum error refuse_heap(struct reply *reply, uint64_t address);

/* "owner=" of a block, and "name=" if its owner has one. */
void row_owner(struct reply *reply, uint32_t tag);

/* A chain of rows that stops at MAX_ROWS. */
struct listing {
    uint64_t n;
    bool interrupted;
};

/* Send the row; false if there shall be no more. */
bool listing_row(struct listing *listing, struct reply *reply);

/* `n=`, and `more=` where to go on if the listing is not complete. */
MUST_USE enum error listing_end(const struct listing *listing, struct reply *reply, bool complete,
                                uint64_t next);

#endif
