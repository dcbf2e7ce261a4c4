/* SPDX-License-Identifier: MIT */
/*
 * The API under a fuzzer: bytes become programs of a few tasks, which run in a simulation whose seed is made of the same
 * bytes. So an input is a schedule, and what it shows it shows again.
 *
 * Everything is one thread's, so that the model beside each object is made of plain fields. A wait without a deadline is
 * counted at its object while it lasts. All that is waited for in another way comes within an hour, and the clock jumps
 * there only when all workers have come to rest: then no object may be found that could let one of those waits go on. So
 * a wake-up that was lost shows, and tasks that wait for what does not come are no failure.
 */
#ifndef FILCH_TESTS_FUZZ_API_H
#define FILCH_TESTS_FUZZ_API_H

#include <errno.h>
#include <filch/filch.h>
#include <filch/pair.h>
#include <filch/stream.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must(condition) ((condition) ? (void)0 : api_failed(#condition, __FILE__, __LINE__))

static inline _Noreturn void api_failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: must: %s\n", file, line, what);
    abort();
}

enum {
    MUTEXES = 2,
    CHANS = 3,
    QUEUES = 3,
    ENDS = 2,
    PARTIES = 2,
    PERMITS = 3,
    STREAM_BYTES = 40, /* that each direction of the pair holds */
    PROGRAMS = 8,      /* the first of them begin by themselves, the others when they are spawned */
    ACTORS_FIRST = 4,
    ACTORS_MAX = 24,
    HANDLES = 3,
    DEPTH_MAX = 4, /* of scopes, shields and locks in a task */
    OPERATION = 3, /* bytes: which program, what, and how */
};

/* The operations of one task, in the order in which they stand in the input. */
struct program {
    const uint8_t *bytes; /* of the whole input */
    size_t size;
    unsigned number;
};

/* Waits without a deadline that last, on either side of a channel. One select may be on both. */
struct chan_waits {
    unsigned senders, receivers, both;
};

/* What went in and came out. */
struct flow {
    uint64_t in, in_sum, out, out_sum;
};

struct world {
    struct {
        filch_mutex mutex;
        bool held;
        unsigned waiting;
    } locks[MUTEXES];
    struct {
        filch_rwlock lock;
        unsigned reading, writing, readers_wait, writers_wait;
    } shelf;
    struct {
        filch_mutex mutex;
        filch_cond filled;
        unsigned tokens, waiting;
        bool held;
    } box;
    struct {
        filch_sem sem;
        unsigned held, waiting[PERMITS + 1]; /* by how many are asked for */
    } permits;
    struct {
        filch_event event;
        unsigned waiting;
    } event;
    struct {
        filch_barrier barrier;
        unsigned waiting;
    } barrier;
    struct {
        filch_once once;
        unsigned running, succeeded, waiting;
    } once;
    struct {
        filch_wait_group group;
        unsigned count, waiting;
    } group;
    struct {
        filch_future future;
        bool set;
        unsigned waiting;
    } future;
    struct {
        filch_queue queue;
        size_t capacity; /* 0: none */
        bool shut;
        struct flow flow;
        uint64_t done;
        unsigned getting, putting, joining;
    } queues[QUEUES];
    struct {
        filch_chan *chan;
        size_t capacity;
        bool closed;
        struct flow flow;
        struct chan_waits waits;
    } chans[CHANS];
    struct {
        filch_stream *stream;
        bool reading, writing, undrained, closed;
        unsigned waiting;
        uint64_t offered; /* bytes of all writes, with the one that goes on */
        uint64_t sent;    /* ... that it has taken */
        uint64_t received;
    } ends[ENDS];
    struct program programs[PROGRAMS];
    struct actor *actors[ACTORS_MAX];
    unsigned actor_count, live; /* tasks that were started, and that have begun and not ended */
    filch_local local;
    unsigned values;  /* of the task-local that are alive */
    uint64_t numbers; /* the last value that was sent */
    bool closing;     /* what is waited for without a deadline is no more */
};

extern struct world *world; /* of this input */

