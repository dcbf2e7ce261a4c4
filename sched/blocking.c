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

/* One that its caller waits for, on whose stack it stands. */
struct awaited {
    struct filch__call call;
    int result;
    struct filch__waiter waiter;
};

struct filch__helper {
    struct filch__lane *lane;
    pthread_t thread;

    /* under the lane's latch */
    struct filch__call *call;              /* that was handed to it; it reads it after HAND */
    bool listed;                           /* in the idle stack */
    struct filch__helper *next, *previous; /* there */

    ATOMIC(uint32_t) wake; /* a futex: 1, a call was handed to it, or it is to end */
};

static void lane_init(struct filch__lane *lane, struct filch_runtime *runtime, const char *name, unsigned limit) {
    lane->runtime = runtime;
    lane->name = name;
    lane->limit = limit;
    lane->posted_end = &lane->posted;
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
    lane->idle_count++;
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
    lane->idle_count--;
}

/* Takes a helper off the idle stack, with a call for it, or NULL to have it end. Then it is to be roused. */
static struct filch__helper *idle_take(struct filch__lane *lane, struct filch__call *call) {
    struct filch__helper *helper = lane->idle;
    if (helper == NULL) return NULL;
    idle_remove(helper);
    helper->call = call;
    return helper;
}

static void posted_add(struct filch__lane *lane, struct filch__call *call) {
    call->next = NULL;
    *lane->posted_end = call;
    lane->posted_end = &call->next;
    lane->queued++;
}

/* Takes the first posted call, and unless `all`, leaves the others. */
static struct filch__call *posted_take(struct filch__lane *lane, bool all) {
    struct filch__call *first = lane->posted;
    lane->posted = all || first == NULL ? NULL : first->next;
    if (lane->posted == NULL) lane->posted_end = &lane->posted;
    return first;
}

static struct filch__call *next_call(struct filch__lane *lane) {
    struct filch__call *call = posted_take(lane, false);
    if (call == NULL) {
        struct filch__clause *clause = filch__waitlist_take(&lane->calls);
        if (clause != NULL) call = clause->value;
    }
    if (call != NULL) lane->queued--;
    return call;
}

/* --------------------------------------------------------------------------------------------------------- helpers */

static void rouse(struct filch__helper *helper) {
    store_release(&helper->wake, 1);     /* HAND */
    filch__futex_wake(&helper->wake, 1); /* it may be gone by now: see futex.h */
}

/* To ThreadSanitizer each call is a thread of its own, in order with its caller alone: see base/tasksan.h. */
#ifdef FILCH_TASKSAN
static void helper_enter(struct filch__tasksan_call *seen, const struct filch__call *call) {
    struct filch__fiber here; /* the next call is made on the same stack */
    filch__fiber_init_thread(&here);
    filch__tasksan_enter(seen, NULL, "a blocking call", here.low);
    edge_acquire(call);
}

static void helper_leave(struct filch__tasksan_call *seen, const struct filch__call *call) {
    edge_set(&call->arg);
    filch__tasksan_leave(seen, NULL);
}
#else
#define helper_enter(seen, call) ((void)(seen))
#define helper_leave(seen, call) ((void)(seen))
#endif

/* The call's record is gone after this. */
static void make(struct filch__lane *lane, struct filch__call *call) {
    struct filch__tasksan_call seen;
    helper_enter(&seen, call);
    int result = call->fn(call->arg);
    helper_leave(&seen, call);
    add_relaxed(&lane->made, 1); /* a count: before its end, so that the caller sees its own */
    call->end(call, 0, result);
}

