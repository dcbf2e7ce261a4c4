/* SPDX-License-Identifier: MIT */
#include "sched/holder.h"

#include <filch/mutex.h>
#include <filch/rwlock.h>
#include <filch/sem.h>
#include <string.h>

#include "sched/ledger.h"
#include "sched/quit.h"
#include "sched/runtime.h"
#include "sched/snapshot.h"

/* What others change under a latch, which is not taken here: a glance. */
FILCH__UNSEEN static uintptr_t writer_at_a_glance(const filch_rwlock *lock) {
    return *(const volatile uintptr_t *)&lock->filch__writer;
}

FILCH__UNSEEN static uint32_t readers_at_a_glance(const filch_rwlock *lock) {
    return *(const volatile uint32_t *)&lock->filch__reading & INT32_MAX; /* without the flag */
}

static bool is_rwlock(const filch_task_info *info) {
    return strncmp(info->reason, "rwlock", sizeof "rwlock" - 1) == 0;
}

/* As in sync/owner.h. */
enum { OWNER_LOOK = 1, OWNER_CHILD = 2, OWNER_THREAD = 4 };

/* An owner's word: of a mutex, or of who writes. 0: it is neither, or nobody. */
static uintptr_t owner(const filch_task_info *info) {
    if (is_rwlock(info)) return writer_at_a_glance(info->object);
    if (strcmp(info->reason, "mutex") != 0) return 0;
    const filch_mutex *mutex = info->object;
    return load_relaxed((ATOMIC(uintptr_t) *)(uintptr_t)&mutex->filch__word); /* a glance */
}

static const struct filch_task *task_of(uintptr_t word) {
    return word & OWNER_THREAD ? NULL : (const struct filch_task *)(word & ~(uintptr_t)(OWNER_LOOK | OWNER_CHILD));
}

/*
 * Of a task that waits, and does not go on meanwhile: so what it waits at is there. It may have been given that just now,
 * and then waits for nobody.
 */
static void look_at_owner(struct filch__seen *seen) {
    const filch_task_info *info = &seen->info;
    if (info->object == NULL) return;
    if (strcmp(info->reason, "await") == 0) {
        seen->holds = info->object;
        return;
    }
    uintptr_t word = owner(info);
    seen->by_thread = word & OWNER_THREAD;
    seen->holds = task_of(word);
    seen->by_child = word & OWNER_CHILD;
    if (seen->holds == info->task && !seen->by_child) seen->holds = NULL;
}

/* Likewise. */
static void count(const filch_task_info *info, struct filch__counts *counts) {
    if (info->object == NULL) return;
    if (is_rwlock(info)) {
        counts->readers = readers_at_a_glance(info->object);
        if (counts->readers == 0 || !filch__debug_has(CHECK_HELD)) return;
        (void)filch__ledger_reader(info->object, &counts->reader, counts->reader_name);
    } else if (strcmp(info->reason, "semaphore") == 0) {
        const filch_sem *sem = info->object;
        counts->permits = load_relaxed((ATOMIC(size_t) *)(uintptr_t)&sem->filch__value); /* a glance */
        counts->limit = sem->filch__limit;
    }
}

void filch__holder_look(struct filch__seen *seen) {
    look_at_owner(seen);
    count(&seen->info, &seen->counts);
}

/* ------------------------------------------------------------------------------------- holders that were not looked at */

static int has_record(struct filch_runtime *runtime, void *record) {
    return filch__slab_has(&runtime->stock.tasks, record);
}

struct again {
    const struct filch__seen *seen;
    filch_task_info info;
    bool same; /* it still waits for the same, and that is held by the same */
};

static void look_again(struct filch__waiter *waiter, void *argument) {
    struct again *again = argument;
    const filch_task_info *before = &again->seen->info;
    (void)waiter;
    if (again->info.reason != before->reason || again->info.object != before->object) return;
    again->same = task_of(owner(&again->info)) == again->seen->holds;
}

/*
 * The holder has ended. If the lock is its own all the same, it has ended with it; else it has passed it on since the
 * first look.
 */
static bool still_holds(const struct filch__snapshot *snapshot, const struct filch__seen *seen) {
    struct again again = {.seen = seen};
    void *record = (void *)(uintptr_t)seen->info.task;
    return filch__task_describe(snapshot->runtime, record, &again.info, look_again, &again) && again.same;
}

struct search {
    const struct filch__snapshot *snapshot;
    struct filch__seen *seen;
};

/* While it is visited, a runtime does not end: nor do the records of its tasks. */
static int find_in(struct filch_runtime *runtime, void *argument) {
    struct search *search = argument;
    struct filch__seen *seen = search->seen;
    void *record = (void *)(uintptr_t)seen->holds;
    filch_task_info info;
    if (!has_record(runtime, record)) return 0;
    if (filch__task_describe(runtime, record, &info, NULL, NULL)) {
        seen->holder = HOLDER_LIVES;
        memcpy(seen->holder_name, info.name, sizeof seen->holder_name);
        if (runtime != search->snapshot->runtime) memcpy(seen->holder_runtime, runtime->name, sizeof runtime->name);
    } else if (still_holds(search->snapshot, seen)) {
        seen->holder = HOLDER_ENDED;
    } else {
        seen->holds = NULL;
    }
    return 1;
}

void filch__holders_find(struct filch__snapshot *snapshot) {
    for (uint32_t i = 0; i < snapshot->count; i++) {
        struct filch__seen *seen = &snapshot->tasks[i];
        if (seen->holds == NULL || seen->waits_for != SNAPSHOT_NONE || seen->holds == seen->info.object) continue;
        struct search search = {snapshot, seen};
        seen->holder = HOLDER_UNKNOWN;
        if (find_in(snapshot->runtime, &search) == 0) (void)filch__runtimes_each(find_in, &search);
    }
}
