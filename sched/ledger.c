/* SPDX-License-Identifier: MIT */
/*
 * A hash table under one lock, with an entry for each thing. Locks are found by their owner, who alone leaves them, so
 * that what a task holds at its end is one short chain; the others, and locks that are held to read, by their own address.
 */
#include "sched/ledger.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "base/lock.h"
#include "sched/complaint.h"
#include "sched/runtime.h"
#include "sched/task.h"

enum { CHAINS = 1024 };

enum kind { HELD_LOCK, HELD_TO_READ, MADE_CHANNEL, LOST_VALUES, OPENED_SCOPE };

struct entry {
    struct entry *next;
    enum kind kind;
    const void *key;
    const void *object;
    const char *what; /* of a lock */
    struct filch_runtime *runtime;
    void (*describe)(const void *object, struct filch__complaint *complaint);
    size_t values; /* that were lost */
    struct filch__witness witness;
};

static struct filch__lock lock = {PTHREAD_MUTEX_INITIALIZER};
static struct entry *chains[CHAINS]; /* under the lock */

static struct entry **chain_of(const void *key) {
    return &chains[((uintptr_t)key * 0x9e3779b97f4a7c15u) >> 54];
}

static bool runtime_has(struct filch_runtime *runtime, uint32_t checks) {
    return runtime != NULL && (runtime->debug.checks & checks) != 0;
}

/* Without memory it is not told of, and nothing else: false. */
static bool add(enum kind kind, const void *key, const struct entry *as) {
    struct entry *entry = filch__heap_get(sizeof *entry, 16);
    if (entry == NULL) return false;
    *entry = *as;
    entry->kind = kind;
    entry->key = key;
    filch__witness_take(&entry->witness);
    filch__lock_take(&lock);
    struct entry **chain = chain_of(key);
    entry->next = *chain;
    *chain = entry;
    filch__lock_leave(&lock);
    return true;
}

static void put(struct entry *entry) {
    filch__heap_put(entry, sizeof *entry, 16);
}

static void put_all(struct entry *list) {
    for (struct entry *next; list != NULL; list = next) {
        next = list->next;
        put(list);
    }
}

/* Takes an entry out of the chain of `key`; with `object` NULL, of any object. NULL: there is none. */
static struct entry *take(enum kind kind, const void *key, const void *object) {
    struct entry *entry = NULL;
    filch__lock_take(&lock);
    for (struct entry **link = chain_of(key); *link != NULL; link = &(*link)->next) {
        if ((*link)->kind != kind || (*link)->key != key || (object != NULL && (*link)->object != object)) continue;
        entry = *link;
        *link = entry->next;
        break;
    }
    filch__lock_leave(&lock);
    return entry;
}

/* ------------------------------------------------------------------------------------------------------------- locks */

void filch__ledger_taken(const char *kind, const void *object) {
    struct filch_task *task = filch_self();
    if (task == NULL || !runtime_has(task->runtime, CHECK_HELD)) return;
    (void)add(HELD_LOCK, task, &(struct entry){.object = object, .what = kind, .runtime = task->runtime});
}

void filch__ledger_left(const void *object) {
    struct filch_task *task = filch_self();
    struct entry *entry = task == NULL ? NULL : take(HELD_LOCK, task, object);
    if (entry != NULL) put(entry);
}

static void tell_of_held(const struct entry *entry) {
    struct filch__complaint complaint;
    filch__complaint_begin(&complaint, entry->runtime, "held");
    filch__complaint_who(&complaint, &entry->witness);
    filch__complaint_say(&complaint, " has ended, and holds %s %p", entry->what, entry->object);
    filch__complaint_spawned(&complaint, &entry->witness);
    filch__complaint_say(&complaint, "; it was locked at\n");
    filch__complaint_frames(&complaint, entry->witness.frames, entry->witness.depth);
    filch__complaint_send(&complaint);
}

void filch__ledger_task_ends(struct filch_task *task) {
    struct entry *entry;
    while ((entry = take(HELD_LOCK, task, NULL)) != NULL) {
        tell_of_held(entry);
        put(entry);
    }
}

/* ----------------------------------------------------------------------------------------------------------- readers */

bool filch__ledger_reads(const void *object) {
    struct filch_task *task = filch_self();
    if (task == NULL || !runtime_has(task->runtime, CHECK_HELD)) return false;
    return add(HELD_TO_READ, object, &(struct entry){.object = object, .runtime = task->runtime});
}

/* The caller's, once; of the last one who reads, all. */
void filch__ledger_reads_no_more(const void *object, bool last) {
    const struct filch_task *task = filch_self();
    struct entry *list = NULL;
    bool found = false;
    filch__lock_take(&lock);
    for (struct entry **link = chain_of(object); *link != NULL && (last || !found);) {
        struct entry *entry = *link;
        found = entry->kind == HELD_TO_READ && entry->object == object && (last || entry->witness.task == task);
        if (!found) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry->next = list;
        list = entry;
    }
    filch__lock_leave(&lock);
    put_all(list);
}

bool filch__ledger_reader(const void *object, const void **task, char name[32]) {
    filch__lock_take(&lock);
    const struct entry *entry = *chain_of(object);
    while (entry != NULL && (entry->kind != HELD_TO_READ || entry->object != object)) entry = entry->next;
    if (entry != NULL) {
        *task = entry->witness.task;
        memcpy(name, entry->witness.name, sizeof entry->witness.name);
    }
    filch__lock_leave(&lock);
    return entry != NULL;
}

/* ---------------------------------------------------------------------------------------------- channels and scopes */

