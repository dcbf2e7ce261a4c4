/* SPDX-License-Identifier: MIT */
/*
 * A task's record: 64 bytes, one cache line, from a slab of its runtime. It holds what a task is before it starts and
 * after it has ended; while it runs, everything else is on its stack.
 *
 * The end word says who the record belongs to when the task has ended:
 *   OPEN         the handle is out, nobody waits              -> DETACHED, ENDED, or a waiter
 *   a waiter     whoever holds the handle waits               -> ENDED, or OPEN again when its deadline passes
 *   DETACHED     the handle was given up; the task frees it   (last)
 *   ENDED        `result` is there; the holder of the handle frees it
 *   GONE         freed: whoever still has the handle is in error
 *
 * Edge
 *   END   the task's end: end word (acq_rel) -> await: end word (acquire)   carries the result and all the task did
 */
#ifndef FILCH_SCHED_TASK_H
#define FILCH_SCHED_TASK_H

#include <filch/task.h>

#include "base/atomic.h"

struct filch__worker;
struct filch_runtime;

enum {
    TASK_END_OPEN = 0,
    TASK_END_ENDED = 1,
    TASK_END_DETACHED = 2,
    TASK_END_GONE = 3,
};

/* What reports see. A record of a slab that was never used is zeroed, hence FREE. */
enum task_state {
    TASK_FREE = 0,
    TASK_READY = 1,   /* spawned, not begun */
    TASK_STARTED = 2, /* begun: runs, waits, or may go on */
    TASK_ENDED = 3,
};

/* What few tasks have. */
struct filch__task_extra {
    char name[32];
    unsigned stack_class;
};

struct filch_task {
    filch_fn *fn; /* a free record's link */
    void *arg;
    ATOMIC(uintptr_t) end;
    struct filch_runtime *runtime;
    ATOMIC(struct filch__task_extra *) extra; /* NULL: no name, the default stack */
    ATOMIC(void *) spawned_at;                /* the return address of the spawn */
    ATOMIC(void *) link;                      /* while in a list: see sched/item.h */
    int result;
    ATOMIC(uint32_t) state; /* for reports only */
};

_Static_assert(sizeof(struct filch_task) == 64, "one cache line a task");

/* Runs a task that has not begun to its end, on the running stack, as `worker`; the worker may be another afterwards. */
void filch__task_run(struct filch__worker *worker, struct filch_task *task);

#endif
