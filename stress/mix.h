/* SPDX-License-Identifier: MIT */
/*
 * The world of stress/wait_mix.c: one of each kind of object or a few, who uses them, and what is asked of every call
 * that waits.
 *
 * Some waits have no deadline and may last until somebody ends them. Those are counted, at the object: in `endless`
 * below. Once all who live are in such waits, nothing happens by itself any more; then an object that could let one of
 * its waiters go on has lost a wake-up.
 */
#ifndef FILCH_STRESS_MIX_H
#define FILCH_STRESS_MIX_H

#include <errno.h>

#include "stress/stress.h"

enum { FEW = 2, CHANS = 5, QUEUES = 3, FUTURES = 12, ONCES = 12, PARTIES = 3, PERMITS = 5, VICTIMS = 16 };
enum { ACTORS_MAX = 20000, NESTING_MAX = 2, FAILURE = -EIO };

struct actor;

typedef atomic_bool doomed; /* a scope's: that it has been cancelled */

/* What went in and came out of an object. */
struct flow {
    atomic_ullong in, in_sum, out, out_sum;
};

struct world {
    struct {
        filch_mutex mutex;
        uint64_t plain; /* how often it was locked: only who holds it touches it */
        atomic_ullong locked;
    } locks[FEW];
    struct {
        filch_rwlock lock;
        uint64_t left, right; /* writers keep them equal */
        atomic_ullong written;
    } shelves[FEW];
    struct {
        filch_mutex mutex;
        filch_cond filled;
        uint64_t tokens;
        struct flow flow;
        atomic_uint waiting;
    } boxes[FEW];
    struct {
        filch_sem sem;
        atomic_uint held;
    } sems[FEW];
    struct {
        filch_event event;
        atomic_uint waiting;
    } events[FEW];
    struct {
        filch_barrier barrier;
        atomic_ullong places[PARTIES];
        atomic_uint waiting;
    } barriers[FEW];
    struct {
        filch_once once;
        atomic_uint running, succeeded;
    } onces[ONCES];
    struct {
        filch_wait_group group;
        atomic_uint waiting;
    } groups[FEW];
    struct {
        filch_future future;
        atomic_uint waiting, set;
    } futures[FUTURES];
    struct {
        filch_queue queue;
        size_t capacity;
        struct flow flow;
        atomic_uint putting, getting, joining;
    } queues[QUEUES];
    struct {
        filch_chan *chan;
        struct flow flow;
        atomic_uint sending, receiving;
    } chans[CHANS];
    struct {
        pthread_mutex_t lock; /* over the two, which may be cancelled by whoever holds it */
        filch_task *task;
        filch_scope *scope;
        doomed *doom; /* of that scope */
    } victims[VICTIMS];

    void (*uses[2])(struct actor *actor); /* what is done in this round, if there are any; else everything */

    filch_runtime *runtime;
    struct actor *actors; /* of all tasks, so that one that never runs is not a leak */
    atomic_uint actors_used;
    doomed dooms[ACTORS_MAX]; /* one for each scope */
    atomic_uint dooms_used;
    _Atomic(doomed *) waits[ACTORS_MAX]; /* of a task that waits without end, behind no shield; else NULL */
    atomic_uint threads;                 /* foreign ones, that are at work */
    atomic_uint endless;                 /* all that wait without end */
    atomic_uint ended;  /* a task's last access to the world: who has read it has seen all that was done */
    atomic_uint values; /* of the task-local that are alive */
    atomic_ullong operations;
    atomic_bool closing; /* nothing is put in any more */
};

static struct world *world; /* of this round */

/* A task or a thread of the round. Its fields are its own once it has been started. */
struct actor {
    struct filch__random random;
    filch_scope *scope; /* that it was spawned into, or NULL */
    doomed *doom;       /* of that scope, or NULL */
    unsigned index;     /* among the tasks */
    void *inherited;    /* its spawner's task-local */
    int steps;
    int nesting;  /* of scopes and sets of children, in its ancestors too */
    bool foreign; /* a thread */
    bool hurried; /* all its waits have deadlines */
    bool ran;
};

/* A call that waits, from before to after. */
struct wait {
    filch_deadline deadline;
    bool cancelled;       /* it was, before */
    struct actor *actor;  /* NULL: it ends by itself, and is not counted */
    atomic_uint *endless; /* at the object, or NULL */
};

static inline bool maybe(struct actor *actor, uint32_t one_in) {
    return below(&actor->random, one_in) == 0;
}

static inline filch_deadline some_deadline(struct actor *actor) {
    switch (below(&actor->random, 8)) {
    case 0:
        return (filch_deadline){0};
    case 1:
        return filch_after(FILCH_US(100) + below(&actor->random, 2000000));
    default:
        return filch_after(below(&actor->random, 200000));
    }
}

static inline void waits_without_end(struct actor *actor) {
    if (actor->doom != NULL) world->waits[actor->index] = actor->doom;
    atomic_fetch_add(&world->endless, 1);
}

/* What comes from outside, or from nobody: at `one_in` of the calls without a deadline. */
static inline struct wait wait_long(struct actor *actor, uint32_t one_in, atomic_uint *endless) {
    struct wait wait = {.deadline = some_deadline(actor), .cancelled = filch_cancelled()};
    if (actor->hurried || !maybe(actor, one_in)) return wait;
    wait.deadline = FILCH_NEVER;
    wait.actor = actor;
    wait.endless = endless;
    if (endless != NULL) atomic_fetch_add(endless, 1);
    waits_without_end(actor);
    return wait;
}

/* What others end by themselves, before long: with a deadline or without. */
static inline struct wait wait_short(struct actor *actor) {
    bool never = maybe(actor, 2);
    return (struct wait){.deadline = never ? FILCH_NEVER : some_deadline(actor), .cancelled = filch_cancelled()};
}

/* True where the call succeeded. What it answered must agree with the deadline, and with cancellation being a state. */
static inline bool wait_over(struct wait *wait, int64_t answer) {
    if (wait->endless != NULL) atomic_fetch_sub(wait->endless, 1);
    if (wait->actor != NULL) {
        atomic_fetch_sub(&world->endless, 1);
        if (wait->actor->doom != NULL) world->waits[wait->actor->index] = NULL;
    }
    must(answer >= 0 || answer == -ECANCELED || answer == -ETIMEDOUT || answer == -EPIPE);
    if (wait->cancelled) must(answer == -ECANCELED || answer == -EPIPE);
    if (answer == -ECANCELED) must(filch_cancelled());
    if (answer == -ETIMEDOUT) must(filch_now() >= wait->deadline.at_ns);
    return answer >= 0;
}

/* Some time passes, or none. */
static inline void dawdle(struct actor *actor) {
    switch (below(&actor->random, 8)) {
    case 0:
    case 1:
        filch_yield();
        break;
    case 2:
        filch_sleep(below(&actor->random, 30000));
        break;
    default:
        break;
    }
}

static inline void flow_in(struct flow *flow, uint64_t value) {
    atomic_fetch_add(&flow->in, 1);
    atomic_fetch_add(&flow->in_sum, value);
}

static inline void flow_out(struct flow *flow, uint64_t value) {
    atomic_fetch_add(&flow->out, 1);
    atomic_fetch_add(&flow->out_sum, value);
}

static inline void flow_must_balance(const struct flow *flow) {
    must(flow->in == flow->out);
    must(flow->in_sum == flow->out_sum);
}

#endif
