/* SPDX-License-Identifier: MIT */
/*
 * Once. The state, which changes under the latch:
 *   FRESH     nobody makes the call; nobody waits
 *   RUNNING   `runner` makes the call
 *   DONE      a call has succeeded, with `result`; nothing changes any more
 * Where a call fails and others wait, the first of them is the next runner, and the state stays RUNNING.
 *
 * Edge
 *   DONE   the end of the call: state (release)  ->  who finds it done: state (acquire)   carries the result and all
 *          that the call did
 */
#include <errno.h>
#include <filch/once.h>

#include "base/tasksan.h"
#include "sched/sched.h"
#include "sync/owner.h"

enum { FRESH = 0, RUNNING = 1, DONE = 2 };

/* What who waits is granted: the end, or its own turn. */
enum { GRANT_END = 1, GRANT_TURN = 2 };

void filch_once_init(filch_once *once) {
    *once = (filch_once)FILCH_ONCE_INIT;
}

void filch_once_fini(filch_once *once) {
    if (once == NULL) return;
    filch__latch_take(&once->filch__latch); /* the end of a call may still be about to leave it */
    if (load_relaxed(&once->filch__state) == RUNNING) filch__die("once_fini: once %p is being run", (void *)once);
    filch__latch_leave(&once->filch__latch);
}

bool filch_once_done(const filch_once *once) {
    if (load_acquire(&once->filch__state) != DONE) return false; /* DONE */
    edge_acquire(once);
    return true;
}

static void succeed(filch_once *once, int result) {
    filch__latch_take(&once->filch__latch);
    edge_set(once);
    once->filch__result = result;
    store_release(&once->filch__state, DONE); /* DONE */
    struct filch__clause *all = filch__waitlist_take_all(&once->filch__waiters);
    filch__latch_leave(&once->filch__latch);
    filch__grant_all(all, GRANT_END);
}

static void fail(filch_once *once) {
    filch__latch_take(&once->filch__latch);
    struct filch__clause *first = filch__waitlist_take(&once->filch__waiters);
    if (first != NULL) {
        once->filch__runner = first->amount;
    } else {
        store_relaxed(&once->filch__state, FRESH); /* the latch orders it */
    }
    filch__latch_leave(&once->filch__latch);
    if (first != NULL) filch__grant(first->waiter, GRANT_TURN);
}

static int run(filch_once *once, filch_fn *fn, void *arg) {
    int result = fn(arg);
    if (result >= 0) {
        succeed(once, result);
    } else {
        fail(once);
    }
    return result;
}

/* Waits for the runner; GRANT_END, GRANT_TURN, or an error. Under the latch, which is left. */
static int wait_in_list(filch_once *once, uintptr_t caller, filch_deadline deadline) {
    char text[OWNER_TEXT];
    if (unlikely(filch__owner_is(once->filch__runner, caller))) {
        filch__die("once_run: the function of once %p came back to it, in %s", (void *)once,
                   filch__owner_write(caller, text));
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "once", once);
    struct filch__clause clause = {.waiter = &waiter, .amount = caller};
    filch__waitlist_add(&once->filch__waiters, &clause);
    return filch__wait(&once->filch__latch, &clause, deadline);
}

int filch_once_run(filch_once *once, filch_fn *fn, void *arg, filch_deadline deadline) {
    if (unlikely(once == NULL || fn == NULL)) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    if (likely(filch_once_done(once))) return once->filch__result;
    uintptr_t caller = filch__owner();
    int turn = GRANT_TURN;
    filch__latch_take(&once->filch__latch);
    uint32_t state = load_relaxed(&once->filch__state); /* the latch orders it */
    if (state == RUNNING) {
        turn = wait_in_list(once, caller, deadline);
    } else {
        if (state == DONE) turn = GRANT_END;
        if (state == FRESH) {
            once->filch__runner = caller;
            store_relaxed(&once->filch__state, RUNNING); /* likewise */
        }
        filch__latch_leave(&once->filch__latch);
    }
    if (turn == GRANT_TURN) return run(once, fn, arg);
    if (turn != GRANT_END) return turn;
    edge_acquire(once); /* DONE */
    return once->filch__result;
}
