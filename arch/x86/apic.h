/* SPDX-License-Identifier: MIT */
/*
 * Each CPU's local APIC (Intel SDM volume 3, chapter 11), in the mode that has registers in memory.
 */
#ifndef PFNLAB_X86_APIC_H
#define PFNLAB_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

#define APIC_PAGE UINT64_C(0xfee00000)

/* What one CPU can send to another; a start takes the number of its page. */
#define APIC_FIXED(vector) (0x4000u | (vector))
#define APIC_NMI 0x4400u
#define APIC_INIT 0x4500u
#define APIC_START(page) (0x4600u | (page))

/*
 * This CPU's, from the mapped APIC_PAGE on. The interrupt controllers' line (LINT0) is let through
 * to one CPU only. False: there is none, or firmware has hidden it.
 */
bool apic_open(bool has_lines);

/* Its identifier, by which others send. */
uint8_t apic_id(void);

/* Returns when the other APIC has accepted it. What was written before is seen by who gets it. */
void apic_send(uint8_t id, uint32_t what);

/* An interrupt VECTOR_CPU of this CPU's own, after so many ticks of its bus (QEMU: nanoseconds). */
void apic_alarm(uint32_t ticks);

/* The end of an interrupt that an APIC has sent; no harm where there was none. */
void apic_acknowledge(void);

#endif
