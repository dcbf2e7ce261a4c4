/* SPDX-License-Identifier: MIT */
/*
 * Traces: a ring of events per worker, and one for all threads that are none. What they are for is in filch/trace.h.
 *
 *                             the ring's worker    any other thread
 *   a worker's ring: put            yes                  no
 *   the outside ring: put           yes, under its latch, by threads that are no workers of the runtime
 *   copy (sched/trace_copy.c)       yes                  yes, at any time
 *
 * The ring's worker finds it in the hot part of itself (`hot.trace`), on a line that all that it does touches; NULL there
 * means that nothing is traced, and that is all that is tested. Rings are made once and live as long as the runtime, so
 * who has seen one there may write to it, even if that was taken away meanwhile.
 *
 * An event is four words, and has an index, which counts up; it stands in the slot of its index modulo the ring's size.
 *   put    stores the words (release), then the index after it as `count` (release).
 *   copy   reads `count` (acquire), then the words of those before it (acquire), then `count` again: what may have been
 *          overwritten by then is thrown away: the event that was the first in the slot of the one after the last counted,
 *          and all before.
 * If a reader has seen a word of a later event in a slot, then, by that word's store and load, it sees a `count` of at least
 * that event's index, and throws the slot's content away.
 *
 * filch__trace_lock is over the starting and stopping of traces, over `from` and the times of that, and over the making of
 * rings. Who copies has it while he copies, and not while he writes: so a copy is of one start. It is taken by
 * filch_trace_dump and at the process's exit, when other threads go on as before; not when a runtime has ended, since
 * nobody knows of it any more; and not in a crash, whose thread, or another that stands still by now, may be the one that
 * has it. So who copies reads each thing under the lock once, and goes by what he has read: in a crash it may be
 * half of one start and half of the next, and then times are wrong, and events of before are in the picture, but no index
 * is out of its ring. In the child of a fork the lock is made anew: the thread that had it is not there.
 *
 * Edges
 *   MADE    a ring: hot.trace, or the runtime's trace (release)  ->  put (acquire)     carries the ring
 *   EVENT   put: count (release)                                 ->  copy (acquire)    carries the words before it
 *   OVER    put: a word (release)                                ->  copy (acquire)    carries the count before it
 *   FROM    a start: `from` (release)                            ->  copy (acquire)    carries the count that it was
 *   LABEL   sched/trace_label.c
 */
#ifndef FILCH_SCHED_TRACE_H
#define FILCH_SCHED_TRACE_H

#include <filch/fork.h>
#include <filch/trace.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/latch.h"
#include "base/lock.h"

struct filch_runtime;
struct filch_task;
struct filch__waiter;
struct filch__worker;

enum trace_kind {
    TRACE_SPAWN = 1,  /* task; nothing; outside: the thread */
    TRACE_BEGIN,      /* task; who has called it in place, or 0 */
    TRACE_END,        /* task; likewise; result */
    TRACE_CALL_BEGIN, /* a forked call that was stolen: task; its function */
    TRACE_CALL_END,   /* task */
    TRACE_WAIT,       /* task; waiter; object, and for what, as a label */
    TRACE_YIELD,      /* task; waiter */
    TRACE_RESUME,     /* task; waiter, and TRACE_OF_CALL */
    TRACE_WAKE,       /* nothing; waiter; outside: the thread */
    TRACE_STEAL,      /* task; from which worker */
    TRACE_POLL,       /* how many events */
    TRACE_SLEEP,      /* the worker */
    TRACE_AWAKE,
    TRACE_BLOCK, /* task: filch_block_begin, and _end */
    TRACE_UNBLOCK,
    TRACE_MARK, /* task; the name, as a label */
};

enum {
    TRACE_WORDS = 4,
    TRACE_KIND_BITS = 8,     /* of the first word, below the time */
    TRACE_LABEL_SHIFT = 48,  /* of the others: an address, and a label above it */
    TRACE_OF_CALL = 1 << 15, /* in the place of a label: the strand is a forked call */
};

