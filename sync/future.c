/* SPDX-License-Identifier: MIT */
/*
 * Futures. Whenever the latch is free, nobody waits at one that is done. `done` is read under the latch where it
 * decides, so that whoever has found it set comes after all that its setter did with the future; see filch_future_fini.
 */
#include <errno.h>
#include <filch/future.h>

#include "base/tasksan.h"
#include "sync/object.h"

int filch_future_init(filch_future *future) {
    if (future == NULL) return -EINVAL;
    *future = (filch_future){0};
    return 0;
}

void filch_future_fini(filch_future *future) {
    if (future != NULL) object_end(&future->filch__latch, &future->filch__waiters, "future", future);
}

int filch_future_set(filch_future *future, int result, void *value) {
    if (future == NULL) return -EINVAL;
    struct filch__clause *chain = NULL;
    filch__latch_take(&future->filch__latch);
    bool first = !future->filch__done;
    if (first) {
        edge_set(future);
        future->filch__result = result;
        future->filch__value = value;
        future->filch__done = true;
        chain = filch__waitlist_take_all(&future->filch__waiters);
    }
    filch__latch_leave(&future->filch__latch);
    filch__grant_all(chain, 0);
    return first ? 0 : -EALREADY;
}

int filch_future_fail(filch_future *future, int error) {
    return error < 0 ? filch_future_set(future, error, NULL) : -EINVAL;
}

int filch_future_cancel(filch_future *future) {
    return filch_future_set(future, -ECANCELED, NULL);
}

bool filch_future_is_done(const filch_future *future) {
    filch_future *shared = (filch_future *)future; /* the latch is no part of what it says */
    filch__latch_take(&shared->filch__latch);
    bool done = shared->filch__done;
    if (done) edge_acquire(shared);
    filch__latch_leave(&shared->filch__latch);
    return done;
}

/* Of one that is done: nobody writes these any more. */
static void read_result(const filch_future *future, int *result, void **value) {
    edge_acquire(future);
    if (result != NULL) *result = future->filch__result;
    if (value != NULL) *value = future->filch__value;
}

int filch_future_wait(filch_future *future, int *result, void **value, filch_deadline deadline) {
    if (future == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&future->filch__latch);
    if (future->filch__done) {
        filch__latch_leave(&future->filch__latch);
        read_result(future, result, value);
        filch__spend();
        return 0;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "future", future);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&future->filch__waiters, &clause);
    int answer = filch__wait(&future->filch__latch, &clause, deadline);
    if (answer == 0) read_result(future, result, value);
    return answer;
}

int filch_future_try_wait(filch_future *future, int *result, void **value) {
    if (future == NULL) return -EINVAL;
    if (!filch_future_is_done(future)) return -EAGAIN;
    read_result(future, result, value);
    return 0;
}
