/* SPDX-License-Identifier: MIT */
/*
 * The time stamp counter, and its rate by the interval timer (Intel 8254, data sheet 231164), whose
 * counter 0 every PC of ours lets run; its interrupt is masked.
 */
#include "arch/arch.h"
#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"

enum { COUNTER_0 = 0x40, CONTROL = 0x43 };
enum { MODE_0_BOTH_BYTES = 0x30, LATCH_COUNTER_0 = 0x00, READ_BACK_STATUS_0 = 0xe2 };
#define STATUS_OUT 0x80u              /* it has come to 0 */
#define START 0xffffu
#define HZ UINT64_C(1193182)
#define INTERVAL 2400u                /* counts: 2 ms */
#define FRACTION 16                   /* bits; counts have as many */
#define LOOKS_MAX 1000000u
#define SAMPLES 4u
#define TRIES 4u

static uint64_t rate;

uint64_t arch_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile ("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

uint64_t arch_ticks_per_second(void)
{
    return rate;
}

static uint32_t counter(void)
{
    uint32_t low;
    outb(CONTROL, LATCH_COUNTER_0);
    low = inb(COUNTER_0);
    return START - ((uint32_t)inb(COUNTER_0) << 8 | low);
}

static bool is_over(void)
{
    outb(CONTROL, READ_BACK_STATUS_0);
    return (inb(COUNTER_0) & STATUS_OUT) != 0;
}

/* Both at one time: the pair of several that was read the fastest. */
struct moment { uint64_t ticks, counts; };
static struct moment moment_now(void)
{
    struct moment best = { 0, 0 };
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t before = arch_ticks();
        uint32_t counts = counter();
        uint64_t took = arch_ticks() - before;
        if (took < least)
            best = (struct moment){ before + took / 2, counts };
        least = took < least ? took : least;
    }
    return best;
}

/* Ticks for each count, times HZ; in 32 bits, as i386 has no other division. */
static uint64_t per_second(uint32_t ticks, uint32_t counts)
{
    uint32_t whole = ticks / counts, part = ((ticks % counts) << FRACTION) / counts;
    return whole * HZ + (part * HZ >> FRACTION);
}

/* 0: the timer does not run, or the emulator did not for so long that it went round. */
static uint64_t measure(void)
{
    struct moment from, to;
    unsigned looks = 0;
    outb(CONTROL, MODE_0_BOTH_BYTES);
    outb(COUNTER_0, START & 0xff);
    outb(COUNTER_0, START >> 8);
    from = moment_now();
    while (counter() < from.counts + INTERVAL && looks++ < LOOKS_MAX)
        ;
    to = moment_now();
    if (looks >= LOOKS_MAX || is_over() || to.counts <= from.counts
        || to.ticks - from.ticks > UINT32_MAX)
        return 0;
    return per_second((uint32_t)(to.ticks - from.ticks), (uint32_t)(to.counts - from.counts));
}

void clock_open(void)
{
    for (unsigned i = 0; i < TRIES && rate == 0; i++)
        rate = measure();
}
