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
        task->alike = task->siblings = 1;
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

enum { RUNS = 32 }; /* of 1, 2, 4, ... tasks that are in order */

static uint64_t mix(uint64_t hash, uint64_t what) {
    return (hash ^ what) * 0x100000001b3u;
}

/* As in sched/fold.c: a tree's shape is its root, and the shapes of the root's children, in order. */
static uint64_t key_of(const struct model_task *tasks, const struct model_task *task) {
    uint64_t key = mix(mix(0xcbf29ce484222325u, task->fn), task->spawned_at);
    key = mix(mix(key, (uintptr_t)task->reason), task->kind);
    for (uint32_t at = task->child; at != NONE; at = tasks[at].next) {
        key = mix(mix(key, tasks[at].shape), tasks[at].siblings);
    }
    return key;
}

static bool have_like_children(const struct model_task *tasks, uint32_t a, uint32_t b) {
    while (a != NONE && b != NONE) {
        if (tasks[a].shape != tasks[b].shape || tasks[a].siblings != tasks[b].siblings) return false;
        a = tasks[a].next;
        b = tasks[b].next;
    }
    return a == b;
}

static bool are_alike(const struct model_task *tasks, const struct model_task *a, const struct model_task *b) {
    return a->fn == b->fn && a->spawned_at == b->spawned_at && a->kind == b->kind && a->reason == b->reason &&
           a->cancelled == b->cancelled && (a->scope == 0) == (b->scope == 0) &&
           strcmp(a->scope_name, b->scope_name) == 0 && have_like_children(tasks, a->child, b->child);
}

/* The first that is like it: it itself, perhaps. */
static uint32_t shape_of(const struct table *table, const struct model_task *tasks, uint32_t index) {
    size_t slot = slot_of(table, key_of(tasks, &tasks[index]));
    while (table->slots[slot] != NONE && !are_alike(tasks, &tasks[table->slots[slot]], &tasks[index])) {
        slot = (slot + 1) & table->mask;
    }
    if (table->slots[slot] == NONE) table->slots[slot] = index;
    return table->slots[slot];
}

static bool comes_before(const struct model_task *a, const struct model_task *b) {
    return a->shape != b->shape ? a->shape < b->shape : a->scope < b->scope;
}

/* Two lists that are in order; where two are equal, that of `a` comes first. */
static uint32_t merge(struct model_task *tasks, uint32_t a, uint32_t b) {
    uint32_t first, *end = &first;
    while (a != NONE && b != NONE) {
        uint32_t *from = comes_before(&tasks[b], &tasks[a]) ? &b : &a, taken = *from;
        *end = taken;
        end = &tasks[taken].next;
        *from = tasks[taken].next;
    }
    *end = a != NONE ? a : b;
    return first;
}

static uint32_t sort(struct model_task *tasks, uint32_t list) {
    uint32_t runs[RUNS], sorted = NONE;
    memset(runs, 0xff, sizeof runs); /* NONE */
    while (list != NONE) {
        uint32_t run = list, i = 0;
        list = tasks[run].next;
        tasks[run].next = NONE;
        for (; runs[i] != NONE; i++) { /* there are fewer than 2^RUNS */
            run = merge(tasks, runs[i], run);
            runs[i] = NONE;
        }
        runs[i] = run;
    }
    for (uint32_t i = 0; i < RUNS; i++) sorted = merge(tasks, runs[i], sorted);
    return sorted;
}

static void add_one(struct model_task *to, struct model_task *from) {
    to->alike += from->alike;
    from->alike = 0;
    to->objects_differ |= from->objects_differ || from->object != to->object;
    if (to->waiting_ns < from->waiting_ns) to->waiting_ns = from->waiting_ns;
}

/* All of the tree `from` to `to`, which is like it: they are walked in step. */
static void add_up(struct model_task *tasks, uint32_t to, uint32_t from) {
    for (uint32_t a = to, b = from;;) {
        add_one(&tasks[a], &tasks[b]);
        if (tasks[a].child != NONE) {
            a = tasks[a].child;
            b = tasks[b].child;
            continue;
        }
        while (a != to && tasks[a].next == NONE) {
            a = tasks[a].parent;
            b = tasks[b].parent;
        }
        if (a == to) return;
        a = tasks[a].next;
        b = tasks[b].next;
    }
}

/* Siblings, each of which has its shape. */
static uint32_t fold_list(struct model_task *tasks, uint32_t list) {
    list = sort(tasks, list);
    for (uint32_t at = list; at != NONE; at = tasks[at].next) {
        struct model_task *first = &tasks[at];
        uint32_t next = first->next;
        while (next != NONE && tasks[next].shape == first->shape && tasks[next].scope == first->scope) {
            first->siblings++;
            first->next = tasks[next].next;
            add_up(tasks, at, next);
            next = first->next;
        }
    }
    return list;
}

static uint32_t deepest(const struct model_task *tasks, uint32_t at) {
    while (tasks[at].child != NONE) at = tasks[at].child;
    return at;
}

bool model_fold(struct model_runtime *runtime) {
    struct model_task *tasks = runtime->tasks;
    struct table table;
    if (runtime->first == NONE) return true;
    if (!table_init(&table, runtime->task_count)) return false;
    for (uint32_t at = deepest(tasks, runtime->first); at != NONE;) { /* each after its children */
        struct model_task *task = &tasks[at];
        task->child = fold_list(tasks, task->child);
        task->shape = shape_of(&table, tasks, at);
        at = task->next != NONE ? deepest(tasks, task->next) : task->parent;
    }
    runtime->first = fold_list(tasks, runtime->first);
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
