/* SPDX-License-Identifier: MIT */
#include "sched/task.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/utf8.h"
#include "sched/circle.h"
#include "sched/probe.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/sched.h"
#include "sched/strand.h"

enum {
    BUDGET = 128, /* waiting calls in a row that could go on at once, before a task gives way */
};

/* ------------------------------------------------------------------------------------------------------- records */

/* The worker that the caller is, if it is one of `runtime`, else NULL. */
static struct filch__worker *worker_of(struct filch_runtime *runtime) {
    struct filch__worker *worker = filch__worker_current();
    return worker != NULL && worker->runtime == runtime ? worker : NULL;
}

static void extra_put(struct filch_runtime *runtime, struct filch__worker *worker, struct filch__task_extra *extra) {
    filch__latch_take(&extra->latch); /* a report may be reading the name */
    extra->task = NULL;
    store_relaxed(&extra->scope, NULL); /* of one that was not accepted */
    struct filch__locals *locals = extra->locals;
    extra->locals = NULL;
    filch__latch_leave(&extra->latch);
    if (worker != NULL) {
        filch__slab_cache_put(&worker->extras, extra);
    } else {
        filch__slab_depot_put(&runtime->stock.extras, extra);
    }
    if (locals != NULL) filch__locals_release(locals);
}

void filch__task_put(struct filch_task *task) {
    struct filch_runtime *runtime = task->runtime;
    struct filch__worker *worker = worker_of(runtime);
    store_relaxed(&task->state, (uint8_t)TASK_FREE); /* for reports */
    store_relaxed(&task->end, TASK_END_GONE); /* to tell a handle that is used once more, as long as it can be told */
    struct filch__task_extra *extra = load_relaxed(&task->extra);
    if (unlikely(extra != NULL)) {
        store_relaxed(&task->extra, NULL); /* reports look at the extra record itself */
        extra_put(runtime, worker, extra);
    }
    if (worker != NULL) {
        filch__slab_cache_put(&worker->tasks, task);
    } else {
        filch__slab_depot_put(&runtime->stock.tasks, task);
    }
}

/* An extra record that belongs to `task`, and that `task` does not know of yet. */
static struct filch__task_extra *extra_get(struct filch_task *task) {
    struct filch_runtime *runtime = task->runtime;
    struct filch__worker *worker = worker_of(runtime);
    struct filch__task_extra *extra =
        worker != NULL ? filch__slab_cache_get(&worker->extras) : filch__slab_depot_get(&runtime->stock.extras);
    if (extra == NULL) return NULL;
    filch__latch_take(&extra->latch);
    memset(extra->name, 0, sizeof extra->name);
    extra->stack_class = runtime->stack_class;
    store_relaxed(&extra->scope, NULL); /* under the latch; as the others */
    extra->scopes = NULL;
    extra->locals = NULL;
    extra->task = task;
    filch__latch_leave(&extra->latch);
    return extra;
}

struct filch__task_extra *filch__task_extra(struct filch_task *task) {
    struct filch__task_extra *there = load_acquire(&task->extra);
    if (there != NULL) return there;
    struct filch__task_extra *extra = extra_get(task);
    if (extra == NULL || cas_seq_cst(&task->extra, &there, extra)) return extra; /* seq_cst: see hint_scopes_of */
    extra_put(task->runtime, worker_of(task->runtime), extra); /* another strand of the task was faster */
    return there;
}

/* --------------------------------------------------------------------------------------------------------- spawn */

static bool options_are_valid(const filch_task_options *options) {
    return options == NULL || options->stack_size == 0 ||
           (options->stack_size >= FILCH__STACK_MIN && options->stack_size <= FILCH__STACK_MAX);
}