void filch__ledger_made(const void *chan, void (*describe)(const void *chan, struct filch__complaint *complaint)) {
    struct filch_runtime *runtime = filch_runtime_current();
    if (!runtime_has(runtime, CHECK_CHANNELS)) return;
    (void)add(MADE_CHANNEL, chan, &(struct entry){.object = chan, .runtime = runtime, .describe = describe});
}

void filch__ledger_destroyed(const void *chan, size_t values) {
    struct entry *entry;
    if (values == 0) {
        if ((entry = take(MADE_CHANNEL, chan, chan)) != NULL) put(entry);
        return;
    }
    /* In place: the runtime, which takes out what is its own when it ends, finds the one or the other. */
    filch__lock_take(&lock);
    entry = *chain_of(chan);
    while (entry != NULL && (entry->kind != MADE_CHANNEL || entry->object != chan)) entry = entry->next;
    if (entry != NULL) {
        entry->kind = LOST_VALUES;
        entry->values = values;
    }
    filch__lock_leave(&lock);
}

void filch__ledger_opened(const void *scope, struct filch_runtime *runtime) {
    if (!runtime_has(runtime, CHECK_AWAITED | CHECK_THREAD)) return;
    (void)add(OPENED_SCOPE, scope, &(struct entry){.object = scope, .runtime = runtime});
}

void filch__ledger_closed(const void *scope) {
    struct entry *entry = take(OPENED_SCOPE, scope, scope);
    if (entry == NULL) return;
    if (entry->witness.thread != gettid() && runtime_has(entry->runtime, CHECK_THREAD)) {
        struct filch__complaint complaint;
        filch__complaint_begin(&complaint, entry->runtime, "wrong-thread");
        filch__complaint_say(&complaint, "thread %d closes scope %p, which thread %d has opened at\n", (int)gettid(),
                             scope, entry->witness.thread);
        filch__complaint_frames(&complaint, entry->witness.frames, entry->witness.depth);
        filch__complaint_send(&complaint);
    }
    put(entry);
}

/* --------------------------------------------------------------------------------------------------------- the end */

static bool are_alike(const struct entry *a, const struct entry *b) {
    return a->kind == b->kind && a->witness.depth == b->witness.depth &&
           a->witness.spawned_at == b->witness.spawned_at && strcmp(a->witness.name, b->witness.name) == 0 &&
           memcmp(a->witness.frames, b->witness.frames, a->witness.depth * sizeof *a->witness.frames) == 0;
}

/* Takes out all entries of the runtime that are like the first, or for NULL the first; under the lock. As a list. */
static struct entry *take_alike(const struct filch_runtime *runtime) {
    struct entry *list = NULL, **end = &list;
    for (unsigned i = 0; i < CHAINS; i++) {
        for (struct entry **link = &chains[i]; *link != NULL;) {
            struct entry *entry = *link;
            if (entry->runtime != runtime || (list != NULL && !are_alike(list, entry))) {
                link = &entry->next;
                continue;
            }
            *link = entry->next;
            entry->next = NULL;
            *end = entry;
            end = &entry->next;
        }
    }
    return list;
}

static size_t count(const struct entry *list, size_t *values) {
    size_t entries = 0;
    *values = 0;
    for (; list != NULL; list = list->next, entries++) *values += list->values;
    return entries;
}

/* Under the lock, since a channel may be destroyed just now; the complaint is for sending without it. */
static void compose(struct filch__complaint *complaint, const struct entry *list) {
    size_t values, entries = count(list, &values);
    const struct filch__witness *witness = &list->witness;
    filch__complaint_begin(complaint, list->runtime, list->kind == OPENED_SCOPE ? "never-awaited" : "channels");
    if (list->kind == MADE_CHANNEL) {
        filch__complaint_say(complaint, "channel %p is left: ", list->object);
        list->describe(list->object, complaint);
        if (entries > 1) filch__complaint_say(complaint, "; and %zu more like it", entries - 1);
        filch__complaint_say(complaint, "; made by ");
    } else if (list->kind == LOST_VALUES) {
        filch__complaint_say(complaint, "%zu channel%s destroyed with %zu value%s inside in all; made by ", entries,
                             entries == 1 ? " was" : "s were", values, values == 1 ? "" : "s");
    } else {
        filch__complaint_say(complaint, "%zu scope%s never closed; opened by ", entries,
                             entries == 1 ? " was" : "s were");
    }
    filch__complaint_who(complaint, witness);
    filch__complaint_spawned(complaint, witness);
    filch__complaint_say(complaint, ", at\n");
    filch__complaint_frames(complaint, witness->frames, witness->depth);
}

/* Locks have been told of when their tasks ended; of readers only dumps tell. */
static bool is_told(const struct entry *entry) {
    if (entry->kind == HELD_LOCK || entry->kind == HELD_TO_READ) return false;
    return entry->kind != OPENED_SCOPE || runtime_has(entry->runtime, CHECK_AWAITED);
}

void filch__ledger_end(struct filch_runtime *runtime) {
    for (;;) {
        struct filch__complaint complaint;
        filch__lock_take(&lock);
        struct entry *list = take_alike(runtime);
        bool told = list != NULL && is_told(list);
        if (told) compose(&complaint, list);
        filch__lock_leave(&lock);
        if (list == NULL) return;
        if (told) filch__complaint_send(&complaint);
        put_all(list);
    }
}

/* There is one thread; what the parent's had is lost. */
void filch__ledger_forget(void) {
    filch__lock_init(&lock);
    memset(chains, 0, sizeof chains);
}
