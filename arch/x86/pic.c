/* SPDX-License-Identifier: MIT */
/* Two 8259A (Intel data sheet 231468), behind the local APIC's LINT0. */
#include "arch/x86/cpu.h"
#include "arch/x86/trap.h"

enum { MASTER = 0x20, SLAVE = 0xa0, DATA = 1 };
enum { ICW1_INIT_ICW4 = 0x11, ICW4_8086 = 0x01, END_OF_INTERRUPT = 0x20, CASCADE = 2 };

#define ALL_BUT_COM1 0xefu

static void controller_open(uint16_t port, uint8_t vector, uint8_t cascade, uint8_t mask)
{
    outb(port, ICW1_INIT_ICW4);
    outb(port + DATA, vector);
    outb(port + DATA, cascade);
    outb(port + DATA, ICW4_8086);
    outb(port + DATA, mask);
}

void pic_open(void)
{
    controller_open(MASTER, VECTOR_IRQ, 1 << CASCADE, ALL_BUT_COM1);
    controller_open(SLAVE, VECTOR_IRQ + 8, CASCADE, 0xff);
}

void pic_acknowledge(void)
{
    outb(MASTER, END_OF_INTERRUPT);
}