/* What the spawner has for its children to inherit, or NULL. */
static inline struct filch__locals *locals_of(struct filch__worker *worker) {
    struct filch_task *spawner = worker == NULL ? NULL : region_task(worker->deque.hot.region);
    if (spawner == NULL || likely(load_relaxed(&spawner->extra) == NULL)) return NULL;
    struct filch__task_extra *extra = load_acquire(&spawner->extra);
    filch__latch_take(&extra->latch);
    struct filch__locals *locals = extra->locals == NULL ? NULL : filch__locals_share(extra->locals);
    filch__latch_leave(&extra->latch);
    return locals;
}

static int extra_fill(struct filch_task *task, const filch_task_options *options, struct filch_scope *scope,
                      struct filch__locals *locals) {
    struct filch__task_extra *extra = filch__task_extra(task);
    if (extra == NULL) return -ENOMEM;
    filch__latch_take(&extra->latch);
    if (options != NULL && options->name != NULL) {
        memcpy(extra->name, options->name,
               filch__utf8_cut(options->name, sizeof extra->name - 1)); /* the rest is zero */
    }
    if (options != NULL && options->stack_size != 0) extra->stack_class = filch__stack_class(options->stack_size);
    store_relaxed(&extra->scope, scope);
    extra->locals = locals;
    filch__latch_leave(&extra->latch);
    return 0;
}

/* Inline, as its caller. */
static force_inline void queue_task(const struct filch__spawn *how, struct filch_task *task) {
    struct filch__worker *worker = how->worker;
    probe3(spawn, task, task->fn, task->spawned_at);
    if (likely(worker != NULL)) {
        count_up(&worker->spawned, 1);
        if (filch__traces(&worker->deque.hot)) filch__trace_spawn(&worker->deque.hot, task);
        if (filch__deque_push(&worker->deque, item_of_task(task))) filch__worker_pushed(worker);
    } else {
        add_relaxed(&how->runtime->spawned_outside, 1);
        filch__trace_spawn_outside(how->runtime, task);
        filch__inject_push(&how->runtime->inject, item_of_task(task));
        filch__idle_notify(how->runtime);
    }
}

static never_inline int make_rare(const struct filch__spawn *how, struct filch_task *task,
                                  const filch_task_options *options, struct filch__locals *locals) {
    int answer = extra_fill(task, options, how->scope, locals);
    if (answer != 0) {
        if (locals != NULL) filch__locals_release(locals);
    } else if (how->scope != NULL) {
        store_relaxed(&task->flags, (uint8_t)(how->runtime->task_flags | TASK_SCOPED)); /* published by the push */
        if (!filch__scope_add(how->scope, task)) answer = -ECANCELED;
    }
    if (answer != 0) filch__task_put(task);
    return answer;
}

/* Inline: a spawn is this and little else. */
static force_inline int spawn(const struct filch__spawn *how, struct filch_task **handle, filch_fn *fn, void *arg,
                              const filch_task_options *options) {
    if (unlikely(fn == NULL || !options_are_valid(options))) return -EINVAL;
    struct filch_runtime *runtime = how->runtime;
    struct filch_task *task = likely(how->worker != NULL) ? filch__slab_cache_get(&how->worker->tasks)
                                                          : filch__slab_depot_get(&runtime->stock.tasks);
    if (unlikely(task == NULL)) return -ENOMEM;
    store_relaxed(&task->fn, fn); /* reports may be looking, as at the next but one */
    task->arg = arg;
    task->runtime = runtime;
    edge_set(&task->fn);
    edge_set(&task->end);              /* of a task that never runs */
    store_relaxed(&task->extra, NULL); /* atomic for the sake of reports, as the next */
    store_relaxed(&task->spawned_at, how->spawned_at);
    store_relaxed(&task->end, handle == NULL ? TASK_END_DETACHED : TASK_END_OPEN); /* published by the push */
    store_relaxed(&task->hints, (uint16_t)0);                                      /* likewise */
    store_relaxed(&task->flags, runtime->task_flags);
    struct filch__locals *locals = locals_of(how->worker);
    if (unlikely(options != NULL || how->scope != NULL || locals != NULL)) {
        int answer = make_rare(how, task, options, locals);
        if (answer != 0) return answer;
    }
    store_release(&task->state, (uint8_t)TASK_READY); /* for reports */
    /* After the state is set: whoever cancels all tasks sees the state, or is seen here. */
    if (unlikely(load_seq_cst(&runtime->cancelled))) store_relaxed(&task->hints, (uint16_t)TASK_CANCELLED);
    if (handle != NULL) *handle = task;
    queue_task(how, task);
    return 0;
}

