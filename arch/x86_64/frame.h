/* SPDX-License-Identifier: MIT */
/* The registers as entry.S pushes them, lowest address first. */
#ifndef PFNLAB_X86_64_FRAME_H
#define PFNLAB_X86_64_FRAME_H

#include <stdint.h>

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, code;
    uint64_t rip, cs, rflags, rsp, ss;
};

#endif
