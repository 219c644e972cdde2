/* SPDX-License-Identifier: MIT */
/* CPUs that start and stop, and what becomes of their memory if it cannot be given back. */
#include "tests/unit/support.h"

#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/machine.h"
#include "kernel/smp_memory.h"

struct lab lab;                       /* at STAGE_EARLY: without caches */

/* ---- a machine of three CPUs, which start or do not ---- */

static bool comes;

unsigned arch_cpu_count(void) { return 3; }
unsigned arch_cpu_self(void) { return 0; }
bool arch_in_interrupt(void) { return false; }
void arch_cpu_relax(void) { }
void arch_cpu_kick(unsigned cpu) { (void)cpu; }
bool arch_cpu_stopped(unsigned cpu) { return cpu != 0; }
void arch_cpu_idle(bool (*ready)(void *argument), void *argument) { assert_true(ready(argument)); }
void arch_cpu_end(void) { assert_failed("the only CPU ends", __FILE__, __LINE__); }
bool machine_wait_interrupted(void) { return false; }
const struct mmu *machine_mmu(void) { return NULL; }

const struct arch_cpu_need arch_cpu_need = { .name = "token", .size = PAGE_SIZE };

enum error arch_cpu_start(unsigned cpu, phys_t need, virt_t stack_top, void (*entry)(void))
{
    (void)cpu, (void)need, (void)stack_top, (void)entry;
    return comes ? OK : E_FAULT_START;
}

/* ---- memory, of which a part may have to stay ---- */

static enum error taking, giving;

enum error smp_memory_take(struct smp_info *info, uint32_t tag, const char **lacking)
{
    (void)tag;
    *lacking = taking == OK ? NULL : "token";
    if (taking == OK)
        info->need_size = info->stack_size = PAGE_SIZE;
    return taking;
}

void smp_memory_started(struct smp_info *info)
{
    if (giving == OK)
        info->need_size = 0;
}

enum error smp_memory_give(struct smp_info *info)
{
    info->stack_size = 0;
    if (giving == OK)
        info->need_size = 0;
    return giving;
}

static int begin(void **unused)
{
    (void)unused;
    smp_abandon();
    comes = true;
    taking = giving = OK;
    return 0;
}

static void assert_cpu(unsigned cpu, bool running, uint64_t need_size, uint64_t stack_size)
{
    struct smp_info info;

    smp_info(cpu, &info);
    assert_int_equal(info.running, running);
    assert_int_equal(info.need_size, need_size);
    assert_int_equal(info.stack_size, stack_size);
}

static void what_is_refused_changes_nothing(void **unused)
{
    const char *lacking;

    (void)unused;
    assert_int_equal(smp_start(3, 5, &lacking), E_CALL_CPU);
    assert_int_equal(smp_start(0, 5, &lacking), E_CALL_STATE);
    assert_int_equal(smp_stop(0), E_CALL_STATE);
    assert_int_equal(smp_stop(2), E_CALL_STATE);
    taking = E_MEM_NONE;
    assert_int_equal(smp_start(1, 5, &lacking), E_MEM_NONE);
    assert_string_equal(lacking, "token");
    taking = OK;
    comes = false;
    assert_int_equal(smp_start(1, 5, &lacking), E_FAULT_START);
    assert_null(lacking);
    assert_cpu(1, false, 0, 0);
}

static void a_cpu_that_runs_has_started(void **unused)
{
    const char *lacking;

    (void)unused;
    giving = E_MEM_METADATA;
    assert_int_equal(smp_start(1, 5, &lacking), OK);
    assert_cpu(1, true, PAGE_SIZE, PAGE_SIZE);
    assert_int_equal(smp_start(1, 6, &lacking), E_CALL_STATE);
    giving = OK;
    assert_int_equal(smp_stop(1), OK);
    assert_cpu(1, false, 0, 0);
}

static void what_cannot_be_given_back_is_kept(void **unused)
{
    const char *lacking;
    struct smp_info info;

    (void)unused;
    assert_int_equal(smp_start(2, 5, &lacking), OK);
    assert_cpu(2, true, 0, PAGE_SIZE);
    assert_int_equal(smp_stop(2), OK);
    giving = E_MEM_METADATA;
    assert_int_equal(smp_start(2, 6, &lacking), OK);
    assert_int_equal(smp_stop(2), E_MEM_METADATA);
    assert_cpu(2, false, PAGE_SIZE, 0);
    comes = false;
    assert_int_equal(smp_start(2, 7, &lacking), E_FAULT_START);
    assert_cpu(2, false, PAGE_SIZE, 0);
    smp_info(2, &info);
    assert_int_equal(info.tag, 7);
    giving = OK;
    assert_int_equal(smp_start(2, 8, &lacking), E_FAULT_START);
    assert_cpu(2, false, 0, 0);
}

static unsigned calls;

static void count_call(void)
{
    calls++;
}

static void nothing(void *unused)
{
    (void)unused;
}

static void who_asked_is_served_once_and_waits_for_nothing(void **unused)
{
    const char *lacking;

    (void)unused;
    assert_int_equal(smp_start(1, 5, &lacking), OK);
    calls = 0;
    smp_serve();
    assert_int_equal(calls, 0);
    smp_ask(count_call);
    smp_ask(count_call);
    assert_int_equal(calls, 0);
    smp_serve();
    smp_serve();
    assert_int_equal(calls, 1);
}

static void one_that_has_a_job_is_company(void **unused)
{
    const char *lacking;

    (void)unused;
    assert_int_equal(smp_start(2, 5, &lacking), OK);
    assert_true(smp_is_alone());
    smp_post(2, nothing, NULL);
    assert_false(smp_is_alone());
    assert_int_equal(smp_stop(2), OK);
    assert_true(smp_is_alone());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_refused_changes_nothing, begin),
        cmocka_unit_test_setup(a_cpu_that_runs_has_started, begin),
        cmocka_unit_test_setup(what_cannot_be_given_back_is_kept, begin),
        cmocka_unit_test_setup(who_asked_is_served_once_and_waits_for_nothing, begin),
        cmocka_unit_test_setup(one_that_has_a_job_is_company, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
