/* SPDX-License-Identifier: MIT */
/*
 * The allocators under all schedules of two or three CPUs with few preemptions. Without words all
 * scenarios; `interleave NAME STEP>CPU...` runs one schedule of one and tells where it went. Exits
 * with 1 if something was wrong, with 2 for words that are no schedule of the scenario.
 */
#include <stdio.h>
#include <string.h>

#include "tests/interleave/scenarios.h"

static const struct scenario *find(const struct scenario *some, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(some[i].name, name) == 0)
            return &some[i];
    return NULL;
}

static int replay(const char *program, char **words, int n)
{
    const struct scenario *scenario = find(scenarios, scenarios_count, words[0]);
    struct schedule schedule;
    const char *failure;

    if (scenario == NULL)
        scenario = find(planted_races, planted_races_count, words[0]);
    if (scenario == NULL || !schedule_parse(scenario, words + 1, n - 1, &schedule)) {
        fprintf(stderr, "usage: %s [SCENARIO [STEP>CPU...]]\n", program);
        return 2;
    }
    failure = schedule_run(scenario, &schedule);
    schedule_print_trace();
    if (failure == NULL && !schedule_was_followed()) {
        fprintf(stderr, "%s: it ended before the last step of this schedule\n", scenario->name);
        return 2;
    }
    printf("%s: %s\n", scenario->name, failure == NULL ? "passed" : failure);
    return failure != NULL;
}

static bool passes(const char *program, const struct scenario *scenario)
{
    struct schedule schedule;
    uint64_t runs;
    const char *failure = schedule_search(scenario, &schedule, &runs);

    if (failure == NULL) {
        printf("interleave %s: passed, %llu schedules\n", scenario->name,
               (unsigned long long)runs);
        return true;
    }
    schedule_print_trace();
    printf("interleave %s FAILED: %s\nagain: %s %s", scenario->name, failure, program,
           scenario->name);
    schedule_print(&schedule);
    printf("\n");
    return false;
}

/* The search finds what was planted, and what it found fails again. */
static bool finds(const char *program, const struct scenario *race)
{
    struct schedule schedule;
    uint64_t runs;

    if (schedule_search(race, &schedule, &runs) == NULL
        || schedule_run(race, &schedule) == NULL) {
        printf("interleave FAILED: it does not find %s\n", race->name);
        return false;
    }
    printf("interleave %s: found by %llu schedules, again: %s %s", race->name,
           (unsigned long long)runs, program, race->name);
    schedule_print(&schedule);
    printf("\n");
    return true;
}

int main(int argc, char **argv)
{
    bool green = true;

    if (argc > 1)
        return replay(argv[0], argv + 1, argc - 1);
    for (size_t i = 0; i < planted_races_count; i++)
        green = finds(argv[0], &planted_races[i]) && green;
    for (size_t i = 0; i < scenarios_count; i++)
        green = passes(argv[0], &scenarios[i]) && green;
    return !green;
}
