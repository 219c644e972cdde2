/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts by number (Intel SDM volume 3, section 6.3.1), for C and assembly. */
#ifndef PFNLAB_X86_VECTORS_H
#define PFNLAB_X86_VECTORS_H

#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8

/* Interrupts of the two controllers begin here, right after the exceptions. */
#define VECTOR_IRQ 0x20
#define VECTOR_CPU 0x30               /* one CPU calls another */
#define VECTOR_SPURIOUS 0xff      /* of the local APIC; not served, only returned from */

/* Entry points of vectors.S, and their size. */
#define VECTORS 0x31
#define ENTRY_SIZE 16

#endif
