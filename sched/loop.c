/* SPDX-License-Identifier: MIT */
/*
 * The loop that every pooled stack runs, and the switches between stacks.
 *
 * A stack belongs to whoever is suspended on it. The loop calls what has not begun as a plain function, on its own stack.
 * If that waits, the stack is its, with the loop's frame at the bottom, and the worker goes on elsewhere: by one jump to
 * the next suspended strand, or in a new loop on a fresh stack. When the strand has gone on, on whatever worker, and
 * returns into the loop below it, that loop goes on as that worker's. A loop that takes a suspended strand leaves its own
 * stack for good: nothing is on it.
 *
 * Order of a switch. Whatever makes the strand that was left visible to others (LAND_PARK, LAND_YIELD) is done after the
 * jump, from the stack that was jumped to: before it, the context is not saved.
 *
 * Turns. Each choice of what to run is a turn of the worker. The bound: whatever stands at the old end of a worker's
 * deque, at the head of its run queue, or at the head of the inject queue, and what has happened outside (the poller), is
 * looked at within FAIR_TURNS turns of that worker (of any worker, for the inject queue and the poller); at the old end,
 * the first time may be put off by as many turns again.
 * Timers that are due fire within TIMER_TURNS turns.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/foreign.h"
#include "sched/frame.h"
#include "sched/probe.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/strand.h"
#include "sched/task.h"

enum {
    FAIR_TURNS = 64,
    TIMER_TURNS = 16,
    CALM_PUSHES = 16,    /* pushes in a row that found nobody idle, after which the deque is closed */
    NAPS_TO_TELL = 5000, /* about a second */
    NEXT_STREAK_MAX = 3, /* how often in a row the next slot goes before the run queue */
};

static void run_loop(struct filch__worker *worker);

/* ----------------------------------------------------------------------------------------------------- switches */

/*
 * `left` may be woken from now on. A cause that is there already was set by a waker that could not enqueue it. Not to the
 * next slot: the worker has chosen what comes next.
 */
static force_inline void show_parked(struct filch__worker *worker, struct filch__waiter *left) {
    bool cancellable = left->cancellable && !((uintptr_t)left->region & REGION_CHILD);
    struct filch_task *task = region_task(left->region);
    uint16_t hints = left->hints;
    if (add_seq_cst(left->word, (uintptr_t)WAITER_PARKED) & WAITER_CAUSES) { /* SAVED, HINT */
        filch__worker_enqueue(worker, item_of_strand(left));
    } else if (cancellable) {
        filch__park_check(worker->runtime, task, hints);
    }
}

/* The worker's first act on the stack it has arrived on: disposes of what it left. */
static force_inline void land(struct filch__worker *worker, void *context) {
    filch__context_take_over(worker);
    struct filch__waiter *left = worker->left;
    switch (worker->landing) {
    case LAND_NOTHING:
        break;
    case LAND_THREAD:
        worker->thread_context = context;
        break;
    case LAND_RETIRE:
        filch__stack_cache_put(&worker->stacks, worker->left_stack);
        break;
    case LAND_YIELD:
        left->context = context;
        filch__worker_enqueue(worker, item_of_strand(left));
        break;
    case LAND_PARK:
        left->context = context;
        show_parked(worker, left);
        break;
    }
}

/* Where a pooled stack begins. */
static void loop_entry(struct filch__transfer transfer) {
    filch__context_arrived();
    struct filch__worker *worker = transfer.data;
    land(worker, transfer.from);
    worker->deque.hot.region = NULL;
    run_loop(worker);
}

/*
 * Jumps to `target` on the stack `to`. Returns, on a stack that is jumped back to, the worker that did it, with what it
 * left disposed of; the caller sets the worker's stack and task.
 */
static inline struct filch__worker *switch_to(struct filch__worker *worker, void *target, struct filch__stack *to,
                                              enum landing landing, struct filch__waiter *left) {
    /* I5: with stack and strand in hand, which may have come to be since the last look */
    filch__deque_look(&worker->deque);
    struct filch__fiber *from = worker->stack == NULL ? &worker->thread_fiber : &worker->stack->fiber;
    struct filch__fiber *fiber = to == NULL ? &worker->thread_fiber : &to->fiber;
    worker->landing = landing;
    worker->left = left;
    worker->left_stack = worker->stack;
    worker->stack = to;
    worker->deque.hot.stack_low = to == NULL ? 0 : filch__worker_stack_low(to);
    count_up(&worker->switches, 1);
    filch__context_hand_over(worker);
    struct filch__transfer back = filch__context_jump(target, worker, from, fiber, landing == LAND_RETIRE);
    worker = back.data;
    land(worker, back.from);
    return worker;
}