#define TRACE_ADDRESS (((uint64_t)1 << TRACE_LABEL_SHIFT) - 1)

/* What the times of events are. */
enum trace_clock {
    TRACE_TICKS,     /* base/ticks.h */
    TRACE_SYSTEM,    /* nanoseconds of base/clock.h */
    TRACE_SIMULATED, /* the simulation's nanoseconds, and one more for each event in a row: so no two are the same */
};

struct filch__trace_ring {
    /* read-only after init */
    struct filch__trace *trace;
    enum trace_clock clock;
    uint64_t mask;

    /* written under the lock of traces; read there, or in a crash */
    ATOMIC(uint64_t) from; /* the index of the first event since the start. FROM */

    /* the ring's writer writes, any thread reads */
    ATOMIC(uint64_t) count cache_aligned;
    ATOMIC(uint64_t) words[] cache_aligned;
};

/* A point in time by both clocks, and how many tasks there were about then. */
struct filch__trace_time {
    ATOMIC(uint64_t) stamp; /* as events have it */
    ATOMIC(int64_t) ns;
    ATOMIC(int64_t) tasks;
};

struct filch__trace {
    /* read-only after init */
    struct filch_runtime *runtime;
    enum trace_clock clock;
    unsigned events;     /* of a ring */
    unsigned ring_count; /* how many workers there may be */
    char path[512];      /* of the file that FILCH_TRACE asks for, or "" */

    /* written under the lock of traces; read there, or in a crash */
    struct filch__trace_time started, stopped; /* stopped: only while it is not on */

    ATOMIC(uint32_t) on; /* 1: written under the lock of traces */
    uint64_t last;       /* the time of the last event, where it is simulated */

    struct filch__latch latch; /* over the outside ring */
    struct filch__trace_ring *outside;

    ATOMIC(struct filch__trace_ring *) rings[]; /* by the worker's index; those of spares come to be with them. MADE */
};

/* ------------------------------------------------------------------------------------------------------ the test */

/* Whether events of the worker are wanted. The schedule explorer has no traces: each would be a step more. */
#ifdef FILCH_EXPLORE
#define filch__traces(hot) ((void)(hot), false)
#else
#define filch__traces(hot) unlikely(load_relaxed(&(hot)->trace) != NULL) /* MADE: put looks again */
#endif

/* ------------------------------------------------------------------------------- events, where filch__traces is true */

/* By a worker, of itself. */
void filch__trace_spawn(struct filch__hot *hot, struct filch_task *task);
void filch__trace_begin(struct filch__hot *hot, struct filch_task *task);
void filch__trace_end(struct filch__hot *hot, struct filch_task *task, int result);
void filch__trace_call_begin(struct filch__hot *hot, const filch_frame *frame);
void filch__trace_call_end(struct filch__hot *hot, const filch_frame *frame);
void filch__trace_wait(struct filch__hot *hot, const struct filch__waiter *waiter);
void filch__trace_yield(struct filch__hot *hot, const struct filch__waiter *waiter);
void filch__trace_resume(struct filch__hot *hot, const struct filch__waiter *waiter);
void filch__trace_wake(struct filch__hot *hot, const struct filch__waiter *waiter);
void filch__trace_steal(struct filch__hot *hot, void *item, unsigned victim);
void filch__trace_poll(struct filch__hot *hot, unsigned count);

/* What the worker itself, or what it runs, begins or ends: SLEEP, AWAKE, BLOCK, UNBLOCK. */
void filch__trace_worker(struct filch__hot *hot, enum trace_kind kind);

/* By a thread that is no worker of the runtime; nothing where it is not traced. The runtime is kept from being destroyed. */
void filch__trace_spawn_outside(struct filch_runtime *runtime, struct filch_task *task);
void filch__trace_wake_outside(struct filch_runtime *runtime, const struct filch__waiter *waiter);

