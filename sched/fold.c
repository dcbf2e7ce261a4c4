/* SPDX-License-Identifier: MIT */
/*
 * Tasks of a snapshot that are alike: of one function, spawned at one place, that wait for the same kind of thing with the
 * same backtrace; and under which tasks stand that are alike, as many of each. A server with a scope for each connection
 * has thousands of such trees, and one of them is shown.
 *
 * From the leaves up, each task is given a kind: the number of the first that is like it. So whether two trees are alike is
 * a matter of their roots and of the kinds of their roots' children, which are sorted by kind. Of siblings of the same kind
 * the first is kept, and what was counted for the others is added to it, all over the tree. No memory is asked for.
 */
#include <string.h>

#include "sched/snapshot.h"

enum { RUNS = 32 }; /* of 1, 2, 4, ... tasks that are in order */

static uint64_t mix(uint64_t hash, uint64_t what) {
    return (hash ^ what) * 0x100000001b3u;
}

static uint64_t key_of(const struct filch__seen *tasks, const struct filch__seen *seen) {
    uint64_t key = mix(mix(0xcbf29ce484222325u, (uintptr_t)seen->info.fn), (uintptr_t)seen->info.spawned_at);
    key = mix(mix(key, (uintptr_t)seen->info.reason), seen->info.state);
    for (uint32_t i = 0; i < seen->depth; i++) key = mix(key, (uintptr_t)seen->frames[i]);
    for (uint32_t at = seen->child; at != SNAPSHOT_NONE; at = tasks[at].next) {
        key = mix(mix(key, tasks[at].kind), tasks[at].siblings);
    }
    return key;
}

static bool have_like_children(const struct filch__seen *tasks, uint32_t a, uint32_t b) {
    while (a != SNAPSHOT_NONE && b != SNAPSHOT_NONE) {
        if (tasks[a].kind != tasks[b].kind || tasks[a].siblings != tasks[b].siblings) return false;
        a = tasks[a].next;
        b = tasks[b].next;
    }
    return a == b;
}

static bool are_alike(const struct filch__seen *tasks, const struct filch__seen *a, const struct filch__seen *b) {
    return a->info.fn == b->info.fn && a->info.spawned_at == b->info.spawned_at && a->info.state == b->info.state &&
           a->info.reason == b->info.reason && a->info.cancelled == b->info.cancelled &&
           (a->scope == NULL) == (b->scope == NULL) && a->depth == b->depth &&
           memcmp(a->frames, b->frames, a->depth * sizeof *a->frames) == 0 &&
           have_like_children(tasks, a->child, b->child);
}

/* The first that is like it: it itself, perhaps. */
static uint32_t kind_of(struct filch__snapshot *snapshot, uint32_t index) {
    const struct filch__seen *tasks = snapshot->tasks;
    uint32_t mask = snapshot->table_size - 1, *table = snapshot->table;
    uint64_t key = key_of(tasks, &tasks[index]);
    key ^= key >> 32;
    uint32_t slot = (uint32_t)(key * 0x9e3779b97f4a7c15u >> 32) & mask;
    while (table[slot] != SNAPSHOT_NONE && !are_alike(tasks, &tasks[table[slot]], &tasks[index])) {
        slot = (slot + 1) & mask;
    }
    if (table[slot] == SNAPSHOT_NONE) table[slot] = index;
    return table[slot];
}

/* ------------------------------------------------------------------------------------------------------------- sorted */

static bool comes_before(const struct filch__seen *a, const struct filch__seen *b) {
    if (a->kind != b->kind) return a->kind < b->kind;
    return (uintptr_t)a->scope < (uintptr_t)b->scope;
}

/* Two lists that are in order; where two are equal, that of `a` comes first. */
static uint32_t merge(struct filch__seen *tasks, uint32_t a, uint32_t b) {
    uint32_t first, *end = &first;
    while (a != SNAPSHOT_NONE && b != SNAPSHOT_NONE) {
        uint32_t *from = comes_before(&tasks[b], &tasks[a]) ? &b : &a, taken = *from;
        *end = taken;
        end = &tasks[taken].next;
        *from = tasks[taken].next;
    }
    *end = a != SNAPSHOT_NONE ? a : b;
    return first;
}

static uint32_t sort(struct filch__seen *tasks, uint32_t list) {
    uint32_t runs[RUNS], sorted = SNAPSHOT_NONE;
    memset(runs, 0xff, sizeof runs); /* SNAPSHOT_NONE */
    while (list != SNAPSHOT_NONE) {
        uint32_t run = list, i = 0;
        list = tasks[run].next;
        tasks[run].next = SNAPSHOT_NONE;
        for (; runs[i] != SNAPSHOT_NONE; i++) { /* there are fewer than 2^RUNS */
            run = merge(tasks, runs[i], run);
            runs[i] = SNAPSHOT_NONE;
        }
        runs[i] = run;
    }
    for (uint32_t i = 0; i < RUNS; i++) sorted = merge(tasks, runs[i], sorted);
    return sorted;
}

/* ------------------------------------------------------------------------------------------------------------- folded */

static void add_one(struct filch__seen *to, struct filch__seen *from) {
    to->alike += from->alike;
    from->alike = 0;
    to->objects_differ |= from->objects_differ || from->info.object != to->info.object;
    if (to->info.waiting_ns < from->info.waiting_ns) to->info.waiting_ns = from->info.waiting_ns;
}

/* All of the tree `from` to `to`, which is like it: they are walked in step. */
static void add_up(struct filch__seen *tasks, uint32_t to, uint32_t from) {
    for (uint32_t a = to, b = from;;) {
        add_one(&tasks[a], &tasks[b]);
        if (tasks[a].child != SNAPSHOT_NONE) {
            a = tasks[a].child;
            b = tasks[b].child;
            continue;
        }
        while (a != to && tasks[a].next == SNAPSHOT_NONE) {
            a = tasks[a].parent;
            b = tasks[b].parent;
        }
        if (a == to) return;
        a = tasks[a].next;
        b = tasks[b].next;
    }
}

/* Siblings, each of which has its kind. */
static uint32_t fold_list(struct filch__seen *tasks, uint32_t list) {
    list = sort(tasks, list);
    for (uint32_t at = list; at != SNAPSHOT_NONE; at = tasks[at].next) {
        struct filch__seen *first = &tasks[at];
        uint32_t next = first->next;
        while (next != SNAPSHOT_NONE && tasks[next].kind == first->kind && tasks[next].scope == first->scope) {
            first->siblings++;
            first->next = tasks[next].next;
            add_up(tasks, at, next);
            next = first->next;
        }
    }
    return list;
}

static uint32_t deepest(const struct filch__seen *tasks, uint32_t at) {
    while (tasks[at].child != SNAPSHOT_NONE) at = tasks[at].child;
    return at;
}

void filch__snapshot_fold(struct filch__snapshot *snapshot) {
    struct filch__seen *tasks = snapshot->tasks;
    if (snapshot->first == SNAPSHOT_NONE) return;
    memset(snapshot->table, 0xff, snapshot->table_size * sizeof *snapshot->table);
    for (uint32_t at = deepest(tasks, snapshot->first); at != SNAPSHOT_NONE;) { /* each after its children */
        struct filch__seen *seen = &tasks[at];
        seen->child = fold_list(tasks, seen->child);
        seen->kind = kind_of(snapshot, at);
        at = seen->next != SNAPSHOT_NONE ? deepest(tasks, seen->next) : seen->parent;
    }
    snapshot->first = fold_list(tasks, snapshot->first);
}
