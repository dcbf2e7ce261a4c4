/* SPDX-License-Identifier: MIT */
/*
 * The poller: where workers wait for what happens outside of the program. A table of functions that io/ fills at the
 * first use of a descriptor; a runtime without one never comes here.
 *
 * Who polls. At most one thread at a time (`held`): the last of the workers that has nothing to do sleeps there in place
 * of its futex (HELD_SLEEPS), until something happens outside, it is woken, or a timer of its own is due; the others sleep
 * on their futexes. A worker that is busy looks, without waiting, every FAIR_TURNS turns, and before and while it
 * searches (HELD_LOOKS). If no worker does either for a while, since those that are awake run long tasks, the monitor
 * looks. What has happened is delivered after the poller has been let go.
 *
 * Somebody sleeps there whenever all workers sleep: who finds it held by a look waits until that is over, and who finds it
 * held by a sleeper need not. A sleeper that lets it go is awake, and comes by here again before it sleeps; where it will
 * not (a spare that retires, or has been; a task that blocks its worker) another that sleeps is woken
 * (filch__idle_hand_over; filch_block_begin does so in any case).
 *
 * Edge
 *   POLLS   the sleeper: `polls` (seq_cst), then `wake` (seq_cst)  <->  who wakes it: `wake` (seq_cst), then `polls`
 *           (seq_cst): either it does not sleep or it is interrupted
 */
#ifndef FILCH_SCHED_POLLER_H
#define FILCH_SCHED_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"

struct filch__poller;
struct filch__worker;

/* Something has happened. What the words mean is the backend's. */
struct filch__poll_event {
    uint64_t data;
    uint32_t events;
    int32_t result;
};

enum {
    POLL_BATCH = 128, /* events that who sleeps there fetches at a time; they stand on the stack */
    LOOK_BATCH = 32,  /* and who looks, on the stack of whatever task gives way */
};

struct filch__poller_ops {
    /*
     * Waits until something happens, it is interrupted, or the clock shows `until_ns` (0: does not wait; INT64_MAX: no
     * limit); fetches up to `room` events. Returns how many. By who holds the poller.
     */
    unsigned (*wait)(struct filch__poller *poller, struct filch__poll_event *events, unsigned room, int64_t until_ns);

    /* Makes runnable whom these events concern. By any thread. */
    void (*deliver)(struct filch__poller *poller, const struct filch__poll_event *events, unsigned count);

    /* Ends a wait that has begun, or the next one. By any thread. */
    void (*interrupt)(struct filch__poller *poller);

    /* Frees all. The runtime's workers have ended. */
    void (*destroy)(struct filch__poller *poller);

    /*
     * Hands over to the system what tasks have put off: see filch__poller_put_off. By any thread; by the monitor only
     * what is `old`, that is if nothing was handed over since it was last here. NULL: they never put anything off.
     */
    void (*flush)(struct filch__poller *poller, bool old);
};

enum poller_held {
    HELD_NOT,
    HELD_LOOKS, /* for a moment */
    HELD_SLEEPS,
};

struct filch__poller {
    /* read-only after init */
    const struct filch__poller_ops *ops;

    /* any thread */
    ATOMIC(uint32_t) held cache_aligned; /* enum poller_held */

    /* who holds it writes, anyone reads */
    ATOMIC(uint64_t) looks;           /* times that somebody has looked or slept there */
    ATOMIC(uint64_t) looks_of_others; /* of these, who were no workers */

    /* the monitor only */
    uint64_t looks_seen;

    /* any thread */
    ATOMIC(uint64_t) opened cache_aligned; /* descriptors that the runtime was given charge of */
    ATOMIC(uint64_t) closed;               /* of these, how many it is not in charge of any more */
};

/* Looks without waiting, unless somebody is there already. Whether something was delivered. From any thread. */
bool filch__poller_look(struct filch__poller *poller);

/* To sleep there: false where somebody sleeps there already. */
bool filch__poller_hold(struct filch__poller *poller);
void filch__poller_let_go(struct filch__poller *poller);

/* Fetches events into `events`, as `wait` of the table. By who holds it. */
unsigned filch__poller_fetch(struct filch__poller *poller, struct filch__poll_event *events, unsigned room,
                             int64_t until_ns);

/* The monitor's look, where nobody else has looked since its last. Whether it did. It hands over what is put off, too. */
bool filch__poller_look_after(struct filch__poller *poller);

/*
 * Whether a task that asks the system for something, and will wait for the answer, may leave it to its worker to hand that
 * over, together with what others ask for: so a batch of tasks that go on together costs one system call and not one
 * each. If not, the caller hands over all.
 *
 * It may if there are others to run, and the last to ask was a moment ago, or the answers were; where tasks compute in
 * between, the call does not count, but what the system could do meanwhile would. The worker hands it over at the first
 * turn a moment later, before it runs out of work or blocks, and every TIMER_TURNS turns. Where the next task runs for
 * long all the same the monitor does, after one or two of its periods; so not where there is no monitor.
 */
bool filch__poller_put_off(void);

/* Answers of the system have come, and are about to be delivered. */
void filch__poller_answered(void);

/* By a worker: hands over what its tasks have put off; the second, if the last of them asked a moment ago. */
void filch__poller_flush(struct filch__worker *worker);
void filch__poller_flush_late(struct filch__worker *worker);

#endif
