/* SPDX-License-Identifier: MIT */
/*
 * How the content of memory is touched, for allocators that only know numbers: at the addresses
 * that its owner has for it, in the window or of the direct map, and with the rights that pages
 * have there.
 */
#ifndef PFNLAB_MM_MEMORY_H
#define PFNLAB_MM_MEMORY_H

#include "kernel/base.h"

/*
 * Sizes are not 0. All but is_there() and inspect(): CALL_UNSUPPORTED: is_there() is false.
 * FAULT_ADDRESS, FAULT_PROTECTION, FAULT_OTHER: *bad is the first address that could not be read or
 * written; something may have been written only if the machine told so on the way (FAULT_OTHER).
 */
struct memory_hooks {
    bool (*is_there)(void);           /* behind addresses at all: an injected map has none */
    MUST_USE enum error (*zero)(virt_t at, uint64_t size, virt_t *bad);
    MUST_USE enum error (*copy)(virt_t to, virt_t from, uint64_t size, virt_t *bad);
    MUST_USE enum error (*stamp)(virt_t at, uint64_t size, virt_t *bad);   /* as zone.h */
    /* Does it hold the pattern of zone.h? Else *bad is the first address that does not. */
    MUST_USE bool (*inspect)(virt_t at, uint64_t size, virt_t *bad);
};

#endif
