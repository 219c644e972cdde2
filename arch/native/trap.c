/* SPDX-License-Identifier: MIT */
/* Signals are this machine's exceptions; guards are sigsetjmp(). */
#define _GNU_SOURCE
#include <execinfo.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/native/native.h"

/* Sanitizers leave the signals of memory to the guest, and a report of theirs is a panic. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0:use_sigaltstack=0"
           ":detect_leaks=0:exitcode=4";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}

struct guard {
    sigjmp_buf context;
    struct guard *outer;
};

static _Thread_local struct guard *innermost;
static _Thread_local bool interrupted;   /* `context` is that of a fault not yet unwound */
static _Thread_local ucontext_t context;

static uint64_t context_pc(const ucontext_t *at)
{
#if defined(__x86_64__)
    return (uint64_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return at->uc_mcontext.pc;
#else
    (void)at;
    return 0;
#endif
}

static void signal_fault(int number, siginfo_t *info, void *at)
{
    bool is_memory = number == SIGSEGV || number == SIGBUS;
    struct fault fault = { .class = is_memory ? E_FAULT_ADDRESS : E_FAULT_OTHER,
                           .has_address = is_memory, .code = (uint64_t)number };
    memcpy(&context, at, sizeof(context));
    interrupted = true;
    fault.pc = context_pc(&context);
    fault.address = (uintptr_t)info->si_addr;
    if (is_memory && memory_guest_address((uintptr_t)info->si_addr, &fault.address))
        fault.class = paging_fault_class(fault.address);
    kernel_fault(&fault);
}

static void signal_end(int number)
{
    console_restore();
    signal(number, SIG_DFL);
    raise(number);
}

void trap_open_thread(void *stack, size_t size)
{
    const stack_t alternate = { .ss_sp = stack, .ss_size = size };

    sigaltstack(&alternate, NULL);
}

void trap_open(void)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
    static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT };
    static char stack[256 << 10];
    struct sigaction action = { .sa_sigaction = signal_fault };
    void *frame[1];

    trap_open_thread(stack, sizeof(stack));
    /* Not deferred: a guard is left by a jump that does not restore the mask. */
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        sigaction(faults[i], &action, NULL);
    action = (struct sigaction){ .sa_handler = signal_end };
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        sigaction(ends[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    backtrace(frame, 1);              /* the first call loads a library */
}

bool arch_guard(void (*function)(void *argument), void *argument)
{
    struct guard guard = { .outer = innermost };
    bool ended = false;
    if (sigsetjmp(guard.context, 0) == 0) {
        innermost = &guard;
        function(argument);
        ended = true;
    }
    innermost = guard.outer;
    return ended;
}

_Noreturn void arch_unwind(void)
{
    interrupted = false;
    siglongjmp(innermost->context, 1);
}

void arch_registers(void (*reg)(const char *name, uint64_t value))
{
    if (!interrupted && getcontext(&context) != 0)
        return;
#if defined(__x86_64__)
    static const struct { const char *name; int index; } registers[] = {
        { "rip", REG_RIP }, { "rsp", REG_RSP }, { "rbp", REG_RBP }, { "rax", REG_RAX },
        { "rbx", REG_RBX }, { "rcx", REG_RCX }, { "rdx", REG_RDX }, { "rsi", REG_RSI },
        { "rdi", REG_RDI }, { "r8", REG_R8 }, { "r9", REG_R9 }, { "r10", REG_R10 },
        { "r11", REG_R11 }, { "r12", REG_R12 }, { "r13", REG_R13 }, { "r14", REG_R14 },
        { "r15", REG_R15 }, { "efl", REG_EFL },
    };
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        reg(registers[i].name, (uint64_t)context.uc_mcontext.gregs[registers[i].index]);
#elif defined(__aarch64__)
    reg("pc", context.uc_mcontext.pc);
    reg("sp", context.uc_mcontext.sp);
    reg("x29", context.uc_mcontext.regs[29]);
    reg("x30", context.uc_mcontext.regs[30]);
#endif
}

size_t arch_backtrace(uint64_t *addresses, size_t max)
{
    void *frames[128];
    size_t n = (size_t)backtrace(frames, (int)ARRAY_SIZE(frames)), skip = 1, out = 0;
    /* Of the interrupted context only: what lies above it belongs to the handler. */
    for (size_t i = 0; interrupted && i < n; i++)
        if ((uintptr_t)frames[i] == context_pc(&context))
            skip = i + 1;
    for (size_t i = skip; i < n && out < max; i++)
        addresses[out++] = (uintptr_t)frames[i];
    return out;
}
