/* SPDX-License-Identifier: MIT */
#include "sched/task.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/place.h"
#include "sched/runtime.h"

/* ------------------------------------------------------------------------------------------------------- records */

static struct filch_task *record_get(struct filch_runtime *runtime, struct filch__worker *worker) {
    return worker != NULL ? filch__slab_cache_get(&worker->tasks) : filch__slab_depot_get(&runtime->tasks);
}

static void record_put(struct filch_task *task) {
    struct filch_runtime *runtime = task->runtime;
    store_relaxed(&task->state, TASK_FREE);   /* for reports */
    store_relaxed(&task->end, TASK_END_GONE); /* to tell a handle that is used once more, as long as it can be told */
    if (unlikely(task->extra != NULL)) {
        filch__lock_take(&runtime->extras_lock); /* a report may be reading the name */
        filch__heap_put(task->extra, sizeof *task->extra, 8);
        store_relaxed(&task->extra, NULL);
        filch__lock_leave(&runtime->extras_lock);
    }
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL && worker->runtime == runtime) {
        filch__slab_cache_put(&worker->tasks, task);
    } else {
        filch__slab_depot_put(&runtime->tasks, task);
    }
}

static int extra_make(struct filch_runtime *runtime, struct filch_task *task, const filch_task_options *options) {
    struct filch__task_extra *extra = filch__heap_get(sizeof *extra, 8);
    if (extra == NULL) return -ENOMEM;
    if (options->name != NULL) {
        size_t length = strnlen(options->name, sizeof extra->name - 1);
        memcpy(extra->name, options->name, length); /* the rest is zero */
    }
    extra->stack_class = options->stack_size == 0 ? runtime->stack_class : filch__stack_class(options->stack_size);
    store_relaxed(&task->extra, extra);
    return 0;
}

/* --------------------------------------------------------------------------------------------------------- spawn */

static bool options_are_valid(const filch_task_options *options) {
    return options == NULL || options->stack_size == 0 ||
           (options->stack_size >= FILCH__STACK_MIN && options->stack_size <= FILCH__STACK_MAX);
}

/* `worker`: the caller's, if it is one of `runtime`, else NULL. */
static int spawn(struct filch_runtime *runtime, struct filch__worker *worker, filch_task **handle, filch_fn *fn,
                 void *arg, const filch_task_options *options, void *spawned_at) {
    if (unlikely(fn == NULL || !options_are_valid(options))) return -EINVAL;
    struct filch_task *task = record_get(runtime, worker);
    if (unlikely(task == NULL)) return -ENOMEM;
    task->fn = fn;
    task->arg = arg;
    task->runtime = runtime;
    store_relaxed(&task->extra, NULL); /* atomic for the sake of reports, as the next */
    store_relaxed(&task->spawned_at, spawned_at);
    store_relaxed(&task->end, handle == NULL ? TASK_END_DETACHED : TASK_END_OPEN); /* published by the push */
    if (unlikely(options != NULL && extra_make(runtime, task, options) != 0)) {
        record_put(task);
        return -ENOMEM;
    }
    store_release(&task->state, TASK_READY); /* for reports */
    if (handle != NULL) *handle = task;
    if (worker != NULL) {
        count_up(&worker->spawned, 1);
        if (filch__deque_push(&worker->deque, item_of_task(task))) filch__worker_pushed(worker);
    } else {
        add_relaxed(&runtime->spawned_outside, 1);
        filch__inject_push(&runtime->inject, item_of_task(task));
        filch__idle_notify(runtime);
    }
    return 0;
}

int filch_spawn(filch_task **task, filch_fn *fn, void *arg, const filch_task_options *options) {
    struct filch__worker *worker = filch__worker_current();
    if (unlikely(worker == NULL)) return -EPERM;
    return spawn(worker->runtime, worker, task, fn, arg, options, __builtin_return_address(0));
}

int filch_runtime_spawn(filch_runtime *runtime, filch_task **task, filch_fn *fn, void *arg,
                        const filch_task_options *options) {
    if (runtime == NULL) return -EINVAL;
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL && worker->runtime != runtime) worker = NULL;
    if (worker != NULL) return spawn(runtime, worker, task, fn, arg, options, __builtin_return_address(0));
    int answer = -ESHUTDOWN;
    filch__runtime_enter(runtime);
    if (!load_seq_cst(&runtime->closed)) {
        answer = spawn(runtime, NULL, task, fn, arg, options, __builtin_return_address(0));
    }
    filch__runtime_leave(runtime);
    return answer;
}

/* ----------------------------------------------------------------------------------------------------------- run */

/* Calls the task's function, as the task. The worker may be another afterwards. */
static int call(struct filch__worker *worker, struct filch_task *task) {
    worker->deque.hot.task = task;
    store_relaxed(&task->state, TASK_STARTED); /* for reports */
    int result = task->fn(task->arg);
    return result;
}

/* The last thing that is done for a task. */
static void count_completed(void) {
    struct filch__worker *worker = filch__worker_current();   /* perhaps another than the one that began it */
    store_release(&worker->completed, worker->completed + 1); /* QUIET */
}

void filch__task_run(struct filch__worker *worker, struct filch_task *task) {
    int result = call(worker, task);
    filch__worker_current()->deque.hot.task = NULL;
    task->result = result;
    store_relaxed(&task->state, TASK_ENDED);                      /* for reports */
    uintptr_t end = exchange_acq_rel(&task->end, TASK_END_ENDED); /* END; if it was OPEN, the record may be gone now */
    if (end != TASK_END_OPEN) {
        /* With a waiter, too: the awaiter may go on when this runtime is no more. */
        record_put(task);
        if (end != TASK_END_DETACHED) {
            struct filch__waiter *waiter = (struct filch__waiter *)end;
            waiter->result = result; /* CAUSE carries it */
            filch__wake(waiter, WAITER_GRANTED);
        }
    }
    count_completed();
}

