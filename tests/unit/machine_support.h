/* SPDX-License-Identifier: MIT */
/* A machine of four pages with a window, for tests of kernel/machine*.c. */
#ifndef PFNLAB_UNIT_MACHINE_SUPPORT_H
#define PFNLAB_UNIT_MACHINE_SUPPORT_H

#include "tests/unit/fake_arch.h"

#include "kernel/lab.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"
#include "kernel/machine.h"

/*
 * Memory of the machine: pages 16 to 19; page 19 is the kernel's. Page 30 is out of its reach. In
 * the window page 100 is another name of page 17, 101 of page 19, and 102 of page 18, read-only;
 * 103 is page 30.
 */
#define FIRST 16u
#define PAGES 4u
#define WINDOW 100u
#define FAR (30 * PAGE_SIZE)

const char arch_name[] = "fake";
struct lab lab;

static uint64_t words[PAGES * 512];
/* And far above, 3 MiB that belong to nobody. */
#define LARGE_FIRST 4096u
static unsigned char large[3 << 20];
static struct phys_extent records[8];
static bool reachable, asserts;
static unsigned pressed;             /* ^C that came in and were not told yet */
static unsigned polls_until_pressed;
static uint64_t broken;               /* an address that faults */
static struct fault where;

void *arch_pointer(phys_t start, uint64_t size)
{
    uint64_t offset = start.a - FIRST * PAGE_SIZE;

    if (start.a == LARGE_FIRST * PAGE_SIZE && size == sizeof(large))
        return large;
    if (!reachable || offset > sizeof(words) || size > sizeof(words) - offset)
        return NULL;
    return (unsigned char *)words + offset;
}

#define WINDOW_PAGES 6u
struct window_page { uint64_t frame; unsigned attributes; };   /* frame 0: not mapped */
static const struct window_page window_at_start[WINDOW_PAGES] = {
    { 17, MMU_DATA }, { 19, MMU_DATA }, { 18, MMU_DATA | MMU_READ_ONLY }, { 30, MMU_DATA },
};
static struct window_page window[WINDOW_PAGES];
static bool tables_are_there, forgets_no_execute, forgets_to_flush;
static struct window_page stale[WINDOW_PAGES];
static unsigned protects, executed;
static jmp_buf *panic_in_map;         /* who maps is halted by a panic; here it goes on */

static bool query(virt_t at, struct mmu_mapping *mapping)
{
    uint64_t page = at.a >> PAGE_SHIFT;
    bool direct = page - FIRST < PAGES;

    if (!direct && (page - WINDOW >= WINDOW_PAGES || window[page - WINDOW].frame == 0))
        return false;
    *mapping = (struct mmu_mapping){
        .unit = virt(page << PAGE_SHIFT), .shift = PAGE_SHIFT,
        .phys = phys((direct ? page : window[page - WINDOW].frame) << PAGE_SHIFT),
        .attributes = direct ? MMU_DATA : window[page - WINDOW].attributes,
    };
    return true;
}

static enum error map(virt_t at, phys_t phys, uint64_t size, unsigned attributes)
{
    struct window_page *page = &window[(at.a >> PAGE_SHIFT) - WINDOW];

    assert_int_equal(size, PAGE_SIZE);
    assert_int_equal(page->frame, 0);
    if (panic_in_map != NULL) {
        lock_break_all();
        longjmp(*panic_in_map, 1);
    }
    if (!tables_are_there)
        return E_MEM_METADATA;
    *page = (struct window_page){ phys.a >> PAGE_SHIFT, attributes };
    return OK;
}

static void unmap(virt_t at, uint64_t size, pfn_t *frames)
{
    assert_int_equal(size, PAGE_SIZE);
    assert_null(frames);
    if (forgets_to_flush)
        stale[(at.a >> PAGE_SHIFT) - WINDOW] = window[(at.a >> PAGE_SHIFT) - WINDOW];
    window[(at.a >> PAGE_SHIFT) - WINDOW] = (struct window_page){ .frame = 0 };
}

static enum error protect(virt_t at, uint64_t size, unsigned attributes)
{
    assert_int_equal(size, PAGE_SIZE);
    if (!tables_are_there)
        return E_MEM_METADATA;
    window[(at.a >> PAGE_SHIFT) - WINDOW].attributes = attributes;
    protects++;
    return OK;
}

static bool entry(virt_t at, unsigned level, struct mmu_entry *entry)
{
    struct mmu_mapping mapping;

    assert_int_equal(level, 1);
    *entry = (struct mmu_entry){
        .start = virt(align_down(at.a, PAGE_SIZE)), .shift = PAGE_SHIFT, .level = 1,
        .kind = query(at, &mapping) ? MMU_UNIT : MMU_EMPTY,
    };
    return true;
}

struct mmu arch_mmu = {
    .attributes = MMU_READ_ONLY | MMU_NO_EXECUTE | MMU_UNCACHED, .map = map, .unmap = unmap,
    .protect = protect, .query = query, .entry = entry,
};