/* ----------------------------------------------------------------------------------------------- a runtime's life */

/* A worker has come to be known: it gets a ring, if the others have one; without memory for that, it leaves no events. */
void filch__trace_add_worker(struct filch__worker *worker);

/* Reads what FILCH_TRACE asks for, once. Before there is a simulation, whose handler of SIGABRT comes and goes with it. */
void filch__trace_watch(void);

/* A runtime is about to start: traces it, if FILCH_TRACE asks for that. Workers that are made later are added. */
void filch__trace_by_environment(struct filch_runtime *runtime);

/* The workers have ended: writes what FILCH_TRACE asks for. */
void filch__trace_finish(struct filch_runtime *runtime);

/* Frees the trace, if there is one. */
void filch__trace_fini(struct filch_runtime *runtime);

/* In the child of a fork: nobody is at work on traces. */
void filch__trace_forget(void);

/* -------------------------------------------------------------------------------------------- sched/trace_label.c */

/*
 * A label is a number for a function, the place where it was spawned, and a name, any of them NULL (or ""): what is to be
 * known of a task when it is long gone. The same three have the same label, mostly. 0: there was no room.
 */
struct filch__label {
    ATOMIC(uint32_t) state;
    const void *fn, *site;
    char name[32]; /* zeros after its end */
} cache_aligned;

enum { LABELS = 4096 };

/* `name` has 32 bytes, zeros after its end; or is "", of whatever size. */
uint32_t filch__label_of(const void *fn, const void *site, const char *name);

/* What the label stands for, or NULL: there is none of that number. Any thread, any time. */
const struct filch__label *filch__label_at(uint32_t number);

/* --------------------------------------------------------------------------------------------- sched/trace_copy.c */

struct filch__trace_event {
    uint64_t ns; /* since the start */
    uint64_t words[TRACE_WORDS];
};

/* What was copied of one ring. */
struct filch__trace_row {
    struct filch__trace_event *events;
    uint64_t count, next; /* `next` is the reader's */
    uint64_t lost;        /* overwritten */
    unsigned worker;      /* its index; TRACE_OUTSIDE */
};

#define TRACE_OUTSIDE UINT32_MAX

struct filch__trace_copy {
    const struct filch__trace *trace;
    struct filch__trace_row *rows;
    unsigned row_count;
    struct filch__trace_time started;
    int64_t end_tasks; /* how many there were at its end */
    uint64_t count, lost, end_ns;

    /* inside */
    size_t bytes;
    unsigned *heap; /* of the rows that have more: that with the earliest first */
    unsigned heap_count;
};

/*
 * Copies all rings into memory of mmap(2), also in a signal handler. Under the lock, or in a crash, or when nobody knows of
 * the runtime any more. 0 or -ENOMEM. `copy` is for filch__trace_drop.
 */
int filch__trace_take(struct filch__trace_copy *copy, struct filch__trace *trace);
void filch__trace_drop(struct filch__trace_copy *copy);

/* The next event in the order of time, and its row; NULL: there is none. */
const struct filch__trace_event *filch__trace_next(struct filch__trace_copy *copy, struct filch__trace_row **row);

/* Over all traces: see above. */
extern struct filch__lock filch__trace_lock;

/* As filch__trace_take, under the lock, which the caller does not have. */
int filch__trace_take_locked(struct filch__trace_copy *copy, struct filch__trace *trace);

/* Now, by the trace's clock. Simulated time does not move by that. */
struct filch__trace_time filch__trace_now(const struct filch__trace *trace);

/* --------------------------------------------------------------------------------------------- sched/trace_json.c */

/* How the places of code are written: filch__place_write or filch__place_write_safely. */
typedef void filch__place_fn(const void *address, char *text);

/* Writes what was copied; how many events, or -ENOMEM, or -errno of write(2). As safe in a signal handler as `place` is. */
int filch__trace_write(struct filch__trace_copy *copy, int fd, filch__place_fn *place);

#endif
