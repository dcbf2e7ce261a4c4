/* SPDX-License-Identifier: MIT */
/*
 * A snapshot of a runtime's tasks, put in order: who stands in whose scope, who waits for whom. Nothing stops meanwhile:
 * each task is as it was when it was looked at, one after the other.
 *
 * It stands in memory of mmap(2) of its own, so that it can be taken when nothing else works.
 */
#ifndef FILCH_SCHED_SNAPSHOT_H
#define FILCH_SCHED_SNAPSHOT_H

#include <filch/runtime.h>

struct filch__waiter;

enum { SNAPSHOT_FRAMES = 24 };

#define SNAPSHOT_NONE UINT32_MAX

/* What a lock or semaphore is held by that a task waits at, beyond `holds`: nobody in particular. */
struct filch__counts {
    uint32_t readers;
    const void *reader; /* one of them, if it is known: in debug mode. It may have ended */
    char reader_name[32];
    size_t permits, limit; /* that are left; 0: it is no semaphore */
};

/* What is known of a task that holds something, and is not in the snapshot. */
enum filch__holder {
    HOLDER_SEEN,    /* it is, or there is none */
    HOLDER_LIVES,   /* `holder_name`, `holder_runtime` */
    HOLDER_ENDED,   /* and holds it all the same */
    HOLDER_UNKNOWN, /* of no runtime that is there */
};

/* A task as it was. */
struct filch__seen {
    filch_task_info info;
    const void *scope;             /* that it was spawned into, or NULL */
    const struct filch_task *host; /* the task that has opened that, or NULL */
    const struct filch_task
        *holds;     /* what it waits for: the task that holds or writes it, or that it awaits; or NULL */
    bool by_child;  /* a forked call of that task holds it, and goes on by itself: no circle */
    bool by_thread; /* a thread that is no worker holds it */
    enum filch__holder holder;
    char holder_name[32], holder_runtime[16]; /* the latter if it is another one */
    struct filch__counts counts;
    uint32_t depth; /* of the backtrace */
    void *frames[SNAPSHOT_FRAMES];

    /* indices; SNAPSHOT_NONE: none */
    uint32_t parent, child, next; /* the task that has opened its scope, and the list of those whose it is itself */
    uint32_t waits_for;           /* `holds`, if that is in the snapshot */
    uint32_t alike;               /* how many it stands for; 0: another stands for it */

    /* sched/fold.c */
    uint32_t kind;       /* index of the first that is like it, with all that stands under it */
    uint32_t siblings;   /* how many of `alike` stand under one task */
    bool objects_differ; /* that those wait for for which it stands */
};

struct filch__snapshot {
    struct filch__seen *tasks;
    uint32_t count, room;
    uint64_t left_out; /* more than there was room for */
    uint32_t first;    /* of those without a parent */

    /* inside */
    struct filch_runtime *runtime;
    bool backtraces;
    uint32_t visits; /* records seen so far */
    uint32_t *table;
    uint32_t table_size; /* a power of two */
    size_t bytes;
};

/* Takes a snapshot of up to `room` tasks; 0 or -ENOMEM. `snapshot` is for filch__snapshot_drop. Not in a signal handler. */
int filch__snapshot_take(struct filch__snapshot *snapshot, struct filch_runtime *runtime, uint32_t room,
                         bool backtraces);
void filch__snapshot_drop(struct filch__snapshot *snapshot);

/*
 * Has one stand for all that are alike, with all that stands under them, among those in the same scope: `alike` is set.
 * Those that others stand for are in no list any more.
 */
void filch__snapshot_fold(struct filch__snapshot *snapshot);

/*
 * Finds a cycle of tasks of which each waits for what the next holds: its length, and one of them in `*first`; the others by
 * `waits_for`. 0: there is none.
 */
uint32_t filch__snapshot_cycle(const struct filch__snapshot *snapshot, uint32_t *first);

/*
 * Fills `*info` for the record of a task; false: it is none that lives. While the task does not go on, `look`, unless it is
 * NULL, is called with its waiter, if it waits in one.
 */
bool filch__task_describe(struct filch_runtime *runtime, void *record, filch_task_info *info,
                          void (*look)(struct filch__waiter *waiter, void *arg), void *arg);

#endif
