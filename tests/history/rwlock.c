/* SPDX-License-Identifier: MIT */
/* Read-write locks: readers and writers take turns, and what is unlocked is given to who waits. */
#include <errno.h>

#include "history.h"

enum { READ, WRITE, TRY_READ, TRY_WRITE, UNLOCK, DOWNGRADE };

static const struct kind kinds[] = {
    [READ] = {"read", .waits = true, .weight = 4},
    [WRITE] = {"write", .waits = true, .weight = 4},
    [TRY_READ] = {"try_read", .weight = 1},
    [TRY_WRITE] = {"try_write", .weight = 1},
    [UNLOCK] = {"unlock", .weight = 4},
    [DOWNGRADE] = {"downgrade", .weight = 2},
};

enum { READERS = 1 << READ, WRITERS = 1 << WRITE };
enum holds { HOLDS_NOTHING, READS, WRITES };

static filch_rwlock lock;
static enum holds held[TASKS_MAX];

static void make(const struct program *program) {
    (void)program;
    filch_rwlock_init(&lock);
    for (unsigned i = 0; i < TASKS_MAX; i++) held[i] = HOLDS_NOTHING;
}

static void unmake(void) {
    filch_rwlock_fini(&lock);
}

static bool may_call(unsigned task, const struct op *op) {
    if (op->kind == UNLOCK) return held[task] != HOLDS_NOTHING;
    return held[task] == (op->kind == DOWNGRADE ? WRITES : HOLDS_NOTHING);
}

static bool last(unsigned task, struct op *op) {
    *op = (struct op){.kind = UNLOCK};
    return held[task] != HOLDS_NOTHING;
}

static void unlock(unsigned task) {
    enum holds what = held[task];
    held[task] = HOLDS_NOTHING;
    if (what == READS) {
        filch_rwlock_read_unlock(&lock);
    } else {
        filch_rwlock_write_unlock(&lock);
    }
}

static void perform(struct call *call, filch_deadline deadline) {
    enum holds now = READS;
    switch (call->op->kind) {
    case READ:
        call->result = filch_rwlock_read(&lock, deadline);
        break;
    case TRY_READ:
        call->result = filch_rwlock_try_read(&lock);
        break;
    case WRITE:
        call->result = filch_rwlock_write(&lock, deadline);
        now = WRITES;
        break;
    case TRY_WRITE:
        call->result = filch_rwlock_try_write(&lock);
        now = WRITES;
        break;
    case UNLOCK:
        unlock(call->task);
        return;
    case DOWNGRADE:
        filch_rwlock_downgrade(&lock);
        break;
    }
    if (call->result == 0) held[call->task] = now;
}

/* ------------------------------------------------------------------------------------------------------------- model */

/* state: 1 + who writes, or 0; who reads, a bit each */
enum { WRITER, READING };

static void admit_readers(struct config *config) {
    int first;
    while ((first = config_first(config, READERS)) >= 0) {
        config->state[READING] |= (uint8_t)(1 << first);
        config_grant(config, (unsigned)first, 0);
    }
}

static void admit_writer(struct config *config) {
    int first = config_first(config, WRITERS);
    if (first < 0 || config->state[READING] != 0) return;
    config->state[WRITER] = (uint8_t)(1 + first);
    config_grant(config, (unsigned)first, 0);
}

/* After somebody has left the lock or the queue. */
static void admit(struct config *config, bool readers_turn) {
    if (config->state[WRITER] != 0) return;
    if (readers_turn || config_first(config, WRITERS) < 0) admit_readers(config);
    admit_writer(config);
}

static void arrive(struct config *config, unsigned task, const struct op *op) {
    bool writer = op->kind == WRITE || op->kind == TRY_WRITE;
    bool may_write = config->state[WRITER] == 0 && config->state[READING] == 0;
    bool may_read = config->state[WRITER] == 0 && config_first(config, WRITERS) < 0;
    if (op->kind == UNLOCK || op->kind == DOWNGRADE) {
        bool wrote = config->state[WRITER] != 0;
        config->state[WRITER] = 0;
        config->state[READING] &= (uint8_t) ~(1 << task);
        if (op->kind == DOWNGRADE) config->state[READING] |= (uint8_t)(1 << task);
        config_done(config, task, 0);
        admit(config, wrote);
    } else if (writer ? may_write : may_read) {
        if (writer) {
            config->state[WRITER] = (uint8_t)(1 + task);
        } else {
            config->state[READING] |= (uint8_t)(1 << task);
        }
        config_done(config, task, 0);
    } else if (kinds[op->kind].waits) {
        config_wait(config, task);
    } else {
        config_done(config, task, -EBUSY);
    }
    config_emit(config);
}

static void give_up(struct config *config, unsigned task, int error) {
    config_done(config, task, error);
    admit(config, false);
}

const struct object history_rwlock = {
    .name = "rwlock",
    .kinds = kinds,
    .kind_count = sizeof kinds / sizeof *kinds,
    .make = make,
    .unmake = unmake,
    .may_call = may_call,
    .last = last,
    .perform = perform,
    .arrive = arrive,
    .give_up = give_up,
};
