/* SPDX-License-Identifier: MIT */
/* What commands about several CPUs say when it does not go well. */
#include "tests/unit/protocol_support.h"

#include "kernel/smp.h"

/* ---- four CPUs, of which each may refuse to start, or keep memory when it stops ---- */

#define CPUS 4u

static struct smp_info cpus[CPUS];
static enum error starts[CPUS], stops[CPUS];

unsigned smp_count(void) { return CPUS; }
unsigned smp_self(void) { return 0; }
void smp_info(unsigned cpu, struct smp_info *info) { *info = cpus[cpu]; }
const char *smp_need_name(void) { return "prefix"; }
bool smp_has(pfn_t frame) { (void)frame; return false; }
void smp_call(void (*function)(void *argument), void *argument) { function(argument); }
void smp_serve(void) { }
void smp_relax(void) { }
void smp_wait(unsigned cpu) { (void)cpu; }
bool smp_done(unsigned cpu) { (void)cpu; return true; }

void smp_post(unsigned cpu, void (*function)(void *argument), void *argument)
{
    (void)cpu;
    function(argument);
}

enum error smp_start(unsigned cpu, uint32_t tag, const char **lacking)
{
    (void)tag;
    *lacking = starts[cpu] == E_MEM_NONE ? "stack" : NULL;
    cpus[cpu].running = starts[cpu] == OK;
    return starts[cpu];
}

enum error smp_stop(unsigned cpu)
{
    cpus[cpu].running = false;
    cpus[cpu].need_size = stops[cpu] == OK ? 0 : PAGE_SIZE;
    return stops[cpu];
}

void smp_abandon(void)
{
    memset(cpus, 0, sizeof(cpus));
    cpus[0].running = true;
}

static int begin_cpus(void **unused)
{
    memset(starts, 0, sizeof(starts));
    memset(stops, 0, sizeof(stops));
    return begin(unused);
}

static void a_start_of_all_is_all_or_nothing(void **unused)
{
    (void)unused;
    starts[3] = E_MEM_NONE;
    ask("> cpu start all", "? mem.none cpu=3 for=stack ; no free memory fits the request");
    assert_false(cpus[1].running || cpus[2].running);
    polls_until_interrupt = 3;
    ask("> cpu start all", "? stop.interrupted ; stopped by ^C");
    assert_false(cpus[1].running || cpus[2].running);
    starts[3] = OK;
    ask("> cpu start all", "= 3");
}

static void a_stop_of_all_stops_all_that_it_can(void **unused)
{
    (void)unused;
    ask("> cpu start all", "= 3");
    stops[1] = stops[3] = E_MEM_METADATA;
    ask("> cpu stop all", "? mem.metadata cpu=1 done=1 ; "
        "the kernel's own pool cannot hold the records");
    assert_false(cpus[1].running || cpus[2].running || cpus[3].running);
    assert_non_null(ask_for("> cpus", ": 1 stopped prefix=0x0000000000000000"));
    forget();
    ask("> cpu start 1", "= 1");
    ask("> cpu stop 1", "? mem.metadata cpu=1 ; the kernel's own pool cannot hold the records");
    stops[1] = stops[3] = OK;
    ask("> cpu start all", "= 3");
    polls_until_interrupt = 3;
    ask("> cpu stop all", "? stop.interrupted done=2 ; stopped by ^C");
    assert_true(cpus[3].running);
    ask("> cpu stop all", "= 1");
    ask("> cpu stop all", "= 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_start_of_all_is_all_or_nothing, begin_cpus),
        cmocka_unit_test_setup(a_stop_of_all_stops_all_that_it_can, begin_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
