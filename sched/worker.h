/* SPDX-License-Identifier: MIT */
/*
 * A worker: a thread of a runtime, its two queues, and what it runs at the moment. Private to sched/.
 */
#ifndef FILCH_SCHED_WORKER_H
#define FILCH_SCHED_WORKER_H

#include <pthread.h>

#include "alloc/alloc.h"
#include "base/lock.h"
#include "base/random.h"
#include "context/context.h"
#include "sched/deque.h"
#include "sched/exception.h"
#include "sched/hog.h"
#include "sched/item.h"
#include "sched/monitor.h"
#include "sched/park.h"
#include "sched/runqueue.h"
#include "sched/timer.h"

/* What is to be done with the stack that was left, once the next one runs. */
enum landing {
    LAND_NOTHING, /* a parent, which its child knows of */
    LAND_THREAD,  /* the thread's own stack */
    LAND_PARK,    /* `left` waits: it may be woken from now on */
    LAND_YIELD,   /* `left` goes to the end of the run queue */
    LAND_RETIRE,  /* nothing is on it: back to the cache */
};

/* The guard of a worker. */
enum {
    GUARD_WATCHED = 1, /* its runtime is debugged: sched/debug.h */
    GUARD_BLOCK = 2,   /* times filch_block_begin without filch_block_end */
};

/* What a worker minds at each turn. */
enum {
    MINDS_HEAP = 1,    /* the deque was not empty since tasks were seen to be added to it */
    MINDS_PUT_OFF = 2, /* its tasks have put off what they ask the system for: see filch__poller_put_off */
};

struct filch__worker {
    struct filch__deque deque; /* first, so that the hot part is at the worker's own address */

    /* read-only after init */
    struct filch_runtime *runtime;
    unsigned index;
    bool may_be_alone; /* the runtime has one worker, and its spares can be told apart from that: sched/monitor.h */
    bool simulated;    /* as its runtime is */
    /* the monitor, and the worker in filch_block_begin; the worker reads */
    ATOMIC(bool) alone; /* the only one at work: nobody steals, nobody is to be woken */

    /* this worker only */
    struct filch__stack *stack; /* that it runs on; NULL on the thread's own */
    struct filch__waiter *left; /* who was left in the last switch, and */
    enum landing landing;       /* what is to become of it */
    struct filch__stack *left_stack;
    void *handed;              /* an item that the next loop begins with */
    ATOMIC(uint32_t) turn;     /* counts up; the monitor reads it */
    uint32_t guard;            /* 0: nothing is to be minded where a task is left or ends. See below */
    uint64_t spawned_before;   /* `spawned` at the last turn of the old end of the deque */
    uint64_t spawned_marks[2]; /* `spawned` at turns 0 and 16 of these 64 */
    uint32_t minds;            /* what there is to mind at each turn. See above */
    uint32_t next_streak;      /* how often in a row the next slot was served */
    uint32_t calm;             /* pushes in a row that found nobody idle */
    bool hop_failed;           /* for the report of a stack overflow: the last hop found no memory for a stack */
    bool searching;            /* counted as such in the idle word */
    bool victim_was_rich;      /* its victim's deque had more, when it last stole */
    int64_t stolen_at_ns;      /* when it took the item that it runs from another, or 0 */
    int64_t looked_at_ns;      /* the clock, as it read it last in its search */
    int64_t slept_until_ns;    /* a timer of its own: the last for which it has slept */
    bool fed_outside;          /* its last sleep was ended by that or by the poller, not by who has woken it */
    int64_t asked_at_ns;       /* when one last asked, or was answered */
    unsigned glance;           /* whom it glanced at last */
    int64_t rest_ns;           /* how long it will rest after the next crumb that is one too many */
    int64_t patience;          /* how many more crumbs it takes without a rest */
    void *suspect;             /* what it last saw in another's next slot */
    struct filch__random random;
    struct filch__slab_cache tasks;
    struct filch__slab_cache extras;
    struct filch__stack_cache stacks;
    struct filch__exceptions *exceptions; /* of the thread, as C++ has them: sched/exception.h */
    struct filch__fiber thread_fiber;
    void *thread_context; /* where the loop goes back to when the runtime ends */
    void *signal_stack;

