/* SPDX-License-Identifier: MIT */
/* The mainframe as the lab sees it: start, memory map, areas, clock, end. */
#include "arch/arch.h"
#include "arch/s390x/console.h"
#include "arch/s390x/cpu.h"
#include "arch/s390x/cpus.h"
#include "arch/s390x/dat.h"
#include "arch/s390x/loadparm.h"
#include "arch/s390x/machine.h"
#include "arch/s390x/sclp.h"
#include "kernel/lib/string.h"

/* Bit 51 of the TOD clock is a microsecond. */
#define TICKS_PER_SECOND UINT64_C(4096000000)

const char arch_name[] = "s390x";

/* Prefix areas, SCCBs and channel programs have 31-bit addresses. */
const struct area_limit arch_areas[] = {
    { "low", { UINT64_C(0x80000000) >> PAGE_SHIFT } },
    { "normal", { PFN_LIMIT } },
};
const size_t arch_areas_count = ARRAY_SIZE(arch_areas);

static struct sccb_info info;
static char options[LOADPARM_OPTIONS + COMMAND_LINE_SIZE];

static _Noreturn void machine_refuse(const char *why)
{
    arch_console_write("\r\n; ", 4);
    arch_console_write(why, strlen(why));
    arch_console_write("\r\n", 2);
    arch_halt(1);
}

static void read_info(void)
{
    sccb_set_empty(&sclp_page);
    if (sclp_call(SCCB_READ_INFO_FORCED) != SCCB_INFO_READ) {
        sccb_set_empty(&sclp_page);
        if (sclp_call(SCCB_READ_INFO) != SCCB_INFO_READ)
            machine_refuse("the SCLP does not tell how much memory there is");
    }
    info = sccb_info(&sclp_page);
    if (info.memory > DAT_MEMORY_MAX)
        info.memory = DAT_MEMORY_MAX;
    if (info.memory <= IMAGE_END)
        machine_refuse("there is too little memory");
}

/* The loader's line, whatever it holds, as printable ASCII. */
static void read_options(void)
{
    static char line[COMMAND_LINE_SIZE];

    for (size_t i = 0; i < sizeof(line) - 1 && command_line[i] != '\0'; i++)
        line[i] = command_line[i] >= ' ' && command_line[i] <= '~' ? command_line[i] : '?';
    loadparm_apply(info.loadparm, line, options, sizeof(options));
}

void arch_init(void)
{
    console_open();
    interrupts_on();
    read_info();
    cpus_open(info.cpu, info.cpus);
    dat_map_memory(info.memory);
    read_options();
}

const char *arch_command_line(void)
{
    return options;
}

void arch_memory_map(void (*range)(const struct phys_range *range, const char *name))
{
    const uint64_t tables = dat_tables(info.memory);
    const struct { struct phys_range range; const char *name; } map[] = {
        { { phys(0), info.memory, RANGE_USABLE }, "memory" },
        { { phys(0), LC_SIZE, RANGE_RESERVED }, "lowcore" },
        { { phys(IMAGE_START), IMAGE_END - IMAGE_START, RANGE_RESERVED }, "image" },
        { { phys(tables), info.memory - tables, RANGE_RESERVED }, "page tables" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(map); i++)
        range(&map[i].range, map[i].name);
}

/* All memory but the lowcore has been mapped by dat_map_memory(). */
void *arch_pointer(phys_t start, uint64_t size)
{
    if (start.a < LC_SIZE || start.a > info.memory || size > info.memory - start.a)
        return NULL;
    return (void *)(uintptr_t)start.a;
}

bool arch_map_memory(phys_t start, uint64_t size, void *(*table)(uint64_t size))
{
    (void)table;
    return arch_pointer(start, size) != NULL;
}

uint64_t arch_ticks(void)
{
    uint64_t now;

    __asm__ volatile ("stckf %0" : "=Q"(now) : : "cc");
    return now;
}

uint64_t arch_ticks_per_second(void)
{
    return TICKS_PER_SECOND;
}

_Noreturn void arch_halt(int status)
{
    console_flush();
    cpu_stop(status == 0 ? STOP_ORDERLY : STOP_PANIC);
}