/* A context that runs the loop on a fresh stack of the class, whose first item is `item` (or NULL). */
static void *fresh_loop(struct filch__stack *stack, struct filch__worker *worker, void *item) {
    worker->handed = item;
    filch__strand_start_stack(worker, stack);
    return filch__context_make(filch__stack_top(stack), stack->fiber.size, loop_entry);
}

static struct filch__stack *stack_of_class(struct filch__worker *worker, unsigned size_class) {
    if (likely(size_class == worker->stacks.size_class)) return filch__stack_cache_get(&worker->stacks);
    return filch__stack_pool_get(&worker->runtime->stock.stacks, size_class);
}

static inline unsigned class_of_task(struct filch__worker *worker, const struct filch_task *task) {
    struct filch__task_extra *extra = load_acquire(&task->extra); /* another strand of it may make one just now */
    return likely(extra == NULL) ? worker->stacks.size_class : extra->stack_class;
}

/* The class of stack that `item`, which has not begun, is to be run on; a forked call needs what its task asked for. */
static inline unsigned class_of(struct filch__worker *worker, void *item) {
    if (item_kind(item) == ITEM_TASK) return class_of_task(worker, item_task(item));
    return class_of_task(worker, region_task(item_frame(item)->filch__region));
}

/* A stack that `item`, which may be NULL, can be run on. */
static force_inline struct filch__stack *stack_for(struct filch__worker *worker, void *item) {
    return stack_of_class(worker, item == NULL ? worker->stacks.size_class : class_of(worker, item));
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* One line, once in each such wait: it may last for ever, if everything else waits too. */
static void tell_of_need(const struct filch__waiter *left) {
    char line[192];
    int length =
        snprintf(line, sizeof line,
                 "filch: task %p \"%.31s\" waits (%s), and there is no memory for a stack on which its worker could "
                 "run others meanwhile\n",
                 (void *)region_task(left->region), filch_task_name(region_task(left->region)), left->reason);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)length);
    (void)ignored;
}

/*
 * There is no memory for another stack. What needs none can still go on: suspended strands, and `left` itself once it
 * has a cause or, for a yield, at once. Returns whether `left` goes on; else `*item` is a strand to jump to, or `*stack`
 * a stack after all.
 */
static bool make_do(struct filch__worker *worker, struct filch__waiter *left, enum landing landing, void **item,
                    struct filch__stack **stack) {
    for (unsigned naps = 0;; naps++) {
        if (naps == NAPS_TO_TELL) tell_of_need(left);
        if (*item != NULL) filch__worker_enqueue(worker, *item);
        *item = NULL;
        if (landing == LAND_YIELD) return true;
        if (load_acquire(left->word) & WAITER_CAUSES) return true;
        if (left->cancellable && load_seq_cst(&region_task(left->region)->hints) != left->hints) return true;
        int64_t now_ns = filch__clock_now();
        if (filch__timers_earliest(&worker->timers) <= now_ns) filch__timers_fire(&worker->timers, now_ns);
        *item = filch__worker_next(worker);
        if (*item != NULL && item_kind(*item) == ITEM_STRAND) return false;
        *stack = stack_for(worker, *item);
        if (*stack != NULL) return false;
        nap();
    }
}

static never_inline void note_leaving(struct filch__worker *worker, const struct filch__waiter *left,
                                      enum landing landing) {
    if (landing == LAND_YIELD) {
        filch__trace_yield(&worker->deque.hot, left);
    } else {
        filch__trace_wait(&worker->deque.hot, left);
    }
}

static force_inline void leave(struct filch__worker *worker, struct filch__waiter *left, enum landing landing,
                               void *item) {
    left->stack = worker->stack;
    left->region = worker->deque.hot.region;
    struct filch__exceptions exceptions = filch__exceptions_take(worker->exceptions);
    if (filch__traces(&worker->deque.hot)) note_leaving(worker, left, landing);
    struct filch__stack *fresh = NULL;
    if (item == NULL || item_kind(item) != ITEM_STRAND) {
        fresh = stack_for(worker, item);
        if (unlikely(fresh == NULL) && make_do(worker, left, landing, &item, &fresh)) {
            filch__exceptions_put(worker->exceptions, exceptions);
            if (filch__traces(&worker->deque.hot)) filch__trace_resume(&worker->deque.hot, left);
            return;
        }
    }
    /* One place from which all leave: so backtraces of those who wait alike are alike. */
    void *target = fresh == NULL ? item_strand(item)->context : fresh_loop(fresh, worker, item);
    worker = switch_to(worker, target, fresh == NULL ? item_strand(item)->stack : fresh, landing, left);
    worker->deque.hot.region = left->region;
    filch__exceptions_put(worker->exceptions, exceptions);
    probe2(resume, left, left->region);
    if (filch__traces(&worker->deque.hot)) filch__trace_resume(&worker->deque.hot, left);
}

