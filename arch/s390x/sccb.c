/* SPDX-License-Identifier: MIT */
#include "arch/s390x/sccb.h"

#include "arch/s390x/ebcdic.h"
#include "kernel/lib/string.h"

/* The header: length, function code, control mask, response. */
enum { HEADER = 8, CONTROL_LAST = 5, RESPONSE = 6 };
#define VARIABLE_LENGTH 0x80u

/* WRITE MASK: the length of a mask, ours and the SCLP's. */
enum { MASK_LENGTH = 10, MASK_WE_RECEIVE = 12, MASK_WE_SEND = 16, MASK_SCLP_RECEIVES = 20,
       MASK_SIZE = 28 };

/* An event: length, type, flags, 2 bytes that are 0. */
enum { EVENT_TYPE = 2, EVENT_HEADER = 6 };
enum { TYPE_COMMAND = 0x01, TYPE_MESSAGE = 0x02, TYPE_ASCII = 0x1a };

/* Input of the ASCII console begins with a byte that tells its kind; 0 is text. */
enum { ASCII_TEXT = 1 };

/* A message: a message data block with one message text object. */
enum { MDB_HEADER = 12, MDB_TYPE = 2, MDB_TAG = 4, MDB_REVISION = 8 };
enum { MTO_HEADER = 10, MTO_TYPE = 2, MTO_FLAGS = 4 };
#define MDB_TAG_VALUE 0xd4c4c240u         /* "MDB " */
#define MTO_TEXT 4u
#define MTO_END_OF_LINE 0x1000u

/* A command: vectors of 16-bit length and identifier, in them subvectors of 8-bit ones. */
enum { GDS_MDS_UNIT = 0x1310, GDS_CP_UNIT = 0x1212, GDS_TEXT_COMMAND = 0x1320 };
enum { KEY_TEXT_MESSAGE = 0x31, KEY_TEXT = 0x30 };

/* READ INFO. Entries of CPUs begin with the address. */
enum { INFO_INCREMENTS = 8, INFO_MIB = 10, INFO_CPUS = 16, INFO_CPUS_OFFSET = 18,
       INFO_LOADPARM = 24, INFO_MIB_LONG = 100, INFO_INCREMENTS_LONG = 104 };
enum { CPU_ENTRY = 16 };

_Static_assert(SCCB_CPUS_MAX * CPU_ENTRY >= SCCB_SIZE, "all that fit the page");

struct part {
    const uint8_t *at;
    size_t size;
};

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* ---- Requests ---- */

void sccb_set_empty(struct sccb *sccb)
{
    memset(sccb->bytes, 0, HEADER);
    put16(sccb->bytes, SCCB_SIZE);
    sccb->bytes[CONTROL_LAST] = VARIABLE_LENGTH;
}

void sccb_set_mask(struct sccb *sccb, uint32_t receive, uint32_t send)
{
    memset(sccb->bytes, 0, MASK_SIZE);
    put16(sccb->bytes, MASK_SIZE);
    put16(sccb->bytes + MASK_LENGTH, sizeof(receive));
    put32(sccb->bytes + MASK_WE_RECEIVE, receive);
    put32(sccb->bytes + MASK_WE_SEND, send);
}

/* Header and event header; returns where the event's data go. */
static uint8_t *event_begin(struct sccb *sccb, uint8_t type, size_t size)
{
    uint8_t *event = sccb->bytes + HEADER;

    ASSERT(HEADER + EVENT_HEADER + size <= SCCB_SIZE);
    memset(sccb->bytes, 0, HEADER + EVENT_HEADER);
    put16(sccb->bytes, HEADER + EVENT_HEADER + size);
    put16(event, EVENT_HEADER + size);
    event[EVENT_TYPE] = type;
    return event + EVENT_HEADER;
}

void sccb_set_ascii(struct sccb *sccb, const char *text, size_t size)
{
    memcpy(event_begin(sccb, TYPE_ASCII, size), text, size);
}

void sccb_set_message(struct sccb *sccb, const char *text, size_t size)
{
    uint8_t *mdb = event_begin(sccb, TYPE_MESSAGE, MDB_HEADER + MTO_HEADER + size);
    uint8_t *mto = mdb + MDB_HEADER;

    put16(mdb, MDB_HEADER + MTO_HEADER + size);
    put16(mdb + MDB_TYPE, 1);
    put32(mdb + MDB_TAG, MDB_TAG_VALUE);
    put32(mdb + MDB_REVISION, 1);
    memset(mto, 0, MTO_HEADER);
    put16(mto, MTO_HEADER + size);
    put16(mto + MTO_TYPE, MTO_TEXT);
    put16(mto + MTO_FLAGS, MTO_END_OF_LINE);
    for (size_t i = 0; i < size; i++)
        mto[MTO_HEADER + i] = ebcdic_from_ascii(text[i]);
}

