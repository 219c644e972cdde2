/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the protocol share: the real lab with the real engine on a machine of 64 MiB
 * that is only data, and a channel that remembers what was said. Included once by each test.
 */
#ifndef PFNLAB_UNIT_PROTOCOL_SUPPORT_H
#define PFNLAB_UNIT_PROTOCOL_SUPPORT_H

#include <stdio.h>
#include <string.h>

#include "tests/unit/fake_mmu.h"
#include "tests/unit/no_memory.h"
#include "tests/unit/support.h"

#include "kernel/lab_parts.h"
#include "kernel/lib/crc.h"
#include "kernel/machine.h"
#include "kernel/mm/page.h"
#include "protocol/line.h"
#include "protocol/output.h"
#include "protocol/session.h"
#include "protocol/trace.h"

/* ---- the machine ---- */

static unsigned polls_until_interrupt;   /* 0: nobody presses ^C */
static bool interrupted;
static void (*tell_sign)(void);          /* what the session does when it is time for a sign */
static bool sign_is_due;
static uint64_t ticks_per_second;        /* 0: a machine without a clock */
static unsigned interrupts_passed;
static bool interrupt_stopped;           /* the next ^C on the line has stopped a command */
static jmp_buf off;
static int off_status;
static uint64_t poked;

const char *machine_name(void) { return "fake"; }

bool machine_interrupted(void)
{
    if (polls_until_interrupt > 0 && --polls_until_interrupt == 0)
        interrupted = true;
    if (sign_is_due)
        tell_sign();
    sign_is_due = false;
    return interrupted;
}

void machine_on_sign(void (*tell)(void)) { tell_sign = tell; }
void machine_at_work(void) { }
bool machine_wait_interrupted(void) { return machine_interrupted(); }
uint64_t machine_ticks(void) { static uint64_t ticks; return ticks++; }
uint64_t machine_ticks_per_second(void) { return ticks_per_second; }
void machine_interrupt_clear(void) { interrupted = false; }

bool machine_interrupt_passed(void)
{
    interrupts_passed++;
    return interrupt_stopped;
}

void machine_off(int status)
{
    off_status = status;
    longjmp(off, 1);
}

/* What memory is for a test that writes to it. */
static struct {
    uint64_t (*read)(uint64_t address);
    void (*write)(uint64_t address, uint64_t value);
} memory_of_test;

/* Else all memory reads as its address; there is none from 2^32 on. */
enum error machine_read(uint64_t address, unsigned width, uint64_t *value, struct fault *fault)
{
    (void)width;
    *fault = (struct fault){ .class = E_FAULT_ADDRESS, .has_address = true, .address = address,
                             .pc = 0x1234 };
    *value = memory_of_test.read != NULL ? memory_of_test.read(address) : address;
    return address >> 32 == 0 ? OK : E_FAULT_ADDRESS;
}

enum error machine_write(uint64_t address, unsigned width, uint64_t value, struct fault *fault)
{
    (void)address, (void)width, (void)fault;
    poked = value;
    if (memory_of_test.write != NULL)
        memory_of_test.write(address, value);
    return OK;
}

/* Pages 16 to 23 are mapped to page 64 and on, read-only from page 20 on; two levels of tables. */
static bool mmu_query(virt_t at, struct mmu_mapping *mapping)
{
    uint64_t page = at.a >> PAGE_SHIFT;

    if (page < 16 || page >= 24)
        return false;
    *mapping = (struct mmu_mapping){
        .unit = virt(page << PAGE_SHIFT), .shift = PAGE_SHIFT,
        .phys = phys((page + 48) << PAGE_SHIFT),
        .attributes = page < 20 ? MMU_DATA : MMU_DATA | MMU_READ_ONLY,
    };
    return true;
}