/* --------------------------------------------------------------------------------------------------------- await */

/*
 * At least half of the running stack is left: enough for a task of the default size on a stack of that size, which is
 * promised half of it in the worst case; one that asked for a size must have all of it.
 */
static bool has_room_here(struct filch__worker *worker, const struct filch_task *task) {
    unsigned here = worker->stack->size_class;
    return task->extra == NULL ? here >= task->runtime->stack_class : here > task->extra->stack_class;
}

/*
 * Calls a task that nobody has begun right here, if it is the youngest of the worker's deque. The caller would wait for
 * it in any case, so if it waits, both wait.
 */
static bool run_in_place(struct filch__worker *worker, struct filch_task *task, int *result) {
    struct filch__hot *hot = &worker->deque.hot;
    void *item = item_of_task(task);
    if ((uintptr_t)__builtin_frame_address(0) < hot->stack_low) return false;
    if (!has_room_here(worker, task)) return false;
    if (!filch__deque_pop_if_youngest(&worker->deque, item)) return false;
    void *self = hot->task;
    *result = call(worker, task);
    filch__worker_current()->deque.hot.task = self;
    record_put(task);
    count_completed();
    return true;
}

/* The result of a task that has ended; its record is given back. */
static int take_result(struct filch_task *task, int *value) {
    *value = task->result;
    record_put(task);
    return 0;
}

static _Noreturn void die_of_second_awaiter(const struct filch_task *task, uintptr_t end) {
    char place[PLACE_SIZE];
    filch__place_write(task->spawned_at, place);
    filch__die("await or detach: a handle is given up once: task %p \"%s\", spawned at %s, %s", (const void *)task,
               filch_task_name(task), place,
               end == TASK_END_DETACHED ? "is detached"
               : end == TASK_END_GONE   ? "was awaited or detached before"
                                        : "is awaited by another");
}

/*
 * Waits until the task has ended or `deadline` has passed. 0: it has ended, its result is in `*value`, and its record is
 * given back.
 */
static int wait_for_end(struct filch_task *task, int *value, filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "await", task);
    uintptr_t end = TASK_END_OPEN;
    if (!cas_acq_rel(&task->end, &end, (uintptr_t)&waiter)) { /* END */
        if (end == TASK_END_ENDED) return take_result(task, value);
        die_of_second_awaiter(task, end);
    }
    while (!(filch__park_until(&waiter, deadline) & WAITER_GRANTED)) {
        end = (uintptr_t)&waiter;
        if (cas_acq_rel(&task->end, &end, TASK_END_OPEN)) return -ETIMEDOUT;
        /* It ended just now, and will grant: that is waited for, since it touches the waiter. */
        filch__waiter_unexpire(&waiter);
        deadline = FILCH_NEVER;
    }
    *value = waiter.result;
    return 0;
}

static int await(struct filch_task *task, int *value, filch_deadline deadline) {
    uintptr_t end = load_acquire(&task->end); /* END */
    if (end == TASK_END_ENDED) return take_result(task, value);
    struct filch__worker *worker = filch__worker_current();
    if (unlikely(worker != NULL && worker->deque.hot.task == task)) return -EDEADLK;
    if (unlikely(end != TASK_END_OPEN)) die_of_second_awaiter(task, end);
    if (worker != NULL && deadline.at_ns == INT64_MAX && run_in_place(worker, task, value)) return 0;
    return wait_for_end(task, value, deadline);
}

int filch_await(filch_task *task, int *result, filch_deadline deadline) {
    if (unlikely(task == NULL)) return -EINVAL;
    int value = 0;
    int answer = await(task, &value, deadline);
    if (answer == 0 && result != NULL) *result = value;
    return answer;
}

void filch_task_detach(filch_task *task) {
    if (task == NULL) return;
    uintptr_t end = TASK_END_OPEN;
    if (cas_acq_rel(&task->end, &end, TASK_END_DETACHED)) return;
    if (end != TASK_END_ENDED) die_of_second_awaiter(task, end);
    record_put(task);
}

bool filch_task_done(const filch_task *task) {
    return load_acquire(&((filch_task *)(uintptr_t)task)->end) == TASK_END_ENDED; /* END */
}

const char *filch_task_name(const filch_task *task) {
    return task == NULL || task->extra == NULL ? "" : task->extra->name;
}

filch_task *filch_self(void) {
    return filch__here()->task;
}

/* ------------------------------------------------------------------------------------------------ yield and sleep */

void filch_yield(void) {
    struct filch__worker *worker = filch__worker_current();
    if (unlikely(worker == NULL)) {
        sched_yield();
        return;
    }
    void *item = filch__worker_next(worker);
    if (item == NULL) return;
    struct filch__waiter waiter;
    waiter.runtime = worker->runtime;
    waiter.reason = "yield";
    count_up(&worker->yields, 1);
    filch__worker_leave(worker, &waiter, LAND_YIELD, item);
}

int filch_sleep_until(filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "sleep", NULL);
    filch__park_until(&waiter, deadline);
    return 0;
}

int filch_sleep(int64_t duration_ns) {
    if (duration_ns <= 0) return 0;
    return filch_sleep_until(filch_after(duration_ns));
}
