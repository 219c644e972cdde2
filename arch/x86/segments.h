/* SPDX-License-Identifier: MIT */
/* For assembly: the flat data segment in each segment register that counts. Changes eax. */
#ifndef PFNLAB_X86_SEGMENTS_H
#define PFNLAB_X86_SEGMENTS_H

#include "arch/x86/selectors.h"

    .macro load_data_segments
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    .endm

#endif
