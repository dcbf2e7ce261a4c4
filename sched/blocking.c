/* SPDX-License-Identifier: MIT */
#include "sched/blocking.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/tasksan.h"
#include "sched/runtime.h"
#include "sched/sched.h"

enum {
    LOOK_UPS_LIMIT = 8,
};

#define IDLE_NS FILCH_SEC(3)

struct call {
    filch_fn *fn;
    void *arg;
    int result;
    struct filch__waiter waiter;
};

struct filch__helper {
    struct filch__lane *lane;
    pthread_t thread;

    /* under the lane's latch */
    struct call *call;                     /* that was handed to it; it reads it after HAND */
    bool listed;                           /* in the idle stack */
    struct filch__helper *next, *previous; /* there */

    ATOMIC(uint32_t) wake; /* a futex: 1, a call was handed to it, or it is to end */
};

static void lane_init(struct filch__lane *lane, struct filch_runtime *runtime, const char *name, unsigned limit) {
    lane->runtime = runtime;
    lane->name = name;
    lane->limit = limit;
}

void filch__blocking_init(struct filch__blocking *blocking, struct filch_runtime *runtime, unsigned limit) {
    lane_init(&blocking->calls, runtime, "call", limit);
    lane_init(&blocking->look_ups, runtime, "name", limit < LOOK_UPS_LIMIT ? limit : LOOK_UPS_LIMIT);
}

/* ------------------------------------------------------------------------------------------- under the lane's latch */

static void idle_add(struct filch__helper *helper) {
    struct filch__lane *lane = helper->lane;
    helper->listed = true;
    helper->previous = NULL;
    helper->next = lane->idle;
    if (lane->idle != NULL) lane->idle->previous = helper;
    lane->idle = helper;
}

static void idle_remove(struct filch__helper *helper) {
    struct filch__lane *lane = helper->lane;
    helper->listed = false;
    if (helper->previous != NULL) {
        helper->previous->next = helper->next;
    } else {
        lane->idle = helper->next;
    }
    if (helper->next != NULL) helper->next->previous = helper->previous;
}

/* Takes a helper off the idle stack, with a call for it, or NULL to have it end. Then it is to be roused. */
static struct filch__helper *idle_take(struct filch__lane *lane, struct call *call) {
    struct filch__helper *helper = lane->idle;
    if (helper == NULL) return NULL;
    idle_remove(helper);
    helper->call = call;
    return helper;
}

static struct call *next_call(struct filch__lane *lane) {
    struct filch__clause *clause = filch__waitlist_take(&lane->calls);
    return clause == NULL ? NULL : clause->value;
}

/* --------------------------------------------------------------------------------------------------------- helpers */

static void rouse(struct filch__helper *helper) {
    store_release(&helper->wake, 1);     /* HAND */
    filch__futex_wake(&helper->wake, 1); /* it may be gone by now: see futex.h */
}

/* To ThreadSanitizer each call is a thread of its own, in order with its caller alone: see base/tasksan.h. */
#ifdef FILCH_TASKSAN
static void helper_enter(struct filch__tasksan_call *seen, const struct call *call) {
    struct filch__fiber here; /* the next call is made on the same stack */
    filch__fiber_init_thread(&here);
    filch__tasksan_enter(seen, NULL, "a blocking call", here.low);
    edge_acquire(call);
}

static void helper_leave(struct filch__tasksan_call *seen, const struct call *call) {
    edge_set(&call->result);
    filch__tasksan_leave(seen, NULL);
}
#else
#define helper_enter(seen, call) ((void)(seen))
#define helper_leave(seen, call) ((void)(seen))
#endif

/* The call's record is gone after this. */
static void make(struct filch__lane *lane, struct call *call) {
    struct filch__tasksan_call seen;
    helper_enter(&seen, call);
    call->result = call->fn(call->arg);
    helper_leave(&seen, call);
    add_relaxed(&lane->made, 1); /* a count: before the grant, so that the caller sees its own */
    filch__grant(&call->waiter, 0);
}

/* Lies idle until there is a call, which it returns, or the helper is to end: NULL. */
static struct call *lie_idle(struct filch__helper *helper) {
    struct filch__lane *lane = helper->lane;
    int64_t until_ns = filch__clock_add(filch__clock_now(), IDLE_NS);
    while (load_acquire(&helper->wake) == 0) { /* HAND */
        if (filch__futex_wait(&helper->wake, 0, until_ns)) continue;
        filch__latch_take(&lane->latch);
        bool mine = helper->listed;
        if (mine) {
            idle_remove(helper);
            helper->call = NULL;
        }
        filch__latch_leave(&lane->latch);
        if (mine) return NULL;
        until_ns = INT64_MAX; /* somebody has taken it off, and will set the word */
    }
    return helper->call;
}

/* The next call, for a helper that has none. NULL: it is to end. */
static struct call *find(struct filch__helper *helper) {
    struct filch__lane *lane = helper->lane;
    filch__latch_take(&lane->latch);
    struct call *call = next_call(lane);
    bool idle = call == NULL && !lane->stopping;
    if (idle) {
        store_relaxed(&helper->wake, 0); /* nobody else knows of it before it is in the stack */
        idle_add(helper);
    }
    filch__latch_leave(&lane->latch);
    return idle ? lie_idle(helper) : call;
}

/* One that ended, and is to be joined. It touches nothing but its own record any more. */
static void bury(struct filch__helper *helper) {
    if (helper == NULL) return;
    pthread_join(helper->thread, NULL);
    filch__heap_put(helper, sizeof *helper, CACHE_LINE);
}

