/* SPDX-License-Identifier: MIT */
/*
 * Standard input and output as the serial line. Input is drained into a ring wherever the guest
 * waits or asks about ^C, so that neither direction can block the other and ^C is seen at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sanitizer/common_interface_defs.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "arch/native/native.h"

/* Large, so that a client which writes everything before it reads anything gets its answers. */
#define RING (4u << 20)
#define CTRL_A 0x01
#define CTRL_C 0x03

static char ring[RING];
static size_t first, used;            /* `used` bytes from ring[first] on; first is 0 when empty */
static bool at_end;
static unsigned interrupts;           /* ^C that arrived and were not told yet */

static struct termios cooked;
static bool is_raw, escaped;          /* escaped: the last byte was Ctrl-A */

void console_restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
    is_raw = false;
    socket_remove();
}

static _Noreturn void console_end(int status)
{
    console_restore();
    _exit(status);
}

void console_open(void)
{
    struct termios raw;
    __sanitizer_set_death_callback(console_restore);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &cooked) != 0)
        return;
    raw = cooked;
    cfmakeraw(&raw);
    is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* On a terminal Ctrl-A begins an escape as in QEMU: X ends the guest, Ctrl-A sends itself. */
static bool is_escape(char c)
{
    static const char farewell[] = "\r\nnative: terminated\r\n";
    if (!is_raw)
        return false;
    if (!escaped) {
        escaped = c == CTRL_A;
        return escaped;
    }
    escaped = false;
    if (c == 'x' || c == 'X') {
        arch_console_write(farewell, sizeof(farewell) - 1);
        console_end(EXIT_ORDERLY);
    }
    return c != CTRL_A;
}

static void ring_put(char c)
{
    if (is_escape(c))
        return;
    interrupts += c == CTRL_C;
    ring[(first + used++) % RING] = c;
}

static bool is_ready(int fd, short events, int timeout)
{
    struct pollfd p = { .fd = fd, .events = events };
    return poll(&p, 1, timeout) > 0;
}

/* Where input comes from: between two clients of a socket, the next one itself. */
static int input(void)
{
    return socket_waiting() < 0 ? STDIN_FILENO : socket_waiting();
}

/* One read, which does not block unless nothing is there. */
static void ring_fill(void)
{
    char buffer[4096];
    if (socket_waiting() >= 0) {
        at_end = !socket_accept();
        return;
    }
    size_t room = RING - used < sizeof(buffer) ? RING - used : sizeof(buffer);
    ssize_t n;
    do
        n = read(STDIN_FILENO, buffer, room);
    while (n < 0 && errno == EINTR);
    at_end = n <= 0 && !socket_leave();
    for (ssize_t i = 0; i < n; i++)
        ring_put(buffer[i]);
}

static void ring_drain(void)
{
    while (!at_end && used < RING && is_ready(input(), POLLIN, 0))
        ring_fill();
}

size_t arch_console_read(char *buffer, size_t size, bool wait)
{
    while (used == 0 && !at_end && (wait || is_ready(input(), POLLIN, 0)))
        ring_fill();
    if (used == 0)
        return at_end ? SIZE_MAX : 0;
    size_t n = used < size ? used : size;
    n = n < RING - first ? n : RING - first;
    memcpy(buffer, ring + first, n);
    used -= n;
    first = used == 0 ? 0 : (first + n) % RING;
    return n;
}

void arch_console_write(const char *text, size_t size)
{
    while (size != 0 && socket_waiting() < 0) {
        struct pollfd p[2] = {
            { .fd = STDOUT_FILENO, .events = POLLOUT },
            { .fd = at_end || used == RING ? -1 : STDIN_FILENO, .events = POLLIN },
        };
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            console_end(EXIT_EMULATOR);
        if (p[1].revents != 0)
            ring_fill();
        if (p[0].revents == 0)
            continue;
        /* A pipe that polls writable takes this much without blocking. */
        ssize_t n = write(STDOUT_FILENO, text, size < 4096 ? size : 4096);
        if (n < 0 && errno != EINTR && errno != EAGAIN && !socket_leave())
            console_end(EXIT_EMULATOR);
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
}

bool arch_console_interrupted(void)
{
    static struct timespec last;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_nsec != last.tv_nsec || now.tv_sec != last.tv_sec)
        ring_drain();
    last = now;
    if (interrupts == 0)
        return false;
    interrupts--;
    return true;
}
