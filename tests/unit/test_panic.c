/* SPDX-License-Identifier: MIT */
/* What a panic prints. A panic happens once in a life, so each test has a process of its own. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/fake_arch.h"

#include "kernel/lib/crc.h"
#include "kernel/lib/string.h"

static char output[8192];
static size_t output_length;
static unsigned faults_in_registers;
static size_t backtrace_length, recursion;    /* so many frames are of the same place */

static void write_output(const char *text, size_t size)
{
    assert_true(size <= 1025);
    assert_true(output_length + size < sizeof(output));
    memcpy(output + output_length, text, size);
    output_length += size;
    output[output_length] = '\0';
}

void arch_registers(void (*reg)(const char *name, uint64_t value))
{
    reg("pc", 0xabc);
    if (faults_in_registers > 0) {
        faults_in_registers--;
        kernel_fault(&(struct fault){ .class = E_FAULT_OTHER });
    }
    reg("sp", UINT64_MAX);
}

size_t arch_backtrace(uint64_t *addresses, size_t max)
{
    size_t n = backtrace_length < max ? backtrace_length : max;

    for (size_t i = 0; i < n; i++)
        addresses[i] = 0x1000 + (i < recursion ? 0 : i);
    return n;
}

/* Run `test` in a child, so that the panic state is new; its exit status is the verdict. */
static void in_a_process(void (*test)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        test();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            printf("%d: %s\n%s", __LINE__, #condition, output); \
            fflush(stdout); \
            _exit(1); \
        } \
    } while (0)

/* Cut the next line off: its checksum is right and its end is CRLF. */
static char *next_line(void)
{
    static size_t at;
    char *line = output + at, crc[8];
    size_t length = 0;

    while (line[length] != '\r' && line[length] != '\0')
        length++;
    REQUIRE(line[length] == '\r' && line[length + 1] == '\n');
    at += length + 2;
    REQUIRE(length > 6 && length <= 1023);
    snprintf(crc, sizeof(crc), " *%04x", crc16(line, length - 6));
    REQUIRE(memcmp(line + length - 6, crc, 6) == 0);
    line[length - 6] = '\0';
    return line;
}

static void whole(void)
{
    const struct fault fault = { E_FAULT_PROTECTION, true, 0x2000, 0x3000, 0x1f };

    panic_set_output(write_output);
    backtrace_length = 4;
    recursion = 3;
    REQUIRE(!panicking());
    if (setjmp(halted) == 0)
        panic("fault", "Kernel/mm/a+b.c", 120, &fault);
    REQUIRE(panicking());
    REQUIRE(halt_status != 0);
    REQUIRE(strcmp(next_line(), "% panic kind=fault at=kernel/mm/a_b.c:120 fault=protection "
                   "address=0x0000000000002000 code=0x1f cpu=0 pc=0x0000000000003000") == 0);
    REQUIRE(strcmp(next_line(), "% reg pc=0x0000000000000abc") == 0);
    REQUIRE(strcmp(next_line(), "% reg sp=0xffffffffffffffff") == 0);
    REQUIRE(strcmp(next_line(), "% bt 0x0000000000001000 0x0000000000001003") == 0);
    REQUIRE(strcmp(next_line(), "% end panic") == 0);
}

static void without_fault_or_place(void)
{
    static const char begin[] = "% panic kind=x cpu=0 pc=0x";

    panic_set_output(write_output);
    backtrace_length = 1000;
    if (setjmp(halted) == 0)
        panic("x", NULL, 0, NULL);
    REQUIRE(memcmp(next_line(), begin, sizeof(begin) - 1) == 0);
    (void)next_line();
    (void)next_line();
    REQUIRE(strlen(next_line()) > 400);
    REQUIRE(strcmp(next_line(), "% end panic") == 0);
}

static void in_a_panic(void)
{
    panic_set_output(write_output);
    faults_in_registers = 1;
    if (setjmp(halted) == 0)
        panic("assert", "a.c", 1, NULL);
    (void)next_line();
    (void)next_line();
    REQUIRE(strcmp(next_line(), "% panic kind=double") == 0);
    REQUIRE(halt_status != 0);
    REQUIRE(output_length > 0 && output[output_length - 1] == '\n');
}

static void write_and_panic(const char *text, size_t size)
{
    write_output(text, size);
    panic("output", NULL, 0, NULL);
}

static void in_its_own_output(void)
{
    panic_set_output(write_and_panic);
    if (setjmp(halted) == 0)
        panic("assert", "a.c", 1, NULL);
    (void)next_line();
    REQUIRE(strcmp(next_line(), "% panic kind=double") == 0);
    REQUIRE(halt_status != 0);
}

static void without_output(void)
{
    if (setjmp(halted) == 0)
        panic("early", NULL, 0, NULL);
    REQUIRE(halt_status != 0);
}

static void panic_in_command(void *unused)
{
    (void)unused;
    panic("request", NULL, 0, NULL);
}

static void panic_between_guards(void *unused)
{
    of_cpu[0].depth++;
    panic_in_command(unused);
}

/* While CPU 0 waits in its command. */
static void panic_elsewhere(void *unused)
{
    lone_cpu = 2;
    panic_in_command(unused);
}

static void panic_deep_in_command(void *unused)
{
    (void)trap_run(panic_in_command, unused);
    REQUIRE(false);
}

static void stays(void)
{
    struct ending ending;

    panic_set_output(write_output);
    panic_set_stay(true);
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(panic_survived() == (i > 0));
        ending = trap_run(panic_deep_in_command, NULL);
        REQUIRE(ending.outcome == PANICKED && strcmp(ending.condition, "request") == 0);
        REQUIRE(panic_survived() && !panicking() && !trap_guarded());
    }
    /* CPU 0 is stopped anywhere by another one: here it has just left a guard. */
    ending = trap_run(panic_between_guards, NULL);
    REQUIRE(ending.outcome == PANICKED && !trap_guarded());
    /* Of another CPU: it is CPU 0 that goes on. */
    ending = trap_run(panic_elsewhere, NULL);
    REQUIRE(ending.outcome == PANICKED && ending.cpu == 2);
    REQUIRE(arch_cpu_self() == 0 && !trap_guarded());
    /* Outside of a command, into the guard around it all. */
    REQUIRE(!arch_guard(panic_in_command, NULL));
    faults_in_registers = 1;
    if (setjmp(halted) == 0)
        (void)trap_run(panic_in_command, NULL);
    REQUIRE(halt_status != 0);
}

static void prints_it_all(void **unused)
{
    (void)unused;
    in_a_process(whole);
}

static void prints_without_fault_or_place(void **unused)
{
    (void)unused;
    in_a_process(without_fault_or_place);
}

static void a_panic_in_a_panic_halts(void **unused)
{
    (void)unused;
    in_a_process(in_a_panic);
    in_a_process(in_its_own_output);
}

static void stays_if_told_but_not_after_a_panic_in_a_panic(void **unused)
{
    (void)unused;
    in_a_process(stays);
}

static void halts_without_an_output(void **unused)
{
    (void)unused;
    in_a_process(without_output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_it_all),
        cmocka_unit_test(prints_without_fault_or_place),
        cmocka_unit_test(a_panic_in_a_panic_halts),
        cmocka_unit_test(stays_if_told_but_not_after_a_panic_in_a_panic),
        cmocka_unit_test(halts_without_an_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
