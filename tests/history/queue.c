/* SPDX-License-Identifier: MIT */
/*
 * Queues: the order in which values leave, who waits first is served first, what is put is got once or still there; the
 * count of what is unfinished; and the two ways to shut down.
 */
#include <errno.h>

#include "history.h"

enum { PUT, TRY_PUT, GET, TRY_GET, TASK_DONE, JOIN, TRY_JOIN, SHUTDOWN, LENGTH };

static const struct kind kinds[] = {
    [PUT] = {"put", .waits = true, .weight = 6, .sends = true, .outside = true},
    [TRY_PUT] = {"try_put", .weight = 1, .sends = true, .outside = true},
    [GET] = {"get", .waits = true, .weight = 6, .outside = true},
    [TRY_GET] = {"try_get", .weight = 1, .outside = true},
    [TASK_DONE] = {"task_done", .weight = 3},
    [JOIN] = {"join", .waits = true, .weight = 1, .outside = true},
    [TRY_JOIN] = {"try_join", .weight = 1},
    [SHUTDOWN] = {"shutdown", .weight = 1, .numbers = 2},
    [LENGTH] = {"length", .weight = 1},
};

enum { GETTERS = 1 << GET, PUTTERS = 1 << PUT, JOINERS = 1 << JOIN };
enum { CAPACITY, ORDER };

static filch_queue queue;
static unsigned got[TASKS_MAX];

static int urgency(uint8_t value) {
    return value % 3;
}

static int compare(const void *left, const void *right) {
    return urgency(*(const uint8_t *)left) - urgency(*(const uint8_t *)right);
}

/* parameter: capacity, order */
static void plan(struct program *program, struct filch__random *random) {
    program->parameter[CAPACITY] = (uint8_t)filch__choose(random, CHOICE_VICTIM, 3);
    program->parameter[ORDER] = (uint8_t)filch__choose(random, CHOICE_VICTIM, 3);
    for (unsigned i = 0; i < program->task_count * OPS_MAX; i++) {
        /* of all priorities */
        struct op *op = &program->ops[i / OPS_MAX][i % OPS_MAX];
        if (op->value != 0) op->value = (uint8_t)(op->value + filch__choose(random, CHOICE_VICTIM, 3));
    }
}

static void make(const struct program *program) {
    filch_queue_order order = (filch_queue_order)program->parameter[ORDER];
    filch_queue_options options = {.order = order, .capacity = program->parameter[CAPACITY]};
    if (order == FILCH_QUEUE_PRIORITY) options.compare = compare;
    (void)!filch_queue_init(&queue, 1, &options);
    for (unsigned i = 0; i < TASKS_MAX; i++) got[i] = 0;
}

static void unmake(void) {
    filch_queue_fini(&queue);
}

static bool may_call(unsigned task, const struct op *op) {
    return op->kind != TASK_DONE || got[task] > 0;
}

static void perform(struct call *call, filch_deadline deadline) {
    const uint8_t *value = &call->op->value;
    switch (call->op->kind) {
    case PUT:
        call->result = filch_queue_put(&queue, value, deadline);
        break;
    case TRY_PUT:
        call->result = filch_queue_try_put(&queue, value);
        break;
    case GET:
        call->result = filch_queue_get(&queue, &call->values[0], deadline);
        got[call->task] += call->result == 0;
        break;
    case TRY_GET:
        call->result = filch_queue_try_get(&queue, &call->values[0]);
        got[call->task] += call->result == 0;
        break;
    case TASK_DONE:
        got[call->task]--;
        filch_queue_task_done(&queue);
        break;
    case JOIN:
        call->result = filch_queue_join(&queue, deadline);
        break;
    case TRY_JOIN:
        call->result = filch_queue_try_join(&queue);
        break;
    case SHUTDOWN:
        call->result = filch_queue_shutdown(&queue, (filch_queue_rest)call->op->number);
        break;
    case LENGTH:
        call->result = (int64_t)filch_queue_length(&queue);
        break;
    }
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* state: how many are inside, and unfinished; whether it is shut; the values, the oldest first */
enum { COUNT, UNFINISHED, SHUT, VALUES };

static uint8_t take_at(struct config *config, unsigned index) {
    uint8_t *values = &config->state[VALUES], value = values[index];
    config->state[COUNT]--;
    for (unsigned i = index; i < config->state[COUNT]; i++) values[i] = values[i + 1];
    values[config->state[COUNT]] = 0;
    return value;
}

static uint8_t take_next(struct config *config) {
    const uint8_t *values = &config->state[VALUES];
    unsigned count = config->state[COUNT], best = 0;
    if (history_program->parameter[ORDER] == FILCH_QUEUE_LIFO) best = count - 1;
    for (unsigned i = 1; history_program->parameter[ORDER] == FILCH_QUEUE_PRIORITY && i < count; i++) {
        if (urgency(values[i]) < urgency(values[best])) best = i;
    }
    return take_at(config, best);
}

static void put_in(struct config *config, uint8_t value) {
    config->state[VALUES + config->state[COUNT]++] = value;
}

/* 0, or -EAGAIN: it is full; or -EPIPE. */
static int put(struct config *config, uint8_t value) {
    unsigned capacity = history_program->parameter[CAPACITY];
    if (config->state[SHUT] != 0) return -EPIPE;
    if (capacity != 0 && config->state[COUNT] == capacity) return -EAGAIN;
    config->state[UNFINISHED]++;
    int getter = config_first(config, GETTERS);
    if (getter >= 0) {
        config->values[getter][0] = value;
        config_grant(config, (unsigned)getter, 0);
    } else {
        put_in(config, value);
    }
    return 0;
}

/* 0, or -EAGAIN: it is empty; or -EPIPE. */
static int get(struct config *config, unsigned task) {
    if (config->state[COUNT] == 0) return config->state[SHUT] != 0 ? -EPIPE : -EAGAIN;
    config->values[task][0] = take_next(config);
    int putter = config_first(config, PUTTERS);
    if (putter < 0) return 0;
    config->state[UNFINISHED]++;
    put_in(config, config_op((unsigned)putter)->value);
    config_grant(config, (unsigned)putter, 0);
    return 0;
}

static void shut(struct config *config, bool drop) {
    config->state[SHUT] = 1;
    while (drop && config->state[COUNT] > 0) {
        (void)take_at(config, 0);
        config->state[UNFINISHED]--;
    }
    config_grant_all(config, PUTTERS, -EPIPE);
    if (config->state[COUNT] == 0) config_grant_all(config, GETTERS, -EPIPE);
}

static int result_of(struct config *config, unsigned task, const struct op *op) {
    switch (op->kind) {
    case PUT:
    case TRY_PUT:
        return put(config, op->value);
    case GET:
    case TRY_GET:
        return get(config, task);
    case TASK_DONE:
        config->state[UNFINISHED]--;
        return 0;
    case JOIN:
    case TRY_JOIN:
        return config->state[UNFINISHED] > 0 ? -EAGAIN : 0;
    case SHUTDOWN:
        shut(config, op->number == FILCH_QUEUE_DROP);
        return 0;
    default:
        return config->state[COUNT];
    }
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    int result = result_of(config, task, op);
    if (result == -EAGAIN && kinds[op->kind].waits) {
        config_wait(config, task);
    } else {
        config_done(config, task, result);
    }
    if (config->state[UNFINISHED] == 0) config_grant_all(config, JOINERS, 0);
    config_emit(config);
}

const struct object history_queue = {
    .name = "queue",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .plan = plan,
    .make = make,
    .unmake = unmake,
    .may_call = may_call,
    .perform = perform,
    .arrive = arrive,
};