void arch_window(virt_t *first, virt_t *limit)
{
    *first = virt(WINDOW * PAGE_SIZE);
    *limit = virt((WINDOW + WINDOW_PAGES) * PAGE_SIZE);
}

/* The kernel's data is page 19, with a return instruction at its byte 64. */
void arch_parts(void (*part)(const struct arch_part *part))
{
    static const struct arch_part data = {
        .name = "data", .first = { 19 * PAGE_SIZE }, .size = PAGE_SIZE,
        .probe = { 19 * PAGE_SIZE + 64 }, .accesses = ACCESS_READ | ACCESS_WRITE,
    };
    static const struct arch_part null = { .name = "null", .size = PAGE_SIZE };

    part(&null);
    part(&data);
}

const uint8_t arch_return_code[] = { 0x07, 0xfe };
const size_t arch_return_code_size = sizeof(arch_return_code);

static uint64_t far_words[512];

/* What the processor still knows of a page that was unmapped. */
static bool known(uint64_t address, struct mmu_mapping *mapping)
{
    uint64_t page = (address >> PAGE_SHIFT) - WINDOW;

    if (page >= WINDOW_PAGES || stale[page].frame == 0)
        return false;
    mapping->unit = virt(align_down(address, PAGE_SIZE));
    mapping->phys = phys(stale[page].frame << PAGE_SHIFT);
    mapping->attributes = stale[page].attributes;
    return true;
}

static unsigned char *byte_at(uint64_t address, bool write)
{
    struct mmu_mapping mapping;
    uint64_t at;

    if (asserts)
        kernel_assert_failed("x", "y.c", 3);
    if (address == broken || (!query(virt(address), &mapping) && !known(address, &mapping)))
        kernel_fault(&(struct fault){ E_FAULT_ADDRESS, true, address, 0x77, 14 });
    if (write && (mapping.attributes & MMU_READ_ONLY) != 0)
        kernel_fault(&(struct fault){ E_FAULT_PROTECTION, true, address, 0x78, 14 });
    at = mapping.phys.a + address - mapping.unit.a;
    if (at >= FAR)
        return (unsigned char *)far_words + (at - FAR);
    return (unsigned char *)words + (at - FIRST * PAGE_SIZE);
}

uint64_t arch_load(virt_t address, unsigned width)
{
    uint64_t value = 0;

    memcpy(&value, byte_at(address.a, false), width);
    return value;
}

void arch_store(virt_t address, unsigned width, uint64_t value)
{
    memcpy(byte_at(address.a, true), &value, width);
}

void arch_execute(virt_t address)
{
    unsigned char *code = byte_at(address.a, false);
    struct mmu_mapping mapping;

    (void)query(address, &mapping);
    if ((mapping.attributes & MMU_NO_EXECUTE) != 0 && !forgets_no_execute)
        kernel_fault(&(struct fault){ E_FAULT_EXECUTE, true, address.a, address.a, 14 });
    assert_memory_equal(code, arch_return_code, arch_return_code_size);
    executed++;
}

bool arch_console_interrupted(void)
{
    if (polls_until_pressed > 0 && --polls_until_pressed == 0)
        pressed++;
    return pressed > 0 && pressed-- > 0;
}

static uint64_t ticks, ticks_per_second;
static unsigned clock_reads;

uint64_t arch_ticks(void)
{
    clock_reads++;
    return ticks;
}

uint64_t arch_ticks_per_second(void)
{
    return ticks_per_second;
}

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    (void)kind, (void)file, (void)line, (void)fault;
    arch_halt(1);
}

bool panicking(void)
{
    return false;
}

static bool survived;

bool panic_survived(void)
{
    return survived;
}

static inline int begin(void **unused)
{
    const struct phys_range memory = { { FIRST * PAGE_SIZE }, PAGES * PAGE_SIZE, RANGE_USABLE };
    const struct phys_range kernel = { { 19 * PAGE_SIZE }, PAGE_SIZE, RANGE_RESERVED };
    const struct phys_range far = { { FAR }, PAGE_SIZE, RANGE_USABLE };

    (void)unused;
    memset(words, 0x11, sizeof(words));
    memcpy((unsigned char *)&words[3 * 512 + 8], arch_return_code, arch_return_code_size);
    memcpy(window, window_at_start, sizeof(window));
    tables_are_there = true;
    forgets_no_execute = forgets_to_flush = false;
    memset(stale, 0, sizeof(stale));
    protects = executed = 0;
    lab.injected = asserts = false;
    pressed = 0;
    reachable = true;
    polls_until_pressed = 0;
    broken = 0;
    where = (struct fault){ .class = OK };
    ticks = 5;
    ticks_per_second = 1000;
    machine_on_sign(NULL);
    machine_interrupt_clear();
    phys_init(&lab.phys, records, ARRAY_SIZE(records));
    return phys_add(&lab.phys, &memory) != OK || phys_add(&lab.phys, &kernel) != OK
        || phys_add(&lab.phys, &far) != OK;
}

#endif
