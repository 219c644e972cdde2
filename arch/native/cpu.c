/* SPDX-License-Identifier: MIT */
/*
 * CPUs are threads. Each has its stack from the host, with a guard page; the memory that the lab
 * gives it for one is held as on any machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "arch/native/native.h"

#define STACK_SIZE ((size_t)4 << 20)
#define TRAP_STACK_SIZE ((size_t)256 << 10)

/* CPU 0 looks for input so often while it idles. */
#define INPUT_INTERVAL 2000000        /* nanoseconds */

#define HALT_SIGNAL SIGUSR1

/* `thread` is read by others while `runs`, which is written after it. */
struct cpu {
    pthread_t thread;
    atomic_bool runs;
    void (*entry)(void);
    pthread_mutex_t mutex;            /* guards `kicked` */
    pthread_cond_t condition;
    bool kicked;
};

static unsigned count = 1;
static struct cpu cpus[ARCH_CPUS_MAX];
static _Thread_local unsigned self;
static atomic_uint halted;
static void (*_Atomic released)(void);    /* what CPU 0 does when it is let go */

const struct arch_cpu_need arch_cpu_need = { .name = "none" };

static void cpu_open(struct cpu *cpu)
{
    pthread_mutex_init(&cpu->mutex, NULL);
    pthread_cond_init(&cpu->condition, NULL);
}

/* CPU 0 may be let go. */
static void signal_halt(int number)
{
    (void)number;
    atomic_fetch_add(&halted, 1);
    while (self != 0)
        pause();
    while (atomic_load(&released) == NULL)
        arch_cpu_relax();
    atomic_load(&released)();
}

void cpus_open(unsigned n)
{
    count = n;
    for (unsigned i = 0; i < n; i++)
        cpu_open(&cpus[i]);
    signal(HALT_SIGNAL, signal_halt);
    cpus[0].thread = pthread_self();
    atomic_store(&cpus[0].runs, true);
}

unsigned arch_cpu_count(void)
{
    return count;
}

unsigned arch_cpu_self(void)
{
    return self;
}

/* Signals are faults only. */
bool arch_in_interrupt(void)
{
    return false;
}

static void *thread_run(void *argument)
{
    struct cpu *cpu = argument;
    char stack[TRAP_STACK_SIZE];

    self = (unsigned)(cpu - cpus);
    trap_open_thread(stack, sizeof(stack));
    atomic_store(&cpu->runs, true);
    cpu->entry();
    return NULL;
}

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    pthread_attr_t attributes;
    int failed;

    (void)need, (void)stack_top;
    cpus[cpu].entry = entry;
    cpus[cpu].kicked = false;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    failed = pthread_create(&cpus[cpu].thread, &attributes, thread_run, &cpus[cpu]);
    pthread_attr_destroy(&attributes);
    if (failed != 0)
        return E_FAULT_START;
    while (!atomic_load(&cpus[cpu].runs))
        arch_cpu_relax();
    return OK;
}

void arch_cpu_end(void)
{
    pthread_exit(NULL);
}

bool arch_cpu_stopped(unsigned cpu)
{
    if (atomic_load(&cpus[cpu].runs) && pthread_tryjoin_np(cpus[cpu].thread, NULL) == 0)
        atomic_store(&cpus[cpu].runs, false);
    return !atomic_load(&cpus[cpu].runs);
}

/* What others were in the middle of then is over: what they held is nobody's. */
void arch_cpus_halt(void)
{
    unsigned told = 0;

    for (unsigned i = 0; i < count; i++)
        if (i != self && atomic_load(&cpus[i].runs)
            && pthread_kill(cpus[i].thread, HALT_SIGNAL) == 0)
            told++;
    while (atomic_load(&halted) < told)
        arch_cpu_relax();
    for (unsigned i = 0; i < count; i++)
        cpu_open(&cpus[i]);
    processors_open();
}

void arch_cpus_leave(void (*function)(void))
{
    atomic_store(&released, function);
    for (;;)
        pause();
}

static void wait_kicked(struct cpu *cpu)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += INPUT_INTERVAL;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&cpu->mutex);
    while (!cpu->kicked) {
        if (self != 0)
            pthread_cond_wait(&cpu->condition, &cpu->mutex);
        else if (pthread_cond_timedwait(&cpu->condition, &cpu->mutex, &until) == ETIMEDOUT)
            break;
    }
    cpu->kicked = false;
    pthread_mutex_unlock(&cpu->mutex);
}

void arch_cpu_idle(bool (*ready)(void *argument), void *argument)
{
    while (!ready(argument))
        wait_kicked(&cpus[self]);
}

void arch_cpu_kick(unsigned cpu)
{
    pthread_mutex_lock(&cpus[cpu].mutex);
    cpus[cpu].kicked = true;
    pthread_cond_signal(&cpus[cpu].condition);
    pthread_mutex_unlock(&cpus[cpu].mutex);
}

void arch_cpu_relax(void)
{
    sched_yield();
}