/* ---- Answers ---- */

uint16_t sccb_response(const struct sccb *sccb)
{
    return get16(sccb->bytes + RESPONSE);
}

uint32_t sccb_sclp_receives(const struct sccb *sccb)
{
    return get32(sccb->bytes + MASK_SCLP_RECEIVES);
}

/* The first vector with this identifier in `in`, without its header; of size 0 if there is none. */
static struct part vector_find(struct part in, unsigned id)
{
    while (in.size >= 4) {
        size_t length = get16(in.at);

        if (length < 4 || length > in.size)
            break;
        if (get16(in.at + 2) == id)
            return (struct part){ in.at + 4, length - 4 };
        in = (struct part){ in.at + length, in.size - length };
    }
    return (struct part){ in.at, 0 };
}

static struct part subvector_find(struct part in, unsigned key)
{
    while (in.size >= 2) {
        size_t length = in.at[0];

        if (length < 2 || length > in.size)
            break;
        if (in.at[1] == key)
            return (struct part){ in.at + 2, length - 2 };
        in = (struct part){ in.at + length, in.size - length };
    }
    return (struct part){ in.at, 0 };
}

/* True if `text` ended in this control; it is cut off. */
static bool cut(struct part *text, uint8_t control)
{
    if (text->size == 0 || text->at[text->size - 1] != control)
        return false;
    text->size--;
    return true;
}

static size_t command_text(struct part event, char *buffer, size_t size, bool *asks)
{
    struct part text = vector_find(event, GDS_MDS_UNIT);
    bool asked, goes_on;
    size_t n = 0;

    text = vector_find(vector_find(text, GDS_CP_UNIT), GDS_TEXT_COMMAND);
    text = subvector_find(subvector_find(text, KEY_TEXT_MESSAGE), KEY_TEXT);
    asked = cut(&text, EBCDIC_ENQ);
    goes_on = asked && cut(&text, EBCDIC_ETB);
    *asks |= asked;
    for (; n < text.size && n < size; n++)
        buffer[n] = ebcdic_to_ascii(text.at[n]);
    if (n < size && !goes_on)
        buffer[n++] = '\n';
    return n;
}

static size_t ascii_text(struct part event, char *buffer, size_t size)
{
    size_t n = event.size;

    if (n < ASCII_TEXT || event.at[0] != 0)
        return 0;
    n = n - ASCII_TEXT < size ? n - ASCII_TEXT : size;
    memcpy(buffer, event.at + ASCII_TEXT, n);
    return n;
}

size_t sccb_text(const struct sccb *sccb, char *buffer, size_t size, bool *asks)
{
    size_t length = get16(sccb->bytes), end = length < SCCB_SIZE ? length : SCCB_SIZE;
    size_t n = 0;

    *asks = false;
    for (size_t at = HEADER; at + EVENT_HEADER <= end;) {
        const uint8_t *event = sccb->bytes + at;
        struct part data = { event + EVENT_HEADER, get16(event) - (size_t)EVENT_HEADER };

        if (get16(event) < EVENT_HEADER || get16(event) > end - at)
            break;
        if (event[EVENT_TYPE] == TYPE_ASCII)
            n += ascii_text(data, buffer + n, size - n);
        else if (event[EVENT_TYPE] == TYPE_COMMAND)
            n += command_text(data, buffer + n, size - n, asks);
        at += get16(event);
    }
    return n;
}

static void info_cpus(const uint8_t *bytes, struct sccb_info *info)
{
    size_t at = get16(bytes + INFO_CPUS_OFFSET);

    info->cpus = 0;
    for (unsigned n = get16(bytes + INFO_CPUS); n > 0 && at + CPU_ENTRY <= SCCB_SIZE; n--) {
        info->cpu[info->cpus++] = bytes[at];
        at += CPU_ENTRY;
    }
}

struct sccb_info sccb_info(const struct sccb *sccb)
{
    const uint8_t *bytes = sccb->bytes;
    uint64_t increments = get16(bytes + INFO_INCREMENTS), mib = bytes[INFO_MIB];
    struct sccb_info info;

    /* 0 where the number does not fit the short field. */
    if (increments == 0)
        increments = (uint64_t)get32(bytes + INFO_INCREMENTS_LONG) << 32
            | get32(bytes + INFO_INCREMENTS_LONG + 4);
    if (mib == 0)
        mib = get32(bytes + INFO_MIB_LONG);
    info.memory = (increments * mib) << 20;
    for (size_t i = 0; i < LOADPARM_SIZE; i++) {
        char c = ebcdic_to_ascii(bytes[INFO_LOADPARM + i]);

        info.loadparm[i] = c < ' ' ? '?' : c;
    }
    info_cpus(bytes, &info);
    return info;
}
