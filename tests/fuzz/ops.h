/* SPDX-License-Identifier: MIT */
/*
 * fuzz_ops: bytes become operations on an allocator and on a model of it, which must say the
 * same at each step. An allocator is one table `ops_NAME`.
 *
 * Its invariants are verified after every 8 steps, as that costs more than the steps; what is
 * broken stays broken. A failure prints the operations as a transcript with what the model expects,
 * which `pfnlab replay` runs on any guest. For that the input runs a second time, with all
 * invariants verified after each step: so the transcript ends where they broke.
 */
#ifndef PFNLAB_FUZZ_OPS_H
#define PFNLAB_FUZZ_OPS_H

#include "tests/fuzz/fuzz.h"

struct ops {
    const char *name;
    /* A fresh allocator on a map that the input chooses. */
    void (*begin)(struct input *in);
    void (*step)(struct input *in);
    /* Every invariant, or the process ends. */
    void (*check)(void);
    /* The whole state is compared, then everything is given up. */
    void (*end)(void);
};

extern const struct ops ops_page, ops_phys, ops_virt, ops_heap;

/* Nothing and false, unless the transcript is wanted. */
bool script_wanted(void);

/* The next request of the transcript, printf-like; its tag. */
uint32_t script_request(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Until it is NULL again, requests are remarks that say why, and keep their tag for the next one:
 * what is refused here would do something on a guest. What was not refused is told once more.
 */
void script_hold(const char *why);

/*
 * What the model says of it: an error with the address blamed (0: none), or so many bytes behind
 * the result of a request; or a result.
 */
void script_error(enum error e, uint64_t at);
void script_blame(enum error e, uint32_t request, uint64_t offset);
void script_address(uint64_t address);
void script_number(uint64_t number);
void script_nothing(void);

/* The engine's answer is not the model's. */
#define SAME(ours, models, what) \
    do { \
        uint64_t ours_ = (uint64_t)(ours), models_ = (uint64_t)(models); \
        if (ours_ != models_) \
            differ(what, ours_, models_); \
    } while (0)
_Noreturn void differ(const char *what, uint64_t ours, uint64_t models);
_Noreturn void ops_fail(const char *what, uint64_t number, const char *text);

#endif
