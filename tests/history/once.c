/* SPDX-License-Identifier: MIT */
/* Once: one call at a time, one that succeeds, and its result for all. Marks: the function begins, and is about to end. */
#include <errno.h>

#include "history.h"

enum { RUN, DONE };
enum { BEGINS = 1, ENDS = 2 };

/* `number`: what the function returns, less 1: a failure is one of its own */
static const struct kind kinds[] = {
    [RUN] = {"run", .waits = true, .weight = 6, .numbers = 4, .outside = true},
    [DONE] = {"done", .weight = 1},
};

static filch_once once;

static void make(const struct program *program) {
    (void)program;
    filch_once_init(&once);
}

static void unmake(void) {
    filch_once_fini(&once);
}

static int result_of(const struct op *op) {
    return op->number < 2 ? -EIO - op->number : op->number;
}

static int function(void *arg) {
    struct call *call = arg;
    record_mark(call, BEGINS);
    if (call->op->yield) (void)filch_sleep(call->op->ns);
    record_mark(call, ENDS);
    return result_of(call->op);
}

static void perform(struct call *call, filch_deadline deadline) {
    if (call->op->kind == RUN) {
        call->result = filch_once_run(&once, function, call, deadline);
    } else {
        call->result = filch_once_done(&once);
    }
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* state: 1 + who runs the function, or 0; 1 + the result that is kept, or 0. Who runs it has MORE to do */
enum { RUNNER, RESULT };

static void run(struct config *config, unsigned task) {
    config->state[RUNNER] = (uint8_t)(1 + task);
    config->phase[task] = PHASE_MORE;
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    if (op->kind == DONE) {
        config_done(config, task, config->state[RESULT] != 0);
    } else if (config->state[RESULT] != 0) {
        config_done(config, task, config->state[RESULT] - 1);
    } else if (config->state[RUNNER] == 0) {
        run(config, task);
    } else {
        config_wait(config, task);
    }
    config_emit(config);
}

static void proceed(struct config *config, unsigned task, const struct op *op) {
    int first, result = result_of(op);
    if (config->phase[task] != PHASE_MORE || config_marks(task) != ENDS) return;
    config->state[RUNNER] = 0;
    config_done(config, task, result);
    if (result >= 0) {
        config->state[RESULT] = (uint8_t)(1 + result);
        config_grant_all(config, ~0u, result);
    } else if ((first = config_first(config, ~0u)) >= 0) {
        config_leave(config, (unsigned)first);
        run(config, (unsigned)first);
    }
    config_emit(config);
}

static bool may_mark(const struct config *config, unsigned task, unsigned mark) {
    (void)mark;
    return config->phase[task] == PHASE_MORE;
}

const struct object history_once = {
    .name = "once",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .make = make,
    .unmake = unmake,
    .perform = perform,
    .arrive = arrive,
    .proceed = proceed,
    .may_mark = may_mark,
};
