/* SPDX-License-Identifier: MIT */
/*
 * Semaphores.
 *
 * Invariants, whenever the latch is free
 *   I1  who waits first asks for more than there is. Whoever adds permits, or takes the first waiter out, serves those
 *       whose turn has come before it leaves.
 *   I2  a waiter that has been taken out has its permits: they have left `value` under the same hold of the latch.
 *
 * One moment breaks I1: a first waiter that withdraws leaves the latch in filch__wait and then takes it again to serve
 * those that stood behind it. A newcomer in between finds the list not empty and queues up; a release in between
 * serves.
 */
#include <errno.h>
#include <filch/sem.h>

#include "base/tasksan.h"
#include "sync/object.h"

int filch_sem_init(filch_sem *sem, size_t value, size_t limit) {
    if (sem == NULL || (limit != 0 && value > limit)) return -EINVAL;
    *sem = (filch_sem){.filch__value = value, .filch__limit = limit != 0 ? limit : SIZE_MAX};
    return 0;
}

void filch_sem_fini(filch_sem *sem) {
    if (sem != NULL) object_end(&sem->filch__latch, &sem->filch__waiters, "semaphore", sem);
}

/* Takes those out of the list whose turn has come, as a chain for filch__grant_all. Under the latch. */
static struct filch__clause *take_served(filch_sem *sem) {
    struct filch__clause *chain = NULL, **end = &chain, *clause;
    size_t value = sem->filch__value;
    while ((clause = sem->filch__waiters.first) != NULL && clause->amount <= value) {
        filch__waitlist_remove(clause);
        value -= clause->amount;
        *end = clause;
        end = &clause->next;
    }
    *end = NULL;
    store_relaxed(&sem->filch__value, value); /* under the latch; filch_sem_value only looks */
    return chain;
}

static void serve(filch_sem *sem) {
    filch__latch_take(&sem->filch__latch);
    struct filch__clause *chain = take_served(sem);
    filch__latch_leave(&sem->filch__latch);
    filch__grant_all(chain, 0);
}

/* Under the latch. */
static bool acquire_at_once(filch_sem *sem, size_t count) {
    if (count == 0) return true;
    if (!filch__waitlist_is_empty(&sem->filch__waiters) || sem->filch__value < count) return false;
    store_relaxed(&sem->filch__value, sem->filch__value - count);
    edge_acquire(sem);
    return true;
}

int filch_sem_acquire_n(filch_sem *sem, size_t count, filch_deadline deadline) {
    if (sem == NULL || count > sem->filch__limit) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&sem->filch__latch);
    if (acquire_at_once(sem, count)) {
        filch__latch_leave(&sem->filch__latch);
        filch__spend();
        return 0;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "semaphore", sem);
    struct filch__clause clause = {.waiter = &waiter, .amount = count};
    filch__waitlist_add(&sem->filch__waiters, &clause);
    int answer = filch__wait(&sem->filch__latch, &clause, deadline);
    if (answer == 0) edge_acquire(sem);
    if (answer != 0) serve(sem);
    return answer;
}

int filch_sem_acquire(filch_sem *sem, filch_deadline deadline) {
    return filch_sem_acquire_n(sem, 1, deadline);
}

int filch_sem_try_acquire_n(filch_sem *sem, size_t count) {
    if (sem == NULL || count > sem->filch__limit) return -EINVAL;
    filch__latch_take(&sem->filch__latch);
    bool acquired = acquire_at_once(sem, count);
    filch__latch_leave(&sem->filch__latch);
    return acquired ? 0 : -EAGAIN;
}

int filch_sem_try_acquire(filch_sem *sem) {
    return filch_sem_try_acquire_n(sem, 1);
}

void filch_sem_release_n(filch_sem *sem, size_t count) {
    filch__latch_take(&sem->filch__latch);
    if (unlikely(count > sem->filch__limit - sem->filch__value)) {
        filch__die("semaphore %p released beyond its limit of %zu, by task \"%s\"", (void *)sem, sem->filch__limit,
                   caller_name());
    }
    edge_release(sem);
    store_relaxed(&sem->filch__value, sem->filch__value + count);
    struct filch__clause *chain = take_served(sem);
    filch__latch_leave(&sem->filch__latch);
    filch__grant_all(chain, 0);
}

void filch_sem_release(filch_sem *sem) {
    filch_sem_release_n(sem, 1);
}

size_t filch_sem_value(const filch_sem *sem) {
    return load_relaxed(&sem->filch__value); /* a glance */
}