/* Lies idle until there is a call, which it returns, or the helper is to end: NULL. */
static struct filch__call *lie_idle(struct filch__helper *helper) {
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
static struct filch__call *find(struct filch__helper *helper) {
    struct filch__lane *lane = helper->lane;
    filch__latch_take(&lane->latch);
    struct filch__call *call = next_call(lane);
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
    filch__heap_begin_thread();
    unseen_begin(); /* but for the calls, which are seen apart */
    for (struct filch__call *call = helper->call; call != NULL; call = find(helper)) make(helper->lane, call);
    end(helper);
    unseen_end();
    return NULL;
}

/* Starts a helper, which has been counted, with its first call. False: there is no memory, or no thread. */
static bool start(struct filch__lane *lane, struct filch__call *call) {
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

static void end_awaited(struct filch__call *call, int answer, int result) {
    struct awaited *awaited = (struct awaited *)(void *)call; /* its first member */
    awaited->result = result;
    filch__grant(&awaited->waiter, answer);
}

/* Where `call` goes. */
enum place { HANDED, STARTING, FULL };

/* Hands `call` to an idle helper, who is to be roused, or counts a new one for it, who is to be started. Under the latch. */
static enum place find_place(struct filch__lane *lane, struct filch__call *call, struct filch__helper **helper) {
    if ((*helper = idle_take(lane, call)) != NULL) return HANDED;
    uint32_t threads = load_relaxed(&lane->threads);
    if (threads >= lane->limit) return FULL;
    store_relaxed(&lane->threads, threads + 1); /* written under the latch */
    return STARTING;
}

/* Counts a helper that could not be started down. True: there is another, to be waited for. Under the latch. */
static bool others_are_left(struct filch__lane *lane) {
    uint32_t threads = load_relaxed(&lane->threads) - 1;
    store_relaxed(&lane->threads, threads); /* written under the latch */
    return threads > 0;
}

/* No helper could be started, and there is none: whoever came to wait while one was counted fails as well (I2). */
static int fail_all(struct filch__lane *lane) {
    struct filch__clause *failed = filch__waitlist_take_all(&lane->calls);
    struct filch__call *posted = posted_take(lane, true);
    for (const struct filch__clause *clause = failed; clause != NULL; clause = clause->next) lane->queued--;
    for (const struct filch__call *call = posted; call != NULL; call = call->next) lane->queued--;
    filch__latch_leave(&lane->latch);
    filch__grant_all(failed, -EAGAIN);
    while (posted != NULL) {
        struct filch__call *next = posted->next;
        posted->end(posted, -EAGAIN, 0);
        posted = next;
    }
    return -EAGAIN;
}

/* Waits in the list until a helper has made the call, or it is withdrawn. Under the latch, which it leaves. */
static int wait_for_helper(struct filch__lane *lane, struct filch__clause *clause, filch_deadline deadline) {
    filch__waitlist_add(&lane->calls, clause);
    lane->queued++;
    int answer = filch__wait(&lane->latch, clause, deadline);
    if (unlikely(answer == -ETIMEDOUT || answer == -ECANCELED)) { /* withdrawn: no helper answers these */
        filch__latch_take(&lane->latch);
        lane->queued--;
        filch__latch_leave(&lane->latch);
    }
    return answer;
}

/* 0: the call has been made. */
static int submit(struct filch__lane *lane, struct awaited *awaited, filch_deadline deadline) {
    struct filch__clause clause = {.waiter = &awaited->waiter, .value = &awaited->call};
    filch__waiter_init(&awaited->waiter, "blocking", (const void *)(uintptr_t)awaited->call.fn);
    struct filch__helper *helper;
    filch__latch_take(&lane->latch);
    enum place place = find_place(lane, &awaited->call, &helper);
    if (place == STARTING) {
        filch__latch_leave(&lane->latch);
        if (!start(lane, &awaited->call)) {
            filch__latch_take(&lane->latch);
            if (!others_are_left(lane)) return fail_all(lane);
            place = FULL;
        }
    }
    if (place == FULL) return wait_for_helper(lane, &clause, deadline);
    if (place == HANDED) {
        filch__latch_leave(&lane->latch);
        rouse(helper);
    }
    filch__park(&awaited->waiter);
    return awaited->waiter.result;
}

static int post(struct filch__lane *lane, struct filch__call *call) {
    struct filch__helper *helper;
    filch__latch_take(&lane->latch);
    enum place place = find_place(lane, call, &helper);
    if (place == FULL) posted_add(lane, call);
    filch__latch_leave(&lane->latch);
    if (place == HANDED) rouse(helper);
    if (place != STARTING || start(lane, call)) return 0;
    filch__latch_take(&lane->latch);
    if (!others_are_left(lane)) return fail_all(lane);
    posted_add(lane, call);
    filch__latch_leave(&lane->latch);
    return 0;
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
    struct awaited awaited = {.call = {.fn = fn, .arg = arg, .end = end_awaited}};
    edge_set(&awaited.call);
    int answer = submit(lane, &awaited, deadline);
    if (answer == 0) edge_acquire(&awaited.call.arg);
    if (answer == 0 && result != NULL) *result = awaited.result;
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

int filch__blocking_post_look_up(struct filch__call *call) {
    struct filch__worker *worker = filch__worker_current();
    if (likely(!worker->simulated)) return post(&worker->runtime->blocking.look_ups, call);
    call->end(call, 0, filch__sim_call_outside(call->fn, call->arg));
    return 0;
}

int filch__blocking_resolve(filch_fn *fn, void *arg, int *result, filch_deadline deadline) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return call_here(fn, arg, result);
    return call_on(&worker->runtime->blocking.look_ups, fn, arg, result, deadline);
}

struct filch__lane_stats filch__lane_stats(struct filch__lane *lane) {
    filch__latch_take(&lane->latch);
    uint32_t threads = load_relaxed(&lane->threads); /* written under the latch */
    struct filch__lane_stats stats = {.threads = threads, .busy = threads - lane->idle_count, .queued = lane->queued};
    filch__latch_leave(&lane->latch);
    stats.made = load_relaxed(&lane->made); /* a count */
    return stats;
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
