/* SPDX-License-Identifier: MIT */
/* Barriers: the places of a round, each once, in the order of coming; who is cut short was never there. */
#include <errno.h>

#include "history.h"

enum { WAIT, TRY_WAIT, ABORT, RESET, BROKEN, WAITING };

static const struct kind kinds[] = {
    [WAIT] = {"wait", .waits = true, .weight = 10, .outside = true},
    [TRY_WAIT] = {"try_wait", .weight = 2, .outside = true},
    [ABORT] = {"abort", .weight = 1},
    [RESET] = {"reset", .weight = 2},
    [BROKEN] = {"broken", .weight = 1},
    [WAITING] = {"waiting", .weight = 1},
};

static filch_barrier barrier;

/* parameter: parties */
static void plan(struct program *program, struct filch__random *random) {
    program->parameter[0] = (uint8_t)(1 + filch__choose(random, CHOICE_VICTIM, program->task_count));
}

static void make(const struct program *program) {
    (void)!filch_barrier_init(&barrier, program->parameter[0]);
}

static void unmake(void) {
    filch_barrier_fini(&barrier);
}

static void perform(struct call *call, filch_deadline deadline) {
    switch (call->op->kind) {
    case WAIT:
        call->result = filch_barrier_wait(&barrier, deadline);
        break;
    case TRY_WAIT:
        call->result = filch_barrier_try_wait(&barrier);
        break;
    case ABORT:
        filch_barrier_abort(&barrier);
        break;
    case RESET:
        filch_barrier_reset(&barrier);
        break;
    case BROKEN:
        call->result = filch_barrier_broken(&barrier);
        break;
    case WAITING:
        call->result = filch_barrier_waiting(&barrier);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* state: whether it is broken. Who waits is who stands in the queue */
static unsigned waiting(const struct config *config) {
    unsigned count = 0;
    for (unsigned i = 0; i < TASKS_MAX; i++) count += config->rank[i] != 0;
    return count;
}

static void let_all_go(struct config *config, bool places) {
    int first;
    for (int place = 0; (first = config_first(config, ~0u)) >= 0; place++) {
        config_grant(config, (unsigned)first, places ? place : -EPIPE);
    }
}

static void arrive_to_wait(struct config *config, unsigned task, bool waits) {
    unsigned parties = history_program->parameter[0];
    if (config->state[0] != 0) {
        config_done(config, task, -EPIPE);
    } else if (waiting(config) == parties - 1) {
        let_all_go(config, true);
        config_done(config, task, (int)parties - 1);
    } else if (waits) {
        config_wait(config, task);
    } else {
        config_done(config, task, -EAGAIN);
    }
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    switch (op->kind) {
    case WAIT:
    case TRY_WAIT:
        arrive_to_wait(config, task, op->kind == WAIT);
        break;
    case ABORT:
    case RESET:
        let_all_go(config, false);
        config->state[0] = op->kind == ABORT;
        config_done(config, task, 0);
        break;
    case BROKEN:
        config_done(config, task, config->state[0]);
        break;
    case WAITING:
        config_done(config, task, (int)waiting(config));
        break;
    }
    config_emit(config);
}

const struct object history_barrier = {
    .name = "barrier",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .plan = plan,
    .make = make,
    .unmake = unmake,
    .perform = perform,
    .arrive = arrive,
};
