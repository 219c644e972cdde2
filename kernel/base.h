/* SPDX-License-Identifier: MIT */
/*
 * What every file may use: the units, page constants, errors, and the structs that pass between
 * layers. Knows nobody.
 *
 * Frame numbers, physical and virtual addresses are one-field structs, so that passing one for
 * another does not compile. Plain counts carry their unit in the name: pages, size (bytes), order.
 */
#ifndef PFNLAB_BASE_H
#define PFNLAB_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define PAGE_SHIFT 12u
#define PAGE_SIZE UINT64_C(4096)    /* bytes, on every target */
#define ADDRESS_BITS 52u            /* physical addresses are below 2^52 on every target */
#define ADDRESS_LIMIT (UINT64_C(1) << ADDRESS_BITS)
#define PFN_LIMIT (ADDRESS_LIMIT >> PAGE_SHIFT)

/* The greatest order and alignment of a block of pages: 2^18 pages, 1 GiB. */
enum { MAX_ORDER = 18 };
#define MAX_BLOCK_PAGES (UINT64_C(1) << MAX_ORDER)

/* An area is a named physical range; a set of areas is a bit mask. */
#define MAX_AREAS 16u
#define AREA_NAME_SIZE 16u          /* bytes with the NUL: a word of at most 15 characters */

typedef struct { uint64_t n; } pfn_t;    /* page frame number: physical address / PAGE_SIZE */
typedef struct { uint64_t a; } phys_t;   /* physical address, bytes */
typedef struct { uint64_t a; } virt_t;   /* virtual address, bytes */

static inline pfn_t pfn(uint64_t n) { return (pfn_t){ n }; }
static inline phys_t phys(uint64_t a) { return (phys_t){ a }; }
static inline virt_t virt(uint64_t a) { return (virt_t){ a }; }
static inline phys_t pfn_phys(pfn_t f) { return (phys_t){ f.n << PAGE_SHIFT }; }
static inline pfn_t phys_pfn(phys_t p) { return (pfn_t){ p.a >> PAGE_SHIFT }; }   /* rounds down */

static inline bool is_power_of_two(uint64_t x) { return x != 0 && (x & (x - 1)) == 0; }
static inline bool is_aligned(uint64_t x, uint64_t align) { return (x & (align - 1)) == 0; }
static inline uint64_t align_down(uint64_t x, uint64_t align) { return x & ~(align - 1); }
/* `x` must be at most 2^64 - align, else the result wraps; `align` is a power of two. */
static inline uint64_t align_up(uint64_t x, uint64_t align)
{
    return (x + align - 1) & ~(align - 1);
}
/* The smallest order whose 2^order is at least `n`; n from 1 to 2^63. */
static inline unsigned order_for(uint64_t n)
{
    return n <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(n - 1);
}

/* OK is 0; the rest are the rows of errors.def as E_<symbol>. */
enum error {
    OK = 0,
#define ERROR(symbol, category, word, text) E_##symbol,
#include "kernel/errors.def"
#undef ERROR
    ERROR_COUNT
};

/* The parts of a row of errors.def; `e` is not OK. Static strings. */
const char *error_category(enum error e);
const char *error_word(enum error e);
const char *error_text(enum error e);

/*
 * Our own mistakes. ASSERT is compiled in always; assert_failed() ends the command that ran
 * ("? bug.assert", kernel/trap.h) or, outside a command, panics.
 */
#define ASSERT(condition) \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void assert_failed(const char *condition, const char *file, int line);

/* Physical memory as a firmware tells it: unsorted, overlapping, any alignment. */
enum range_kind { RANGE_USABLE, RANGE_RESERVED };
struct phys_range {
    phys_t start;
    uint64_t size;                /* bytes; start + size may not wrap beyond 2^64 */
    enum range_kind kind;         /* reserved wins where both cover an address */
};

/*
 * One row of an area table: the frames from the previous row's limit up to, not including, `limit`.
 * Rows ascend; a last row with limit PFN_LIMIT takes all the rest.
 */
struct area_limit {
    char name[AREA_NAME_SIZE];
    pfn_t limit;
};

#endif
