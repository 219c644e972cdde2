/* SPDX-License-Identifier: MIT */
/* Commands about CPUs. */
#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "kernel/smp.h"
#include "protocol/dispatch.h"
#include "protocol/handlers.h"
#include "protocol/origins.h"
#include "protocol/stress_cpus.h"

/* A panic has halted all CPUs but the first, for good. */
static bool is_running(unsigned cpu)
{
    struct smp_info info;

    smp_info(cpu, &info);
    return info.running && (cpu == 0 || !panic_survived());
}

/* ---- cpus ---- */

static void memory_fields(struct reply *reply, const struct smp_info *info)
{
    if (info->need_size > 0)
        row_key_address(reply, smp_need_name(), info->need.a);
    if (info->stack_size > 0) {
        row_key_address(reply, "stack", info->stack.a);
        row_key_number(reply, "size", info->stack_size);
        row_key_number(reply, "guard", info->guarded);
        row_owner(reply, info->tag);
    }
}

enum error cmd_cpus(const struct args_cpus *args, struct reply *reply)
{
    const struct origins *origins = origins_count();
    struct listing listing = { .n = 0 };
    bool more = true;

    (void)args;
    for (unsigned cpu = 0; more && cpu < smp_count(); cpu++) {
        struct smp_info info;

        smp_info(cpu, &info);
        row_begin(reply);
        row_number(reply, cpu);
        row_word(reply, is_running(cpu) ? "running" : info.running ? "halted" : "stopped");
        memory_fields(reply, &info);
        if (stress_operations(cpu) > 0)
            row_key_number(reply, "operations", stress_operations(cpu));
        row_origins(reply, &origins[cpu]);
        more = listing_row(&listing, reply);
    }
    return listing_end(&listing, reply, true, 0);
}

/* ---- start and stop ---- */

enum { CPU_START, CPU_STOP };     /* in the order of the type's words */

static enum error start_one(unsigned cpu, struct reply *reply)
{
    const char *lacking;
    enum error e = smp_start(cpu, reply_tag(reply), &lacking);

    if (e != OK)
        reply_key_number(reply, "cpu", cpu);
    if (lacking != NULL)
        reply_key_word(reply, "for", lacking);
    return e;
}

/* Take back the start of those that this command has started. */
static void stop_those(const bool *started)
{
    for (unsigned cpu = 1; cpu < smp_count(); cpu++)
        if (started[cpu] && smp_stop(cpu) != OK)
            continue;
}

static enum error start_all(uint64_t *n, struct reply *reply)
{
    static bool started[SMP_MAX];
    enum error e = OK;

    memset(started, 0, sizeof(started));
    for (unsigned cpu = 1; e == OK && cpu < smp_count(); cpu++) {
        if (is_running(cpu))
            continue;
        e = machine_interrupted() ? E_STOP_INTERRUPTED : start_one(cpu, reply);
        started[cpu] = e == OK;
        *n += e == OK;
    }
    if (e != OK)
        stop_those(started);
    return e;
}

/* Those that a command has stopped, and what their caches gave back. */
struct farewell {
    bool stopped[SMP_MAX];
    uint64_t drained;
};

static enum error stop_one(unsigned cpu, struct farewell *farewell)
{
    enum error e = smp_stop(cpu);
    struct smp_info info;

    if (e != OK)
        return e;
    smp_info(cpu, &info);
    farewell->stopped[cpu] = true;
    farewell->drained += info.drained;
    return OK;
}

/* Asked when all have stopped: a question about pages empties every cache. */
static void tell_farewell(const struct farewell *farewell, struct reply *reply)
{
    const struct origins *all = origins_count();
    struct origins left = { .pages = 0 };

    for (unsigned cpu = 0; cpu < smp_count(); cpu++)
        if (farewell->stopped[cpu])
            origins_add(&left, &all[cpu]);
    reply_origins(reply, &left);
    reply_key_number(reply, "drained", farewell->drained);
}

static enum error blame_cpu(struct reply *reply, enum error e, unsigned cpu)
{
    if (e != OK)
        reply_key_number(reply, "cpu", cpu);
    return e;
}

/* One that cannot give all of its memory back has stopped, and is no reason to let others run. */
static enum error stop_all(uint64_t *n, struct farewell *farewell, struct reply *reply)
{
    enum error first = OK;

