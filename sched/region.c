/* SPDX-License-Identifier: MIT */
#include "sched/region.h"

#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/task.h"

bool filch__task_is_cancelled(struct filch_task *task) {
    for (;;) {
        if (load_seq_cst(&task->hints) & TASK_CANCELLED) return true;    /* HINT */
        if (!(load_relaxed(&task->flags) & TASK_IN_PLACE)) return false; /* written by this very strand or its parent */
        task = filch__task_awaiter_in_place(task);
    }
}

bool filch__region_is_cancelled(void *word) {
    for (;;) {
        if (region_is_open(word)) {
            struct filch__region *region = region_of(word);
            uint32_t flags = load_acquire(&region->flags);
            if (flags & REGION_CANCELLED) return true;
            if (flags & REGION_SHIELD) return false;
            word = region->outer;
            continue;
        }
        struct filch_task *task = region_task(word);
        if (task == NULL) return false; /* a scope that a thread has opened */
        if (filch__task_is_cancelled(task)) return true;
        struct filch_scope *scope = filch__task_scope(task);
        if (scope == NULL) return false;
        word = (char *)&scope->filch__region + REGION_OPEN;
    }
}

/* How many are cancelling something. Of the process, since a scope may outlive the runtime that it was opened for. */
static ATOMIC(uint32_t) cancelling cache_aligned;

void filch__cancelling_begin(void) {
    add_seq_cst(&cancelling, 1); /* CANCELLING */
}

void filch__cancelling_end(void) {
    sub_acq_rel(&cancelling, 1); /* CANCELLING */
}

void filch__cancelling_forget(void) {
    store_relaxed(&cancelling, 0); /* there is one thread */
}

bool filch__strand_is_cancelled(void *word) {
    struct filch_task *task = region_task(word);
    if (task == NULL || ((uintptr_t)word & REGION_CHILD)) return filch__region_is_cancelled(word);
    bool settled = load_acquire(&cancelling) == 0; /* CANCELLING */
    uint16_t hints = load_seq_cst(&task->hints);   /* HINT */
    if (likely(settled && hints & TASK_SEEN)) return false;
    if (filch__region_is_cancelled(word)) return true;
    (void)cas_seq_cst(&task->hints, &hints, (uint16_t)(hints | TASK_SEEN)); /* HINT; else it will look again */
    return false;
}

bool filch__cancelled_slow(void *word) {
    struct filch_task *task = region_task(word);
    if (unlikely(task != NULL && load_relaxed(&task->flags) & TASK_SIMULATED)) filch__sim_point(); /* never changes */
    return filch__strand_is_cancelled(word);
}

bool filch__cancelled_or_watched_slow(void *word) {
    return filch__cancelled_slow(word) || load_relaxed(&region_task(word)->flags) & TASK_WATCHED; /* never changes */
}

bool filch_cancelled(void) {
    return filch__cancelled();
}

/* ------------------------------------------------------------------------------------------------------ shields */

void filch__region_push(struct filch__worker *worker, struct filch__region *region, uint32_t flags) {
    void *outer = worker->deque.hot.region;
    region->flags = flags;
    region->outer = outer;
    region->task = region_task(outer);
    worker->deque.hot.region = (char *)region + (REGION_OPEN | ((uintptr_t)outer & REGION_CHILD));
}

void filch__region_must_be_last(struct filch__region *region, const char *call) {
    void *word = filch__here()->region;
    bool last = word == NULL ? region->task == NULL : region_is_open(word) && region_of(word) == region;
    if (likely(last)) return;
    filch__die("%s: scopes and shields are closed by who opened them, the last one first: %p in task %p \"%s\"", call,
               (void *)region, (void *)region_task(word), filch_task_name(region_task(word)));
}

_Noreturn void filch__region_die_open(void *word, const char *what) {
    struct filch_task *task = region_task(word);
    filch__die("%s of task %p \"%s\" has ended with a scope or shield open: %p", what, (void *)task,
               filch_task_name(task), (void *)region_of(word));
}

void filch__region_pop(struct filch__worker *worker, struct filch__region *region, const char *call) {
    filch__region_must_be_last(region, call);
    worker->deque.hot.region = region->outer;
}

void filch_shield_begin(filch_shield *shield) {
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL) filch__region_push(worker, &shield->filch__region, REGION_SHIELD);
}

void filch_shield_end(filch_shield *shield) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return;
    void *word = worker->deque.hot.region;
    filch__region_pop(worker, &shield->filch__region, "shield_end");
    bool own = !((uintptr_t)word & REGION_CHILD) && region_task(word) != NULL;
    if (own) and_seq_cst(&region_task(word)->hints, (uint16_t)~TASK_SEEN); /* what it hid counts again */
}
