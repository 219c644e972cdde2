/* SPDX-License-Identifier: MIT */
/*
 * All CPUs at once: CPU 0 posts the same work to the others, does it as well, serves them
 * meanwhile, and waits until all are done; then everything is verified. How many operations one CPU
 * got done depends on the others: what the end must be like does not.
 */
#include <stdatomic.h>

#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "kernel/smp.h"
#include "protocol/dispatch.h"
#include "protocol/stress_cpus.h"
#include "protocol/stress_rest.h"
#include "protocol/stress_worker.h"

#define CHECK_EVERY 512u          /* operations of CPU 0 between two checks, a power of two */
#define DEFAULT_ORDER 3u
#define PANIC_AFTER 200u          /* operations of the one that is to panic */
#define NOBODY SMP_MAX

/* What came of one CPU's work. */
struct share {
    bool takes_part;
    uint64_t done, fails, bad;
    enum error error;
    struct ending ending;         /* of its guard */
};

static struct share shares[SMP_MAX];

static struct {
    struct stress_plan plan;
    uint64_t operations;          /* of each CPU */
    uint64_t until;               /* ticks; 0: no end by time */
    bool check;
    unsigned panics;              /* in the middle of it; or NOBODY */
    _Atomic bool stops;           /* one of them found something, or ^C */
    struct rest rest;             /* for a check */
} run;

uint64_t stress_operations(unsigned cpu)
{
    return shares[cpu].done;
}

void stress_forget(void)
{
    memset(shares, 0, sizeof(shares));
}

/* ---- on each CPU ---- */

static bool all_rest(void)
{
    for (unsigned cpu = 1; cpu < smp_count(); cpu++)
        if (shares[cpu].takes_part && !smp_done(cpu) && !rest_has(&run.rest, cpu))
            return false;
    return true;
}

/* On CPU 0: what cannot be verified while others are at work. */
static enum error check_between(struct reply *reply)
{
    enum error e;

    rest_ask(&run.rest);
    while (!all_rest()) {
        smp_serve();
        smp_relax();
    }
    e = stress_check(reply);
    rest_end(&run.rest);
    return e;
}

static bool is_over(const struct share *share)
{
    if (atomic_load_explicit(&run.stops, memory_order_relaxed) || share->done == run.operations)
        return true;
    return machine_interrupted() || (run.until != 0 && machine_ticks() >= run.until);
}

/* One CPU's work and what it works with. */
struct work {
    struct share *share;
    struct reply *reply;          /* CPU 0's; NULL: of the others */
    struct stress_worker worker;
};

static void work_run(void *argument)
{
    struct work *work = argument;
    struct share *share = work->share;

    while (share->error == OK && !is_over(share)) {
        share->error = stress_worker_step(&work->worker);
        lab_tell_kept();
        share->done += share->error == OK;
        if (work->worker.cpu == run.panics && share->done == PANIC_AFTER)
            panic("request", __FILE__, __LINE__, NULL);
        if (work->reply == NULL) {
            rest_if_asked(&run.rest);
            continue;
        }
        smp_serve();
        if (share->error == OK && run.check && is_aligned(share->done, CHECK_EVERY))
            share->error = check_between(work->reply);
    }
    if (share->error == OK)
        share->error = stress_worker_end(&work->worker);
    lab_tell_kept();
}

static void share_do(unsigned cpu, struct reply *reply)
{
    struct share *share = &shares[cpu];
    struct work work = { .share = share, .reply = reply };

    stress_worker_begin(&work.worker, &run.plan, cpu);
    share->ending = trap_run(work_run, &work);
    if (reply != NULL)
        rest_end(&run.rest);      /* it may have been cut short in the middle of a check */
    share->fails = work.worker.fails;
    share->bad = work.worker.bad;
    if (share->ending.outcome != ENDED || share->error != OK)
        atomic_store_explicit(&run.stops, true, memory_order_relaxed);
}

static void share_do_job(void *unused)
{
    (void)unused;
    share_do(smp_self(), NULL);
}

/* ---- on CPU 0 ---- */

static unsigned running_cpus(void)
{
    unsigned n = 0;

    for (unsigned cpu = 0; cpu < smp_count(); cpu++) {
        struct smp_info info;

        smp_info(cpu, &info);
        n += info.running;
    }
    return n;
}

/* `cpus` of CPU 0; another one has nobody but itself. */
static enum error may_take_part(const struct value *cpus)
{
    if (!cpus->given)
        return OK;
    if (!cpus->is_number && !word_is(cpus->text, cpus->length, "all"))
        return E_CALL_WORD;
    if (cpus->is_number && cpus->number == 0)
        return E_CALL_RANGE;
    if (cpus->is_number && cpus->number > smp_count())
        return E_CALL_CPU;
    return smp_self() != 0 || (cpus->is_number && cpus->number > running_cpus()) ? E_CALL_STATE
                                                                                  : OK;
}

static enum error plan_cpus(const struct args_stress *args, struct reply *reply)
{
    bool all = args->cpus.given && !args->cpus.is_number;
    uint64_t left = args->cpus.given ? args->cpus.number : 1;
    enum error e = may_take_part(&args->cpus);

    if (e != OK)
        return e == E_CALL_RANGE ? refuse_range(reply, "cpus", smp_count())
                                 : refuse_argument(reply, "cpus", e);
    stress_forget();
    for (unsigned cpu = 0; smp_self() == 0 && cpu < smp_count() && (all || left > 0); cpu++) {
        struct smp_info info;

        smp_info(cpu, &info);
        shares[cpu].takes_part = info.running;
        left -= info.running;
    }
    return OK;
}

