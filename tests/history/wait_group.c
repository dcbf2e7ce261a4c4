/* SPDX-License-Identifier: MIT */
/* Wait groups: at a count of 0 all go on who wait. */
#include <errno.h>

#include "history.h"

enum { ADD, DONE, WAIT, TRY_WAIT };

static const struct kind kinds[] = {
    [ADD] = {"add", .weight = 3, .numbers = 3, .outside = true},
    [DONE] = {"done", .weight = 4, .outside = true},
    [WAIT] = {"wait", .waits = true, .weight = 4, .outside = true},
    [TRY_WAIT] = {"try_wait", .weight = 1},
};

static filch_wait_group group;
static unsigned owed[TASKS_MAX];

/* parameter: the count at the start, which task 0 owes */
static void plan(struct program *program, struct filch__random *random) {
    program->parameter[0] = (uint8_t)filch__choose(random, CHOICE_VICTIM, 3);
}

static void make(const struct program *program) {
    (void)!filch_wait_group_init(&group);
    for (unsigned i = 0; i < TASKS_MAX; i++) owed[i] = i == 0 ? program->parameter[0] : 0;
    filch_wait_group_add(&group, program->parameter[0]);
}

static void unmake(void) {
    filch_wait_group_fini(&group);
}

static bool may_call(unsigned task, const struct op *op) {
    return op->kind != DONE || owed[task] > 0;
}

static void perform(struct call *call, filch_deadline deadline) {
    switch (call->op->kind) {
    case ADD:
        owed[call->task] += call->op->number;
        filch_wait_group_add(&group, call->op->number);
        break;
    case DONE:
        owed[call->task]--;
        filch_wait_group_done(&group);
        break;
    case WAIT:
        call->result = filch_wait_group_wait(&group, deadline);
        break;
    case TRY_WAIT:
        call->result = filch_wait_group_try_wait(&group);
        break;
    }
}

/* state: the count */
static void begin(struct config *config, const struct program *program) {
    config->state[0] = program->parameter[0];
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    if (op->kind == ADD) config->state[0] += op->number;
    if (op->kind == DONE) config->state[0]--;
    if (op->kind == WAIT && config->state[0] > 0) {
        config_wait(config, task);
    } else {
        config_done(config, task, op->kind == TRY_WAIT && config->state[0] > 0 ? -EAGAIN : 0);
    }
    if (config->state[0] == 0) config_grant_all(config, ~0u, 0);
    config_emit(config);
}

const struct object history_wait_group = {
    .name = "wait_group",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .plan = plan,
    .make = make,
    .unmake = unmake,
    .may_call = may_call,
    .perform = perform,
    .begin = begin,
    .arrive = arrive,
};