/* A scope or shield that a task has open, or the one that it was spawned into. */
struct region {
    filch_scope *scope; /* NULL: a shield */
    const struct region *outer;
};

/* A task. */
struct actor {
    struct program program; /* what is left of it */
    unsigned depth;
    unsigned shields; /* behind one nothing waits without a deadline, since nothing would cut it short */
    unsigned locks;   /* which of them it holds */
    bool shelf, box;
    const struct region *home;   /* that it was spawned into, or NULL */
    const struct region *region; /* the innermost; its home, while it has none open */
    bool lasts;                  /* it waits without a deadline */
    bool doomed;                 /* it was cancelled by its spawner */
    filch_task *handles[HANDLES];
    struct actor *children[HANDLES];
    unsigned awaits; /* how many of its handles must have ended before it goes on, while it waits for that; else 0 */
    filch_task *awaits_one;
    void *local; /* its task-local */
    bool begun;
    int result;
};

/* The next operation; false: there is none. */
bool api_next(struct program *program, uint8_t *what, uint8_t *how);

/* Operations up to the end of the block that was begun last, or all that are left. */
void api_run(struct actor *actor);

/* The operations, each of which leaves nothing held but what its block has. `what` counts from 0. */
enum { LOCK_OPERATIONS = 6, OBJECT_OPERATIONS = 10, FLOW_OPERATIONS = 12, TASK_OPERATIONS = 14 };
void api_lock(struct actor *actor, unsigned what, uint8_t how);
void api_object(struct actor *actor, unsigned what, uint8_t how);
void api_flow(struct actor *actor, unsigned what, uint8_t how);
void api_task(struct actor *actor, unsigned what, uint8_t how);

/* Starts a task of program `number` in the scope of `region`, or in none. NULL: there are enough, or the scope is cancelled. */
struct actor *api_spawn(const struct region *region, filch_task **task, unsigned number, void *local);

void api_world_begin(void);
void api_world_must_rest(void);    /* all waits that last could go on for nobody's sake */
void api_world_close(void);        /* lets go whoever waits for what can be ended */
void api_world_must_balance(void); /* nobody is there any more; ends it */

/* ------------------------------------------------------------------------------------------------------------ waits */

struct wait {
    filch_deadline deadline;
    bool cancelled;    /* it was, before */
    unsigned *lasting; /* where it is counted, or NULL */
    struct actor *actor;
};

static inline filch_deadline api_deadline(uint8_t how) {
    return how % 2 == 0 ? (filch_deadline){0} : filch_after((int64_t)(how / 2) * 1000);
}

/* Of four waits two have no deadline, and are counted at `lasting`, one tries, and one lasts up to some microseconds. */
static inline struct wait wait_begin(struct actor *actor, uint8_t how, unsigned *lasting) {
    struct wait wait = {.deadline = api_deadline(how / 2), .cancelled = filch_cancelled(), .actor = actor};
    if (actor->shields > 0 || how % 2 == 0) return wait;
    wait.deadline = FILCH_NEVER;
    wait.lasting = lasting;
    actor->lasts = true;
    if (lasting != NULL) ++*lasting;
    return wait;
}

static inline void wait_uncount(const struct wait *wait) {
    if (wait->lasting != NULL) --*wait->lasting;
    wait->actor->lasts = false;
}

/* True where the call has succeeded. */
static inline bool wait_over(const struct wait *wait, int64_t answer) {
    wait_uncount(wait);
    must(answer >= 0 || answer == -ECANCELED || answer == -ETIMEDOUT || answer == -EPIPE || answer == -EBADF);
    if (wait->cancelled) must(answer == -ECANCELED || answer == -EPIPE || answer == -EBADF);
    if (answer == -ECANCELED) must(filch_cancelled());
    if (answer == -ETIMEDOUT) must(filch_now() >= wait->deadline.at_ns);
    return answer >= 0;
}

/* Some time, or none, for others to run in. */
static inline void api_dawdle(uint8_t how) {
    if (how % 2 == 1) filch_yield();
}

#endif
