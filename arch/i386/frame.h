/* SPDX-License-Identifier: MIT */
/* The registers as entry.S pushes them, lowest address first. */
#ifndef PFNLAB_I386_FRAME_H
#define PFNLAB_I386_FRAME_H

#include <stdint.h>

struct trap_frame {
    uint32_t edi, esi, ebp, pushed_esp, ebx, edx, ecx, eax;
    uint32_t vector, code;
    /* Without a change of privilege, the stack pointer is not saved: it is the end of this. */
    uint32_t eip, cs, eflags;
};

#endif
