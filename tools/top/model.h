/* SPDX-License-Identifier: MIT */
/*
 * What was read of a program: its runtimes, with their workers and tasks, as each was when it was looked at; and put in
 * order. The counterpart, from outside, of sched/snapshot.h, with the same words.
 */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include "tools/top/layout.h"

#define NONE UINT32_MAX

enum task_kind { /* as enum filch_task_state, from 0 */
                 TASK_NOT_BEGUN,
                 TASK_RUNS,
                 TASK_WAITS,
};

struct model_task {
    uint64_t address, fn, spawned_at;
    uint64_t extra, waiter; /* where more of it stands */
    enum task_kind kind;
    bool cancelled;
    char name[32];
    uint32_t worker; /* index of who runs it, or NONE */

    /* WAITS */
    const char *reason;
    uint64_t reason_at; /* where that stands in the program */
    uint64_t object;
    int64_t waiting_ns;
    uint64_t holds; /* the task that holds what it waits for, or 0; a task of no runtime is a thread */
    bool held_by_thread;
    bool by_child; /* a forked call of `holds` holds it, and goes on by itself: no circle */

    /* the scope that it was spawned into, or 0; who has opened that, or 0 */
    uint64_t scope, host;
    char scope_name[32];

    /* indices, or NONE: as in sched/snapshot.h */
    uint32_t parent, child, next;
    uint32_t waits_for;
    uint32_t alike;      /* how many it stands for; 0: another stands for it */
    uint32_t shape;      /* by model_fold: index of the first that is like it, with all that stands under it */
    uint32_t siblings;   /* how many of `alike` stand under one task */
    bool objects_differ; /* that those wait for for which it stands */
};

struct model_worker {
    uint32_t index;
    bool spare, polls, blocks;
    bool searches; /* awake, and runs nothing */
    uint32_t rests;
    int thread;
    uint64_t runs;       /* a task, or 0 */
    uint32_t runs_index; /* of that, or NONE */
    uint64_t queued;     /* items in its run queue and its deque */
    uint64_t spawned, completed, steals, parks, yields, switches, sleeps;
    uint64_t cpu_ns; /* that its thread has used; of a process only */
};

struct model_runtime {
    uint64_t address;
    const struct layout *layout;
    char name[32];
    bool parents; /* of the process that this one was forked from: left out */
    bool simulated, ending, cancelled;
    uint32_t worker_count;
    int64_t now_ns;
    uint64_t injected, wakes, hogs, helpers, stacks;
    struct model_worker *workers;
    size_t workers_known;
    struct model_task *tasks;
    size_t task_count, task_room;
    uint64_t left_out; /* tasks beyond the limit */
    uint32_t first;    /* of the tasks without a parent */
    size_t kinds[3];   /* how many tasks of each */
};

/* An interned text of the program. */
struct model_word {
    uint64_t address;
    char text[32];
};

struct model {
    struct target *target;
    struct layout layouts[LAYOUTS_MAX];
    size_t layout_count;
    struct model_word *words[64];
    size_t word_count;
    uint32_t tasks_max; /* of a runtime */

    /* by model_take */
    int64_t taken_ns;
    struct model_runtime *runtimes;
    size_t runtime_count;
    size_t unread; /* runtimes that are there and could not be read */
};

/* Finds the descriptors. False: the target's `error` says why. `model` is for model_drop either way. */
bool model_init(struct model *model, struct target *target, uint32_t tasks_max);
void model_drop(struct model *model);

/* Reads everything anew. False: the process has ended, or nothing could be read; the target's `error` says why. */
bool model_take(struct model *model);

/* order.c: links tasks by scope and by who waits for whom. */
bool model_order(struct model_runtime *runtime);

/* Has one stand for all that are alike, with all that stands under them, among those with the same parent and scope. */
bool model_fold(struct model_runtime *runtime);

/* A cycle of tasks of which each waits for what the next holds: its length, and one of them; 0: there is none. */
uint32_t model_cycle(const struct model_runtime *runtime, uint32_t *first);

/* The next task of a walk that comes by each before its children, `*depth` going with it; NONE: that was the last. */
uint32_t model_next(const struct model_runtime *runtime, uint32_t at, uint32_t *depth);

#endif
