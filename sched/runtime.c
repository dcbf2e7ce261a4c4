/* SPDX-License-Identifier: MIT */
/*
 * A runtime's life: made, run, shut down, destroyed.
 *
 * When are all tasks done? Counting them in one place would cost each spawn a contended write; so each worker counts what
 * it has spawned and what has ended on it, and whoever wants to know adds up: first all that has ended, then all that was
 * spawned. Both sums only grow, and never more has ended than was spawned; so if the later sum equals the earlier one,
 * then at the moment between them no task was left.
 *
 * Edge
 *   QUIET   a task's end: its worker's `completed` (release) -> shutdown (acquire)   carries all the task did
 */
#include <filch/runtime.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/barrier.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "sched/runtime.h"
#include "sched/task.h"

/* ------------------------------------------------------------------------------------------------------- making */

static bool options_are_valid(const filch_options *options) {
    if (options->workers > FILCH_WORKERS_MAX) return false;
    return options->stack_size == 0 ||
           (options->stack_size >= FILCH__STACK_MIN && options->stack_size <= FILCH__STACK_MAX);
}

/* Whether deques may be closed: see sched/deque.h. ThreadSanitizer does not see the barrier. */
static bool barrier_is_to_be_had(void) {
#ifdef FILCH_TSAN
    return false;
#else
    return filch__barrier_register();
#endif
}

static void worker_fini(struct filch__worker *worker) {
    filch__slab_cache_drain(&worker->extras);
    filch__slab_cache_drain(&worker->tasks);
    filch__stack_cache_drain(&worker->stacks);
    filch__timers_fini(&worker->timers);
    filch__runqueue_fini(&worker->runqueue);
    filch__deque_fini(&worker->deque);
    filch__heap_put(worker->signal_stack, filch__overflow_stack_size(), 16);
}

static int worker_init(struct filch__worker *worker, struct filch_runtime *runtime, unsigned index, uint64_t seed) {
    worker->runtime = runtime;
    worker->index = index;
    worker->alone = runtime->worker_count == 1;
    filch__random_init(&worker->random, seed, index);
    filch__slab_cache_init(&worker->tasks, &runtime->tasks);
    filch__slab_cache_init(&worker->extras, &runtime->extras);
    filch__stack_cache_init(&worker->stacks, &runtime->stacks, runtime->stack_class);
    filch__timers_init(&worker->timers);
    int answer = filch__deque_init(&worker->deque, worker->alone || runtime->closable);
    if (answer != 0) goto no_deque;
    answer = filch__runqueue_init(&worker->runqueue);
    if (answer != 0) goto no_runqueue;
    worker->runqueue.alone = worker->alone;
    answer = -ENOMEM;
    worker->signal_stack = filch__heap_get(filch__overflow_stack_size(), 16);
    if (worker->signal_stack == NULL) goto no_signal_stack;
    worker->left_stack = filch__stack_cache_get(&worker->stacks); /* its first */
    if (worker->left_stack != NULL) return 0;

    filch__heap_put(worker->signal_stack, filch__overflow_stack_size(), 16);
no_signal_stack:
    filch__runqueue_fini(&worker->runqueue);
no_runqueue:
    filch__deque_fini(&worker->deque);
no_deque:
    filch__timers_fini(&worker->timers);
    return answer;
}

static void *worker_thread(void *argument) {
    struct filch__worker *worker = argument;
    filch__fiber_init_thread(&worker->thread_fiber);
    filch__overflow_watch(worker->signal_stack, filch__overflow_stack_size());
    filch__worker_set_current(worker);
    worker->exceptions = filch__exceptions_of_thread();
    filch__worker_run(worker);
    filch__worker_set_current(NULL);
    filch__overflow_unwatch();
    return NULL;
}

static void name_thread(struct filch_runtime *runtime, struct filch__worker *worker) {
    char name[32];
    snprintf(name, sizeof name, "%.10s-%u", runtime->name, worker->index);
    name[15] = '\0';
    pthread_setname_np(worker->thread, name);
}