    /* the owner counts, anyone reads */
    ATOMIC(uint64_t) spawned cache_aligned;
    ATOMIC(uint64_t) completed;
    ATOMIC(uint64_t) steals;
    ATOMIC(uint64_t) steal_tries;
    ATOMIC(uint64_t) parks;
    ATOMIC(uint64_t) yields;
    ATOMIC(uint64_t) switches;
    ATOMIC(uint64_t) sleeps;
    ATOMIC(uint64_t) looks;  /* times that it has looked or slept in the poller */
    ATOMIC(uint64_t) events; /* that it has fetched there */

    struct filch__runqueue runqueue;

    ATOMIC(void *) next cache_aligned; /* the item just woken; the owner puts, any worker takes */

    /* under the idle lock, but for the futex word */
    int64_t asking;                      /* under the runtime's share lock: what its deque was asked */
    ATOMIC(uint32_t) wake cache_aligned; /* 1: somebody has woken it */
    ATOMIC(bool) polls;                  /* it sleeps in the poller, or is about to. Written by itself */
    bool listed;                         /* among the sleepers */
    ATOMIC(uint64_t) wakes;              /* times that somebody has woken it. Anyone reads */
    struct filch__worker *sleeper_next, *sleeper_prev;

    struct filch__timers timers; /* any worker, under its lock */

    /* the worker; of a spare, under the idle lock, who retires it or has it work again */
    ATOMIC(uint32_t) rests cache_aligned; /* enum filch__rest */
    ATOMIC(bool) dismissed;               /* a spare that is to retire at a turn. Written under the idle lock */
    ATOMIC(uint32_t) blocks;              /* it is between filch_block_begin and _end */
    clockid_t processor_clock;            /* of its thread, which writes it at its start */
    ATOMIC(int) thread_number;            /* gettid(2); 0: it has not begun, or is simulated */
    struct filch__watch watch;            /* the monitor only */
    ATOMIC(uint64_t) hogs;                /* the monitor writes, anyone reads: times that it stood still in the way */
    struct filch__hog hog;                /* what it tells of itself as one */
    ATOMIC(uint32_t) tell;                /* 1: whatever it runs is to tell of itself, for a dump */

    pthread_t thread; /* the runtime's creator, and the monitor */
};

/* The hot part of every thread that is no worker: see sched/current.c. */
extern struct filch__hot filch__nobody;

/* The worker that runs the caller, or NULL on any other thread. Read anew after each call that may switch. */
static force_inline struct filch__worker *filch__worker_current(void) {
    struct filch__hot *here = filch__here();
    return here == &filch__nobody ? NULL : (struct filch__worker *)(void *)here;
}

/* Makes the calling thread a worker's, or (NULL) no worker's. */
void filch__worker_set_current(struct filch__worker *worker);

/* ------------------------------------------------------------------------------------------ sched/loop.c */

/* Ends the process: the caller, between filch_block_begin and _end, does `what` must not be done there. */
_Noreturn void filch__block_die(const struct filch__worker *worker, const char *what);

/* A task of a worker with a guard has ended. sched/block.c. */
void filch__guard_task_ends(struct filch__worker *worker, struct filch_task *task);

/* What is in the next slot goes to the run queue. */
void filch__worker_put_off_next(struct filch__worker *worker);

/* Everything that the worker has goes to the inject queue: it will not run for a while. */
void filch__worker_empty(struct filch__worker *worker);

/* Runs the worker on the calling thread until its runtime ends. */
void filch__worker_run(struct filch__worker *worker);

/* The next item of the worker's own sources, by turns, or NULL. */
void *filch__worker_next(struct filch__worker *worker);

/* Leaves the running stack, which `left` describes, for the next thing to do; `landing` is PARK or YIELD. */
void filch__worker_leave(struct filch__worker *worker, struct filch__waiter *left, enum landing landing, void *item);

/* Makes a forked call on a fresh stack and returns when it has ended; false: no memory for one. */
bool filch__worker_hop(struct filch__worker *worker, filch_frame *frame);

/* `strand` may run: to the worker's next slot, and who was there to the run queue. */
void filch__worker_ready(struct filch__worker *worker, struct filch__waiter *strand);

/* `item` goes to the end of the run queue. */
void filch__worker_enqueue(struct filch__worker *worker, void *item);

/* After a push to a shared deque: wakes somebody, or makes it private once all have been busy for a while. */
void filch__worker_pushed(struct filch__worker *worker);

/* How many bytes of the running stack must be left for a call in place. */
static inline uintptr_t filch__worker_stack_low(struct filch__stack *stack) {
    return (uintptr_t)stack->fiber.low + stack->fiber.size / 2;
}

#endif
