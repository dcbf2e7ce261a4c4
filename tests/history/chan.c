/* SPDX-License-Identifier: MIT */
/*
 * Channels, and selects over two of them, an event, a future and a deadline: who waits first is served first, also where it
 * waits in a select; a value is received once, in the order of sending; one case of a select is done, and no other; what is
 * cut short has moved what it says it has.
 */
#include <errno.h>
#include <string.h>

#include "history.h"

enum {
    SEND,
    RECV,
    TRY_SEND,
    TRY_RECV,
    SEND_MANY,
    RECV_MANY,
    CLOSE,
    LENGTH,
    SELECT,
    TRY_SELECT,
    SET_EVENT,
    CLEAR_EVENT,
    SET_FUTURE,
};

/* `number`: the channel, plus twice how many values; of a select a bit for each case. */
enum {
    CASE_RECV = 0,
    CASE_SEND = 1,
    CASES_OF_CHANNEL = 2,
    CASE_EVENT = 4,
    CASE_FUTURE = 5,
    CASE_DEADLINE = 6,
    CASES = 7
};
enum { CHANNELS = 2, CAPACITY_MAX = 2 };

static const struct kind kinds_of_chan[] = {
    [SEND] = {"send", .waits = true, .weight = 6, .numbers = 1, .sends = true, .outside = true},
    [RECV] = {"recv", .waits = true, .weight = 6, .numbers = 1, .outside = true},
    [TRY_SEND] = {"try_send", .weight = 1, .numbers = 1, .sends = true, .outside = true},
    [TRY_RECV] = {"try_recv", .weight = 1, .numbers = 1, .outside = true},
    [SEND_MANY] = {"send_many", .waits = true, .weight = 4, .numbers = 8, .sends = true, .outside = true},
    [RECV_MANY] = {"recv_many", .waits = true, .weight = 4, .numbers = 8, .outside = true},
    [CLOSE] = {"close", .weight = 1, .numbers = 1},
    [LENGTH] = {"length", .weight = 1, .numbers = 1},
};

static const struct kind kinds_of_select[] = {
    [SEND] = {"send", .waits = true, .weight = 4, .numbers = 2, .sends = true, .outside = true},
    [RECV] = {"recv", .waits = true, .weight = 4, .numbers = 2, .outside = true},
    [TRY_SEND] = {"try_send", .weight = 1, .numbers = 2, .sends = true},
    [TRY_RECV] = {"try_recv", .weight = 1, .numbers = 2},
    [SEND_MANY] = {"send_many", .waits = true, .weight = 1, .numbers = 8, .sends = true},
    [RECV_MANY] = {"recv_many", .waits = true, .weight = 1, .numbers = 8},
    [CLOSE] = {"close", .weight = 1, .numbers = 2},
    [LENGTH] = {"length", .weight = 1, .numbers = 2},
    [SELECT] = {"select", .waits = true, .weight = 12, .numbers = 1 << CASES, .sends = true, .outside = true},
    [TRY_SELECT] = {"try_select", .weight = 2, .numbers = 1 << CASES, .sends = true, .outside = true},
    [SET_EVENT] = {"set_event", .weight = 1},
    [CLEAR_EVENT] = {"clear_event", .weight = 1},
    [SET_FUTURE] = {"set_future", .weight = 1},
};

static filch_chan *chans[CHANNELS];
static filch_event event;
static filch_future future;

/* parameter: the capacities */
static void plan(struct program *program, struct filch__random *random) {
    for (unsigned i = 0; i < CHANNELS; i++) {
        program->parameter[i] = (uint8_t)filch__choose(random, CHOICE_VICTIM, CAPACITY_MAX + 1);
    }
}

static void plan_one(struct program *program, struct filch__random *random) {
    plan(program, random);
    for (unsigned i = 0; i < program->task_count * OPS_MAX; i++) {
        program->ops[i / OPS_MAX][i % OPS_MAX].number &= (uint8_t)~1u;
    }
}