int filch__task_spawn(const struct filch__spawn *how, struct filch_task **handle, filch_fn *fn, void *arg,
                      const filch_task_options *options) {
    return spawn(how, handle, fn, arg, options);
}

int filch_spawn(filch_task **task, filch_fn *fn, void *arg, const filch_task_options *options) {
    struct filch__worker *worker = filch__worker_current();
    if (unlikely(worker == NULL)) return filch__debug_no_task("filch_spawn");
    struct filch__spawn how = {worker->runtime, worker, NULL, __builtin_return_address(0)};
    return spawn(&how, task, fn, arg, options);
}

int filch_runtime_spawn(filch_runtime *runtime, filch_task **task, filch_fn *fn, void *arg,
                        const filch_task_options *options) {
    if (runtime == NULL) return -EINVAL;
    struct filch__spawn how = {runtime, worker_of(runtime), NULL, __builtin_return_address(0)};
    if (how.worker != NULL) return filch__task_spawn(&how, task, fn, arg, options);
    int answer = -ESHUTDOWN;
    if (filch__runtime_is_parents(runtime)) return answer;
    filch__runtime_enter(runtime);
    if (!load_seq_cst(&runtime->closed)) answer = filch__task_spawn(&how, task, fn, arg, options);
    filch__runtime_leave(runtime);
    return answer;
}

/* ----------------------------------------------------------------------------------------------------------- run */

int filch__task_call(struct filch__worker *worker, struct filch_task *task) {
    store_relaxed(&task->wait, 0);                      /* HINT, which is whole again at its first wait */
    store_relaxed(&task->state, (uint8_t)TASK_STARTED); /* for reports */
    worker->deque.hot.region = task;
    probe2(start, task, task->fn);
    if (filch__traces(&worker->deque.hot)) filch__trace_begin(&worker->deque.hot, task);
    bool rare = load_relaxed(&task->flags) & (TASK_SCOPED | TASK_IN_PLACE); /* written by its spawner or its caller */
    bool begins = likely(load_acquire(&task->hints) == 0 && !rare) || !filch__region_is_cancelled(task);
    int result = begins ? task->fn(task->arg) : -ECANCELED;
    struct filch__hot *here = filch__here(); /* perhaps another worker's by now */
    void *region = here->region;             /* none in the child of a fork */
    if (unlikely(region != task && region != NULL)) filch__region_die_open(region, "the function");
    probe2(end, task, result);
    if (filch__traces(here)) filch__trace_end(here, task, result);
    if (unlikely(load_acquire(&task->extra) != NULL)) filch__locals_end(task);
    edge_set(&task->end); /* END */
    edge_release(task->runtime);
    return result;
}

void filch__task_count_completed(void) {
    struct filch__worker *worker = filch__worker_current();   /* perhaps another than the one that began it */
    store_release(&worker->completed, worker->completed + 1); /* QUIET */
}

/* Apart, so that its registers are not saved where a plain waiter is granted. */
static never_inline void end_noted(struct filch_task *task, struct filch__await_noted *noted, int result) {
    filch__circle_leave(noted->note);
    filch__task_put(task);
    edge_set(&noted->waiter); /* END */
    filch__grant(&noted->waiter, result);
}