/* Not inline: where the thread's errno is, must be found anew after a switch. */
static never_inline void spoil_errno(void) {
    errno = FILCH_DEBUG_ERRNO;
}

/* By a worker with a guard. */
static never_inline void leave_watched(struct filch__worker *worker, struct filch__waiter *left, enum landing landing,
                                       void *item) {
    if (worker->guard >= GUARD_BLOCK) filch__block_die(worker, "makes a call that waits");
    uint32_t checks = worker->runtime->debug.checks;
    if (checks & CHECK_FOREIGN) {
        filch__foreign_look(landing == LAND_YIELD ? "yield" : left->reason,
                            landing == LAND_YIELD ? NULL : left->object);
    }
    if (checks & CHECK_ERRNO) spoil_errno(); /* for who has its address from before */
    leave(worker, left, landing, item);
    if (checks & CHECK_ERRNO) spoil_errno();
}

void filch__worker_leave(struct filch__worker *worker, struct filch__waiter *left, enum landing landing, void *item) {
    if (unlikely(worker->guard > 0)) {
        leave_watched(worker, left, landing, item);
    } else {
        leave(worker, left, landing, item);
    }
}

/* Leaves the loop's own stack, on which nothing is, for the strand's. Does not return. */
static void resume(struct filch__worker *worker, struct filch__waiter *strand) {
    switch_to(worker, strand->context, strand->stack, LAND_RETIRE, NULL);
    filch__die("internal: a retired stack was resumed");
}

/* Leaves the loop's own stack for another on which `item` can be run. Does not return but for want of memory. */
static void run_elsewhere(struct filch__worker *worker, void *item) {
    struct filch__stack *stack = stack_for(worker, item);
    if (stack == NULL) return;
    switch_to(worker, fresh_loop(stack, worker, item), stack, LAND_RETIRE, NULL);
    filch__die("internal: a retired stack was resumed");
}

/* ---------------------------------------------------------------------------------------------------------- hop */

struct hop {
    filch_frame *frame;
    struct filch__waiter parent;
    int result;
};

static void hop_entry(struct filch__transfer transfer) {
    filch__context_arrived();
    struct filch__worker *worker = transfer.data;
    land(worker, transfer.from);
    struct hop *hop = worker->handed;
    worker->handed = NULL;
    hop->parent.context = transfer.from;
    worker->deque.hot.region = hop->frame->filch__region;
    struct filch__tasksan_call call;
    filch__frame_enter(&call, worker, hop->frame, true);
    hop->result = hop->frame->fn(hop->frame->arg);
    filch__frame_leave(&call, hop->frame);
    worker = filch__worker_current(); /* perhaps another by now */
    switch_to(worker, hop->parent.context, hop->parent.stack, LAND_RETIRE, NULL);
    filch__die("internal: a retired stack was resumed");
}

bool filch__worker_hop(struct filch__worker *worker, filch_frame *frame) {
    struct filch__stack *fresh = stack_of_class(worker, class_of(worker, frame));
    worker->hop_failed = fresh == NULL;
    if (fresh == NULL) return false;
    struct hop hop = {.frame = frame, .parent = {.stack = worker->stack}};
    void *region = worker->deque.hot.region;
    worker->handed = &hop;
    filch__strand_start_stack(worker, fresh);
    void *entry = filch__context_make(filch__stack_top(fresh), fresh->fiber.size, hop_entry);
    worker = switch_to(worker, entry, fresh, LAND_NOTHING, NULL);
    worker->deque.hot.region = region;
    frame->filch__join = JOIN_DONE(hop.result);
    edge_acquire(&frame->filch__join); /* JOIN */
    return true;
}

/* ---------------------------------------------------------------------------------------------------- own queues */

void filch__worker_enqueue(struct filch__worker *worker, void *item) {
    if (unlikely(!filch__runqueue_push(&worker->runqueue, item))) {
        filch__inject_push(&worker->runtime->inject, item); /* needs no memory */
    }
    filch__idle_notify(worker->runtime);
}