static void make(const struct program *program) {
    for (unsigned i = 0; i < CHANNELS; i++) (void)!filch_chan_create(&chans[i], 1, program->parameter[i]);
    filch_event_init(&event);
    (void)!filch_future_init(&future);
}

static void unmake(void) {
    for (unsigned i = 0; i < CHANNELS; i++) filch_chan_destroy(chans[i]);
    filch_event_fini(&event);
    filch_future_fini(&future);
}

static unsigned channel_of(const struct op *op) {
    return op->number % 2;
}

static unsigned count_of(const struct op *op) {
    return op->number / 2;
}

static bool has_case(const struct op *op, unsigned which) {
    return op->number >> which & 1;
}

/* The place of the case in the array that select is given. */
static int index_of(const struct op *op, unsigned which) {
    return __builtin_popcount(op->number & ((1u << which) - 1));
}

/* What a select sends to the channel. */
static uint8_t value_for(const struct op *op, unsigned channel) {
    return (uint8_t)(op->value + channel);
}

/* In the values of a select's call: what it received, and which result the case has. */
enum { RECEIVED, CASE_RESULT };
enum { CASE_DONE = 1, CASE_CLOSED = 2 };

static void perform_select(struct call *call, filch_deadline deadline) {
    const struct op *op = call->op;
    uint8_t into[CHANNELS] = {0}, from[CHANNELS] = {value_for(op, 0), value_for(op, 1)};
    filch_case made[CASES] = {
        filch_case_recv(chans[0], &into[0]),
        filch_case_send(chans[0], &from[0]),
        filch_case_recv(chans[1], &into[1]),
        filch_case_send(chans[1], &from[1]),
        filch_case_event(&event),
        filch_case_future(&future),
    };
    filch_deadline at = filch_after(op->ns);
    call->case_ns = at.at_ns;
    made[CASE_DEADLINE] = filch_case_deadline(at);
    filch_case cases[CASES];
    int count = 0;
    for (unsigned i = 0; i < CASES; i++) {
        if (has_case(op, i)) cases[count++] = made[i];
    }
    bool waits = op->kind == SELECT;
    call->result = waits ? filch_select(cases, (size_t)count, deadline) : filch_try_select(cases, (size_t)count);
    if (call->result < 0) return;
    call->values[RECEIVED] = into[0] + into[1]; /* one at the most */
    call->values[CASE_RESULT] = cases[call->result].result == 0 ? CASE_DONE : CASE_CLOSED;
}

