/* SPDX-License-Identifier: MIT */
/* The composition root: the boot order as one column, and the only file that sees everything. */
#include "arch/arch.h"
#include "kernel/lab.h"
#include "kernel/lock.h"
#include "kernel/machine.h"
#include "kernel/trap.h"
#include "protocol/protocol.h"

static size_t console_read(char *buffer, size_t size)
{
    return arch_console_read(buffer, size, true);
}

/*
 * Only CPU 0 has the line, and nobody waits for it, nor for a lock that it has meanwhile: but in a
 * panic, when all others are halted.
 */
static void console_write(const char *text, size_t size)
{
    if (!panicking()) {
        ASSERT(arch_cpu_self() == 0);
        if (!machine_gives_sign())
            lock_hold_none("talk");
    }
    arch_console_write(text, size);
}

static const struct channel console = { .read = console_read, .write = console_write };

static void serve(void *unused)
{
    (void)unused;
    protocol_serve(&console);
}

void kernel_main(void)
{
    arch_init();
    panic_set_output(protocol_panic_write);
    protocol_open(&console);
    lab_boot(arch_command_line(), protocol_log);
    panic_set_stay(lab.stays);
    (void)arch_guard(serve, NULL);
    /* Left by a panic outside of a command: what is served now must not do that again. */
    panic_set_stay(false);
    lab.dead = true;
    protocol_serve(&console);
}
