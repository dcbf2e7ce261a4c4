/* SPDX-License-Identifier: MIT */
/*
 * The slow paths of fork and join; the fast ones are in filch/fork.h.
 *
 * A frame that was forked is in one of these places: in the deque of the worker that forked it; in a run queue, where a
 * join of something older has put it; in the hands of a worker that runs it or has run it; nowhere, if there was no
 * memory to push it (JOIN_ALONE). The join takes it back if it is in the deque of the worker that the parent now runs on;
 * else it waits for it. So no queue ever points to a frame that has returned.
 */
#include <filch/fork.h>

#include "sched/frame.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/strand.h"
#include "sched/task.h"

/* The parent cannot be helped: it will make the call itself. */
static bool is_alone(struct filch__worker *worker) {
    return worker == NULL || worker->deque.hot.region == NULL;
}

void filch__fork_seen(filch_frame *frame) {
    struct filch__worker *worker = filch__worker_current();
    if (is_alone(worker)) {
        store_relaxed(&frame->filch__join, JOIN_ALONE); /* nobody else knows of it */
        return;
    }
    filch__deque_pushed(&worker->deque, frame);
    filch__worker_pushed(worker);
}

bool filch__take_back_seen(filch_frame *frame) {
    struct filch__worker *worker = filch__worker_current();
    if (is_alone(worker)) return true;
    return filch__deque_popped(&worker->deque, frame);
}

#ifndef FILCH__INLINE
void filch__fork_call(filch_frame *frame, filch_fn *fn, void *arg) {
    frame->fn = fn;
    frame->arg = arg;
    struct filch__worker *worker = filch__worker_current();
    if (is_alone(worker)) {
        store_relaxed(&frame->filch__join, JOIN_ALONE); /* nobody else knows of it */
        return;
    }
    frame->filch__region = worker->deque.hot.region;
    edge_set(frame);
    store_relaxed(&frame->filch__join, JOIN_LISTED); /* the push orders it */
    if (filch__deque_push(&worker->deque, frame)) filch__worker_pushed(worker);
}
#endif

/*
 * Takes items off the young end until it meets the frame. What lies above it was spawned in between, and goes to the run
 * queue. False: a thief was faster, or the frame is not in this deque.
 */
static bool take_from_deque(struct filch__worker *worker, filch_frame *frame) {
    while (filch__deque_holds(&worker->deque, frame)) {
        void *item = filch__deque_pop(&worker->deque);
        if (item == frame) return true;
        if (item == NULL) return false;
        filch__worker_enqueue(worker, item);
    }
    return false;
}

static void wait_for(filch_frame *frame) {
    int64_t word = load_acquire(&frame->filch__join); /* JOIN */
    if (join_is_done(word)) {
        edge_acquire(&frame->filch__join); /* JOIN */
        return;
    }
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "join", frame);
    while (!join_is_done(word)) { /* it may be moved to a ring meanwhile */
        if (!cas_acq_rel(&frame->filch__join, &word, join_of_waiter(&waiter))) continue;
        filch__park(&waiter);
        break;
    }
    edge_acquire(&frame->filch__join); /* JOIN */
}

static bool stack_is_low(struct filch__worker *worker) {
    return (uintptr_t)__builtin_frame_address(0) < worker->deque.hot.stack_low;
}

/* JOIN_ALONE is written by the parent alone, and tells that the rest of the frame is not. */
static bool is_pushed(filch_frame *frame) {
    return load_relaxed(&frame->filch__join) != JOIN_ALONE;
}

/*
 * What the parent would call is seen as parallel to it only where the call is made here: so no call is left to the caller
 * of filch_reclaim in the flavour that shows tasks to ThreadSanitizer.
 */
static bool makes_calls_itself(struct filch__worker *worker, filch_frame *frame) {
#ifdef FILCH_TASKSAN
    if (!is_pushed(frame)) return false;
    frame->filch__join = JOIN_DONE(filch__frame_call_here(worker, frame));
    return true;
#else
    (void)worker, (void)frame;
    return false;
#endif
}

bool filch__reclaim_slow(filch_frame *frame) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return true;
    if (unlikely(is_pushed(frame) && frame->filch__region != worker->deque.hot.region)) {
        filch__die(
            "join: task %p \"%s\" joins a call after the scope or shield in which it was forked was closed, or in "
            "another one",
            (void *)region_task(worker->deque.hot.region), filch_task_name(region_task(worker->deque.hot.region)));
    }
    /* relaxed: JOIN_ALONE is written by the parent alone */
    if (load_relaxed(&frame->filch__join) != JOIN_ALONE && !take_from_deque(worker, frame)) {
        wait_for(frame);
        return false;
    }
    /* Deep recursion goes on on a fresh stack; without memory for one it goes on here, above the guard. */
    if (stack_is_low(worker) && filch__worker_hop(worker, frame)) return false;
    return !makes_calls_itself(worker, frame);
}

int filch__join_slow(filch_frame *frame) {
    if (filch__reclaim_slow(frame)) return frame->fn(frame->arg);
    return filch_frame_result(frame);
}

void filch__frame_run(struct filch__worker *worker, filch_frame *frame) {
    struct filch_task *task = region_task(frame->filch__region);
    /* HINT: whoever hints at the task sees the flag, or this strand sees the hint. */
    if (!(load_acquire(&task->flags) & TASK_FORKED)) or_seq_cst(&task->flags, TASK_FORKED);
    worker->deque.hot.region = (void *)((uintptr_t)frame->filch__region | REGION_CHILD);
    void *begun = (void *)((uintptr_t)frame->filch__region | REGION_CHILD);
    if (filch__traces(&worker->deque.hot)) filch__trace_call_begin(&worker->deque.hot, frame);
    struct filch__tasksan_call call;
    filch__frame_enter(&call, worker, frame, true);
    int result = frame->fn(frame->arg);
    filch__frame_leave(&call, frame);
    struct filch__hot *here = filch__here(); /* perhaps another worker's by now */
    void *region = here->region;
    if (filch__traces(here)) filch__trace_call_end(here, frame);
    if (unlikely(region != begun && region != NULL)) filch__region_die_open(region, "a forked call");
    filch__worker_current()->deque.hot.region = NULL;                        /* perhaps another worker by now */
    int64_t word = exchange_acq_rel(&frame->filch__join, JOIN_DONE(result)); /* JOIN */
    if (join_is_waiter(word)) filch__grant(join_waiter(word), 0);
}

bool filch__fork_wanted(void) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL || load_relaxed(&worker->alone)) return false;
    return filch__deque_is_empty(&worker->deque);
}
