/* SPDX-License-Identifier: MIT */
/* Counters and gauges of a runtime and of each of its workers, readable while it runs. As text: filch/metrics.h. */
#ifndef FILCH_STATS_H
#define FILCH_STATS_H

#include <filch/runtime.h>

FILCH_BEGIN_DECLS

/*
 * A runtime: sums over all workers, spares included, since it was made; then the present. Each figure is exact for
 * itself, but they are read one after the other while the program runs. `tasks` and `fds` are never less than those
 * that live all through the call. Forks that nobody stole are not counted: they cost less than counting them would.
 * Each park ends with one wake-up of the task, so these are not counted apart.
 */
typedef struct filch_stats {
    uint64_t spawned;         /* tasks spawned, by `spawned_outside` threads too */
    uint64_t completed;       /* tasks ended */
    uint64_t steals;          /* tasks and forked children taken from another worker */
    uint64_t steal_tries;     /* looks at another worker's queues, taken or not */
    uint64_t parks;           /* times that a task waited */
    uint64_t yields;          /* times that a task gave way to another */
    uint64_t switches;        /* jumps from one stack to another */
    uint64_t sleeps;          /* times that a worker slept */
    uint64_t wakes;           /* times that a sleeping worker was woken by another or from outside */
    uint64_t polls;           /* looks for what has happened at descriptors, and sleeps that this would end */
    uint64_t poll_events;     /* what they came upon */
    uint64_t timers_set;      /* timers set: by sleeps, and by waits with a deadline that could not go on at once */
    uint64_t stack_refills;   /* times that a worker's own stock of stacks was empty: it got some of the runtime's */
    uint64_t stack_spills;    /* times that it was full: half of it went back */
    uint64_t cpu_ns;          /* of a processor's time, used by the worker threads */
    uint64_t injected;        /* tasks that came from outside, or were moved away from workers that stood still */
    uint64_t spawned_outside; /* tasks spawned by threads that are none of its workers; in `spawned` as well */
    uint64_t monitor_polls;   /* looks at descriptors by the monitor, where no worker came to it; not in `polls` */
    uint64_t hogs;            /* times that a worker stood still for some milliseconds while something waited for it */
    uint64_t hog_ns_max;      /* the longest of these, so far */
    char hog_name[32];        /* the name of the task that the last of these was found in, or "" */
    uint64_t spare_starts;    /* times that a spare worker was put to work in the place of one that stood still */
    uint64_t blocking_calls;  /* calls that were made on helper threads; of these ... */
    uint64_t look_ups;        /* ... of names, which have helpers of their own */
    uint64_t fds_opened;      /* descriptors that it was given charge of */

    uint64_t tasks;             /* tasks that have not ended */
    uint64_t inject_depth;      /* what waits in the queue from outside */
    uint64_t deque_depth;       /* likewise in the workers' deques, as far as others can see: see filch_worker_stats */
    uint64_t run_queue_depth;   /* likewise in the workers' run queues */
    uint64_t timers;            /* that are set */
    uint64_t fds;               /* descriptors that it is in charge of */
    uint64_t stacks;            /* stacks that exist, cached ones included */
    uint64_t stacks_peak;       /* most stacks that have existed at once */
    uint64_t stacks_cached;     /* stacks that nobody uses, without those that workers have in stock */
    uint64_t stack_bytes;       /* address space of all stacks, guards included */
    uint32_t workers;           /* worker threads, without spares */
    uint32_t workers_searching; /* of all workers, those that look for work */
    uint32_t workers_asleep;    /* likewise, those that sleep */
    uint32_t workers_polling;   /* of those asleep, the one that watches descriptors meanwhile: 0 or 1 */
    uint32_t spares;            /* spare workers at work */
    uint32_t spares_made;       /* spare workers that exist */
    uint32_t blocking_threads;  /* helper threads; of these ... */
    uint32_t blocking_busy;     /* ... that make a call, or are about to */
    uint32_t blocking_queued;   /* calls that wait for a helper thread */
    uint32_t look_up_threads;   /* of all these three, those for look-ups of names */
    uint32_t look_up_busy;
    uint32_t look_up_queued;
    uint32_t guard_mprotect; /* 1 where stack guards are made by mprotect(2), 0 where by MADV_GUARD_INSTALL */
} filch_stats;

/*
 * Reads the counters of `runtime` into `*stats`. In a simulation, by its own thread.
 *
 * Returns  0, or -EINVAL where an argument is NULL, or -ESHUTDOWN in the child of a fork
 * Call     from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_runtime_stats(filch_runtime *runtime, filch_stats *stats);

/* What a worker is doing. */
typedef enum filch_worker_state {
    FILCH_WORKER_AWAKE = 0,   /* runs a task, or looks for one */
    FILCH_WORKER_ASLEEP = 1,  /* has nothing to do */
    FILCH_WORKER_POLLING = 2, /* likewise, and watches descriptors meanwhile */
    FILCH_WORKER_BLOCKED = 3, /* between filch_block_begin and filch_block_end */
    FILCH_WORKER_RETIRED = 4, /* a spare that is not needed */
} filch_worker_state;

/*
 * One worker, as filch_stats has all of them: their sums are its fields of the same names, but for what came from outside.
 *
 * While nobody is idle, what a worker spawns and forks stands in a part of its deque that only it can see into, and that
 * has no length that others could read: `deque_private` says that there is something.
 */
typedef struct filch_worker_stats {
    uint64_t spawned;
    uint64_t completed;
    uint64_t steals;
    uint64_t steal_tries;
    uint64_t parks;
    uint64_t yields;
    uint64_t switches;
    uint64_t sleeps;
    uint64_t wakes;
    uint64_t polls;
    uint64_t poll_events;
    uint64_t timers_set;
    uint64_t stack_refills;
    uint64_t stack_spills;
    uint64_t cpu_ns;
    uint64_t hogs; /* times that it stood still */

    uint64_t deque_depth;     /* what has not begun, and can be stolen */
    uint64_t run_queue_depth; /* tasks that may go on */
    uint64_t timers;          /* that are set, of tasks that have come to wait on it */
    uint64_t stacks_cached;   /* that it has in stock, at a glance */
    uint32_t index;
    int32_t thread; /* gettid(2); 0 where it has none of its own */
    filch_worker_state state;
    bool spare;
    bool deque_private; /* see above */
} filch_worker_stats;

/*
 * Reads the counters of one worker of `runtime` into `*stats`. Workers are counted from 0; spares come behind those that
 * the runtime was made with, in the order in which they were made, and stay. So all are seen by counting up until -ENOENT.
 * In a simulation, by its own thread.
 *
 * Returns  0
 *          -ENOENT      there are not so many
 *          -EINVAL      an argument is NULL
 *          -ESHUTDOWN   in the child of a fork
 * Call     from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_runtime_worker_stats(filch_runtime *runtime, unsigned index, filch_worker_stats *stats);

FILCH_END_DECLS

#endif