void filch__worker_ready(struct filch__worker *worker, struct filch__waiter *strand) {
    void *before = exchange_acq_rel(&worker->next, item_of_strand(strand));
    if (before != NULL) filch__worker_enqueue(worker, before);
}

void filch__worker_pushed(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    if (unlikely(worker->simulated)) {
        filch__idle_notify(runtime);
        filch__sim_point();
        return;
    }
    if (load_seq_cst(&runtime->idle.word) != 0) {
        worker->calm = 0;
        filch__idle_notify(runtime);
        return;
    }
    if (!load_relaxed(&runtime->closable) || ++worker->calm < CALM_PUSHES) return; /* for good, once it is false */
    worker->calm = 0;
    filch__deque_close(&worker->deque);
    if (load_seq_cst(&runtime->idle.word) == 0) return;
    filch__deque_share(&worker->deque);
    filch__idle_notify(runtime);
}

/* What is not served next does not stay in the next slot, where no sleeper looks. */
void filch__worker_put_off_next(struct filch__worker *worker) {
    /* relaxed: a glance before the exchange, which is what counts */
    if (load_relaxed(&worker->next) == NULL) return;
    void *kept = exchange_acq_rel(&worker->next, NULL);
    if (kept != NULL) filch__worker_enqueue(worker, kept);
}

void filch__worker_empty(struct filch__worker *worker) {
    struct filch__inject *inject = &worker->runtime->inject;
    void *item;
    filch__worker_put_off_next(worker);
    while ((item = filch__runqueue_pop(&worker->runqueue)) != NULL) filch__inject_push(inject, item);
    while ((item = filch__deque_pop(&worker->deque)) != NULL) filch__inject_push(inject, item);
    filch__idle_notify(worker->runtime);
}

static void *take_next(struct filch__worker *worker) {
    if (likely(load_relaxed(&worker->next) == NULL)) { /* as above */
        worker->next_streak = 0;
        return NULL;
    }
    if (worker->next_streak++ >= NEXT_STREAK_MAX) {
        worker->next_streak = 0;
        filch__worker_put_off_next(worker);
        return NULL;
    }
    return exchange_acq_rel(&worker->next, NULL);
}

/*
 * Whether the old end of the deque is looked at now, which costs a walk over the whole list. A heap of tasks that is not
 * added to is worked off from the young end, and the old end's turn comes by itself. So it is looked at where tasks were
 * spawned since the last such turn; but for the first time since the deque was empty (MINDS_HEAP) only where they were
 * spawned in each of the last two spans of 16 turns. A heap that was spawned at one go is not.
 */
static bool old_end_is_due(struct filch__worker *worker) {
    uint64_t *marks = worker->spawned_marks, spawned = worker->spawned;
    bool added = spawned != worker->spawned_before;
    worker->spawned_before = spawned;
    if (!filch__deque_begins_with_task(&worker->deque)) return true;
    if (!added) return false;
    bool again = worker->minds & MINDS_HEAP;
    worker->minds |= MINDS_HEAP;
    return again || (marks[1] != marks[0] && spawned != marks[1]);
}

/* What has happened outside goes to the end of the run queue. */
static void look_outside(struct filch_runtime *runtime) {
    struct filch__poller *poller = load_acquire(&runtime->poller); /* carries its table */
    if (unlikely(poller != NULL)) (void)filch__poller_look(poller);
}

/* The looks that come up only every so many turns, so that nothing waits for ever behind what comes up first. */
static void *take_in_fairness(struct filch__worker *worker) {
    if (unlikely(worker->minds & MINDS_PUT_OFF)) filch__poller_flush(worker);
    if (worker->turn % TIMER_TURNS == 0 && filch__timers_earliest(&worker->timers) != INT64_MAX) {
        filch__timers_fire(&worker->timers, filch__timers_saw(&worker->timers, filch__clock_now()));
    }
    switch (worker->turn % FAIR_TURNS) {
    case 0:
        worker->spawned_marks[0] = worker->spawned;
        look_outside(worker->runtime);
        return NULL;
    case 16:
        worker->spawned_marks[1] = worker->spawned;
        return filch__inject_pop(&worker->runtime->inject);
    case 32:
        return old_end_is_due(worker) ? filch__deque_pop_oldest(&worker->deque) : filch__deque_pop(&worker->deque);
    case 48:
        return filch__runqueue_pop(&worker->runqueue);
    default:
        return NULL;
    }
}

enum { SOURCES = 5 };

