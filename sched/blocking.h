/* SPDX-License-Identifier: MIT */
/*
 * The helper threads of a runtime, which make the calls that block. Two lanes, each with threads of its own: look-ups of
 * names, which may take many seconds each when a server does not answer, cannot keep other calls waiting.
 *
 * A call is a record on its caller's stack. A lane hands it to an idle helper, or to a new one; else its clause stands in
 * the lane's list until a helper that has ended a call takes it. Whoever takes the clause owes the caller a grant; until
 * then the caller may withdraw. So there is no memory to be exhausted by calls that wait, and no limit to them: each holds
 * its own caller back.
 *
 * A call may be posted as well: nobody waits for it here, and its record is the poster's own memory, which the lane gives
 * back by calling its `end`. It cannot be withdrawn. Posted calls that no helper has taken yet stand in a list of their
 * own, before those that are waited for.
 *
 *   a helper is                     it is left by                               under the latch
 *   starting   counted, no thread   its first look at the lane                  no
 *   busy       makes a call         the end of the call: the next of the list
 *   idle       in the idle stack    a call that is handed to it; its time is up: ended
 *   ended      on its way out; the next that ends joins it, or filch__blocking_stop
 *
 * Invariants, under the latch
 *   I1  while a helper is idle, both lists are empty.
 *   I2  while a list is not empty, there is a helper that is starting or busy.
 *
 * Edges
 *   HAND   the caller: its record, then `wake` of the helper (release) -> the helper (acquire); or by the LATCH
 *   the end of the call goes by CAUSE, of sched/park.h
 */
#ifndef FILCH_SCHED_BLOCKING_H
#define FILCH_SCHED_BLOCKING_H

#include <filch/blocking.h>

#include "sched/waitlist.h"

struct filch__helper;
struct filch_runtime;

/* A call that blocks. Its memory may go when `end` is called: on the helper, or by whoever could start none. */
struct filch__call {
    filch_fn *fn;
    void *arg;
    void (*end)(struct filch__call *call, int answer, int result); /* `answer` other than 0: it was not made */
    struct filch__call *next;                                      /* posted, under the lane's latch */
};

struct filch__lane {
    /* read-only after init */
    struct filch_runtime *runtime;
    const char *name;
    unsigned limit; /* of threads */

    struct filch__latch latch cache_aligned;  /* over the rest */
    struct filch__waitlist calls;             /* that wait for a helper; `value` of the clause is the call */
    struct filch__call *posted, **posted_end; /* posted calls that no helper has taken, in order */
    uint32_t queued;                          /* calls in both lists, or just withdrawn */
    struct filch__helper *idle;               /* who became idle last is first */
    uint32_t idle_count;
    struct filch__helper *ended; /* the last one that ended, still to be joined */
    ATOMIC(uint32_t) threads;    /* starting, busy or idle. A futex, for filch__blocking_stop */
    bool stopping;
    ATOMIC(uint64_t) made; /* calls that have ended */
};

struct filch__blocking {
    struct filch__lane calls;
    struct filch__lane look_ups;
};

void filch__blocking_init(struct filch__blocking *blocking, struct filch_runtime *runtime, unsigned limit);

/* What a lane has done, and has to do: calls made, threads, those that make a call or are about to, calls that wait. */
struct filch__lane_stats {
    uint64_t made;
    uint32_t threads, busy, queued;
};
struct filch__lane_stats filch__lane_stats(struct filch__lane *lane);

/* Ends and joins all helpers. When no task is left, hence no call. */
void filch__blocking_stop(struct filch__blocking *blocking);

/*
 * Posts `call`, whose `fn`, `arg` and `end` the caller has set, in the lane of the look-ups of the caller's runtime: 0, and
 * `end` is called once, perhaps before this returns; or -EAGAIN: no helper could be started, and it is not. By a task;
 * does not wait. The runtime does not end before `end` has returned.
 */
int filch__blocking_post_look_up(struct filch__call *call);

/* As filch_blocking, in the lane of the look-ups. */
int filch__blocking_resolve(filch_fn *fn, void *arg, int *result, filch_deadline deadline);

#endif
