/* SPDX-License-Identifier: MIT */
/*
 * The door of sched/ for the layers above it.
 *
 * A waiting call of a primitive goes like this:
 *
 *     if (filch__cancelled()) return -ECANCELED;         first, whether it could go on at once or not
 *     filch__latch_take(&object->filch__latch);
 *     if (it can go on at once) { ...; filch__latch_leave(); filch__spend(); return 0; }
 *     struct filch__waiter waiter;
 *     filch__waiter_init(&waiter, "mutex", object);
 *     struct filch__clause clause = {.waiter = &waiter};
 *     filch__waitlist_add(&object->filch__waiters, &clause);
 *     return filch__wait(&object->filch__latch, &clause, deadline);
 *
 * A deadline that has passed is no reason not to go on at once; the wait answers -ETIMEDOUT then. (For a deadline of
 * zero filch__wait costs little: it looks whether it was granted, and withdraws.)
 */
#ifndef FILCH_SCHED_SCHED_H
#define FILCH_SCHED_SCHED_H

#include <filch/fork.h>

#include "base/assert.h"
#include "base/random.h"
#include "sched/park.h"
#include "sched/region.h"
#include "sched/task.h"
#include "sched/waitlist.h"

/* The rest of the next two, and the point at which a simulation may let another worker go on. */
bool filch__cancelled_slow(void *word);
bool filch__cancelled_or_watched_slow(void *word);

/* Whether the caller is a task that is cancelled by itself; of one that is not as simple as that, `slow` tells. */
static force_inline bool filch__look_at_caller(bool (*slow)(void *word)) {
    enum { RARE = TASK_SCOPED | TASK_IN_PLACE | TASK_SIMULATED | TASK_WATCHED };
    void *word = filch__here()->region;
    if (likely(!region_is_open(word))) {
        struct filch_task *task = (struct filch_task *)(void *)region_of(word);
        if (unlikely(task == NULL)) return false;
        if (likely((load_relaxed(&task->flags) & RARE) == 0)) { /* its own */
            return load_acquire(&task->hints) & TASK_CANCELLED;
        }
    }
    return slow(word);
}

/* Whether a waiting call of the caller answers -ECANCELED. False outside tasks. */
static force_inline bool filch__cancelled(void) {
    return filch__look_at_caller(filch__cancelled_slow);
}

/*
 * Whether it does, or the task is debugged, so that the call has more to do. Which of the two, filch__cancelled_now tells.
 * In place of filch__cancelled, not after it.
 */
static force_inline bool filch__cancelled_or_watched(void) {
    return filch__look_at_caller(filch__cancelled_or_watched_slow);
}

static inline bool filch__cancelled_now(void) {
    return filch__strand_is_cancelled(filch__here()->region);
}

/* The budget of filch__spend is used up. */
void filch__spend_last(void);

/*
 * Counts a waiting call that could go on at once. A task that makes many of these in a row gives way to others now and
 * then: this may switch, so it is called with no latch held and with nothing half done.
 */
static force_inline void filch__spend(void) {
    struct filch__hot *here = filch__here();
    if (likely(here->region != NULL) && unlikely(--here->budget <= 0)) filch__spend_last();
}

/*
 * A hint, before a system call that takes a while. The strand that this worker goes on with next is in no near cache any
 * more where there are a thousand of them.
 */
void filch__prefetch_next(void);

/* As filch__choose, for any caller. */
uint32_t filch__choose_here(enum filch__choice kind, uint32_t count);

/*
 * Whether somebody could take a forked child now: all that this worker has offered is gone. False outside tasks, and for
 * a runtime's only worker.
 */
bool filch__fork_wanted(void);

#endif