/* With a waiter, too: the awaiter may go on when this runtime is no more. */
static void end_rare(struct filch_task *task, uintptr_t end, int result) {
    if (unlikely(end & (TASK_END_SET | TASK_END_NOTED))) {
        void *awaiter = (void *)(end & ~(uintptr_t)TASK_END_BITS);
        if (end & TASK_END_SET) {
            filch__await_ended(awaiter);
        } else {
            end_noted(task, awaiter, result);
        }
        return;
    }
    filch__task_put(task);
    if (end == TASK_END_DETACHED) return;
    edge_set((struct filch__waiter *)end); /* END */
    filch__grant((struct filch__waiter *)end, result);
}

void filch__task_run(struct filch__worker *worker, struct filch_task *task) {
    struct filch__tasksan_call call;
    filch__strand_enter(&call, worker, task, true);
    int result = filch__task_call(worker, task);
    worker = filch__worker_current(); /* perhaps another than the one that began it */
    if (unlikely(worker == NULL)) filch__process_die("a task's function returned");
    if (unlikely(worker->guard > 0)) filch__guard_task_ends(worker, task);
    worker->deque.hot.region = NULL;
    task->result = result;
    store_relaxed(&task->state, (uint8_t)TASK_ENDED); /* for reports */
    uintptr_t end;
    if (unlikely(load_relaxed(&task->flags) & TASK_SCOPED)) { /* written before it was spawned */
        end = filch__scope_end_member(task, result);
    } else {
        end = exchange_acq_rel(&task->end, TASK_END_ENDED); /* END; if it was OPEN, the record may be gone now */
    }
    if (end != TASK_END_OPEN) end_rare(task, end, result);
    filch__strand_leave(&call);
    filch__task_count_completed();
}

/* -------------------------------------------------------------------------------------------------------- handles */

bool filch_task_done(const filch_task *task) {
    bool done = load_acquire(&((filch_task *)(uintptr_t)task)->end) == TASK_END_ENDED; /* END */
    if (done) edge_acquire(&((filch_task *)(uintptr_t)task)->end);
    return done;
}

const char *filch_task_name(const filch_task *task) {
    struct filch__task_extra *extra = task == NULL ? NULL : load_acquire(&((filch_task *)(uintptr_t)task)->extra);
    return extra == NULL ? "" : extra->name;
}

filch_task *filch_self(void) {
    return region_task(filch__here()->region);
}

/* ------------------------------------------------------------------------------------------------ yield and sleep */

/* Of a simulation, it is the others' turn: else who looks again and again for what they do would never see it. */
static void yield_thread(void) {
    if (likely(!filch__sim_is_mine())) {
        sched_yield();
    } else {
        filch__sim_yield();
        filch__sim_pass(INT64_MAX);
        filch__sim_point();
    }
}

static never_inline void *next_in_simulation(struct filch__worker *worker) {
    filch__sim_yield();
    void *item = filch__worker_next(worker);
    if (item == NULL) filch__sim_pass(filch__timers_earliest(&worker->timers));
    return item;
}

void filch_yield(void) {
    struct filch__worker *worker = filch__worker_current();
    if (unlikely(worker == NULL)) {
        yield_thread();
        return;
    }
    void *item = unlikely(worker->simulated) ? next_in_simulation(worker) : filch__worker_next(worker);
    if (item == NULL && likely(!load_relaxed(&worker->dismissed))) return;
    struct filch__waiter waiter;
    waiter.runtime = worker->runtime;
    count_up(&worker->yields, 1);
    filch__worker_leave(worker, &waiter, LAND_YIELD, item);
}

void filch__spend_last(void) {
    struct filch__worker *worker = filch__worker_current();
    if (worker->guard < GUARD_BLOCK) filch_yield(); /* else it has been promised that nothing gives way */
    filch__here()->budget = BUDGET;
}

int filch_sleep_until(filch_deadline deadline) {
    if (filch__cancelled()) return -ECANCELED;
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "sleep", NULL);
    return filch__park_cancellable(&waiter, deadline) == WAITER_CANCELLED ? -ECANCELED : 0;
}

int filch_sleep(int64_t duration_ns) {
    return filch_sleep_until(filch_after(duration_ns < 0 ? 0 : duration_ns));
}
