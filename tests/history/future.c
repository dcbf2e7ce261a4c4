/* SPDX-License-Identifier: MIT */
/* Futures: the first result stays, and is everybody's. */
#include <errno.h>

#include "history.h"

enum { SET, FAIL, CANCEL, WAIT, TRY_WAIT, IS_DONE };

static const struct kind kinds[] = {
    [SET] = {"set", .weight = 2, .sends = true, .outside = true},
    [FAIL] = {"fail", .weight = 1, .outside = true},
    [CANCEL] = {"cancel", .weight = 1},
    [WAIT] = {"wait", .waits = true, .weight = 5, .outside = true},
    [TRY_WAIT] = {"try_wait", .weight = 2, .outside = true},
    [IS_DONE] = {"is_done", .weight = 1},
};

/* What is waited for, as it stands in the values of a call: 1 + the error's number, and the value. */
enum { RESULT, VALUE };

static filch_future future;

static void make(const struct program *program) {
    (void)program;
    (void)!filch_future_init(&future);
}

static void unmake(void) {
    filch_future_fini(&future);
}

static void perform(struct call *call, filch_deadline deadline) {
    int result = 0;
    void *value = NULL;
    switch (call->op->kind) {
    case SET:
        call->result = filch_future_set(&future, 0, (void *)(uintptr_t)call->op->value);
        return;
    case FAIL:
        call->result = filch_future_fail(&future, -EIO);
        return;
    case CANCEL:
        call->result = filch_future_cancel(&future);
        return;
    case IS_DONE:
        call->result = filch_future_is_done(&future);
        return;
    case WAIT:
        call->result = filch_future_wait(&future, &result, &value, deadline);
        break;
    case TRY_WAIT:
        call->result = filch_future_try_wait(&future, &result, &value);
        break;
    }
    if (call->result != 0) return;
    call->values[RESULT] = (uint8_t)(1 - result);
    call->values[VALUE] = (uint8_t)(uintptr_t)value;
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* state: RESULT, 0 while there is none, and VALUE */
static void give(struct config *config, unsigned task) {
    config->values[task][RESULT] = config->state[RESULT];
    config->values[task][VALUE] = config->state[VALUE];
}

static int set(struct config *config, int error, uint8_t value) {
    int first;
    if (config->state[RESULT] != 0) return -EALREADY;
    config->state[RESULT] = (uint8_t)(1 - error);
    config->state[VALUE] = value;
    while ((first = config_first(config, ~0u)) >= 0) {
        give(config, (unsigned)first);
        config_grant(config, (unsigned)first, 0);
    }
    return 0;
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    bool is_done = config->state[RESULT] != 0;
    if (op->kind == SET) {
        config_done(config, task, set(config, 0, op->value));
    } else if (op->kind == FAIL) {
        config_done(config, task, set(config, -EIO, 0));
    } else if (op->kind == CANCEL) {
        config_done(config, task, set(config, -ECANCELED, 0));
    } else if (op->kind == IS_DONE) {
        config_done(config, task, is_done);
    } else if (is_done) {
        give(config, task);
        config_done(config, task, 0);
    } else if (op->kind == WAIT) {
        config_wait(config, task);
    } else {
        config_done(config, task, -EAGAIN);
    }
    config_emit(config);
}

const struct object history_future = {
    .name = "future",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .make = make,
    .unmake = unmake,
    .perform = perform,
    .arrive = arrive,
};
