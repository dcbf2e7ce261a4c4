/* SPDX-License-Identifier: MIT */
/*
 * The monitor of a runtime: a thread that sees workers that stand still, and has spare workers make up for them. What it
 * sees as standing still, and why, is in sched/monitor.c; the page is docs/BLOCKING.md.
 *
 * A spare is a worker as any other: with queues, timers and a thread of its own, which all others steal from.
 *
 *   a spare        is                                              who changes that
 *   does not exist beyond `worker_known`                           the monitor: made, at work
 *   at work        a worker: runs, searches, or sleeps in the      the monitor: retired, while it sleeps;
 *                  list of sleepers                                itself, at a turn, if the monitor has dismissed it
 *   retired        asleep on its `wake`, neither listed nor        the monitor or filch_block_begin: at work,
 *                  counted; its queues are empty                   as a searcher
 *
 * Spares are there in such a number that as many workers as the runtime was made with do not stand still. All changes are
 * made under the idle lock.
 *
 * Edges
 *   STIR    a worker that gets up: `rests` (seq_cst), then `word` (seq_cst)  <->  the monitor: `word` (seq_cst), then
 *           everybody's `rests` (seq_cst): either it stays awake or it is woken
 *   PLURAL  the only worker: `busy`, compiler's barrier, `alone`  <->  the monitor: `alone`, membarrier, `busy`
 *           (sched/runqueue.h)
 */
#ifndef FILCH_SCHED_MONITOR_H
#define FILCH_SCHED_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/latch.h"
#include "sched/runqueue.h"

struct filch__worker;
struct filch_runtime;

enum {
    SPARES_MAX = 64,
};

/* What a worker does, as the monitor sees it. */
enum filch__rest {
    RESTS_NOT,     /* it runs, or searches */
    RESTS_ASLEEP,  /* it sleeps, is about to, or has just been woken */
    RESTS_RETIRED, /* a spare that is not needed */
};

/* What the monitor remembers of a worker. */
struct filch__watch {
    uint32_t turn;       /* at the last look */
    uint32_t still;      /* looks in a row that found the same turn */
    bool stuck;          /* it stands still */
    bool counted;        /* among the hogs */
    bool asked;          /* what it runs */
    uint32_t waiting;    /* looks in a row that found something in its deque */
    int64_t since_ns;    /* when the turn was first seen */
    int64_t cpu_ns;      /* what the thread had used of a processor when it was first found still */
    int64_t asking;      /* what the deque was asked, or 0 */
    int64_t top, bottom; /* of its deque, at the last look */
    void *young;         /* likewise; only to be compared */
};

enum monitor_word {
    MONITOR_LOOKS,
    MONITOR_NAPS,   /* until its next look */
    MONITOR_SLEEPS, /* until it is stirred */
};

struct filch__monitor {
    /* read-only after init */
    bool on;
    bool tells;      /* of hogs */
    bool tells_rest; /* tells when all tasks wait for nothing that it knows of: FILCH_DEBUG=deadlock */
    pthread_t thread;

    /* any thread */
    ATOMIC(uint32_t) word cache_aligned; /* a futex: enum monitor_word */
    ATOMIC(uint32_t) wanted;             /* 1: a spare is wanted at once */
    ATOMIC(uint32_t) ending;

    /* under the idle lock */
    uint32_t at_work; /* workers and spares that are not retired */
    uint32_t blocked; /* of these, between filch_block_begin and _end */

    /* the monitor writes, anyone reads */
    ATOMIC(uint32_t) stuck cache_aligned; /* workers found standing still, those that are `blocked` not counted */
    ATOMIC(uint64_t) hog_ns_max;
    ATOMIC(uint64_t) spare_starts;
    ATOMIC(uint32_t) spares; /* at work */

    /* the monitor only */
    uint32_t looks_at_rest; /* looks in a row that found everybody asleep */
    uint32_t looks_unmoved; /* looks in a row that found nobody moved */
    int64_t stood_still_ns; /* when somebody last did; 0: nobody yet */
    uint32_t looks_excess;  /* looks in a row that found a spare too many */
    int64_t told_at_ns;
    int64_t deadlock_next_ns;  /* no look for deadlocks before */
    int64_t deadlock_pause_ns; /* after the last one */
    bool deadlock_looked;      /* since all have come to rest */
    bool deadlock_told;
    struct filch__runqueue hands; /* what it is moving */

    struct filch__latch name_latch; /* over the next */
    char hog_name[32];
};

/* Starts the monitor, after the workers; 0, -ENOMEM or -EAGAIN. Before that, `on` is to be set. */
int filch__monitor_start(struct filch_runtime *runtime);

/* Ends it: no spare is made or put to work any more. Nothing where it is not on. */
void filch__monitor_stop(struct filch_runtime *runtime);

/*
 * All workers have slept for a while: looks whether that is a deadlock, if such a look is due. When it will be, if not; else
 * INT64_MAX. By the monitor. sched/deadlock.c.
 */
int64_t filch__deadlock_look(struct filch_runtime *runtime);

/* Wakes the monitor from its sleep. From any thread; nothing if it does not sleep. */
void filch__monitor_stir(struct filch_runtime *runtime);

/* The name of the task that was last found to hog, or "": into `name`, 32 bytes. */
void filch__monitor_hog_name(struct filch_runtime *runtime, char *name);

#endif
