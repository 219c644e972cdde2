/* SPDX-License-Identifier: MIT */
/*
 * Chosen interleavings: CPUs are coroutines that change places where the code says YIELD_POINT, and
 * nowhere else. A schedule says at which of these points which CPU goes on; a CPU that waits for a
 * lock lets the next one on by itself. All schedules with few preemptions are tried, fewest first,
 * so that the first one that fails is a smallest one; it is told as words that run it again.
 * A run that takes seconds of processor time will never end: that is a failure like another.
 */
#ifndef PFNLAB_SCHEDULE_H
#define PFNLAB_SCHEDULE_H

#include "kernel/base.h"

#define CPUS_MAX 3u
#define PREEMPTIONS_MAX 3u

/* What two or three CPUs do at once. */
struct scenario {
    const char *name;
    unsigned preemptions;             /* are tried, at most */
    void (*begin)(void);              /* everything afresh; alone */
    void (*cpu[CPUS_MAX])(void);      /* NULL: there is no more */
    const char *(*wrong)(void);       /* what is wrong afterwards, NULL: nothing; alone */
};

struct schedule {
    unsigned n;
    struct { unsigned step, cpu; } at[PREEMPTIONS_MAX];   /* points are counted from 0 */
};

/* NULL, or what went wrong: a failed assertion, a deadlock, no end, what the scenario found. */
const char *schedule_run(const struct scenario *scenario, const struct schedule *schedule);

/* Try them all; as above, *failing is the schedule. *runs is how many were tried. */
const char *schedule_search(const struct scenario *scenario, struct schedule *failing,
                            uint64_t *runs);

/* Before and after a run: from now on this CPU acts. */
void schedule_be(unsigned cpu);

/* The words of a schedule, "STEP>CPU" each. */
void schedule_print(const struct schedule *schedule);

/* And from them; false: not such words, steps that do not go up, a CPU that the scenario lacks. */
bool schedule_parse(const struct scenario *scenario, char **words, int n,
                    struct schedule *schedule);

/* Did the last run come to all steps of its schedule? If not, it has shown nothing of the rest. */
bool schedule_was_followed(void);

/* The points of the last run, in their order, with the CPU that came to each. */
void schedule_print_trace(void);

#endif
