/* SPDX-License-Identifier: MIT */
/*
 * What the scenarios of sync/ share: a ledger of what was moved, threads that are no workers and whose deadlines may pass,
 * and a call that a task makes and that is cancelled at any one point. Each file has its own.
 */
#ifndef FILCH_TESTS_EXPLORE_LEDGER_H
#define FILCH_TESTS_EXPLORE_LEDGER_H

#include <errno.h>
#include <filch/filch.h>

#include "base/atomic.h"
#include "tests/explore/explore.h"

enum {
    VALUES = 8,
    UNTOUCHED = 4711,
};

static unsigned sent[VALUES], received[VALUES];
static unsigned inside, done;
static ATOMIC(uint32_t) there;

static inline void begin(void) {
    for (unsigned i = 0; i < VALUES; i++) sent[i] = received[i] = 0;
    inside = done = 0;
    there = 0;
}

static inline void note_received(int value) {
    explore_check(value >= 0 && value < VALUES);
    received[value]++;
}

/* Nothing is inside any more, and nobody sends. */
static inline void check_balance(void) {
    for (unsigned i = 0; i < VALUES; i++) {
        if (sent[i] != received[i]) explore_fail("value %u: %u sent, %u received", i, sent[i], received[i]);
    }
}

static inline filch_deadline soon(void) {
    return filch_after(1 + (int64_t)explore_choose(40000));
}

static inline filch_deadline some_deadline(void) {
    return explore_choose(2) == 0 ? FILCH_NEVER : soon();
}

/* Whether a call with this deadline may say that it was cut short. */
static inline bool may_expire(filch_deadline deadline) {
    return deadline.at_ns != INT64_MAX;
}

/* Others may run while the caller is inside. */
static inline void stay_inside(void) {
    explore_check(inside++ == 0);
    load_seq_cst(&there);
    explore_check(inside-- == 1);
}

/* The last one on the caller's own thread. */
static inline void run_three(void (*first)(void *arg), void (*second)(void *arg), void (*third)(void *arg)) {
    unsigned one = explore_start(first, (void *)1), other = explore_start(second, (void *)2);
    third((void *)0);
    explore_join(one);
    explore_join(other);
}

/* ------------------------------------------------------------------------------------- cancelled at any one point */

/* A call that a task makes, and what goes on beside it. */
struct call {
    void (*begin)(void);
    int (*make)(void *arg);  /* the task's; without a deadline */
    int (*serve)(void *arg); /* a thread's that is no worker, or a task's: lets the call go on */
    void (*release)(void);   /* or NULL: the call has returned, so nobody need wait for it to be made any more */
    void (*judge)(int answer);
};

static const struct call *call;
static filch_runtime *runtime;
static filch_task *caller;
static int outcome, served;

static int make_call(void *arg) {
    outcome = call->make(arg);
    explore_check(outcome >= 0 || (outcome == -ECANCELED && filch_cancelled()));
    return 0;
}

static int own_caller(void *arg) {
    bool by_deadline = explore_choose(2) == 0;
    filch_scope_options options = {.deadline = by_deadline ? soon() : (filch_deadline){0}};
    filch_scope scope;
    explore_check(filch_scope_open(&scope, &options) == 0);
    int answer = filch_scope_spawn(&scope, NULL, make_call, arg, NULL);
    explore_check(answer == 0 || (answer == -ECANCELED && by_deadline));
    for (unsigned i = explore_choose(3); i > 0; i--) filch_yield();
    if (!by_deadline) filch_scope_cancel(&scope);
    (void)filch_scope_close(&scope);
    return 0;
}

static void serve_outside(void *arg) {
    served = call->serve(arg);
}

static int serve_inside(void *arg) {
    served = call->serve(arg);
    return 0;
}

enum { CANCEL_NOTHING, CANCEL_TASK, CANCEL_SCOPE, CANCELS };

static void run_and_cancel(const struct call *one) {
    call = one;
    outcome = -ECANCELED; /* where it has not begun */
    served = UNTOUCHED;
    call->begin();
    filch_options options = {.workers = 1 + explore_choose(2), .seed = 1 + explore_choose(1000)};
    explore_check(filch_runtime_create(&runtime, &options) == 0);
    bool outside = explore_choose(2) == 0;
    uint32_t how = explore_choose(CANCELS);
    unsigned thread = 0;
    filch_task *server = NULL;
    explore_check(filch_runtime_spawn(runtime, &caller, how == CANCEL_SCOPE ? own_caller : make_call, NULL, NULL) == 0);
    if (outside) {
        thread = explore_start(serve_outside, NULL);
    } else {
        explore_check(filch_runtime_spawn(runtime, &server, serve_inside, NULL, NULL) == 0);
    }
    if (how == CANCEL_TASK) {
        for (unsigned i = explore_choose(4); i > 0; i--) filch_yield();
        filch_task_cancel(caller);
    }
    explore_check(filch_await(caller, NULL, FILCH_NEVER) == 0);
    explore_check(outcome >= 0 || how != CANCEL_NOTHING);
    if (call->release != NULL) call->release();
    if (outside) {
        explore_join(thread);
    } else {
        explore_check(filch_await(server, NULL, FILCH_NEVER) == 0);
    }
    explore_check(filch_runtime_destroy(runtime) == 0);
    call->judge(outcome);
}

#endif
