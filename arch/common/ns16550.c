/* SPDX-License-Identifier: MIT */
#include "arch/common/ns16550.h"

enum { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };
enum { LSR_DATA_READY = 0x01, LSR_THR_EMPTY = 0x20, LSR_IDLE = 0x40 };
enum { LCR_8N1 = 0x03, LCR_DIVISOR = 0x80 };
enum { FCR_ENABLE = 0x01, FCR_CLEAR = 0x06, FCR_TRIGGER_14 = 0xc0 };
enum { MCR_DTR_RTS_OUT2 = 0x0b };     /* OUT2 gates the interrupt line on a PC */
enum { IER_RECEIVED = 0x01 };
enum { IIR_WHICH = 0x0f, IIR_TRIGGER = 0x04, IIR_FIFOS = 0xc0 };

#define FIFO_SIZE 16u
#define TRIGGER 14u
#define CTRL_C 0x03

void ns16550_open(struct ns16550 *uart, bool at_once)
{
    uart->write(IER, 0);
    uart->write(LCR, LCR_DIVISOR);
    uart->write(DLL, 1);
    uart->write(DLM, 0);
    uart->write(LCR, LCR_8N1);
    uart->write(FCR, FCR_ENABLE | FCR_CLEAR | (at_once ? 0 : FCR_TRIGGER_14));
    uart->fifo = (uart->read(IIR) & IIR_FIFOS) == IIR_FIFOS ? FIFO_SIZE : 1;
    uart->trigger = at_once || uart->fifo == 1 ? 1 : TRIGGER;
    uart->write(MCR, MCR_DTR_RTS_OUT2);
    uart->write(IER, IER_RECEIVED);
}

static void receive_byte(struct ns16550 *uart)
{
    char c = (char)uart->read(RBR);
    uart->interrupts += c == CTRL_C;
    uart->ring[(uart->first + uart->used++) % NS16550_RING] = c;
}

/* Bytes in the FIFO, as far as one look tells; there is one. */
static unsigned count_waiting(const struct ns16550 *uart)
{
    return (uart->read(IIR) & IIR_WHICH) == IIR_TRIGGER ? uart->trigger : 1;
}

/* A look at a register leaves an emulator's fast path: with 14 bytes there one look is enough. */
void ns16550_receive(struct ns16550 *uart)
{
    unsigned known = 0;
    while (uart->used < NS16550_RING && (uart->read(LSR) & LSR_DATA_READY) != 0) {
        unsigned n = known == 0 ? count_waiting(uart) : 1;
        for (known = n; n > 0 && uart->used < NS16550_RING; n--)
            receive_byte(uart);
    }
}

size_t ns16550_take(struct ns16550 *uart, char *buffer, size_t size)
{
    size_t n = 0;
    for (; n < size && uart->used != 0; n++, uart->used--) {
        buffer[n] = uart->ring[uart->first];
        uart->first = (uart->first + 1) % NS16550_RING;
    }
    return n;
}

bool ns16550_take_interrupt(struct ns16550 *uart)
{
    if (uart->interrupts == 0)
        return false;
    uart->interrupts--;
    return true;
}

static void wait_for(struct ns16550 *uart, unsigned bit)
{
    while ((uart->read(LSR) & bit) == 0)
        ns16550_receive(uart);
}

void ns16550_send(struct ns16550 *uart, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        wait_for(uart, LSR_THR_EMPTY);
        for (unsigned room = uart->fifo; room > 0 && i < size; room--)
            uart->write(THR, (uint8_t)text[i++]);
    }
    ns16550_receive(uart);
}

void ns16550_flush(struct ns16550 *uart)
{
    wait_for(uart, LSR_IDLE);
}
