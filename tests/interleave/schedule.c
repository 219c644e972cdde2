/* SPDX-License-Identifier: MIT */
#include "tests/interleave/schedule.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include "arch/arch.h"
#include "kernel/lock.h"

#define STACK_SIZE (512u << 10)
#define STEPS_MAX 4096u
#define PATIENCE 64u                  /* turns of CPUs that all wait: nobody will ever go on */
#define SECONDS_MAX 5u                /* of processor time, for one run: usual are microseconds */

static ucontext_t outside, inside[CPUS_MAX];
static char stacks[CPUS_MAX][STACK_SIZE];

/* The run that goes on, or the last one. */
static struct {
    const struct scenario *scenario;
    const struct schedule *schedule;
    bool active, ended[CPUS_MAX];
    unsigned self, next, waits, seconds;
    const char *failure;
    unsigned steps;
    struct { const char *name; unsigned cpu; } trace[STEPS_MAX];
} run;

/* ---- what the kernel asks of a machine ---- */

unsigned arch_cpu_self(void) { return run.self; }
bool arch_in_interrupt(void) { return false; }

static void go_to(unsigned cpu)
{
    unsigned from = run.self;

    run.self = cpu;
    swapcontext(&inside[from], &inside[cpu]);
}

static _Noreturn void give_up(const char *why)
{
    run.failure = why;
    setcontext(&outside);
    abort();
}

/* The next CPU that has something to do; the same one if there is no other. */
static unsigned other(unsigned cpu)
{
    unsigned next = cpu;

    do
        next = (next + 1) % CPUS_MAX;
    while (next != cpu && run.ended[next]);
    return next;
}

void arch_cpu_relax(void)
{
    if (++run.waits > PATIENCE || other(run.self) == run.self)
        give_up("a deadlock");
    go_to(other(run.self));
}

_Noreturn void assert_failed(const char *condition, const char *file, int line)
{
    static char text[256];

    snprintf(text, sizeof(text), "%s:%d: %s", file, line, condition);
    if (run.active)
        give_up(text);
    fprintf(stderr, "%s\n", text);
    abort();
}

void interleave_point(const char *name)
{
    unsigned step = run.steps, next = run.next;

    if (!run.active)
        return;
    if (step == STEPS_MAX)
        give_up("too many steps");
    run.waits = 0;
    run.trace[step].name = name;
    run.trace[step].cpu = run.self;
    run.steps++;
    if (next == run.schedule->n || run.schedule->at[next].step != step)
        return;
    run.next++;
    if (!run.ended[run.schedule->at[next].cpu] && run.schedule->at[next].cpu != run.self)
        go_to(run.schedule->at[next].cpu);
}

void schedule_be(unsigned cpu)
{
    run.self = cpu;
}

/* ---- no end ---- */

/* Of what the CPUs do, or of what is done before and after it: then nobody can go on. */
static void second_passed(int signal)
{
    (void)signal;
    if (++run.seconds < SECONDS_MAX)
        return;
    if (run.active)
        give_up("it does not end");
    printf("interleave %s FAILED: the check does not end, after", run.scenario->name);
    schedule_print(run.schedule);
    printf("\n");
    exit(1);
}

static void seconds_begin(void)
{
    const struct itimerval second = { { 1, 0 }, { 1, 0 } };

    run.seconds = 0;
    if (signal(SIGVTALRM, second_passed) == second_passed)
        return;
    if (setitimer(ITIMER_VIRTUAL, &second, NULL) != 0)
        abort();
}

/* ---- one run ---- */

static void cpu_main(void)
{
    unsigned cpu = run.self;

    run.scenario->cpu[cpu]();
    run.ended[cpu] = true;
    if (other(cpu) == cpu)
        setcontext(&outside);
    run.self = other(cpu);
    setcontext(&inside[run.self]);
}

static void locks_forget(void)
{
    for (run.self = CPUS_MAX; run.self-- > 0;)
        lock_release_to(0);
    run.self = 0;
}

static void contexts_make(void)
{
    for (unsigned i = 0; i < CPUS_MAX; i++) {
        run.ended[i] = run.scenario->cpu[i] == NULL;
        getcontext(&inside[i]);
        inside[i].uc_stack.ss_sp = stacks[i];
        inside[i].uc_stack.ss_size = STACK_SIZE;
        inside[i].uc_link = NULL;
        makecontext(&inside[i], cpu_main, 0);
    }
}

const char *schedule_run(const struct scenario *scenario, const struct schedule *schedule)
{
    locks_forget();
    seconds_begin();
    run.active = false;
    run.scenario = scenario;
    run.schedule = schedule;
    run.steps = run.next = run.waits = 0;
    run.failure = NULL;
    scenario->begin();
    contexts_make();
    run.active = true;
    swapcontext(&outside, &inside[0]);
    run.active = false;
    if (run.failure == NULL && lock_depth() != 0)
        run.failure = "a lock was not given back";
    run.self = 0;
    return run.failure != NULL ? run.failure : scenario->wrong();
}

/* ---- all runs ---- */

static const char *deepen(const struct scenario *scenario, struct schedule *schedule,
                          unsigned more, uint64_t *runs)
{
    unsigned from = schedule->n == 0 ? 0 : schedule->at[schedule->n - 1].step + 1;
    const char *failure = schedule_run(scenario, schedule);
    unsigned steps = run.steps;

    ++*runs;
    if (failure != NULL || more == 0)
        return failure;
    for (unsigned step = from; step < steps; step++) {
        for (unsigned cpu = 0; cpu < CPUS_MAX && scenario->cpu[cpu] != NULL; cpu++) {
            schedule->at[schedule->n].step = step;
            schedule->at[schedule->n++].cpu = cpu;
            failure = deepen(scenario, schedule, more - 1, runs);
            if (failure != NULL)
                return failure;
            schedule->n--;
        }
    }
    return NULL;
}

const char *schedule_search(const struct scenario *scenario, struct schedule *failing,
                            uint64_t *runs)
{
    *runs = 0;
    for (unsigned most = 0; most <= scenario->preemptions; most++) {
        const char *failure;

        failing->n = 0;
        failure = deepen(scenario, failing, most, runs);
        if (failure != NULL)
            return failure;
    }
    return NULL;
}

/* ---- as words ---- */

void schedule_print(const struct schedule *schedule)
{
    for (unsigned i = 0; i < schedule->n; i++)
        printf(" '%u>%u'", schedule->at[i].step, schedule->at[i].cpu);
}

bool schedule_parse(const struct scenario *scenario, char **words, int n,
                    struct schedule *schedule)
{
    schedule->n = 0;
    for (int i = 0; i < n; i++) {
        unsigned step, cpu;
        char end;

        if (schedule->n == PREEMPTIONS_MAX || sscanf(words[i], "%u>%u%c", &step, &cpu, &end) != 2
            || cpu >= CPUS_MAX || scenario->cpu[cpu] == NULL
            || (i > 0 && step <= schedule->at[i - 1].step))
            return false;
        schedule->at[schedule->n].step = step;
        schedule->at[schedule->n++].cpu = cpu;
    }
    return true;
}

bool schedule_was_followed(void)
{
    return run.next == run.schedule->n;
}

void schedule_print_trace(void)
{
    for (unsigned step = 0; step < run.steps; step++)
        printf("%5u  %*sCPU %u: %s\n", step, (int)(12 * run.trace[step].cpu), "",
               run.trace[step].cpu, run.trace[step].name);
}