/* Each that ends joins the one that ended before it, so that never more than one is left unjoined. */
static void end(struct filch__helper *helper) {
    struct filch__lane *lane = helper->lane;
    filch__latch_take(&lane->latch);
    struct filch__helper *before = lane->ended;
    lane->ended = helper;
    uint32_t *threads = &lane->threads;
    store_relaxed(threads, load_relaxed(threads) - 1); /* written under the latch */
    filch__latch_leave(&lane->latch);
    filch__futex_wake(threads, 1); /* it may be gone by now: see futex.h */
    bury(before);
}

static void *helper_thread(void *argument) {
    struct filch__helper *helper = argument;
    char name[32];
    snprintf(name, sizeof name, "%.10s-%s", helper->lane->runtime->name, helper->lane->name);
    name[15] = '\0';
    helper->thread = pthread_self();
    pthread_setname_np(helper->thread, name);
    unseen_begin(); /* but for the calls, which are seen apart */
    for (struct call *call = helper->call; call != NULL; call = find(helper)) make(helper->lane, call);
    end(helper);
    unseen_end();
    return NULL;
}

/* Starts a helper, which has been counted, with its first call. False: there is no memory, or no thread. */
static bool start(struct filch__lane *lane, struct call *call) {
    struct filch__helper *helper = filch__heap_get(sizeof *helper, CACHE_LINE);
    if (helper == NULL) return false;
    helper->lane = lane;
    helper->call = call;
    pthread_t thread;
    if (pthread_create(&thread, NULL, helper_thread, helper) == 0) return true; /* it may have ended by now */
    filch__heap_put(helper, sizeof *helper, CACHE_LINE);
    return false;
}

/* ---------------------------------------------------------------------------------------------------------- callers */

/*
 * No helper could be started for `clause`, and it is no longer counted. Its call waits for a helper that there is; if
 * there is none, it fails, and so does whoever came to wait while one was counted (I2).
 */
static int wait_or_fail(struct filch__lane *lane, struct filch__clause *clause, filch_deadline deadline) {
    filch__latch_take(&lane->latch);
    uint32_t threads = load_relaxed(&lane->threads) - 1;
    store_relaxed(&lane->threads, threads); /* written under the latch */
    if (threads > 0) {
        filch__waitlist_add(&lane->calls, clause);
        return filch__wait(&lane->latch, clause, deadline);
    }
    struct filch__clause *failed = filch__waitlist_take_all(&lane->calls);
    filch__latch_leave(&lane->latch);
    filch__grant_all(failed, -EAGAIN);
    return -EAGAIN;
}

/* 0: the call has been made. */
static int submit(struct filch__lane *lane, struct call *call, filch_deadline deadline) {
    struct filch__clause clause = {.waiter = &call->waiter, .value = call};
    filch__waiter_init(&call->waiter, "blocking", (const void *)(uintptr_t)call->fn);
    filch__latch_take(&lane->latch);
    struct filch__helper *helper = idle_take(lane, call);
    if (helper == NULL && load_relaxed(&lane->threads) >= lane->limit) {
        filch__waitlist_add(&lane->calls, &clause);
        return filch__wait(&lane->latch, &clause, deadline);
    }
    if (helper == NULL) store_relaxed(&lane->threads, load_relaxed(&lane->threads) + 1); /* written under the latch */
    filch__latch_leave(&lane->latch);
    if (helper != NULL) {
        rouse(helper);
    } else if (!start(lane, call)) {
        return wait_or_fail(lane, &clause, deadline);
    }
    filch__park(&call->waiter);
    return call->waiter.result;
}

/* In a simulation there are no helper threads. */
static int call_simulated(filch_fn *fn, void *arg, int *result) {
    int value = filch__sim_call_outside(fn, arg);
    if (result != NULL) *result = value;
    return 0;
}

static int call_on(struct filch__lane *lane, filch_fn *fn, void *arg, int *result, filch_deadline deadline) {
    if (filch__cancelled()) return -ECANCELED;
    if (unlikely(filch__worker_current()->simulated)) return call_simulated(fn, arg, result);
    struct call call = {.fn = fn, .arg = arg};
    edge_set(&call);
    int answer = submit(lane, &call, deadline);
    if (answer == 0) edge_acquire(&call.result);
    if (answer == 0 && result != NULL) *result = call.result;
    return answer;
}

static int call_here(filch_fn *fn, void *arg, int *result) {
    int value = fn(arg);
    if (result != NULL) *result = value;
    return 0;
}

int filch_blocking(filch_fn *fn, void *arg, int *result, filch_deadline deadline) {
    if (fn == NULL) return -EINVAL;
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return call_here(fn, arg, result);
    return call_on(&worker->runtime->blocking.calls, fn, arg, result, deadline);
}

int filch__blocking_resolve(filch_fn *fn, void *arg, int *result, filch_deadline deadline) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return call_here(fn, arg, result);
    return call_on(&worker->runtime->blocking.look_ups, fn, arg, result, deadline);
}

/* ----------------------------------------------------------------------------------------------------------- ending */

static void lane_stop(struct filch__lane *lane) {
    struct filch__helper *helper;
    do {
        filch__latch_take(&lane->latch);
        lane->stopping = true;
        helper = idle_take(lane, NULL);
        filch__latch_leave(&lane->latch);
        if (helper != NULL) rouse(helper);
    } while (helper != NULL);
    uint32_t left;
    while ((left = load_acquire(&lane->threads)) > 0) filch__futex_wait(&lane->threads, left, INT64_MAX);
    filch__latch_take(&lane->latch); /* the last one has left it */
    filch__latch_leave(&lane->latch);
    bury(lane->ended);
    lane->ended = NULL;
}

void filch__blocking_stop(struct filch__blocking *blocking) {
    lane_stop(&blocking->calls);
    lane_stop(&blocking->look_ups);
}