static bool mmu_entry(virt_t at, unsigned level, struct mmu_entry *entry)
{
    struct mmu_mapping mapping;

    if (at.a >> 22 != 0)
        return false;
    *entry = (struct mmu_entry){ .shift = 21, .level = 2, .kind = MMU_EMPTY };
    entry->start = virt(align_down(at.a, UINT64_C(1) << 21));
    if (at.a >> 21 != 0)
        return true;
    entry->kind = MMU_TABLE;
    entry->phys = phys(0x3000);
    if (level == 2)
        return true;
    *entry = (struct mmu_entry){ .shift = PAGE_SHIFT, .level = 1, .kind = MMU_EMPTY };
    entry->start = virt(align_down(at.a, PAGE_SIZE));
    if (!mmu_query(at, &mapping))
        return true;
    entry->kind = MMU_UNIT;
    entry->phys = mapping.phys;
    entry->attributes = mapping.attributes;
    return true;
}

const struct mmu *machine_mmu(void)
{
    static const struct mmu mmu = {
        .attributes = MMU_ALL, .observable = MMU_READ_ONLY | MMU_NO_EXECUTE, .levels = 2,
        .query = mmu_query, .entry = mmu_entry,
    };

    return &mmu;
}

/* From 4 GiB on there is no table; below, a page reads and does not execute; 8 is not tried. */
enum error machine_probe(uint64_t address, struct machine_probe *probe)
{
    *probe = (struct machine_probe){
        .tried = ACCESS_READ | ACCESS_EXECUTE | (address == 8 ? 0 : ACCESS_WRITE),
        .done = ACCESS_READ, .write = E_FAULT_PROTECTION, .execute = E_FAULT_EXECUTE,
    };
    return address >> 32 == 0 ? OK : E_MEM_METADATA;
}

static enum error trouble;               /* of what looks at the machine's own tables */

/* One set that keeps its promise, one that does not, and a part. */
enum error machine_truth(bool (*row)(void *context, const struct machine_truth *truth),
                         void *context)
{
    static const struct machine_truth truths[] = {
        { .attributes = MMU_READ_ONLY | MMU_UNCACHED, .entry = MMU_READ_ONLY | MMU_UNCACHED,
          .promised = ACCESS_READ | ACCESS_EXECUTE, .observed = ACCESS_READ | ACCESS_EXECUTE },
        { .promised = ACCESS_READ, .observed = ACCESS_WRITE },
        { .part = "guard", .first = { 0x5000 } },
    };

    for (size_t i = 0; i < ARRAY_SIZE(truths); i++)
        if (!row(context, &truths[i]))
            break;
    return trouble;
}

enum error machine_shootdown(unsigned cpu, uint64_t rounds, struct machine_shootdown *result)
{
    (void)cpu;
    *result = (struct machine_shootdown){ .rounds = rounds };
    return trouble;
}

enum error machine_fill(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at)
{
    (void)pages, (void)seed;
    *at = pfn_phys(first);
    if (at->a >> 32 != 0)
        return E_FAULT_ADDRESS;
    return seed == 1 ? E_STOP_INTERRUPTED : OK;
}

enum error machine_verify(pfn_t first, uint64_t pages, uint64_t seed, phys_t *at)
{
    (void)pages;
    *at = phys(pfn_phys(first).a + 8);
    return seed == 1 ? E_FAULT_PATTERN : OK;
}

enum error machine_zero(pfn_t first, uint64_t pages)
{
    (void)first;
    if (pages == 1 << 13)
        return E_STOP_INTERRUPTED;
    return pages < 1024 ? OK : E_CALL_UNSUPPORTED;
}

void *arch_pointer(phys_t start, uint64_t size);
void *arch_pointer(phys_t start, uint64_t size)
{
    (void)start, (void)size;
    return NULL;
}

/* An assertion that fails in a command: cmocka jumps to where expect_assert_failure() would be. */
struct ending trap_run(void (*function)(void *argument), void *argument)
{
    struct ending ending = { .outcome = ASSERTED, .file = "some file.c", .line = 7 };

    global_expecting_assert = 1;
    if (setjmp(global_expect_assert_env) == 0) {
        function(argument);
        ending.outcome = ENDED;
    } else {
        ending.condition = global_last_failed_assert;
    }
    global_expecting_assert = 0;
    return ending;
}

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    (void)kind, (void)file, (void)line, (void)fault;
    machine_off(4);
}

static bool survived;

bool panic_survived(void) { return survived; }

/* ---- the channel ---- */

static char said[4 << 20];
static size_t said_length;

