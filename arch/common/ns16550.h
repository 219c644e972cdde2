/* SPDX-License-Identifier: MIT */
/*
 * The 16550 UART (National Semiconductor PC16550D data sheet, section 8), with a ring for what it
 * receives. A port says how its registers are reached and calls with interrupts off.
 *
 * Nothing is lost as long as the device does not overrun: a full ring leaves the bytes in the FIFO,
 * where an emulator stops its sender.
 */
#ifndef PFNLAB_NS16550_H
#define PFNLAB_NS16550_H

#include "kernel/base.h"

#define NS16550_RING 8192u

struct ns16550 {
    uint8_t (*read)(unsigned reg);
    void (*write)(unsigned reg, uint8_t value);
    unsigned fifo;                /* bytes that it takes at once: 1 of an older device */
    unsigned trigger;             /* bytes received that raise an interrupt */
    size_t first, used;           /* `used` bytes from ring[first] on */
    unsigned interrupts;          /* ^C received and not taken */
    char ring[NS16550_RING];
};

/*
 * The fastest there is (115200 Bd on a PC), 8N1, FIFOs on, receive interrupt on: after 14 bytes or
 * a pause, or `at_once` after each byte, which is slower and gives the FIFO 15 bytes of slack
 * instead of 2. Once.
 */
void ns16550_open(struct ns16550 *uart, bool at_once);

/* From the FIFO to the ring, until one is empty or the other full. */
void ns16550_receive(struct ns16550 *uart);

/* Up to `size` bytes from the ring, oldest first. */
size_t ns16550_take(struct ns16550 *uart, char *buffer, size_t size);

/* True once for each ^C received. */
bool ns16550_take_interrupt(struct ns16550 *uart);

/* Send by polling, a FIFO at a time, receiving meanwhile. */
void ns16550_send(struct ns16550 *uart, const char *text, size_t size);

/* Wait until the last byte has left. */
void ns16550_flush(struct ns16550 *uart);

#endif
