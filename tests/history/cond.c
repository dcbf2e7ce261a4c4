/* SPDX-License-Identifier: MIT */
/*
 * Condition variables, with the mutex that they are used with: a signal goes to who waits first, or to nobody where nobody
 * waits; who was signalled does not answer otherwise; and the mutex is held again in any case.
 */
#include <errno.h>

#include "history.h"

enum { LOCK, UNLOCK, WAIT, SIGNAL, BROADCAST };

static const struct kind kinds[] = {
    [LOCK] = {"lock", .waits = true, .weight = 5},
    [UNLOCK] = {"unlock", .weight = 2},
    [WAIT] = {"wait", .waits = true, .weight = 5},
    [SIGNAL] = {"signal", .weight = 4, .outside = true},
    [BROADCAST] = {"broadcast", .weight = 1, .outside = true},
};

static filch_mutex mutex;
static filch_cond cond;
static bool held[TASKS_MAX];

static void make(const struct program *program) {
    (void)program;
    filch_mutex_init(&mutex);
    filch_cond_init(&cond);
    for (unsigned i = 0; i < TASKS_MAX; i++) held[i] = false;
}

static void unmake(void) {
    filch_cond_fini(&cond);
    filch_mutex_fini(&mutex);
}

static bool may_call(unsigned task, const struct op *op) {
    return op->kind >= SIGNAL || held[task] == (op->kind != LOCK);
}

static bool last(unsigned task, struct op *op) {
    *op = (struct op){.kind = UNLOCK};
    return held[task];
}

static void perform(struct call *call, filch_deadline deadline) {
    switch (call->op->kind) {
    case LOCK:
        call->result = filch_mutex_lock(&mutex, deadline);
        held[call->task] = call->result == 0;
        break;
    case UNLOCK:
        held[call->task] = false;
        filch_mutex_unlock(&mutex);
        break;
    case WAIT:
        call->result = filch_cond_wait(&cond, &mutex, deadline);
        break;
    case SIGNAL:
        filch_cond_signal(&cond);
        break;
    case BROADCAST:
        filch_cond_broadcast(&cond);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------------------- model */

/*
 * state: 1 + who holds the mutex, or 0. A wait for a signal, and one for the mutex, stands in the queue; one that is to
 * lock the mutex again has MORE to do, with what it will answer in `extra`: 0 or 1 + the error's number.
 */
static bool take(struct config *config, unsigned task) {
    if (config->state[0] != 0) return false;
    config->state[0] = (uint8_t)(1 + task);
    return true;
}

static void lock_again(struct config *config, unsigned task, int error) {
    config->phase[task] = PHASE_MORE;
    config->extra[task] = (uint8_t)(error == 0 ? 0 : 1 - error);
}

static bool signal_first(struct config *config) {
    int first = config_first(config, 1 << WAIT);
    if (first < 0) return false;
    config_leave(config, (unsigned)first);
    lock_again(config, (unsigned)first, 0);
    return true;
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    if (op->kind == WAIT) {
        config->state[0] = 0;
        config_wait(config, task);
    } else if (op->kind == LOCK && !take(config, task)) {
        config_wait(config, task);
    } else {
        config_done(config, task, 0);
    }
    if (op->kind == UNLOCK) config->state[0] = 0;
    if (op->kind == SIGNAL) (void)signal_first(config);
    if (op->kind == BROADCAST) {
        while (signal_first(config)) continue;
    }
    config_emit(config);
}

static void proceed(struct config *config, unsigned task, const struct op *op) {
    if ((op->kind == WAIT && config->phase[task] == PHASE_WAITS) || !take(config, task)) return;
    int error = config->extra[task] == 0 ? 0 : 1 - config->extra[task];
    if (op->kind == LOCK) config_leave(config, task);
    config_done(config, task, error);
    config_emit(config);
}

static void give_up(struct config *config, unsigned task, int error) {
    if (config_op(task)->kind == WAIT) {
        lock_again(config, task, error);
    } else {
        config_done(config, task, error);
    }
}

/* Of several that want the mutex one has been woken. */
static bool may_time_out(const struct config *config, unsigned task) {
    bool others = config_op(task)->kind == WAIT;
    for (unsigned i = 0; i < TASKS_MAX; i++) {
        bool wants = config->phase[i] == PHASE_MORE || (config->rank[i] != 0 && config_op(i)->kind == LOCK);
        others |= i != task && wants;
    }
    return others || config->state[0] != 0;
}

const struct object history_cond = {
    .name = "cond",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .make = make,
    .unmake = unmake,
    .may_call = may_call,
    .last = last,
    .perform = perform,
    .arrive = arrive,
    .proceed = proceed,
    .give_up = give_up,
    .may_time_out = may_time_out,
};