/* Ends and joins the first `started` workers. */
static void stop_workers(struct filch_runtime *runtime, unsigned started) {
    store_seq_cst(&runtime->ending, 1);
    filch__idle_wake_all(runtime);
    for (unsigned i = 0; i < started; i++) pthread_join(runtime->workers[i].thread, NULL);
}

static int start_workers(struct filch_runtime *runtime) {
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        struct filch__worker *worker = &runtime->workers[i];
        if (pthread_create(&worker->thread, NULL, worker_thread, worker) != 0) {
            stop_workers(runtime, i);
            /* Those that never ran still have their first stack. */
            for (; i < runtime->worker_count; i++) {
                worker = &runtime->workers[i];
                filch__stack_cache_put(&worker->stacks, worker->left_stack);
            }
            return -EAGAIN;
        }
        name_thread(runtime, worker);
    }
    return 0;
}

static size_t workers_size(const struct filch_runtime *runtime) {
    return runtime->worker_count * sizeof(struct filch__worker);
}

/* The parts that hold no thread; `workers` have been finished, or were never there. */
static void parts_fini(struct filch_runtime *runtime) {
    filch__heap_put(runtime->workers, workers_size(runtime), CACHE_LINE);
    filch__stack_pool_fini(&runtime->stacks);
    filch__slab_depot_fini(&runtime->extras);
    filch__slab_depot_fini(&runtime->tasks);
    filch__lock_fini(&runtime->children_lock);
    filch__inject_fini(&runtime->inject);
    filch__idle_fini(&runtime->idle);
}

static int workers_init(struct filch_runtime *runtime, uint64_t seed) {
    runtime->workers = filch__heap_get(workers_size(runtime), CACHE_LINE);
    if (runtime->workers == NULL) return -ENOMEM;
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        int answer = worker_init(&runtime->workers[i], runtime, i, seed);
        if (answer == 0) continue;
        while (i-- > 0) {
            filch__stack_cache_put(&runtime->workers[i].stacks, runtime->workers[i].left_stack);
            worker_fini(&runtime->workers[i]);
        }
        return answer;
    }
    return 0;
}

static int parts_init(struct filch_runtime *runtime, uint64_t seed) {
    filch__idle_init(&runtime->idle);
    filch__inject_init(&runtime->inject);
    filch__lock_init(&runtime->children_lock);
    filch__slab_depot_init(&runtime->tasks, sizeof(struct filch_task));
    filch__slab_depot_init(&runtime->extras, sizeof(struct filch__task_extra));
    store_relaxed(&runtime->coarse_ns, filch__clock_now()); /* nobody else knows of it */
    int answer = filch__stack_pool_init(&runtime->stacks);
    if (answer != 0) goto no_stacks;
    answer = workers_init(runtime, seed);
    if (answer == 0) return 0;

    filch__heap_put(runtime->workers, workers_size(runtime), CACHE_LINE);
    filch__stack_pool_fini(&runtime->stacks);
no_stacks:
    filch__slab_depot_fini(&runtime->extras);
    filch__slab_depot_fini(&runtime->tasks);
    filch__lock_fini(&runtime->children_lock);
    filch__inject_fini(&runtime->inject);
    filch__idle_fini(&runtime->idle);
    return answer;
}

int filch_runtime_create(filch_runtime **result, const filch_options *options) {
    static const filch_options defaults;
    if (options == NULL) options = &defaults;
    if (result == NULL || !options_are_valid(options)) return -EINVAL;
    struct filch_runtime *runtime = filch__heap_get(sizeof *runtime, CACHE_LINE);
    if (runtime == NULL) return -ENOMEM;
    snprintf(runtime->name, sizeof runtime->name, "%s", options->name == NULL ? "filch" : options->name);
    runtime->worker_count = options->workers != 0 ? options->workers : filch__cpu_available();
    if (runtime->worker_count > FILCH_WORKERS_MAX) runtime->worker_count = FILCH_WORKERS_MAX;
    runtime->search_max = runtime->worker_count <= 2 ? 1 : runtime->worker_count / 2;
    runtime->stack_class = filch__stack_class(options->stack_size != 0 ? options->stack_size : FILCH__STACK_DEFAULT);
    runtime->closable = barrier_is_to_be_had();
    runtime->process = filch__process_number();

    int answer = parts_init(runtime, options->seed != 0 ? options->seed : filch__random_seed());
    if (answer == 0) {
        answer = start_workers(runtime);
        if (answer == 0) {
            filch__process_count(1);
            *result = runtime;
            return 0;
        }
        for (unsigned i = 0; i < runtime->worker_count; i++) worker_fini(&runtime->workers[i]);
        parts_fini(runtime);
    }
    filch__heap_put(runtime, sizeof *runtime, CACHE_LINE);
    return answer;
}

