/* SPDX-License-Identifier: MIT */
/*
 * Mutexes: whoever comes first has it, also before those that wait. But who waits alone gets it once it is free, and does
 * not time out while it is.
 */
#include <errno.h>

#include "history.h"

enum { LOCK, TRY_LOCK, UNLOCK, LOCKED };

static const struct kind kinds[] = {
    [LOCK] = {"lock", .waits = true, .weight = 5},
    [TRY_LOCK] = {"try_lock", .weight = 2},
    [UNLOCK] = {"unlock", .weight = 4},
    [LOCKED] = {"locked", .weight = 1, .outside = true},
};

static filch_mutex mutex;
static bool held[TASKS_MAX];

static void make(const struct program *program) {
    (void)program;
    filch_mutex_init(&mutex);
    for (unsigned i = 0; i < TASKS_MAX; i++) held[i] = false;
}

static void unmake(void) {
    filch_mutex_fini(&mutex);
}

static bool may_call(unsigned task, const struct op *op) {
    return op->kind == LOCKED || held[task] == (op->kind == UNLOCK) || (op->kind == TRY_LOCK && held[task]);
}

static bool last(unsigned task, struct op *op) {
    *op = (struct op){.kind = UNLOCK};
    return held[task];
}

static void perform(struct call *call, filch_deadline deadline) {
    switch (call->op->kind) {
    case LOCK:
        call->result = filch_mutex_lock(&mutex, deadline);
        break;
    case TRY_LOCK:
        call->result = filch_mutex_try_lock(&mutex);
        break;
    case UNLOCK:
        filch_mutex_unlock(&mutex);
        held[call->task] = false;
        return;
    case LOCKED:
        call->result = filch_mutex_locked(&mutex);
        return;
    }
    if (call->result == 0) held[call->task] = true;
}

/* state: 1 + who holds it, or 0 */
static void arrive(struct config *config, unsigned task, const struct op *op) {
    bool is_free = config->state[0] == 0;
    if (op->kind == LOCKED) {
        config_done(config, task, !is_free);
    } else if (op->kind == UNLOCK) {
        config->state[0] = 0;
        config_done(config, task, 0);
    } else if (is_free) {
        config->state[0] = (uint8_t)(1 + task);
        config_done(config, task, 0);
    } else if (op->kind == TRY_LOCK) {
        config_done(config, task, -EBUSY);
    } else {
        config_wait(config, task);
    }
    config_emit(config);
}

static void proceed(struct config *config, unsigned task, const struct op *op) {
    (void)op;
    if (config->state[0] != 0) return;
    config->state[0] = (uint8_t)(1 + task);
    config_grant(config, task, 0);
    config_emit(config);
}

/* Of several that wait one has been woken to take what is free. */
static bool may_time_out(const struct config *config, unsigned task) {
    bool others = false;
    for (unsigned i = 0; i < TASKS_MAX; i++) others |= i != task && config->rank[i] != 0;
    return others || config->state[0] != 0;
}

const struct object history_mutex = {
    .name = "mutex",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .make = make,
    .unmake = unmake,
    .may_call = may_call,
    .last = last,
    .perform = perform,
    .arrive = arrive,
    .proceed = proceed,
    .may_time_out = may_time_out,
};
