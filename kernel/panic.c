/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>

#include "arch/arch.h"
#include "kernel/lib/crc.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/lock.h"
#include "kernel/trap.h"

#define BACKTRACE_MAX 24u
#define PANIC_STATUS 1            /* what arch_halt() makes a failing end of */

/* One line at a time; room for the sigil line's text, its checksum and its end. */
#define PANIC_LINE_MAX 1023u
#define CRC_SIZE 6u               /* " *hhhh" */

struct panic_state {
    _Atomic uint32_t owner;       /* the CPU that panics + 1; 0: none. All else is its own */
    unsigned entered;
    bool stay, survived;
    const char *kind;             /* of the last panic that was survived, */
    unsigned cpu;                 /* and whose it was */
    void (*write)(const char *text, size_t size);
    char buffer[PANIC_LINE_MAX + 3];
    struct text line;
};

static struct panic_state state;

void panic_set_output(void (*write)(const char *text, size_t size))
{
    state.write = write;
}

bool panicking(void)
{
    return atomic_load_explicit(&state.owner, memory_order_acquire) != 0;
}

void panic_set_stay(bool stay)
{
    state.stay = stay;
}

bool panic_survived(void)
{
    return state.survived;
}

static void line_begin(const char *event)
{
    text_init(&state.line, state.buffer, PANIC_LINE_MAX - CRC_SIZE + 1);
    text_string(&state.line, "% ");
    text_string(&state.line, event);
}

static void line_key(const char *key)
{
    text_char(&state.line, ' ');
    text_string(&state.line, key);
    text_char(&state.line, '=');
}

static void line_end(void)
{
    uint16_t crc = crc16(state.buffer, state.line.length);

    state.line.size = sizeof(state.buffer);
    text_string(&state.line, " *");
    for (unsigned shift = 16; shift > 0; shift -= 4)
        text_char(&state.line, "0123456789abcdef"[crc >> (shift - 4) & 15]);
    text_string(&state.line, "\r\n");
    if (state.write != NULL)
        state.write(state.buffer, state.line.length);
}

/* A path in the alphabet of wire words. */
static void text_path(const char *file)
{
    for (; *file != '\0'; file++) {
        char c = *file;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        else if (!((c >= 'a' && c <= 'z') || (c >= '-' && c <= ':')))
            c = '_';
        text_char(&state.line, c);
    }
}

static void line_place(const char *file, int line)
{
    if (file == NULL)
        return;
    line_key("at");
    text_path(file);
    text_char(&state.line, ':');
    text_decimal(&state.line, (uint64_t)line);
}

static void line_fault(const struct fault *fault)
{
    if (fault == NULL)
        return;
    line_key("fault");
    text_string(&state.line, error_word(fault->class));
    if (fault->has_address) {
        line_key("address");
        text_hex(&state.line, fault->address, 16);
    }
    line_key("code");
    text_hex(&state.line, fault->code, 1);
}

static void register_line(const char *name, uint64_t value)
{
    line_begin("reg");
    line_key(name);
    text_hex(&state.line, value, 16);
    line_end();
}

static void backtrace_line(void)
{
    static uint64_t addresses[BACKTRACE_MAX];
    size_t n = arch_backtrace(addresses, BACKTRACE_MAX);

    line_begin("bt");
    /* Recursion says it once: there is room for few. */
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && addresses[i] == addresses[i - 1])
            continue;
        text_char(&state.line, ' ');
        text_hex(&state.line, addresses[i], 16);
    }
    line_end();
}

/* The second panic says so; a third one, while saying it, says nothing. */
static _Noreturn void panic_again(void)
{
    if (state.entered == 2) {
        line_begin("panic kind=double");
        line_end();
    }
    arch_halt(PANIC_STATUS);
}

/* One CPU panics and stops all others; one that comes second waits until it is stopped. */
static void panic_begin(void)
{
    uint32_t self = arch_cpu_self() + 1, owner = 0;

    if (!atomic_compare_exchange_strong_explicit(&state.owner, &owner, self, memory_order_acq_rel,
                                                 memory_order_acquire))
        while (owner != self)
            arch_cpu_relax();
    if (state.entered++ > 0)
        panic_again();
    arch_cpus_halt();
    lock_break_all();
}

/* On CPU 0, which has the line, whichever it was that panicked. */
static _Noreturn void unwind(void)
{
    lock_break_all();
    trap_panicked(state.kind, state.cpu);
}

void panic(const char *kind, const char *file, int line, const struct fault *fault)
{
    uint64_t here = (uintptr_t)__builtin_return_address(0);

    panic_begin();
    line_begin("panic");
    line_key("kind");
    text_string(&state.line, kind);
    line_place(file, line);
    line_fault(fault);
    line_key("cpu");
    text_decimal(&state.line, arch_cpu_self());
    line_key("pc");
    text_hex(&state.line, fault != NULL ? fault->pc : here, 16);
    line_end();
    arch_registers(register_line);
    backtrace_line();
    line_begin("end panic");
    line_end();
    if (!state.stay)
        arch_halt(PANIC_STATUS);
    state.survived = true;
    state.entered = 0;
    state.kind = kind;
    state.cpu = arch_cpu_self();
    atomic_store_explicit(&state.owner, 0, memory_order_release);
    if (arch_cpu_self() != 0)
        arch_cpus_leave(unwind);
    unwind();
}