/* ------------------------------------------------------------------------------------------------------- ending */

void filch__runtime_quiet(struct filch_runtime *runtime) {
    /* By an RMW, as shutdown's: whichever is first, the later sees all that came before it. */
    if (add_seq_cst(&runtime->quiet_waiters, 0) == 0) return;
    add_seq_cst(&runtime->quiet, 1);
    filch__futex_wake(&runtime->quiet, INT32_MAX);
}

static bool all_done(struct filch_runtime *runtime) {
    /* Threads from outside are soon gone, and can spawn no more once it is closed. */
    while (load_seq_cst(&runtime->entering) != 0) sched_yield();
    uint64_t completed = 0, spawned = 0;
    for (unsigned i = 0; i < runtime->worker_count; i++) completed += load_acquire(&runtime->workers[i].completed);
    for (unsigned i = 0; i < runtime->worker_count; i++) spawned += load_acquire(&runtime->workers[i].spawned);
    if (completed != spawned + load_acquire(&runtime->spawned_outside)) return false;
    /* Again: who woke the last tasks may still be at it. */
    while (load_seq_cst(&runtime->entering) != 0) sched_yield();
    return true;
}

int filch_runtime_shutdown(filch_runtime *runtime, filch_deadline deadline) {
    if (runtime == NULL) return -EINVAL;
    struct filch__worker *worker = filch__worker_current();
    if (worker != NULL && worker->runtime == runtime) return -EDEADLK;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN;
    store_seq_cst(&runtime->closed, 1);
    add_seq_cst(&runtime->quiet_waiters, 1);
    int answer = 0;
    for (;;) {
        uint32_t seen = load_seq_cst(&runtime->quiet);
        if (all_done(runtime)) break;
        if (load_seq_cst(&runtime->cancelled)) filch__runtime_cancel_again(runtime);
        if (!filch__futex_wait(&runtime->quiet, seen, deadline.at_ns)) {
            answer = all_done(runtime) ? 0 : -ETIMEDOUT;
            break;
        }
    }
    sub_seq_cst(&runtime->quiet_waiters, 1);
    return answer;
}

int filch_runtime_destroy(filch_runtime *runtime) {
    if (runtime == NULL) return 0;
    int answer = filch_runtime_shutdown(runtime, FILCH_NEVER);
    if (answer != 0) return answer;
    stop_workers(runtime, runtime->worker_count);
    filch__process_count(-1);
    for (unsigned i = 0; i < runtime->worker_count; i++) worker_fini(&runtime->workers[i]);
    parts_fini(runtime);
    filch__heap_put(runtime, sizeof *runtime, CACHE_LINE);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ running */

int filch_run(filch_fn *fn, void *arg, const filch_options *options) {
    if (fn == NULL) return -EINVAL;
    if (filch__worker_current() != NULL) return -EDEADLK;
    filch_runtime *runtime;
    int answer = filch_runtime_create(&runtime, options);
    if (answer != 0) return answer;
    filch_task *task;
    answer = filch_runtime_spawn(runtime, &task, fn, arg, &(filch_task_options){.name = "main"});
    if (answer == 0) {
        int waited = filch_await(task, &answer, FILCH_NEVER);
        assert_internal(waited == 0);
        (void)waited;
    }
    filch_runtime_destroy(runtime);
    return answer;
}

filch_runtime *filch_runtime_current(void) {
    struct filch__worker *worker = filch__worker_current();
    return worker == NULL ? NULL : worker->runtime;
}

unsigned filch_runtime_workers(const filch_runtime *runtime) {
    return runtime == NULL ? 0 : runtime->worker_count;
}