static void perform(struct call *call, filch_deadline deadline) {
    const struct op *op = call->op;
    filch_chan *chan = chans[channel_of(op)];
    uint8_t values[VALUES_MAX];
    for (unsigned i = 0; i < VALUES_MAX; i++) values[i] = (uint8_t)(op->value + i);
    switch (op->kind) {
    case SEND:
        call->result = filch_chan_send(chan, values, deadline);
        break;
    case RECV:
        call->result = filch_chan_recv(chan, call->values, deadline);
        break;
    case TRY_SEND:
        call->result = filch_chan_try_send(chan, values);
        break;
    case TRY_RECV:
        call->result = filch_chan_try_recv(chan, call->values);
        break;
    case SEND_MANY:
        call->result = filch_chan_send_many(chan, values, count_of(op), deadline);
        break;
    case RECV_MANY:
        call->result = filch_chan_recv_many(chan, call->values, count_of(op), deadline);
        break;
    case CLOSE:
        call->result = filch_chan_close(chan);
        break;
    case LENGTH:
        call->result = (int64_t)filch_chan_length(chan);
        break;
    case SELECT:
    case TRY_SELECT:
        perform_select(call, deadline);
        break;
    case SET_EVENT:
        filch_event_set(&event);
        break;
    case CLEAR_EVENT:
        filch_event_clear(&event);
        break;
    case SET_FUTURE:
        call->result = filch_future_set(&future, 0, NULL);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------------------- model */

struct channel {
    uint8_t length, closed, values[CAPACITY_MAX]; /* the oldest first */
};

struct state {
    struct channel channels[CHANNELS];
    uint8_t event, future;
};

_Static_assert(sizeof(struct state) <= STATE_BYTES, "it has room");

static struct state *state_of(struct config *config) {
    return (struct state *)config->state;
}

static bool is_select(const struct op *op) {
    return op->kind == SELECT || op->kind == TRY_SELECT;
}

static unsigned case_of(unsigned channel, bool sends) {
    return channel * CASES_OF_CHANNEL + (sends ? CASE_SEND : CASE_RECV);
}

static bool waits_at(const struct op *op, unsigned channel, bool sends) {
    if (is_select(op)) return has_case(op, case_of(channel, sends));
    bool is_sender = op->kind == SEND || op->kind == SEND_MANY, is_receiver = op->kind == RECV || op->kind == RECV_MANY;
    return channel_of(op) == channel && (sends ? is_sender : is_receiver);
}

/* Who waits first to send to the channel, or to receive from it; or -1. */
static int first_at(const struct config *config, unsigned channel, bool sends) {
    int first = -1;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (config->rank[i] == 0 || !waits_at(config_op(i), channel, sends)) continue;
        if (first < 0 || config->rank[i] < config->rank[first]) first = (int)i;
    }
    return first;
}

static void done_case(struct config *config, unsigned task, unsigned which, uint8_t case_result) {
    config->values[task][CASE_RESULT] = case_result;
    config_done(config, task, index_of(config_op(task), which));
}

static void grant_case(struct config *config, unsigned task, unsigned which, uint8_t case_result) {
    config_leave(config, task);
    done_case(config, task, which, case_result);
}

/* Gives a receiver that waits up to `count` values; how many. */
static unsigned give(struct config *config, unsigned task, unsigned channel, uint8_t first, unsigned count) {
    const struct op *op = config_op(task);
    unsigned given = op->kind == RECV_MANY && count_of(op) < count ? count_of(op) : op->kind == RECV_MANY ? count : 1;
    for (unsigned i = 0; i < given; i++) config->values[task][i] = (uint8_t)(first + i);
    if (is_select(op)) {
        grant_case(config, task, case_of(channel, false), CASE_DONE);
    } else {
        config_grant(config, task, op->kind == RECV_MANY ? (int)given : 0);
    }
    return given;
}

/* Takes a value of a sender that waits. */
static uint8_t take_of(struct config *config, unsigned task, unsigned channel) {
    const struct op *op = config_op(task);
    if (is_select(op)) {
        grant_case(config, task, case_of(channel, true), CASE_DONE);
        return value_for(op, channel);
    }
    if (op->kind == SEND) {
        config_grant(config, task, 0);
        return op->value;
    }
    uint8_t value = (uint8_t)(op->value + config->extra[task]++);
    if (config->extra[task] == count_of(op)) config_grant(config, task, (int)count_of(op));
    return value;
}

/* Sends up to `count` values at once; how many that was. */
static unsigned send_some(struct config *config, unsigned at, uint8_t first, unsigned count) {
    struct channel *channel = &state_of(config)->channels[at];
    unsigned sent = 0;
    int receiver;
    if (channel->closed) return 0;
    while (sent < count && (receiver = first_at(config, at, false)) >= 0) {
        sent += give(config, (unsigned)receiver, at, (uint8_t)(first + sent), count - sent);
    }
    while (sent < count && channel->length < history_program->parameter[at]) {
        channel->values[channel->length++] = (uint8_t)(first + sent++);
    }
    return sent;
}

static int send_now(struct config *config, unsigned at, uint8_t value) {
    if (state_of(config)->channels[at].closed) return -EPIPE;
    return send_some(config, at, value, 1) == 1 ? 0 : -EAGAIN;
}

static int recv_now(struct config *config, unsigned at, uint8_t *value) {
    struct channel *channel = &state_of(config)->channels[at];
    int sender = first_at(config, at, true);
    if (channel->length == 0) {
        if (sender >= 0) *value = take_of(config, (unsigned)sender, at);
        return sender >= 0 ? 0 : channel->closed ? -EPIPE : -EAGAIN;
    }
    *value = channel->values[0];
    memmove(channel->values, channel->values + 1, CAPACITY_MAX - 1);
    channel->values[CAPACITY_MAX - 1] = 0;
    channel->length--;
    if (sender >= 0) channel->values[channel->length++] = take_of(config, (unsigned)sender, at);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ close, wake */

static int rest_of(const struct config *config, unsigned task, int error) {
    return config_op(task)->kind == SEND_MANY && config->extra[task] > 0 ? config->extra[task] : error;
}

/* A select that would both send to it and receive from it goes on by either. */
static void close_for(struct config *config, unsigned at) {
    int waiter = first_at(config, at, true);
    if (waiter < 0) waiter = first_at(config, at, false);
    if (waiter < 0) {
        config_emit(config);
        return;
    }
    unsigned task = (unsigned)waiter;
    for (unsigned sends = 0; sends < 2; sends++) {
        struct config next = *config;
        if (!waits_at(config_op(task), at, sends)) continue;
        if (is_select(config_op(task))) {
            grant_case(&next, task, case_of(at, sends), CASE_CLOSED);
        } else {
            config_grant(&next, task, rest_of(&next, task, -EPIPE));
        }
        close_for(&next, at);
    }
}

static void let_selects_go(struct config *config, unsigned which) {
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        if (config->rank[i] == 0 || !is_select(config_op(i)) || !has_case(config_op(i), which)) continue;
        grant_case(config, i, which, CASE_DONE);
    }
}

/* ------------------------------------------------------------------------------------------------------------ arrive */

static bool deadline_is_past(unsigned task) {
    return config_call(task)->case_ns != 0 && config_now() >= config_call(task)->case_ns;
}

/* The case's result, or 0: it cannot go on. */
static uint8_t try_case(struct config *config, unsigned task, unsigned which) {
    const struct op *op = config_op(task);
    int result = -EAGAIN;
    if (which == CASE_EVENT) return state_of(config)->event ? CASE_DONE : 0;
    if (which == CASE_FUTURE) return state_of(config)->future ? CASE_DONE : 0;
    if (which == CASE_DEADLINE) return deadline_is_past(task) ? CASE_DONE : 0;
    unsigned channel = which / CASES_OF_CHANNEL;
    if (which % CASES_OF_CHANNEL == CASE_SEND) {
        result = send_now(config, channel, value_for(op, channel));
    } else {
        result = recv_now(config, channel, &config->values[task][RECEIVED]);
    }
    return result == -EAGAIN ? 0 : result == 0 ? CASE_DONE : CASE_CLOSED;
}

static void arrive_to_select(struct config *config, unsigned task, const struct op *op) {
    bool any = false;
    for (unsigned i = 0; i < CASES; i++) {
        struct config next = *config;
        uint8_t result = has_case(op, i) ? try_case(&next, task, i) : 0;
        if (result == 0) continue;
        any |= i != CASE_DEADLINE; /* that may not have been past yet when it arrived */
        done_case(&next, task, i, result);
        config_emit(&next);
    }
    if (any) return;
    if (op->kind == SELECT) {
        config_wait(config, task);
    } else {
        config_done(config, task, -EAGAIN);
    }
    config_emit(config);
}

/* One go: others may come between it and the next. */
static void send_more(struct config *config, unsigned task, const struct op *op) {
    unsigned at = channel_of(op), count = count_of(op), before = config->extra[task];
    unsigned sent = before + send_some(config, at, (uint8_t)(op->value + before), count - before);
    config->extra[task] = (uint8_t)sent;
    config->phase[task] = PHASE_MORE;
    if (sent == count) {
        config_done(config, task, (int)count);
    } else if (state_of(config)->channels[at].closed) {
        config_done(config, task, sent > 0 ? (int)sent : -EPIPE);
    } else if (sent == before) {
        config_wait(config, task);
    }
    config_emit(config);
}

static void arrive_to_recv_many(struct config *config, unsigned task, const struct op *op) {
    unsigned count = count_of(op), received = 0;
    int result = 0;
    while (received < count && result == 0) {
        uint8_t value = 0;
        result = recv_now(config, channel_of(op), &value);
        if (result == 0) config->values[task][received++] = value;
    }
    if (received == 0 && result == -EAGAIN) {
        config_wait(config, task);
    } else {
        config_done(config, task, received > 0 ? (int)received : result);
    }
    config_emit(config);
}

static void arrive_to_one(struct config *config, unsigned task, const struct op *op) {
    bool sends = op->kind == SEND || op->kind == TRY_SEND;
    unsigned at = channel_of(op);
    int result = sends ? send_now(config, at, op->value) : recv_now(config, at, &config->values[task][0]);
    if (result == -EAGAIN && (op->kind == SEND || op->kind == RECV)) {
        config_wait(config, task);
    } else {
        config_done(config, task, result);
    }
    config_emit(config);
}

static void arrive_to_change(struct config *config, unsigned task, const struct op *op) {
    struct state *state = state_of(config);
    config_done(config, task, op->kind == SET_FUTURE && state->future ? -EALREADY : 0);
    if (op->kind == SET_EVENT) let_selects_go(config, CASE_EVENT);
    if (op->kind == SET_FUTURE) let_selects_go(config, CASE_FUTURE);
    if (op->kind == SET_FUTURE) state->future = 1;
    if (op->kind != SET_FUTURE) state->event = op->kind == SET_EVENT;
    config_emit(config);
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    switch (op->kind) {
    case SEND_MANY:
        send_more(config, task, op);
        break;
    case RECV_MANY:
        arrive_to_recv_many(config, task, op);
        break;
    case CLOSE:
        state_of(config)->channels[channel_of(op)].closed = 1;
        config_done(config, task, 0);
        close_for(config, channel_of(op));
        break;
    case LENGTH:
        config_done(config, task, state_of(config)->channels[channel_of(op)].length);
        config_emit(config);
        break;
    case SELECT:
    case TRY_SELECT:
        arrive_to_select(config, task, op);
        break;
    case SET_EVENT:
    case CLEAR_EVENT:
    case SET_FUTURE:
        arrive_to_change(config, task, op);
        break;
    default:
        arrive_to_one(config, task, op);
        break;
    }
}

static void proceed(struct config *config, unsigned task, const struct op *op) {
    if (config->phase[task] == PHASE_MORE) {
        send_more(config, task, op);
    } else if (op->kind == SELECT && has_case(op, CASE_DEADLINE) && deadline_is_past(task)) {
        grant_case(config, task, CASE_DEADLINE, CASE_DONE);
        config_emit(config);
    }
}

static void give_up(struct config *config, unsigned task, int error) {
    config_done(config, task, rest_of(config, task, error));
}

static bool may_time_out(const struct config *config, unsigned task) {
    (void)config;
    const struct op *op = config_op(task);
    return op->kind != SELECT || !has_case(op, CASE_DEADLINE) ||
           config_call(task)->case_ns > config_call(task)->deadline_ns;
}

const struct object history_chan = {
    .name = "chan",
    .kinds = kinds_of_chan,
    .kind_count = sizeof kinds_of_chan / sizeof *kinds_of_chan,
    .plan = plan_one,
    .make = make,
    .unmake = unmake,
    .perform = perform,
    .arrive = arrive,
    .proceed = proceed,
    .give_up = give_up,
};

const struct object history_select = {
    .name = "select",
    .kinds = kinds_of_select,
    .kind_count = sizeof kinds_of_select / sizeof *kinds_of_select,
    .plan = plan,
    .make = make,
    .unmake = unmake,
    .perform = perform,
    .arrive = arrive,
    .proceed = proceed,
    .give_up = give_up,
    .may_time_out = may_time_out,
};
