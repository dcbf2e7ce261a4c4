/* SPDX-License-Identifier: MIT */
/*
 * Barriers.
 *
 * Invariant, whenever the latch is free: `waiting` is the length of the list, and less than `parties`. So who is cut
 * short withdraws and is uncounted under one hold of the latch, which is why the wait is spelled out here.
 *
 * Edge
 *   ROUND   each arrival -> the last one -> the return of each   carried by the latch, then by the grants. So who comes
 *           early for the next round is in no order with who leaves this one late
 */
#include <errno.h>
#include <filch/barrier.h>
#include <limits.h>

#include "base/tasksan.h"
#include "sync/object.h"

int filch_barrier_init(filch_barrier *barrier, unsigned parties) {
    if (barrier == NULL || parties == 0 || parties > INT_MAX) return -EINVAL;
    *barrier = (filch_barrier){.filch__parties = parties};
    return 0;
}

void filch_barrier_fini(filch_barrier *barrier) {
    if (barrier != NULL) object_end(&barrier->filch__latch, &barrier->filch__waiters, "barrier", barrier);
}

/* Ends the round: who waited is owed a grant. Under the latch. */
static struct filch__clause *take_round(filch_barrier *barrier) {
    store_relaxed(&barrier->filch__waiting, 0); /* under the latch; filch_barrier_waiting only looks */
    return filch__waitlist_take_all(&barrier->filch__waiters);
}

/* Tells each of a round its place. Without the latch. */
static void grant_places(struct filch__clause *chain) {
    int place = 0;
    while (chain != NULL) {
        struct filch__clause *next = chain->next;
        edge_set(chain->waiter); /* ROUND */
        filch__grant(chain->waiter, place++);
        chain = next;
    }
}

/* Ends the round if the caller is the last, or answers for a broken barrier, and leaves the latch; else -EAGAIN. */
static int arrive(filch_barrier *barrier) {
    if (barrier->filch__broken) {
        filch__latch_leave(&barrier->filch__latch);
        return -EPIPE;
    }
    if (barrier->filch__waiting + 1 < barrier->filch__parties) return -EAGAIN;
    edge_acquire(barrier); /* ROUND */
    int place = (int)barrier->filch__waiting;
    struct filch__clause *chain = take_round(barrier);
    filch__latch_leave(&barrier->filch__latch);
    grant_places(chain);
    return place;
}

/* Takes the waiter out of the round if it still stands in it; else its grant is on its way. */
static bool withdraw(filch_barrier *barrier, struct filch__clause *clause) {
    filch__latch_take(&barrier->filch__latch);
    bool mine = clause->list != NULL;
    if (mine) {
        filch__waitlist_remove(clause);
        store_relaxed(&barrier->filch__waiting, barrier->filch__waiting - 1);
    }
    filch__latch_leave(&barrier->filch__latch);
    return mine;
}

/* Waits for the end of the round. The latch is held, and is left. */
static int wait_for_round(filch_barrier *barrier, filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "barrier", barrier);
    struct filch__clause clause = {.waiter = &waiter};
    filch__waitlist_add(&barrier->filch__waiters, &clause);
    edge_release(barrier); /* ROUND */
    store_relaxed(&barrier->filch__waiting, barrier->filch__waiting + 1);
    filch__latch_leave(&barrier->filch__latch);
    uint32_t cause = filch__park_cancellable(&waiter, deadline);
    if (unlikely(cause != WAITER_GRANTED)) {
        if (withdraw(barrier, &clause)) return cause == WAITER_CANCELLED ? -ECANCELED : -ETIMEDOUT;
        filch__park(&waiter);
    }
    if (waiter.result >= 0) edge_acquire(&waiter); /* ROUND */
    return waiter.result;
}

int filch_barrier_wait(filch_barrier *barrier, filch_deadline deadline) {
    if (barrier == NULL) return -EINVAL;
    if (filch__cancelled()) return -ECANCELED;
    filch__latch_take(&barrier->filch__latch);
    int answer = arrive(barrier);
    if (answer == -EAGAIN) return wait_for_round(barrier, deadline);
    filch__spend();
    return answer;
}

int filch_barrier_try_wait(filch_barrier *barrier) {
    if (barrier == NULL) return -EINVAL;
    filch__latch_take(&barrier->filch__latch);
    int answer = arrive(barrier);
    if (answer == -EAGAIN) filch__latch_leave(&barrier->filch__latch);
    return answer;
}

static void end_round(filch_barrier *barrier, bool broken) {
    filch__latch_take(&barrier->filch__latch);
    store_relaxed(&barrier->filch__broken, broken); /* likewise */
    struct filch__clause *chain = take_round(barrier);
    filch__latch_leave(&barrier->filch__latch);
    filch__grant_all(chain, -EPIPE);
}

void filch_barrier_abort(filch_barrier *barrier) {
    end_round(barrier, true);
}

void filch_barrier_reset(filch_barrier *barrier) {
    end_round(barrier, false);
}

bool filch_barrier_broken(const filch_barrier *barrier) {
    return load_relaxed(&barrier->filch__broken); /* a glance, as the next */
}

unsigned filch_barrier_waiting(const filch_barrier *barrier) {
    return load_relaxed(&barrier->filch__waiting);
}

unsigned filch_barrier_parties(const filch_barrier *barrier) {
    return barrier->filch__parties;
}
