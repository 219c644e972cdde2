/* SPDX-License-Identifier: MIT */
/*
 * Exactly once: in a strict session a line runs only if its checksum is right and its tag is
 * last + 1. The line of tag `last` may come again, when its final was lost: a mutator is answered
 * from memory, a query is asked again.
 */
#include "protocol/session.h"

#include "kernel/lib/crc.h"
#include "kernel/lib/number.h"
#include "kernel/lib/string.h"
#include "kernel/machine.h"
#include "protocol/dispatch.h"
#include "protocol/output.h"
#include "protocol/ring.h"

/* What is kept of the last request whose tag has this slot. */
struct slot {
    uint32_t tag;                 /* 0: none */
    uint16_t request;             /* the checksum of its line: is it the same one again? */
    bool mutator;                 /* its final is kept */
    char sigil;
    uint16_t length;              /* of final: 0 for a success that says no more */
    struct result result;
    char final[FINAL_SIZE];
};

static struct {
    bool strict;
    uint32_t last;                /* tag of the last request of a strict session */
    struct slot slots[SLOTS];
    struct result variables[VARIABLES];
    struct result latest;         /* `$` */
} session;

/* A line taken out of its dress. */
struct request {
    const char *text;
    size_t length;
    bool person;
    bool tagged, crc;
    uint32_t tag;
    uint16_t sum;
};

static struct reply reply;        /* of the request that runs; too large for a stack */

/* A program that waits is told that the request is at work, and has not come to stand still. */
static void tell_at_work(void)
{
    char buffer[32];
    struct text line;

    if (!session.strict)
        return;
    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "% busy tag=");
    text_decimal(&line, reply.tag);
    output_sign(line.buffer, line.length);
}

void session_begin(void)
{
    memset(&session, 0, sizeof(session));
    machine_on_sign(tell_at_work);
}

bool session_is_strict(void) { return session.strict; }
uint32_t session_last(void) { return session.last; }
struct result session_last_result(void) { return session.latest; }

static struct slot *slot_of(uint64_t tag)
{
    return &session.slots[tag % SLOTS];
}

struct result session_result(uint64_t tag)
{
    const struct slot *slot = slot_of(tag);

    return tag != 0 && slot->tag == tag ? slot->result : (struct result){ .given = false };
}

struct result session_variable(uint64_t variable)
{
    return variable < VARIABLES ? session.variables[variable] : (struct result){ .given = false };
}

void session_set_variable(uint64_t variable, const struct result *result)
{
    session.variables[variable] = *result;
}

void session_remember(const struct result *result, bool failed)
{
    if (failed || result->given)
        session.latest = *result;
}

void session_forget_results(void)
{
    memset(session.variables, 0, sizeof(session.variables));
    session.latest.given = false;
    for (size_t i = 0; i < SLOTS; i++) {
        session.slots[i].result.given = false;
        if (session.slots[i].tag % SLOTS != i)
            session.slots[i].tag = 0;
    }
}

bool session_check(struct page_violation *violation)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (session.slots[i].tag != 0 && session.slots[i].tag % SLOTS != i) {
            *violation = (struct page_violation){
                800, pfn(0), "a slot holds a tag of another place",
            };
            return false;
        }
    }
    return true;
}

void session_corrupt(void)
{
    /* Not the slot of this very request, which is about to be filled. */
    size_t far = (size_t)((session_last() + SLOTS / 2) % SLOTS);

    session.slots[far].tag = (uint32_t)(SLOTS + far + 1);
}

bool session_final(uint64_t tag, const char **final, size_t *length, char *sigil,
                   struct result *result)
{
    const struct slot *slot = slot_of(tag);

    if (slot->tag != tag || !slot->mutator)
        return false;
    *final = slot->final;
    *length = slot->length;
    *sigil = slot->sigil;
    *result = slot->result;
    return true;
}

/* ---- the dress ---- */

/* Take off " *hhhh"; LINK_CRC if it is not the checksum of what is before it. */
static enum error take_crc(struct request *request)
{
    const char *mark;
    uint16_t given = 0;

    request->sum = crc16(request->text, request->length);
    if (request->length < CRC_LENGTH)
        return OK;
    mark = request->text + request->length - CRC_LENGTH;
    if (mark[0] != ' ' || mark[1] != '*')
        return OK;
    for (unsigned i = 2; i < CRC_LENGTH; i++) {
        char c = mark[i];
        bool digit = c >= '0' && c <= '9';

        if (!digit && !(c >= 'a' && c <= 'f'))
            return OK;
        given = (uint16_t)(given << 4 | (unsigned)(digit ? c - '0' : c - 'a' + 10));
    }
    request->crc = true;
    request->length -= CRC_LENGTH;
    request->sum = crc16(request->text, request->length);
    return request->sum == given ? OK : E_LINK_CRC;
}

/* Take off ">TAG ". */
static enum error take_mark(struct request *request)
{
    const char *end = request->text + request->length, *at = request->text + 1;
    struct piece mark = { at, 0 };
    uint64_t tag = 0;

