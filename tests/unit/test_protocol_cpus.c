/* SPDX-License-Identifier: MIT */
/* What commands about several CPUs say when it does not go well. */
#include "tests/unit/protocol_support.h"

#include "kernel/smp.h"
#include "protocol/origins.h"

/* ---- four CPUs, of which each may refuse to start, or keep memory when it stops ---- */

#define CPUS 4u

static struct smp_info cpus[CPUS];
static enum error starts[CPUS], stops[CPUS];
static unsigned self;                 /* the CPU that does a job */

unsigned smp_count(void) { return CPUS; }
unsigned smp_self(void) { return self; }
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
    self = cpu;
    function(argument);
    self = 0;
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
    cpus[cpu].drained = 3;
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
    origins_forget();
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

#define NOTHING_LEFT "blocks=0 pages=0 ranges=0 objects=0 early=0 drained="

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
    ask("> cpu stop all", "= 1 " NOTHING_LEFT "3");
    ask("> cpu stop all", "= 0 " NOTHING_LEFT "0");
}

/* What a request got on a CPU counts until it is freed, from wherever, however it has changed. */
static void what_a_cpu_obtained_is_told_when_it_stops(void **unused)
{
    (void)unused;
    ask("> cpu start all", "= 3");
    ask(">4 on 2 alloc_pages_exact 6 at=0x8000", "=4 0x0000000000008000");
    ask("> on 2 alloc_pages 1 at=0x12000", "= 0x0000000000012000");
    ask("> alloc_pages_exact 3 at=0xe000", "= 0x000000000000e000");
    ask("> on 1 free 0xa000 2", "= 2");
    ask("> free 0x8000 1", "= 1");
    ask("> on 3 alloc_vpages 2", "= 0x0000010000000000");
    assert_non_null(ask_for("> cpus", ": 2 running blocks=3 pages=5"));
    forget();
    ask("> cpu stop 2", "= 1 cpu=2 blocks=3 pages=5 ranges=0 objects=0 early=0 drained=3");
    ask("> free 0x9000", "= 1");
    ask("> free 0xe000 3", "= 3");
    ask("> cpu start 2", "= 1");
    ask("> cpu stop all", "= 3 blocks=2 pages=4 ranges=1 objects=0 early=0 drained=9");
    ask("> free 0xc000", "= 2");
    ask("> free 0x12000", "= 2");
    ask("> free_vpages 0x10000000000", "= 2");
}

static void what_no_record_could_be_had_for_is_lost(void **unused)
{
    (void)unused;
    ask("> cpu start all", "= 3");
    ask("> alloc_page at=0x9000", "= 0x0000000000009000");
    ask("> fail every=1 what=pool", "=");
    ask("> on 3 alloc_page at=0xa000", "= 0x000000000000a000");
    ask("> fail", "=");
    ask("> on 3 alloc_page at=0xb000", "= 0x000000000000b000");
    ask("> cpu stop 3", "= 1 cpu=3 blocks=1 pages=1 ranges=0 objects=0 early=0 lost=1 drained=3");
    ask("> reset stage=early", "=");
    ask("> cpu start all", "= 3");
    assert_non_null(ask_for("> on 1 phys_alloc 100", "= 0x"));
    forget();
    assert_non_null(ask_for("> on 1 phys_alloc 100", "= 0x"));
    forget();
    assert_non_null(ask_for("> phys_free $", "= "));
    forget();
    ask("> cpu stop all", "= 3 blocks=0 pages=0 ranges=0 objects=0 early=1 drained=9");
}

static void a_start_that_cannot_be_undone_whole_is_refused_all_the_same(void **unused)
{
    (void)unused;
    starts[3] = E_MEM_NONE;
    stops[1] = E_MEM_METADATA;
    ask("> cpu start all", "? mem.none cpu=3 for=stack ; no free memory fits the request");
    assert_false(cpus[1].running || cpus[2].running);
}

static void trouble_with_the_tables_is_told(void **unused)
{
    (void)unused;
    ask("> cpu start 1", "= 1");
    trouble = E_MEM_METADATA;
    ask("> shootdown 1", "? mem.metadata ; the kernel's own pool cannot hold the records");
    assert_non_null(ask_for("> truth", "? mem.metadata ; the kernel's own pool cannot hold"));
    trouble = E_BUG_DEAD;
    assert_non_null(ask_for("> truth", "? bug.dead ; a panic came in the middle of a change"));
    forget();
    trouble = OK;
    forget();
}

/* ---- stress, on memory that is a table of words ---- */

#define WORDS 4096u

static struct { uint64_t address, value; } words[WORDS];
static uint64_t wrong;                /* is added to what is read */
static bool asserts_on_write, takes_on_write;

static uint64_t *word_at(uint64_t address)
{
    size_t i = (size_t)(address * UINT64_C(0x9e3779b97f4a7c15) >> 52);

    while (words[i].address != 0 && words[i].address != address)
        i = (i + 1) % WORDS;
    words[i].address = address;
    return &words[i].value;
}

