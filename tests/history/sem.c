/* SPDX-License-Identifier: MIT */
/* Semaphores, bounded and not: who waits first is served first, and nobody overtakes. */
#include <errno.h>

#include "history.h"

enum { ACQUIRE, ACQUIRE_N, TRY_ACQUIRE, TRY_ACQUIRE_N, RELEASE, VALUE };

static const struct kind kinds[] = {
    [ACQUIRE] = {"acquire", .waits = true, .weight = 4, .outside = true},
    [ACQUIRE_N] = {"acquire_n", .waits = true, .weight = 3, .numbers = 4, .outside = true},
    [TRY_ACQUIRE] = {"try_acquire", .weight = 1, .outside = true},
    [TRY_ACQUIRE_N] = {"try_acquire_n", .weight = 1, .numbers = 4, .outside = true},
    [RELEASE] = {"release_n", .weight = 5, .numbers = 3, .outside = true},
    [VALUE] = {"value", .weight = 1},
};

enum { LIMIT = 5 };

static filch_sem sem;
static uint8_t held[TASKS_MAX]; /* of a bounded one: so that no release is one too many */
static bool bounded;

/* parameter: permits at the start, whether it is bounded */
static void plan(struct program *program, struct filch__random *random) {
    program->parameter[0] = (uint8_t)filch__choose(random, CHOICE_VICTIM, 3);
    program->parameter[1] = filch__choose(random, CHOICE_VICTIM, 3) == 0;
}

static void make(const struct program *program) {
    bounded = program->parameter[1] != 0;
    for (unsigned i = 0; i < TASKS_MAX; i++) held[i] = 0;
    (void)!filch_sem_init(&sem, program->parameter[0], bounded ? LIMIT : 0);
}

static void unmake(void) {
    filch_sem_fini(&sem);
}

static unsigned wanted(const struct op *op) {
    return op->kind == ACQUIRE || op->kind == TRY_ACQUIRE ? 1 : op->number;
}

static bool may_call(unsigned task, const struct op *op) {
    return op->kind != RELEASE || !bounded || held[task] >= op->number;
}

static void perform(struct call *call, filch_deadline deadline) {
    const struct op *op = call->op;
    switch (op->kind) {
    case ACQUIRE:
        call->result = filch_sem_acquire(&sem, deadline);
        break;
    case ACQUIRE_N:
        call->result = filch_sem_acquire_n(&sem, op->number, deadline);
        break;
    case TRY_ACQUIRE:
        call->result = filch_sem_try_acquire(&sem);
        break;
    case TRY_ACQUIRE_N:
        call->result = filch_sem_try_acquire_n(&sem, op->number);
        break;
    case RELEASE:
        held[call->task] -= bounded ? op->number : 0;
        filch_sem_release_n(&sem, op->number);
        return;
    case VALUE:
        call->result = (int64_t)filch_sem_value(&sem);
        return;
    }
    if (call->result == 0) held[call->task] += (uint8_t)wanted(op);
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* state: the permits */
static void begin(struct config *config, const struct program *program) {
    config->state[0] = program->parameter[0];
}

static void serve(struct config *config) {
    int first;
    while ((first = config_first(config, ~0u)) >= 0 && wanted(config_op((unsigned)first)) <= config->state[0]) {
        config->state[0] -= (uint8_t)wanted(config_op((unsigned)first));
        config_grant(config, (unsigned)first, 0);
    }
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    unsigned count = wanted(op);
    bool at_once = count <= config->state[0] && (config_first(config, ~0u) < 0 || count == 0);
    if (op->kind == VALUE) {
        config_done(config, task, config->state[0]);
    } else if (op->kind == RELEASE) {
        config->state[0] += op->number;
        config_done(config, task, 0);
        serve(config);
    } else if (at_once) {
        config->state[0] -= (uint8_t)count;
        config_done(config, task, 0);
    } else if (kinds[op->kind].waits) {
        config_wait(config, task);
    } else {
        config_done(config, task, -EAGAIN);
    }
    config_emit(config);
}

static void give_up(struct config *config, unsigned task, int error) {
    config_done(config, task, error);
    serve(config);
}

const struct object history_sem = {
    .name = "sem",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .plan = plan,
    .make = make,
    .unmake = unmake,
    .may_call = may_call,
    .perform = perform,
    .begin = begin,
    .arrive = arrive,
    .give_up = give_up,
};