    if (request->text[0] != '>')
        return OK;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    mark.length = (size_t)(at - mark.text);
    if (at == end || *at != ' ')
        return E_LINK_FORM;
    if (mark.length > 0 && (number_parse(mark.text, mark.length, &tag) != OK || tag > UINT32_MAX))
        return E_LINK_FORM;
    request->tagged = mark.length > 0;
    request->tag = (uint32_t)tag;
    request->length = (size_t)(end - at);
    request->text = at;
    return OK;
}

static bool is_sync(const struct request *request)
{
    const char *text = request->text;
    struct piece name = parse_piece(&text, text + request->length);

    return word_is(name.text, name.length, "sync");
}

/* Tag 0 is sync's, and sync has no other. */
static enum error check_form(const struct request *request)
{
    const char *text = request->text;

    if (parse_piece(&text, text + request->length).length == 0)
        return E_LINK_FORM;
    if (!request->tagged)
        return OK;
    return is_sync(request) == (request->tag == 0) ? OK : E_LINK_FORM;
}

static bool is_last_again(const struct request *request)
{
    const struct slot *slot = slot_of(request->tag);

    if (!request->tagged || request->tag != session.last || session.last == 0)
        return false;
    return slot->tag == request->tag && slot->request == request->sum;
}

static enum error check_order(const struct request *request)
{
    if (!session.strict || is_sync(request))
        return OK;
    if (!request->tagged)
        return E_LINK_SEQ;
    if (is_last_again(request) || (request->tag == session.last + 1 && request->tag != 0))
        return OK;
    return E_LINK_SEQ;
}

/* Without a checksum nothing that a line says can be trusted in a strict session, not its tag. */
static enum error undress(struct request *request)
{
    enum error e = take_crc(request), form;

    if (e != OK)
        return e;
    form = take_mark(request);
    if (form == OK)
        form = check_form(request);
    if (session.strict && !request->crc && (form != OK || !is_sync(request)))
        return E_LINK_CRC;
    return form != OK ? form : check_order(request);
}

/* ---- answers ---- */

/* Nothing ran. A damaged line's tag cannot be trusted, so it is not repeated. */
static void refuse(const struct request *request, enum error e)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;

    reply_begin(&reply);
    reply.crc = session.strict || request->crc;
    reply.tagged = request->tagged && e != E_LINK_CRC;
    reply.tag = request->tag;
    reply_key_number(&reply, "last", session.last);
    if (session.strict && request->person)
        reply_text(&reply, "strict session: type sync 0 to end it");
    text_init(&line, buffer, sizeof(buffer));
    reply_compose(&reply, e, BODY_LENGTH - 16, &line);
    reply_send(&reply, '?', line.buffer, line.length);
}

void session_refuse(enum error e, bool person)
{
    refuse(&(struct request){ .person = person }, e);
}

/* Fill the slot of a tagged request. */
static void keep(const struct request *request, bool mutator, char sigil, const struct text *final)
{
    struct slot *slot = slot_of(request->tag);

    if (!request->tagged || request->tag == 0)
        return;
    slot->tag = request->tag;
    slot->request = request->sum;
    slot->sigil = sigil;
    slot->result = reply.result;
    slot->mutator = mutator;
    slot->length = mutator ? (uint16_t)final->length : 0;
    memcpy(slot->final, final->buffer, slot->length);
    if (session.strict)
        session.last = request->tag;
}

/* The sigil of the final line. */
static char execute(const struct request *request)
{
    char buffer[BODY_LENGTH + 1];
    struct text line;
    bool mutator = dispatch_is_mutator(request->text, request->length);
    enum error e;
    char sigil;

    reply_begin(&reply);
    reply.tagged = request->tagged;
    reply.tag = reply.owner = request->tag;
    reply.crc = request->crc;
    reply.person = request->person;
    e = dispatch(request->text, request->length, &reply);
    if (e != OK)
        reply.result.given = false;
    if (e == OK && is_sync(request))
        session.strict = request->crc;
    text_init(&line, buffer, sizeof(buffer));
    if (reply.repeat != NULL)
        text_bytes(&line, reply.repeat, reply.repeat_length);
    else
        reply_compose(&reply, e, mutator ? FINAL_SIZE : BODY_LENGTH - 16, &line);
    sigil = reply.repeat != NULL ? reply.repeat_sigil : e == OK ? '=' : '?';
    if (!is_sync(request))
        session_remember(&reply.result, e != OK);
    keep(request, mutator, sigil, &line);
    reply_send(&reply, sigil, line.buffer, line.length);
    if (reply.ends_guest)
        machine_off(0);
    return sigil;
}

static void answer_again(const struct request *request, const struct slot *slot)
{
    reply_begin(&reply);
    reply.tagged = reply.crc = true;
    reply.tag = request->tag;
    reply_send(&reply, slot->sigil, slot->final, slot->length);
}

void session_line(const char *text, size_t length, bool person)
{
    struct request request = { .text = text, .length = length, .person = person };
    enum error e = undress(&request);
    const struct slot *slot = slot_of(request.tag);
    char sigil = '?';

    ring_line(text, length);
    if (e != OK) {
        refuse(&request, e);
    } else if (session.strict && is_last_again(&request) && slot->mutator) {
        answer_again(&request, slot);
        sigil = slot->sigil;
    } else {
        sigil = execute(&request);
    }
    ring_answer(sigil);
}