static void *take_from(struct filch__worker *worker, uint32_t source) {
    switch (source) {
    case 0:
        return exchange_acq_rel(&worker->next, NULL);
    case 1:
        for (uint32_t past = filch__sim_choose((uint32_t)filch__runqueue_length(&worker->runqueue)); past > 0; past--) {
            filch__worker_enqueue(worker, filch__runqueue_pop(&worker->runqueue));
        }
        return filch__runqueue_pop(&worker->runqueue);
    case 2:
        return filch__deque_pop(&worker->deque);
    case 3:
        return filch__deque_pop_oldest(&worker->deque);
    default:
        return filch__inject_pop(&worker->runtime->inject);
    }
}

/* Which of all that it could run comes next is the seed's choice, and who goes on before that. */
static never_inline void *next_in_simulation(struct filch__worker *worker) {
    filch__sim_point();
    store_relaxed(&worker->turn, worker->turn + 1);
    int64_t now_ns = filch__timers_saw(&worker->timers, filch__clock_now());
    if (filch__timers_earliest(&worker->timers) <= now_ns) filch__timers_fire(&worker->timers, now_ns);
    uint32_t first = filch__sim_choose(SOURCES);
    for (uint32_t i = 0; i < SOURCES; i++) {
        void *item = take_from(worker, (first + i) % SOURCES);
        if (item != NULL) return item;
    }
    return NULL;
}

static force_inline void mind(struct filch__worker *worker) {
    if (worker->minds & MINDS_HEAP && filch__deque_is_empty(&worker->deque)) worker->minds &= ~(uint32_t)MINDS_HEAP;
    if (unlikely(worker->minds & MINDS_PUT_OFF)) filch__poller_flush_late(worker);
}

void *filch__worker_next(struct filch__worker *worker) {
    void *item;
    if (unlikely(worker->simulated)) return next_in_simulation(worker);
    filch__deque_look(&worker->deque);
    if (unlikely(worker->minds != 0)) mind(worker);
    uint32_t turn = worker->turn + 1;
    store_relaxed(&worker->turn, turn); /* for the monitor's glances */
    if (unlikely(turn % TIMER_TURNS == 0)) {
        if (unlikely(load_relaxed(&worker->dismissed))) {
            store_relaxed(&worker->turn, turn - 1); /* so that it comes here until it has retired */
            return NULL;
        }
        if ((item = take_in_fairness(worker)) != NULL) {
            filch__worker_put_off_next(worker);
            return item;
        }
    }
    if ((item = take_next(worker)) != NULL) return item;
    if ((item = filch__runqueue_pop(&worker->runqueue)) != NULL) return item;
    if ((item = filch__deque_pop(&worker->deque)) != NULL) return item;
    return filch__inject_pop(&worker->runtime->inject);
}

void filch__prefetch_next(void) {
    struct filch__worker *worker = filch__worker_current();
    if (worker == NULL) return;
    const void *item = filch__runqueue_glance(&worker->runqueue);
    if (item != NULL) filch__strand_prefetch(item);
}

/* ------------------------------------------------------------------------------------------------------ the loop */

static void run_loop(struct filch__worker *worker) {
    for (;;) {
        void *item = worker->handed;
        worker->handed = NULL;
        if (item == NULL) item = filch__worker_next(worker);
        if (item == NULL) item = filch__idle_find(worker);
        if (item == NULL) break;
        if (item_kind(item) == ITEM_STRAND) resume(worker, item_strand(item));
        if (unlikely(class_of(worker, item) != worker->stack->size_class)) {
            run_elsewhere(worker, item);
            filch__worker_enqueue(worker, item); /* no memory for such a stack now */
            nap();
            continue;
        }
        if (item_kind(item) == ITEM_TASK) {
            filch__task_run(worker, item_task(item));
        } else {
            filch__frame_run(worker, item_frame(item));
        }
        worker = filch__worker_current(); /* perhaps another by now */
    }
    switch_to(worker, worker->thread_context, NULL, LAND_RETIRE, NULL);
    filch__die("internal: a retired stack was resumed");
}

/* Called on the thread's own stack: the first loop, until the runtime ends. */
void filch__worker_run(struct filch__worker *worker) {
    struct filch__stack *stack = worker->left_stack; /* made beforehand, so that this cannot fail */
    void *entry = fresh_loop(stack, worker, NULL);
    worker->stack = NULL;
    if (!worker->simulated) unseen_begin(); /* but for what tasks do, which is seen apart */
    switch_to(worker, entry, stack, LAND_THREAD, NULL);
    if (!worker->simulated) unseen_end();
}