static uint64_t read_word(uint64_t address)
{
    return *word_at(address) + wrong;
}

static void write_word(uint64_t address, uint64_t value)
{
    const struct page_request one = {
        .areas = ALL_AREAS, .pages = 1, .max = pfn(PFN_LIMIT),
    };
    pfn_t first, blame;
    bool zeroed;

    *word_at(address) = value;
    if (asserts_on_write)
        mock_assert(false, "a store", "some file.c", 7);
    if (takes_on_write)
        assert_int_equal(pages_alloc(&lab.pages, &one, 0, true, &first, &zeroed, &blame), OK);
    takes_on_write = false;
}

static int begin_stress(void **unused)
{
    memset(words, 0, sizeof(words));
    memory_of_test.read = read_word;
    memory_of_test.write = write_word;
    wrong = 0;
    asserts_on_write = takes_on_write = false;
    return begin_cpus(unused);
}

static int end_stress(void **unused)
{
    (void)unused;
    memory_of_test.read = NULL;
    memory_of_test.write = NULL;
    ticks_per_second = 0;
    return 0;
}

static void expect_begin(const char *line, const char *start)
{
    assert_non_null(ask_for(line, start));
    forget();
}

static void a_stress_that_finds_nothing_tells_its_figures(void **unused)
{
    (void)unused;
    expect_begin("> stress 60 cpus=1 mix=pages|exact", "= 60 fails=0 cpus=1 least=60 most=60");
    ask("> stress 1 seconds=1", "? call.unsupported arg=seconds ; "
        "this machine or this map cannot do it");
    ticks_per_second = 20;
    expect_begin("> stress 1000 seconds=1 mix=pages", "= 19 ");
}

static void what_somebody_else_wrote_is_told_with_its_place(void **unused)
{
    (void)unused;
    wrong = 1;
    expect_begin("> stress 1000 cpus=1 mix=pages", "? fault.pattern at=0x");
    assert_non_null(strstr(ask_for("> stress 1000 cpus=1 mix=pages", "? fault.pattern"),
                           " cpu=0 done="));
    forget();
    ask("> check", "=");
}

static void an_assertion_on_a_cpu_is_told_with_its_number(void **unused)
{
    (void)unused;
    asserts_on_write = true;
    expect_begin("> stress 10 cpus=1 mix=pages", "? bug.assert at=some_file.c:7 cpu=0 done=0 ");
    expect_begin("> alloc_page", "? bug.dead");
}

static void pages_that_are_missing_at_the_end_are_told(void **unused)
{
    (void)unused;
    takes_on_write = true;
    expect_begin("> stress 10 cpus=1 mix=pages", "? bug.check free=");
}

static void a_stop_of_a_stress_leaves_nothing_behind(void **unused)
{
    (void)unused;
    polls_until_interrupt = 5;
    expect_begin("> stress 1000 cpus=1 mix=pages", "? stop.interrupted done=");
    ask("> leaks", "= pages=0 n=0");
}

#define STRESS_TEST(f) cmocka_unit_test_setup_teardown(f, begin_stress, end_stress)

/* In a lab that is dead queries go on, on whichever CPU. */
static void what_runs_on_a_cpu_is_a_query_if_its_line_is_one(void **unused)
{
    static const char *const dead = "? bug.dead ; refused after a failed assertion: reset first";

    (void)unused;
    ask("> cpu start all", "= 3");
    lab.dead = true;
    ask("> on 2 echo 7", "= 7");
    ask("> on 0 on 2 echo 7", "= 7");
    ask("> on 2 alloc_page", dead);
    ask("> on 0 on 2 alloc_page", dead);
    ask("> on 0 on 0 on 2 free 0x1000", dead);
    ask("> on 0 on 2 banana", dead);
    lab.dead = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_start_of_all_is_all_or_nothing, begin_cpus),
        cmocka_unit_test_setup(a_stop_of_all_stops_all_that_it_can, begin_cpus),
        cmocka_unit_test_setup(what_a_cpu_obtained_is_told_when_it_stops, begin_cpus),
        cmocka_unit_test_setup(what_no_record_could_be_had_for_is_lost, begin_cpus),
        cmocka_unit_test_setup(a_start_that_cannot_be_undone_whole_is_refused_all_the_same,
                               begin_cpus),
        cmocka_unit_test_setup(trouble_with_the_tables_is_told, begin_cpus),
        STRESS_TEST(a_stress_that_finds_nothing_tells_its_figures),
        STRESS_TEST(what_somebody_else_wrote_is_told_with_its_place),
        STRESS_TEST(an_assertion_on_a_cpu_is_told_with_its_number),
        STRESS_TEST(pages_that_are_missing_at_the_end_are_told),
        STRESS_TEST(a_stop_of_a_stress_leaves_nothing_behind),
        cmocka_unit_test_setup(what_runs_on_a_cpu_is_a_query_if_its_line_is_one, begin_cpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
