/* SPDX-License-Identifier: MIT */
/*
 * Condition variables: a list of who waits. A signal takes one out under the latch; from then on it has been received,
 * whatever becomes of the receiver's deadline and scope. See sched/waitlist.h.
 */
#include <errno.h>
#include <filch/cond.h>

#include "base/tasksan.h"
#include "sched/sched.h"
#include "sync/mutex.h"

void filch_cond_init(filch_cond *cond) {
    *cond = (filch_cond)FILCH_COND_INIT;
}

void filch_cond_fini(filch_cond *cond) {
    if (cond == NULL) return;
    filch__latch_take(&cond->filch__latch); /* a signal may still be about to leave it */
    if (!filch__waitlist_is_empty(&cond->filch__waiters))
        filch__die("cond_fini: condition %p is waited for", (void *)cond);
    filch__latch_leave(&cond->filch__latch);
}

static void must_be_the_mutex(filch_cond *cond, const filch_mutex *mutex) {
    if (filch__waitlist_is_empty(&cond->filch__waiters) || cond->filch__mutex == mutex) return;
    filch__die("cond_wait: one mutex at a time: others wait at condition %p with mutex %p, the caller with %p",
               (void *)cond, (void *)cond->filch__mutex, (const void *)mutex);
}

int filch_cond_wait(filch_cond *cond, filch_mutex *mutex, filch_deadline deadline) {
    if (unlikely(cond == NULL || mutex == NULL)) return -EINVAL;
    filch__mutex_must_hold(mutex, "cond_wait");
    bool watched = filch__cancelled_or_watched();
    if (unlikely(watched) && filch__cancelled_now()) return -ECANCELED;
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "condition", cond);
    struct filch__clause clause = {.waiter = &waiter};
    filch__latch_take(&cond->filch__latch);
    must_be_the_mutex(cond, mutex);
    cond->filch__mutex = mutex;
    filch__waitlist_add(&cond->filch__waiters, &clause);
    filch__latch_leave(&cond->filch__latch); /* the unlock may make a system call */
    filch_mutex_unlock(mutex);
    int answer = filch__wait_listed(&cond->filch__latch, &clause, deadline);
    if (answer == 0) edge_acquire(&waiter);
    filch__mutex_lock_through(mutex, watched);
    return answer;
}

void filch_cond_signal(filch_cond *cond) {
    filch__latch_take(&cond->filch__latch);
    struct filch__clause *first = filch__waitlist_take(&cond->filch__waiters);
    filch__latch_leave(&cond->filch__latch);
    if (first == NULL) return;
    edge_set(first->waiter);
    filch__grant(first->waiter, 0);
}

void filch_cond_broadcast(filch_cond *cond) {
    filch__latch_take(&cond->filch__latch);
    struct filch__clause *all = filch__waitlist_take_all(&cond->filch__waiters);
    filch__latch_leave(&cond->filch__latch);
    for (struct filch__clause *each = all; each != NULL; each = each->next) edge_set(each->waiter);
    filch__grant_all(all, 0);
}
