/* SPDX-License-Identifier: MIT */
/*
 * A client as fast as C makes it: line_client FD COUNT WAY WHAT sends COUNT requests in a strict
 * session to the guest behind the socket FD and prints the nanoseconds that they took. WAY is
 * `single`, which waits for each answer, or `pipelined`, which sends as much as the credit allows.
 * WHAT is `echo`, or `pair`, an alloc_page and a free of what it got.
 */
#define _POSIX_C_SOURCE 199309L
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel/lib/crc.h"

#define CREDIT 4096u          /* `rx` is at least that */
#define MOST_UNDER_WAY 1024u
#define LINE_SIZE 128u

static int guest;
static char input[65536];
static size_t have, used;

static _Noreturn void fail(const char *what, const char *text)
{
    fprintf(stderr, "line_client: %s%s\n", what, text);
    exit(1);
}

static void send_all(const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = write(guest, data, size);
        if (sent <= 0)
            fail("the line broke", "");
        data += sent;
        size -= (size_t)sent;
    }
}

/* The next line, without its end; it is good until the next call. */
static char *receive_line(void)
{
    for (;;) {
        char *end = memchr(input + used, '\n', have - used), *line = input + used;
        if (end != NULL) {
            used = (size_t)(end + 1 - input);
            *end = '\0';
            return line;
        }
        memmove(input, input + used, have - used);
        have -= used;
        used = 0;
        ssize_t got = read(guest, input + have, sizeof(input) - have);
        if (got <= 0)
            fail("the line broke", "");
        have += (size_t)got;
    }
}

/* The next final of a request that was sealed; events and rows are passed by. */
static char *receive_final(void)
{
    for (;;) {
        char *line = receive_line();
        if (line[0] == '?')
            fail("refused: ", line);
        if (line[0] == '=')
            return line;
    }
}

static size_t seal(char *line, size_t length)
{
    int more = snprintf(line + length, LINE_SIZE - length, " *%04x\n", crc16(line, length));
    return length + (size_t)more;
}

/* Begin a strict session: the tag of the last request that ran. */
static unsigned long connect_strict(void)
{
    char line[LINE_SIZE];
    int length = snprintf(line, sizeof(line), ">0 sync 0x6265");
    send_all("\x03\n", 2);
    send_all(line, seal(line, (size_t)length));
    for (;;) {
        const char *final = receive_line(), *last = strstr(final, " last=");
        if (strncmp(final, "=0 0x0000000000006265 ", 22) == 0 && last != NULL)
            return strtoul(last + 6, NULL, 10);
    }
}

static size_t request(char *line, unsigned long tag, bool pair, bool second)
{
    int length;
    if (!pair)
        length = snprintf(line, LINE_SIZE, ">%lu echo 1", tag);
    else if (!second)
        length = snprintf(line, LINE_SIZE, ">%lu alloc_page dontzero=1", tag);
    else
        length = snprintf(line, LINE_SIZE, ">%lu free $%lu", tag, tag - 1);
    return seal(line, (size_t)length);
}

static void run(unsigned long count, size_t credit, bool pair)
{
    static size_t length[MOST_UNDER_WAY];
    unsigned long first = connect_strict() + 1, sent = 0;
    size_t under_way = 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (unsigned long done = 0; done < count; done++) {
        static char lines[CREDIT + LINE_SIZE];
        size_t size = 0;
        while (sent < count && under_way < credit) {
            size_t one = request(lines + size, first + sent, pair, sent % 2 == 1);
            if (under_way > 0 && under_way + one > credit)
                break;
            length[sent++ % MOST_UNDER_WAY] = one;
            under_way += one;
            size += one;
        }
        send_all(lines, size);
        if (strtoul(receive_final() + 1, NULL, 10) != first + done)
            fail("an answer is missing", "");
        under_way -= length[done % MOST_UNDER_WAY];
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld\n", (end.tv_sec - begin.tv_sec) * 1000000000LL + end.tv_nsec - begin.tv_nsec);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fail("usage: line_client FD COUNT single|pipelined echo|pair", "");
    guest = atoi(argv[1]);
    run(strtoul(argv[2], NULL, 10), strcmp(argv[3], "single") == 0 ? 1 : CREDIT,
        strcmp(argv[4], "pair") == 0);
    return 0;
}
