/* SPDX-License-Identifier: MIT */
/* COM1. Received by interrupt while anything else runs, sent by polling. */
#include "arch/common/ns16550.h"
#include "arch/x86/console.h"
#include "arch/x86/cpu.h"
#include "arch/x86/trap.h"

#define COM1 0x3f8u
#define PORT_E9 0xe9u

static uint8_t com1_read(unsigned reg)
{
    return inb((uint16_t)(COM1 + reg));
}

static void com1_write(unsigned reg, uint8_t value)
{
    outb((uint16_t)(COM1 + reg), value);
}

static struct ns16550 com1 = { .read = com1_read, .write = com1_write };

/* Bochs answers on port 0xE9 with the port's own number (its bochsrc, "port_e9_hack"). */
static bool is_bochs(void)
{
    return inb(PORT_E9) == PORT_E9;
}

void console_open(void)
{
    /*
     * With a trigger above 1, Bochs's receive time-out stays armed when the FIFO is emptied before
     * it, and then tells of a byte that is not there. And Bochs does not stop its sender, so that
     * its FIFO overflows where QEMU's cannot.
     */
    ns16550_open(&com1, is_bochs());
}

void console_interrupt(void)
{
    ns16550_receive(&com1);
}

void console_flush(void)
{
    ns16550_flush(&com1);
}

size_t arch_console_read(char *buffer, size_t size, bool wait)
{
    uintptr_t flags = interrupts_off();
    size_t n;
    for (;;) {
        ns16550_receive(&com1);
        n = ns16550_take(&com1, buffer, size);
        if (n != 0 || !wait)
            break;
        wait_for_interrupt();
    }
    interrupts_restore(flags);
    return n;
}

void arch_console_write(const char *text, size_t size)
{
    uintptr_t flags = interrupts_off();
    ns16550_send(&com1, text, size);
    interrupts_restore(flags);
}

bool arch_console_interrupted(void)
{
    /* The interrupt handler counts; a stale 0 is seen by the next call. */
    if (*(volatile unsigned *)&com1.interrupts == 0)
        return false;
    uintptr_t flags = interrupts_off();
    bool interrupted = ns16550_take_interrupt(&com1);
    interrupts_restore(flags);
    return interrupted;
}
