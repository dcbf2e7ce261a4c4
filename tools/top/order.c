/* SPDX-License-Identifier: MIT */
/* What was read, put in order: as sched/snapshot.c does from inside, and by the same rules. */
#include <stdlib.h>
#include <string.h>

#include "tools/top/model.h"

/* ------------------------------------------------------------------------------------------------------------- table */

/* Indices by a key, open addressing. */
struct table {
    uint32_t *slots;
    size_t mask;
};

static bool table_init(struct table *table, size_t count) {
    size_t size = 16;
    while (size < 2 * count) size *= 2;
    table->slots = malloc(size * sizeof *table->slots);
    table->mask = size - 1;
    if (table->slots != NULL) memset(table->slots, 0xff, size * sizeof *table->slots);
    return table->slots != NULL;
}

static size_t slot_of(const struct table *table, uint64_t key) {
    key ^= key >> 32;
    return (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & table->mask;
}

static uint32_t find(const struct table *table, const struct model_runtime *runtime, uint64_t address) {
    if (address == 0) return NONE;
    size_t slot = slot_of(table, address);
    for (; table->slots[slot] != NONE; slot = (slot + 1) & table->mask) {
        if (runtime->tasks[table->slots[slot]].address == address) return table->slots[slot];
    }
    return NONE;
}

/* ------------------------------------------------------------------------------------------------------------- links */

/* Tasks were read one after the other: who is told to be above whom may form a circle, which is cut here. */
static void cut_circles(struct model_runtime *runtime) {
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        uint32_t at = i;
        for (size_t steps = 0; at != NONE && steps < 1000; steps++) {
            at = runtime->tasks[at].parent;
            if (at == i) runtime->tasks[i].parent = at = NONE;
        }
    }
}

static void link_tree(struct model_runtime *runtime) {
    runtime->first = NONE;
    for (uint32_t i = (uint32_t)runtime->task_count; i-- > 0;) {
        struct model_task *task = &runtime->tasks[i];
        uint32_t *list = task->parent == NONE ? &runtime->first : &runtime->tasks[task->parent].child;
        task->next = *list;
        *list = i;
    }
}

/* A worker that searches still has the task in hand that it ran last. */
static void link_workers(const struct table *table, struct model_runtime *runtime) {
    for (size_t i = 0; i < runtime->workers_known; i++) {
        struct model_worker *worker = &runtime->workers[i];
        worker->runs_index = find(table, runtime, worker->runs);
        if (worker->runs_index != NONE && runtime->tasks[worker->runs_index].kind == TASK_RUNS) {
            runtime->tasks[worker->runs_index].worker = worker->index;
        } else {
            worker->runs = 0;
            worker->runs_index = NONE;
        }
    }
}

bool model_order(struct model_runtime *runtime) {
    struct table table;
    if (!table_init(&table, runtime->task_count)) return false;
    memset(runtime->kinds, 0, sizeof runtime->kinds);
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        size_t slot = slot_of(&table, runtime->tasks[i].address);
        while (table.slots[slot] != NONE) slot = (slot + 1) & table.mask;
        table.slots[slot] = i;
    }
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        struct model_task *task = &runtime->tasks[i];
        task->child = task->next = NONE;
        task->alike = 1;
        task->waits_for = find(&table, runtime, task->holds);
        task->parent = find(&table, runtime, task->host);
        runtime->kinds[task->kind]++;
    }
    cut_circles(runtime);
    link_tree(runtime);
    link_workers(&table, runtime);
    free(table.slots);
    return true;
}

/* ------------------------------------------------------------------------------------------------------------ folded */

static uint64_t mix(uint64_t hash, uint64_t what) {
    return (hash ^ what) * 0x100000001b3u;
}

static uint64_t key_of(const struct model_task *task) {
    uint64_t key = mix(mix(0xcbf29ce484222325u, task->scope), task->parent);
    key = mix(mix(key, task->fn), task->spawned_at);
    return mix(mix(key, (uintptr_t)task->reason), task->kind);
}

static bool are_alike(const struct model_task *a, const struct model_task *b) {
    return a->scope == b->scope && a->parent == b->parent && a->fn == b->fn && a->spawned_at == b->spawned_at &&
           a->kind == b->kind && a->reason == b->reason && a->cancelled == b->cancelled;
}

bool model_fold(struct model_runtime *runtime) {
    struct table table;
    if (!table_init(&table, runtime->task_count)) return false;
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        struct model_task *task = &runtime->tasks[i];
        if (task->child != NONE) continue;
        size_t slot = slot_of(&table, key_of(task));
        while (table.slots[slot] != NONE && !are_alike(&runtime->tasks[table.slots[slot]], task)) {
            slot = (slot + 1) & table.mask;
        }
        if (table.slots[slot] == NONE) {
            table.slots[slot] = i;
            continue;
        }
        struct model_task *first = &runtime->tasks[table.slots[slot]];
        first->alike++;
        task->alike = 0;
        if (first->waiting_ns < task->waiting_ns) first->waiting_ns = task->waiting_ns;
    }
    free(table.slots);
    return true;
}

/* ------------------------------------------------------------------------------------------------------------- walks */

uint32_t model_cycle(const struct model_runtime *runtime, uint32_t *first) {
    for (uint32_t i = 0; i < runtime->task_count; i++) {
        uint32_t at = i, length = 0;
        do {
            at = runtime->tasks[at].by_child ? NONE : runtime->tasks[at].waits_for;
            length++;
        } while (at != NONE && at != i && length <= 1000);
        if (at != i) continue;
        *first = i;
        return length;
    }
    return 0;
}

uint32_t model_next(const struct model_runtime *runtime, uint32_t at, uint32_t *depth) {
    const struct model_task *tasks = runtime->tasks;
    if (tasks[at].child != NONE) {
        ++*depth;
        return tasks[at].child;
    }
    while (at != NONE && tasks[at].next == NONE) {
        at = tasks[at].parent;
        --*depth;
    }
    return at == NONE ? NONE : tasks[at].next;
}
