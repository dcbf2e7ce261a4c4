/* SPDX-License-Identifier: MIT */
/* Events: to set one lets all go on who wait by then, even if it is cleared at once. */
#include <errno.h>

#include "history.h"

enum { WAIT, SET, CLEAR, IS_SET };

static const struct kind kinds[] = {
    [WAIT] = {"wait", .waits = true, .weight = 5, .outside = true},
    [SET] = {"set", .weight = 3, .outside = true},
    [CLEAR] = {"clear", .weight = 2, .outside = true},
    [IS_SET] = {"is_set", .weight = 1},
};

static filch_event event;

static void make(const struct program *program) {
    (void)program;
    filch_event_init(&event);
}

static void unmake(void) {
    filch_event_fini(&event);
}

static void perform(struct call *call, filch_deadline deadline) {
    switch (call->op->kind) {
    case WAIT:
        call->result = filch_event_wait(&event, deadline);
        break;
    case SET:
        filch_event_set(&event);
        break;
    case CLEAR:
        filch_event_clear(&event);
        break;
    case IS_SET:
        call->result = filch_event_is_set(&event);
        break;
    }
}

/* state: whether it is set */
static void arrive(struct config *config, unsigned task, const struct op *op) {
    if (op->kind == WAIT && config->state[0] == 0) {
        config_wait(config, task);
    } else {
        config_done(config, task, op->kind == IS_SET ? config->state[0] : 0);
    }
    if (op->kind == SET) {
        config->state[0] = 1;
        config_grant_all(config, ~0u, 0);
    }
    if (op->kind == CLEAR) config->state[0] = 0;
    config_emit(config);
}

const struct object history_event = {
    .name = "event",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .make = make,
    .unmake = unmake,
    .perform = perform,
    .arrive = arrive,
};
