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
 *   a helper is                     it is left by                               under the latch
 *   starting   counted, no thread   its first look at the lane                  no
 *   busy       makes a call         the end of the call: the next of the list
 *   idle       in the idle stack    a call that is handed to it; its time is up: ended
 *   ended      on its way out; the next that ends joins it, or filch__blocking_stop
 *
 * Invariants, under the latch
 *   I1  while a helper is idle, nobody waits in the list.
 *   I2  while somebody waits in the list, there is a helper that is starting or busy.
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

struct filch__lane {
    /* read-only after init */
    struct filch_runtime *runtime;
    const char *name;
    unsigned limit; /* of threads */

    struct filch__latch latch cache_aligned; /* over the rest */
    struct filch__waitlist calls;            /* that wait for a helper; `value` of the clause is the call */
    struct filch__helper *idle;              /* who became idle last is first */
    struct filch__helper *ended;             /* the last one that ended, still to be joined */
    ATOMIC(uint32_t) threads;                /* starting, busy or idle. A futex, for filch__blocking_stop */
    bool stopping;
    ATOMIC(uint64_t) made; /* calls that have ended */
};

struct filch__blocking {
    struct filch__lane calls;
    struct filch__lane look_ups;
};

void filch__blocking_init(struct filch__blocking *blocking, struct filch_runtime *runtime, unsigned limit);

/* Ends and joins all helpers. When no task is left, hence no call. */
void filch__blocking_stop(struct filch__blocking *blocking);

/* As filch_blocking, in the lane of the look-ups. */
int filch__blocking_resolve(filch_fn *fn, void *arg, int *result, filch_deadline deadline);

#endif
