/* SPDX-License-Identifier: MIT */
/*
 * A task's record: 64 bytes, one cache line, from a slab of its runtime. It holds what a task is before it starts and
 * after it has ended; while it runs, everything else is on its stack.
 *
 * The end word says who the record belongs to when the task has ended:
 *   OPEN         the handle is out, nobody waits              -> DETACHED, ENDED, or a waiter
 *   a waiter     whoever holds the handle waits               -> ENDED, or OPEN again when it is cut short
 *   NOTED, a.    likewise, and has noted that: sched/circle.h -> ENDED, or OPEN again
 *   SET, address whoever holds the handle waits for several   -> ENDED, or OPEN again
 *   IN_PLACE, a. whoever holds the handle calls it in place   (last)
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
#include "base/latch.h"
#include "sched/park.h"

struct filch__circle_note;
struct filch__locals;
struct filch__worker;
struct filch_scope;
struct filch_runtime;

enum {
    TASK_END_OPEN = 0,
    TASK_END_ENDED = 1,
    TASK_END_DETACHED = 2,
    TASK_END_GONE = 3,
    TASK_END_NOTED = 4,     /* in an address: of a struct filch__await_noted */
    TASK_END_SET = 8,       /* in an address: of a struct filch__await_one */
    TASK_END_IN_PLACE = 16, /* in an address: of the task that calls this one in place, and waits for it */
    TASK_END_BITS = 31,
};

/* What reports see. A record of a slab that was never used is zeroed, hence FREE. */
enum task_state {
    TASK_FREE = 0,
    TASK_READY = 1,   /* spawned, not begun */
    TASK_STARTED = 2, /* begun: runs, waits, or may go on */
    TASK_ENDED = 3,
};

enum {
    /* `flags`: what the task has to do with others; set by itself and by strands of it, while it lives */
    TASK_SCOPED = 1,   /* spawned into a scope, which `extra` names */
    TASK_IN_PLACE = 2, /* called by the task that awaits it */
    TASK_FORKED = 4,   /* a forked child of it was taken by another worker */
    TASK_SIMULATED =
        8,             /* its runtime is; set in all of its tasks, so that the inline paths need no test of their own */
    TASK_WATCHED = 16, /* likewise: its runtime is debugged, see sched/debug.h */
    /* `hints` */
    TASK_CANCELLED = 1, /* by itself, not by a scope */
    TASK_SEEN = 2,      /* its own strand is not cancelled, and was not hinted at since it looked: see sched/region.h */
    TASK_HINT = 4,      /* counts up from here */
};

/* What few tasks have: a record of a slab of its own, which stays such a record as long as the runtime lives. */
struct filch__task_extra {
    char name[32]; /* first, since a free record's link stands there, and the latch must outlive it */
    struct filch_task *next, *previous; /* members of `scope`, under its latch; `next` is a free record's link */
    struct filch__latch latch;          /* over `task` and `name`, for reports, `scopes` and `locals` */
    unsigned stack_class;
    struct filch_task *task; /* whose it is; NULL: free */
    ATOMIC(struct filch_scope *)
    scope;                        /* that it was spawned into, until it leaves it; or NULL. Changed under the latch */
    struct filch_scope *scopes;   /* opened by it, and nested in no other */
    struct filch__locals *locals; /* sched/local.c */
} __attribute__((aligned(16)));   /* as slabs want it */

struct filch_task {
    filch_fn *fn; /* a free record's link */
    void *arg;
    ATOMIC(uintptr_t) end;
    struct filch_runtime *runtime;
    ATOMIC(struct filch__task_extra *) extra; /* NULL: no name, the default stack, no scope */
    ATOMIC(void *) spawned_at;                /* the return address of the spawn */
    union {
        ATOMIC(void *) link;    /* before it has begun, while in a list: see sched/item.h */
        ATOMIC(uintptr_t) wait; /* afterwards, the wait word of its own strand: see sched/park.h. 0: none */
    };
    int result;
    ATOMIC(uint16_t) hints; /* see sched/park.h */
    ATOMIC(uint8_t) state;  /* for reports only */
    ATOMIC(uint8_t) flags;
};

_Static_assert(sizeof(struct filch_task) == 64, "one cache line a task");

/* The scope that the task was spawned into, or NULL. By a strand of it; from others only a glance. */
static inline struct filch_scope *filch__task_scope(struct filch_task *task) {
    if (!(load_relaxed(&task->flags) & TASK_SCOPED)) return NULL; /* written before it was spawned */
    return load_relaxed(&load_relaxed(&task->extra)->scope);      /* likewise */
}

/* Who has called it in place. TASK_IN_PLACE is set. */
static inline struct filch_task *filch__task_awaiter_in_place(struct filch_task *task) {
    return (struct filch_task *)(load_relaxed(&task->end) & ~(uintptr_t)TASK_END_BITS); /* written before its call */
}

/* How a task is to be made, beyond what filch_spawn is told. */
struct filch__spawn {
    struct filch_runtime *runtime;
    struct filch__worker *worker; /* the caller's, if it is one of the runtime */
    struct filch_scope *scope;    /* or NULL */
    void *spawned_at;
};

/* Makes a task and queues it. 0, -EINVAL or -ENOMEM. A scope's latch is taken and left. */
int filch__task_spawn(const struct filch__spawn *how, struct filch_task **handle, filch_fn *fn, void *arg,
                      const filch_task_options *options);

/* The task's extra record; made if there is none. NULL: no memory. By a strand of it, or while nobody else knows it. */
struct filch__task_extra *filch__task_extra(struct filch_task *task);

/* Gives back the record of a task that has ended, whose handle is given up. */
void filch__task_put(struct filch_task *task);

/* The last thing that is done for a task. */
void filch__task_count_completed(void);

/*
 * Calls the task's function, as the task, on the running stack; if it is cancelled before it has begun, it is not
 * called. Returns its result. The worker may be another afterwards.
 */
int filch__task_call(struct filch__worker *worker, struct filch_task *task);

/* Who awaits a task in debug mode. The task takes the note out when it ends, before its record is given back. */
struct filch__await_noted {
    struct filch__waiter waiter;
    struct filch__circle_note *note;
};

/* One of the tasks that are awaited together: sched/await.c. */
struct filch__await_one;
void filch__await_ended(struct filch__await_one *one);

/* sched/scope.c: `task`, a member of its scope, ends with `result`. Changes its end word, and returns what it was. */
uintptr_t filch__scope_end_member(struct filch_task *task, int result);
/* Puts `task`, which nobody else knows of yet, into the scope; false: the scope is cancelled. */
bool filch__scope_add(struct filch_scope *scope, struct filch_task *task);

/* sched/local.c */
struct filch__locals *filch__locals_share(struct filch__locals *locals);
void filch__locals_release(struct filch__locals *locals);
/* The task, which has an extra record, has no values any more. By itself. */
void filch__locals_end(struct filch_task *task);

/* Runs a task that has not begun to its end, on the running stack, as `worker`; the worker may be another afterwards. */
void filch__task_run(struct filch__worker *worker, struct filch_task *task);

#endif