static void remember(const char *text, size_t size)
{
    assert_true(said_length + size < sizeof(said));
    memcpy(said + said_length, text, size);
    said_length += size;
    said[said_length] = '\0';
}

static inline void forget(void)
{
    said_length = 0;
    said[0] = '\0';
}

static const struct channel fake_channel = { .write = remember };

static inline void feed(const char *text) { line_feed(text, strlen(text)); }

/* Exactly this was said since the last time. */
static inline void expect(const char *text)
{
    assert_string_equal(said, text);
    forget();
}

/* `line`, quietly: its whole answer. */
static inline void ask(const char *line, const char *answer)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s\n", line);
    feed(text);
    snprintf(text, sizeof(text), "%s\r\n", answer);
    expect(text);
}

/* A line with its checksum. */
static inline const char *sealed(const char *line)
{
    static char texts[8][1200];
    static unsigned next;
    char *text = texts[next++ % 8];

    snprintf(text, sizeof(texts[0]), "%s *%04x", line, crc16(line, strlen(line)));
    return text;
}

/* The same with checksums: of the line, and of each line of the answer. */
static inline void ask_sealed(const char *line, const char *answer)
{
    char lines[1500] = "", one[1024];

    while (*answer != '\0') {
        size_t length = strcspn(answer, "\n");

        snprintf(one, sizeof(one), "%.*s", (int)length, answer);
        strcat(strcat(lines, lines[0] == '\0' ? "" : "\r\n"), sealed(one));
        answer += length + (answer[length] == '\n');
    }
    ask(sealed(line), lines);
}

/* The first line of the answer to `line` that begins with `start`, up to its end; NULL if none. */
static inline const char *ask_for(const char *line, const char *start)
{
    static char found[1200];
    const char *at;

    forget();
    feed(line);
    feed("\n");
    for (at = said; at != NULL; at = strstr(at, "\r\n") ? strstr(at, "\r\n") + 2 : NULL) {
        if (strncmp(at, start, strlen(start)) == 0) {
            snprintf(found, sizeof(found), "%.*s", (int)strcspn(at, "\r"), at);
            return found;
        }
    }
    return NULL;
}

/* ---- a fresh guest: areas low < 16 MiB and high, memory 4 KiB .. 64 MiB ---- */

#define POOL (UINT64_C(256) << 10)

static void *table_take(void *context, uint64_t size) { return tables_take(context, size); }
static void table_give(void *context, void *table, uint64_t size)
{
    tables_give(context, table, size);
}

/* The window is that of fake_mmu.h. */
static inline void begin_virtual(void)
{
    static unsigned char tables[64 << 10] __attribute__((aligned(4096)));
    const struct table_source source = { &lab_tables, table_take, table_give, NULL };

    tables_init(&lab_tables, tables, sizeof(tables));
    lab_tables.fail = &lab.fail;
    lab.mmu = &fake_mmu;
    lab.mmu->set_tables(&source);
    lab.window = virt(FAKE_FIRST);
    lab.window_limit = virt(FAKE_FIRST + FAKE_PAGES * PAGE_SIZE);
}

static inline int begin(void **unused)
{
    static unsigned char pool[2 * POOL] __attribute__((aligned(4096)));
    uint64_t needed;

    (void)unused;
    memset(&lab_machine_map, 0, sizeof(lab_machine_map));
    lab_machine_map.ranges[0] = (struct phys_range){ phys(0), UINT64_C(64) << 20, RANGE_USABLE };
    lab_machine_map.n = 1;
    if (area_table_add(&lab_machine_map.areas, "low", 3, UINT64_C(16) << 20) != OK
        || area_table_add(&lab_machine_map.areas, "high", 4, ADDRESS_LIMIT) != OK)
        return 1;
    scan_order_default(lab_machine_map.scan, 2);
    lab_set_pool(pool, POOL >> PAGE_SHIFT);
    lab.engine = &page_engine_tree;
    begin_virtual();
    if (lab_build(&lab_machine_map, STAGE_PAGE, &needed) != OK)
        return 1;
    trace_set(false);
    output_open(&fake_channel);
    session_begin();
    line_begin();
    output_fresh_line();
    forget();
    polls_until_interrupt = 0;
    interrupted = false;
    return 0;
}

#endif
