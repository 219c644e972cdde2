/* SPDX-License-Identifier: MIT */
/*
 * Allocations and frees by a generator that a model can repeat (PROTOCOL.md, "Stress").
 */
#include "kernel/machine.h"
#include "protocol/handlers.h"
#include "protocol/stress_cpus.h"

#define LIVE_MAX 4096u            /* blocks held at once */
#define CHECK_EVERY 1024u         /* operations between two checks, a power of two */
#define DEFAULT_ORDER 3u

static pfn_t live[LIVE_MAX];

struct stress {
    uint64_t x;                   /* of the generator; never 0 */
    size_t count;                 /* of blocks in `live` */
    uint64_t done, fails;
    unsigned order;
    const struct value *areas;
    uint32_t tag;
};

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016. */
static uint64_t next_random(struct stress *stress)
{
    stress->x ^= stress->x >> 12;
    stress->x ^= stress->x << 25;
    stress->x ^= stress->x >> 27;
    return stress->x * UINT64_C(0x2545f4914f6cdd1d);
}

/* A number below `n`, from the low half of a random number; no division. */
static size_t below(uint64_t random, size_t n)
{
    return (size_t)((random & UINT32_MAX) * n >> 32);
}

static enum error stress_free(struct stress *stress, size_t i)
{
    pfn_t blame;
    uint64_t freed;
    enum error e = pages_free(&lab.pages, live[i], 0, &freed, &blame);

    if (e == OK)
        live[i] = live[--stress->count];
    return e;
}

static enum error stress_alloc(struct stress *stress, uint64_t random)
{
    unsigned order = (unsigned)below(random, stress->order + 1);
    struct page_request request = {
        .areas = stress->areas->given ? (uint32_t)stress->areas->number : ALL_AREAS,
        .pages = UINT64_C(1) << order, .align = order,
        .max = stress->areas->given ? stress->areas->limit : pfn(PFN_LIMIT),
    };
    pfn_t frame, blame;
    bool zeroed;
    enum error e = pages_alloc(&lab.pages, &request, stress->tag, true, &frame, &zeroed, &blame);

    if (e == OK)
        live[stress->count++] = frame;
    return e;
}

/* The top three bits choose: five of eight allocate, so that the table fills up. */
static enum error stress_step(struct stress *stress)
{
    uint64_t random = next_random(stress);
    bool allocate = stress->count == 0 || (stress->count < LIVE_MAX && random >> 61 < 5);
    enum error e;

    if (!allocate)
        return stress_free(stress, below(random, stress->count));
    e = stress_alloc(stress, random);
    if (e == OK)
        return OK;
    stress->fails++;
    if (stress->count == 0)
        return OK;
    return stress_free(stress, below(next_random(stress), stress->count));
}

enum error stress_check(struct reply *reply)
{
    struct page_violation violation = { .text = "" };
    enum error e = lab_check(&violation);

    if (e != E_BUG_CHECK)
        return e;
    reply_key_number(reply, "invariant", violation.invariant);
    reply_key_address(reply, "at", pfn_phys(violation.at).a);
    return E_BUG_CHECK;
}

static enum error stress_loop(struct stress *stress, uint64_t operations, bool check,
                              struct reply *reply)
{
    enum error e = OK;

    while (e == OK && stress->done < operations) {
        if (machine_interrupted())
            return E_STOP_INTERRUPTED;
        e = stress_step(stress);
        if (e == OK)
            stress->done++;
        if (e == OK && check && is_aligned(stress->done, CHECK_EVERY))
            e = stress_check(reply);
    }
    return e;
}

static enum error stress_end(struct stress *stress, enum error e)
{
    while (stress->count > 0) {
        enum error freed = stress_free(stress, stress->count - 1);

        if (freed == OK)
            continue;
        stress->count--;
        e = e == OK ? freed : e;
    }
    return e;
}

static enum error stress_alone(const struct args_stress *args, struct reply *reply)
{
    struct stress stress = {
        .x = args->seed.number ^ UINT64_C(0x9e3779b97f4a7c15),
        .order = args->order.given ? (unsigned)args->order.number : DEFAULT_ORDER,
        .areas = &args->area, .tag = reply_tag(reply),
    };
    bool check = args->check.number != 0;
    enum error e;

    if (stress.x == 0)
        stress.x = 1;
    e = stress_loop(&stress, args->operations.number, check, reply);
    if (e != E_BUG_CHECK)
        e = stress_end(&stress, e);
    if (e == OK && check)
        e = stress_check(reply);
    if (e == OK)
        reply_number(reply, stress.done);
    else
        reply_key_number(reply, "done", stress.done);
    reply_key_number(reply, "fails", stress.fails);
    return e;
}

enum error cmd_stress(const struct args_stress *args, struct reply *reply)
{
    enum error e = need_pages(reply);

    if (e != OK)
        return e;
    if (!args->operations.given && !args->seconds.given)
        return refuse_argument(reply, "operations", E_CALL_MISSING);
    if (args->seconds.given || args->cpus.given || args->mix.given)
        return stress_cpus(args, reply);
    return stress_alone(args, reply);
}
