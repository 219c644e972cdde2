/* SPDX-License-Identifier: MIT */
/* The process: its options, its beginning and its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/native/native.h"

static const char *command_line = "";

static const char usage[] =
    "usage: pfnlab [--memory SIZE] [--cpus N] [--append STRING] [--serial unix:PATH]\n"
    "The lab as a process; standard input and output are its serial line.\n"
    "  --memory SIZE       RAM of the machine it plays, 4M to 1T, suffixes K M G T (256M)\n"
    "  --cpus N            processors, 1 to 256 (1)\n"
    "  --append STRING     the kernel command line\n"
    "  --serial unix:PATH  the line is a socket: start with the first client, and stay for more\n"
    "  --gdb wait          stop before the kernel starts, until a debugger lets it go on\n";

static _Noreturn void fail(const char *problem, const char *value)
{
    fprintf(stderr, "pfnlab: %s: %s\n", problem, value);
    exit(EXIT_USAGE);
}

/* Bytes of "64M"; 0 if it is not a size. */
static uint64_t parse_size(const char *text)
{
    static const char suffixes[] = "KMGT";
    uint64_t n = 0;
    if (*text < '1' || *text > '9')
        return 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        if (n > NATIVE_MAXIMUM)
            return 0;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    const char *suffix = *text == 0 ? NULL : strchr(suffixes, *text);
    if (*text != 0 && (suffix == NULL || text[1] != 0))
        return 0;
    unsigned shift = suffix == NULL ? 0 : 10 * (unsigned)(suffix - suffixes + 1);
    return n > NATIVE_MAXIMUM >> shift ? 0 : n << shift;
}

static uint64_t parse_memory(const char *text)
{
    uint64_t size = parse_size(text);
    if (size < NATIVE_MINIMUM || size > NATIVE_MAXIMUM)
        fail("memory is a size from 4M to 1T", text);
    return align_down(size, PAGE_SIZE);
}

static unsigned parse_cpus(const char *text)
{
    uint64_t n = strspn(text, "0123456789") == strlen(text) ? parse_size(text) : 0;
    if (n == 0 || n > ARCH_CPUS_MAX)
        fail("cpus is a number from 1 to 256", text);
    return (unsigned)n;
}

static void parse_append(const char *text)
{
    for (const char *c = text; *c != 0; c++)
        if (*c < 0x20 || *c > 0x7e)
            fail("the command line must be printable ASCII", text);
    command_line = text;
}

static void serve_socket(const char *serial)
{
    static const char scheme[] = "unix:";
    const char *path = serial + strlen(scheme);
    if (strncmp(serial, scheme, strlen(scheme)) != 0)
        fail("serial is unix:PATH", serial);
    if (!socket_open(path))
        fail(strerror(errno), path);
}

struct options { uint64_t memory; unsigned cpus; const char *serial; bool waits; };

static void parse_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--memory") == 0)
        options->memory = parse_memory(value);
    else if (strcmp(name, "--cpus") == 0)
        options->cpus = parse_cpus(value);
    else if (strcmp(name, "--append") == 0)
        parse_append(value);
    else if (strcmp(name, "--serial") == 0)
        options->serial = value;
    else if (strcmp(name, "--gdb") == 0 && strcmp(value, "wait") == 0)
        options->waits = true;
    else
        fail("unknown option", name);
}

int main(int argc, char **argv)
{
    struct options options = { .memory = UINT64_C(256) << 20, .cpus = 1 };
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return EXIT_ORDERLY;
        }
        if (i + 1 == argc)
            fail("missing value or unknown option", argv[i]);
        parse_option(&options, argv[i], argv[i + 1]);
    }
    if (!memory_open(options.memory))
        fail("the host refuses so much address space", "mmap");
    cpus_open(options.cpus);
    if (options.serial != NULL)
        serve_socket(options.serial);
    if (options.waits)
        raise(SIGSTOP);
    kernel_main();
}

const char *arch_command_line(void)
{
    return command_line;
}

_Noreturn void arch_halt(int status)
{
    console_restore();
    if (status != 0)
        _exit(EXIT_PANIC);
    exit(EXIT_ORDERLY);
}