static enum error plan_end(const struct args_stress *args, struct reply *reply)
{
    uint64_t rate = machine_ticks_per_second();

    run.operations = args->operations.given ? args->operations.number : UINT64_MAX;
    run.until = 0;
    if (!args->seconds.given)
        return OK;
    if (rate == 0)
        return refuse_argument(reply, "seconds", E_CALL_UNSUPPORTED);
    run.until = machine_ticks() + args->seconds.number * rate;
    return OK;
}

static enum error plan(const struct args_stress *args, struct reply *reply)
{
    enum error e = plan_end(args, reply);

    run.plan = (struct stress_plan){
        .seed = args->seed.number,
        .mix = args->mix.given ? (unsigned)args->mix.number : (1u << STRESS_KINDS) - 1,
        .order = args->order.given ? (unsigned)args->order.number : DEFAULT_ORDER,
        .areas = args->area.given ? (uint32_t)args->area.number : ALL_AREAS,
        .max = args->area.given ? args->area.limit : pfn(PFN_LIMIT),
    };
    run.check = args->check.number != 0;
    run.panics = NOBODY;
    atomic_store_explicit(&run.stops, false, memory_order_relaxed);
    return e == OK ? plan_cpus(args, reply) : e;
}

static uint64_t free_pages(void)
{
    struct page_area_info info;
    uint64_t pages = 0;

    for (unsigned area = 0; pages_area_info(&lab.pages, area, &info); area++)
        pages += info.free;
    return pages;
}

static void work_together(struct reply *reply)
{
    for (unsigned cpu = 1; cpu < smp_count(); cpu++)
        if (shares[cpu].takes_part)
            smp_post(cpu, share_do_job, NULL);
    share_do(smp_self(), reply);
    for (unsigned cpu = 1; cpu < smp_count(); cpu++)
        if (shares[cpu].takes_part)
            smp_wait(cpu);
}

/* The first mistake that a CPU found, told with its number. */
static enum error mistake(struct reply *reply)
{
    for (unsigned cpu = 0; cpu < smp_count(); cpu++) {
        const struct share *share = &shares[cpu];
        enum error e = share->error;

        if (share->ending.outcome != ENDED) {
            lab.dead = true;
            e = dispatch_ended(&share->ending, reply);
        } else if (e != OK && e != E_BUG_CHECK && e != E_STOP_INTERRUPTED) {
            reply_key_address(reply, "at", share->bad);
        }
        if (e == OK)
            continue;
        reply_key_number(reply, "cpu", cpu);
        return e;
    }
    return OK;
}

/* All CPUs' operations, and the fewest and the most that one of them did. */
static void totals(struct reply *reply, bool ended)
{
    uint64_t done = 0, fails = 0, least = UINT64_MAX, most = 0, n = 0;

    for (unsigned cpu = 0; cpu < smp_count(); cpu++) {
        const struct share *share = &shares[cpu];

        if (!share->takes_part && cpu != smp_self())
            continue;
        n++;
        done += share->done;
        fails += share->fails;
        least = share->done < least ? share->done : least;
        most = share->done > most ? share->done : most;
    }
    if (ended)
        reply_number(reply, done);
    else
        reply_key_number(reply, "done", done);
    reply_key_number(reply, "fails", fails);
    reply_key_number(reply, "cpus", n);
    reply_key_number(reply, "least", least);
    reply_key_number(reply, "most", most);
}

static void take_part_all(void)
{
    stress_forget();
    for (unsigned cpu = 0; cpu < smp_count(); cpu++) {
        struct smp_info info;

        smp_info(cpu, &info);
        shares[cpu].takes_part = info.running;
    }
}

enum error stress_panic(uint64_t cpu, struct reply *reply)
{
    enum error e = need_pages(reply);

    if (e != OK)
        return e;
    if (cpu >= smp_count())
        return refuse_argument(reply, "cpu", E_CALL_CPU);
    take_part_all();
    if (smp_self() != 0 || !shares[cpu].takes_part)
        return refuse_argument(reply, "cpu", E_CALL_STATE);
    run.plan = (struct stress_plan){
        .mix = (1u << STRESS_KINDS) - 1, .order = DEFAULT_ORDER, .areas = ALL_AREAS,
        .max = pfn(PFN_LIMIT),
    };
    run.operations = UINT64_MAX;
    run.until = 0;
    run.check = false;
    run.panics = (unsigned)cpu;
    atomic_store_explicit(&run.stops, false, memory_order_relaxed);
    work_together(reply);
    e = mistake(reply);
    return e == OK ? E_STOP_INTERRUPTED : e;
}

enum error stress_cpus(const struct args_stress *args, struct reply *reply)
{
    enum error e = plan(args, reply);
    uint64_t free_before;

    if (e != OK)
        return e;
    free_before = free_pages();
    work_together(reply);
    e = mistake(reply);
    if (e == OK)
        e = stress_check(reply);
    if (e == OK && free_pages() != free_before) {
        reply_text(reply, "pages are missing, or too many");
        reply_key_number(reply, "free", free_pages());
        reply_key_number(reply, "before", free_before);
        e = E_BUG_CHECK;
    }
    if (e == OK && machine_interrupted())
        e = E_STOP_INTERRUPTED;
    totals(reply, e == OK);
    return e;
}