    for (unsigned cpu = 1; cpu < smp_count() && !machine_interrupted(); cpu++) {
        enum error e = is_running(cpu) ? stop_one(cpu, farewell) : E_CALL_STATE;

        *n += e == OK;
        if (e == OK || e == E_CALL_STATE || first != OK)
            continue;
        first = blame_cpu(reply, e, cpu);
    }
    if (first == OK && machine_interrupted())
        first = E_STOP_INTERRUPTED;
    if (first != OK)
        reply_key_number(reply, "done", *n);
    return first;
}

static enum error start(bool all, unsigned one, struct reply *reply)
{
    uint64_t n = 0;
    enum error e = all ? start_all(&n, reply) : start_one(one, reply);

    if (e == OK)
        reply_number(reply, all ? n : 1);
    return e;
}

static enum error stop(bool all, unsigned one, struct reply *reply)
{
    struct farewell farewell = { .drained = 0 };
    uint64_t n = 0;
    enum error e = all ? stop_all(&n, &farewell, reply)
                       : blame_cpu(reply, stop_one(one, &farewell), one);

    if (e != OK)
        return e;
    reply_number(reply, all ? n : 1);
    if (!all)
        reply_key_number(reply, "cpu", one);
    tell_farewell(&farewell, reply);
    return OK;
}

enum error cmd_cpu(const struct args_cpu *args, struct reply *reply)
{
    const struct value *cpu = &args->cpu;

    if (cpu->is_number && cpu->number >= smp_count())
        return refuse_argument(reply, "cpu", E_CALL_CPU);
    if (!cpu->is_number && !word_is(cpu->text, cpu->length, "all"))
        return refuse_argument(reply, "cpu", E_CALL_WORD);
    return args->action.number == CPU_START
        ? start(!cpu->is_number, (unsigned)cpu->number, reply)
        : stop(!cpu->is_number, (unsigned)cpu->number, reply);
}

/* ---- on ---- */

struct line_job {
    const struct args_on *args;
    struct reply *reply;
    enum error error;
};

static void line_run(void *argument)
{
    struct line_job *job = argument;

    job->error = dispatch_guarded(job->args->line.text, job->args->line.length, job->reply);
}

static bool is_told_with_cpu(enum error e)
{
    const char *category = error_category(e);

    return word_is(category, strlen(category), "fault")
        || word_is(category, strlen(category), "bug");
}

enum error cmd_on(const struct args_on *args, struct reply *reply)
{
    struct line_job job = { .args = args, .reply = reply };
    unsigned cpu = (unsigned)args->cpu.number;

    if (args->cpu.number >= smp_count())
        return refuse_argument(reply, "cpu", E_CALL_CPU);
    if (dispatch_find(args->line.text, args->line.length) == NULL)
        return refuse_argument(reply, "line", E_CALL_COMMAND);
    if (cpu == 0) {
        line_run(&job);
    } else if (!is_running(cpu)) {
        return refuse_argument(reply, "cpu", E_CALL_STATE);
    } else {
        smp_post(cpu, line_run, &job);
        smp_wait(cpu);
    }
    if (job.error != OK && is_told_with_cpu(job.error))
        reply_key_number(reply, "cpu", cpu);
    return job.error;
}

/* ---- shootdown ---- */

static bool late_row(struct listing *listing, struct reply *reply, const char *what,
                     uint64_t late)
{
    row_begin(reply);
    row_word(reply, what);
    row_key_number(reply, "late", late);
    return listing_row(listing, reply);
}

enum error cmd_shootdown(const struct args_shootdown *args, struct reply *reply)
{
    struct listing listing = { .n = 0 };
    struct machine_shootdown result;
    enum error e;

    if (args->cpu.number >= smp_count())
        return refuse_argument(reply, "cpu", E_CALL_CPU);
    if (args->cpu.number == 0 || smp_self() != 0 || !is_running((unsigned)args->cpu.number))
        return refuse_argument(reply, "cpu", E_CALL_STATE);
    e = machine_shootdown((unsigned)args->cpu.number,
                          args->times.given ? args->times.number : 1, &result);
    if (e != OK)
        return e;
    if (late_row(&listing, reply, "unmap", result.after_unmap))
        (void)late_row(&listing, reply, "protect", result.after_protect);
    reply_key_number(reply, "rounds", result.rounds);
    reply_key_number(reply, "late", result.after_unmap + result.after_protect);
    return listing_end(&listing, reply, true, 0);
}
