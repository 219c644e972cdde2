/* SPDX-License-Identifier: MIT */
/*
 * The SCLP's consoles: the ASCII one, a transparent line of bytes (QEMU), or line mode (Hercules,
 * which has nothing else). The SCLP keeps what was not read yet and QEMU then stops the sender, so
 * that nothing is lost as long as only what fits the ring is fetched.
 */
#include "arch/s390x/console.h"

#include "arch/arch.h"
#include "arch/s390x/cpu.h"
#include "arch/s390x/sclp.h"
#include "arch/s390x/screen.h"
#include "kernel/lib/string.h"

#define RING 16384u
#define CTRL_C 0x03

/* What a program that asks is told (sccb.h); no line of the protocol begins so. */
#define COMMAND_WAS_READ "\\"

_Static_assert(RING >= ARCH_CONSOLE_RING + SCCB_SIZE, "a call must fit behind a window");
_Static_assert(SCREEN_COLUMNS <= SCCB_MESSAGE_MAX, "a line must fit one call");

static char ring[RING];
static size_t first, used;            /* `used` bytes from ring[first] on */
static unsigned interrupts;           /* ^C received and not taken */
static bool is_line_mode;
static struct screen screen;

void console_open(void)
{
    uint32_t receives;

    sccb_set_mask(&sclp_page, SCCB_ASCII | SCCB_OPERATOR_COMMAND, SCCB_ASCII | SCCB_MESSAGE);
    if (sclp_call(SCCB_WRITE_MASK) != SCCB_EVENT_DONE)
        cpu_stop(STOP_NO_CONSOLE);
    receives = sccb_sclp_receives(&sclp_page);
    is_line_mode = (receives & SCCB_ASCII) == 0;
    if (is_line_mode && (receives & SCCB_MESSAGE) == 0)
        cpu_stop(STOP_NO_CONSOLE);
    /* Where there are both, the other one is left alone. */
    sccb_set_mask(&sclp_page, is_line_mode ? SCCB_OPERATOR_COMMAND : SCCB_ASCII,
                  is_line_mode ? SCCB_MESSAGE : SCCB_ASCII);
    (void)sclp_call(SCCB_WRITE_MASK);
}

static void ring_put(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        interrupts += text[i] == CTRL_C;
        ring[(first + used++) % RING] = text[i];
    }
}

static void put_ascii(const char *text, size_t size)
{
    sccb_set_ascii(&sclp_page, text, size);
    (void)sclp_call(SCCB_WRITE_EVENT);
}

static void put_message(const char *line, size_t length)
{
    sccb_set_message(&sclp_page, line, length);
    (void)sclp_call(SCCB_WRITE_EVENT);
}

/* Fetch events while there are any and the ring can hold what one call brings. */
static void receive(void)
{
    static char text[SCCB_SIZE];

    while (sclp_has_event() && RING - used >= SCCB_SIZE) {
        bool asks = false;

        sclp_take_event();
        sccb_set_empty(&sclp_page);
        if (sclp_call(SCCB_READ_EVENT) == SCCB_EVENT_DONE)
            ring_put(text, sccb_text(&sclp_page, text, sizeof(text), &asks));
        if (asks)
            put_message(COMMAND_WAS_READ, strlen(COMMAND_WAS_READ));
    }
}

static size_t ring_take(char *buffer, size_t size)
{
    size_t n = 0;

    for (; n < size && used > 0; n++, used--) {
        buffer[n] = ring[first];
        first = (first + 1) % RING;
    }
    return n;
}

static void wait_for_event(void)
{
    uint8_t mask = interrupts_off();

    if (!sclp_has_event())
        cpu_wait();
    system_mask_restore(mask);
}

size_t arch_console_read(char *buffer, size_t size, bool wait)
{
    for (;;) {
        size_t n;

        receive();
        n = ring_take(buffer, size);
        if (n != 0 || !wait)
            return n;
        wait_for_event();
    }
}

void arch_console_write(const char *text, size_t size)
{
    if (is_line_mode)
        screen_write(&screen, text, size, put_message);
    else
        for (size_t n; size > 0; text += n, size -= n)
            put_ascii(text, n = size < SCCB_ASCII_MAX ? size : SCCB_ASCII_MAX);
    receive();
}

void console_flush(void)
{
    if (is_line_mode)
        screen_flush(&screen, put_message);
}

bool arch_console_interrupted(void)
{
    if (sclp_has_event())
        receive();
    if (interrupts == 0)
        return false;
    interrupts--;
    return true;
}
