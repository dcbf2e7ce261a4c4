/* SPDX-License-Identifier: MIT */
/*
 * A runtime's life: made, run, shut down, destroyed.
 *
 * When are all tasks done? Counting them in one place would cost each spawn a contended write; so each worker counts what
 * it has spawned and what has ended on it, and whoever wants to know adds up: first all that has ended, then all that was
 * spawned. Both sums only grow, and never more has ended than was spawned; so if the later sum equals the earlier one,
 * then at the moment between them no task was left.
 *
 * Edges
 *   KNOWN   a spare is made: worker_known (seq_cst)  -> whoever looks at all workers: worker_known (seq_cst)
 *   BEGUN   a worker's thread: thread_number (release)  -> who looks at it: thread_number (acquire)   carries its clock
 *   QUIET   a task's end: its worker's `completed` (release) -> shutdown (acquire)   carries all the task did
 */
#include <filch/runtime.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/futex.h"
#include "base/tasksan.h"
#include "base/utf8.h"
#include "sched/quit.h"
#include "sched/runtime.h"
#include "sched/task.h"

#define BLOCKING_THREADS_DEFAULT 64
#define SIMULATED_WORKERS 2 /* by default: the number of processors is the machine's */

/* The schedule explorer has no clock that the monitor could go by, and its threads have none. */
#ifdef FILCH_EXPLORE
#define MONITOR_POSSIBLE false
#define THREADS_HAVE_CLOCKS false
#else
#define MONITOR_POSSIBLE true
#define THREADS_HAVE_CLOCKS true
#endif

/* ------------------------------------------------------------------------------------------------------- making */

static bool options_are_valid(const filch_options *options) {
    if (options->workers > FILCH_WORKERS_MAX) return false;
    if (options->blocking_threads > FILCH_BLOCKING_THREADS_MAX) return false;
    if ((unsigned)options->on_deadlock > FILCH_DEADLOCK_IGNORE) return false;
    if ((unsigned)options->poller > FILCH_POLLER_IO_URING) return false;
    if (!filch__debug_read(&(struct filch__debug){0}, options->debug, "filch_options.debug")) return false;
    return options->stack_size == 0 ||
           (options->stack_size >= FILCH__STACK_MIN && options->stack_size <= FILCH__STACK_MAX);
}

/* Whether deques may be closed: see sched/deque.h. ThreadSanitizer does not see the barrier. */
static bool barrier_is_to_be_had(void) {
#if defined(FILCH_TSAN) || defined(FILCH_TASKSAN)
    return false;
#else
    return filch__barrier_register();
#endif
}

static void worker_fini(struct filch__worker *worker) {
    filch__slab_cache_drain(&worker->extras);
    filch__slab_cache_drain(&worker->tasks);
    filch__stack_cache_drain(&worker->stacks);
    filch__runqueue_fini(&worker->runqueue);
    filch__deque_fini(&worker->deque);
    filch__heap_put(worker->signal_stack, filch__overflow_stack_size(), 16);
}

static bool is_spare(const struct filch__worker *worker) {
    return worker->index >= worker->runtime->worker_count;
}

static int worker_init(struct filch__worker *worker, struct filch_runtime *runtime, unsigned index, uint64_t seed) {
    worker->runtime = runtime;
    worker->index = index;
    worker->simulated = runtime->simulated;
    worker->guard = runtime->debug.checks & (CHECK_HELD | CHECK_FOREIGN | CHECK_ERRNO) ? GUARD_WATCHED : 0;
    bool only = runtime->worker_count == 1;
    worker->may_be_alone = only && index == 0 && runtime->monitor.on && runtime->closable;
    worker->alone = worker->may_be_alone || (only && !runtime->monitor.on);
    filch__random_init(&worker->random, seed, index);
    filch__slab_cache_init(&worker->tasks, &runtime->stock.tasks);
    filch__slab_cache_init(&worker->extras, &runtime->stock.extras);
    filch__stack_cache_init(&worker->stacks, &runtime->stock.stacks, runtime->stack_class);
    filch__timers_renew(&worker->timers);
    int answer = filch__deque_init(&worker->deque, worker->alone || (runtime->closable && !is_spare(worker)));
    if (answer != 0) goto no_deque;
    answer = filch__runqueue_init(&worker->runqueue);
    if (answer != 0) goto no_runqueue;
    worker->runqueue.alone = worker->alone;
    answer = -ENOMEM;
    if (!worker->simulated) worker->signal_stack = filch__heap_get(filch__overflow_stack_size(), 16);
    if (!worker->simulated && worker->signal_stack == NULL) goto no_signal_stack;
    worker->left_stack = filch__stack_cache_get(&worker->stacks); /* its first */
    if (worker->left_stack != NULL) return 0;

    filch__heap_put(worker->signal_stack, filch__overflow_stack_size(), 16);
no_signal_stack:
    filch__runqueue_fini(&worker->runqueue);
no_runqueue:
    filch__deque_fini(&worker->deque);
no_deque:
    return answer;
}

/* Who writes to a pipe that nobody reads is to be told so, and not killed. What the program starts unblocks it again. */
static void block_sigpipe(void) {
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
}

/* What a worker's thread is, where it is one of its own. */
static void prepare_thread(struct filch__worker *worker) {
    filch__heap_begin_thread();
    filch__fiber_init_thread(&worker->thread_fiber);
    filch__overflow_watch(worker->signal_stack, filch__overflow_stack_size());
    block_sigpipe();
    prctl(PR_SET_TIMERSLACK, 1); /* its sleeps end when its timers are due, not up to 50 us later */
}

static void *worker_thread(void *argument) {
    struct filch__worker *worker = argument;
    if (!worker->simulated) prepare_thread(worker);
    filch__worker_set_current(worker);
    worker->exceptions = filch__exceptions_of_thread();
    filch__timers_saw(&worker->timers, filch__clock_now());
    if (THREADS_HAVE_CLOCKS && !worker->simulated) {
        pthread_getcpuclockid(pthread_self(), &worker->processor_clock);
        store_release(&worker->thread_number, gettid()); /* BEGUN */
    }
    if (is_spare(worker)) filch__idle_wait_retired(worker);
    filch__worker_run(worker);
    filch__worker_set_current(NULL);
    if (!worker->simulated) filch__overflow_unwatch();
    return NULL;
}

static void name_thread(struct filch_runtime *runtime, struct filch__worker *worker) {
    char name[32];
    snprintf(name, sizeof name, "%.10s-%u", runtime->name, worker->index);
    name[15] = '\0';
    pthread_setname_np(worker->thread, name);
}

static void join_worker(struct filch__worker *worker) {
    if (worker->simulated) {
        filch__sim_join(worker);
    } else {
        pthread_join(worker->thread, NULL);
    }
}

/* Ends and joins the first `started` workers, and the spares. */
static void stop_workers(struct filch_runtime *runtime, unsigned started) {
    store_seq_cst(&runtime->ending, 1);
    filch__idle_wake_all(runtime);
    while (filch__idle_unretire(runtime)) continue;
    for (unsigned i = 0; i < started; i++) join_worker(&runtime->workers[i]);
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = runtime->worker_count; i < known; i++) {
        pthread_join(filch__runtime_worker(runtime, i)->thread, NULL);
    }
}

/* Starts the thread of a worker; 0 or -EAGAIN. */
static int start_worker(struct filch_runtime *runtime, struct filch__worker *worker) {
    if (runtime->simulated) return filch__sim_start(worker, worker_thread, &worker->thread_fiber) == 0 ? 0 : -EAGAIN;
    if (pthread_create(&worker->thread, NULL, worker_thread, worker) != 0) return -EAGAIN;
    name_thread(runtime, worker);
    return 0;
}

static int start_workers(struct filch_runtime *runtime) {
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        if (start_worker(runtime, &runtime->workers[i]) == 0) continue;
        stop_workers(runtime, i);
        /* Those that never ran still have their first stack. */
        for (; i < runtime->worker_count; i++) {
            struct filch__worker *worker = &runtime->workers[i];
            filch__stack_cache_put(&worker->stacks, worker->left_stack);
        }
        return -EAGAIN;
    }
    int answer = filch__monitor_start(runtime);
    if (answer == 0) {
        answer = filch__interrupt_start(runtime);
        if (answer == 0) return 0;
        filch__monitor_stop(runtime);
    }
    stop_workers(runtime, runtime->worker_count);
    return answer;
}

/* -------------------------------------------------------------------------------------------------------- spares */

static struct filch__worker *spare_make(struct filch_runtime *runtime, unsigned index) {
    struct filch__worker *spare = filch__heap_get(sizeof *spare, CACHE_LINE);
    if (spare == NULL) return NULL;
    spare->rests = RESTS_RETIRED;
    if (worker_init(spare, runtime, index, runtime->seed) == 0) {
        if (start_worker(runtime, spare) == 0) return spare;
        filch__stack_cache_put(&spare->stacks, spare->left_stack);
        worker_fini(spare);
    }
    filch__heap_put(spare, sizeof *spare, CACHE_LINE);
    return NULL;
}

bool filch__runtime_add_spare(struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime); /* only the caller changes it */
    if (known == runtime->worker_count + SPARES_MAX) return false;
    struct filch__worker *spare = spare_make(runtime, known);
    if (spare == NULL) return false;
    store_relaxed(&runtime->spares[known - runtime->worker_count], spare); /* KNOWN */
    store_seq_cst(&runtime->worker_known, known + 1);
    filch__trace_add_worker(spare);
    return true;
}

static void workers_fini(struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) worker_fini(filch__runtime_worker(runtime, i));
    for (unsigned i = runtime->worker_count; i < known; i++) {
        filch__heap_put(filch__runtime_worker(runtime, i), sizeof(struct filch__worker), CACHE_LINE);
    }
}

/* Zeroed, but for a stock that may be there. */
static struct filch_runtime *runtime_get(bool simulated, unsigned workers) {
    struct filch_runtime *runtime = simulated ? filch__sim_take_runtime(workers) : NULL;
    return runtime != NULL ? runtime : filch__heap_get(sizeof *runtime, CACHE_LINE);
}

static void runtime_put(struct filch_runtime *runtime) {
    if (runtime->simulated && filch__sim_keep_runtime(runtime)) return;
    filch__runtime_free(runtime);
}

void filch__runtime_free(struct filch_runtime *runtime) {
    filch__stock_fini(&runtime->stock);
    filch__heap_put(runtime, sizeof *runtime, CACHE_LINE);
}

static int stock_make(struct filch_runtime *runtime) {
    int answer = runtime->stock.workers != NULL ? 0 : filch__stock_init(&runtime->stock, runtime->worker_count);
    runtime->workers = runtime->stock.workers;
    return answer;
}

/* The parts that hold no thread; `workers` have been finished, or were never there. */
static void parts_fini(struct filch_runtime *runtime) {
    filch__trace_fini(runtime);
    filch__lock_fini(&runtime->children_lock);
    filch__lock_fini(&runtime->poller_lock);
    filch__inject_fini(&runtime->inject);
    filch__idle_fini(&runtime->idle);
}

static int workers_init(struct filch_runtime *runtime, uint64_t seed) {
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
    filch__lock_init(&runtime->poller_lock);
    store_relaxed(&runtime->coarse_ns, filch__clock_now()); /* nobody else knows of it */
    int answer = stock_make(runtime);
    if (answer == 0) answer = workers_init(runtime, seed);
    if (answer == 0) return 0;

    filch__lock_fini(&runtime->children_lock);
    filch__lock_fini(&runtime->poller_lock);
    filch__inject_fini(&runtime->inject);
    filch__idle_fini(&runtime->idle);
    return answer;
}

/* What the options, the environment, or else the caller's being simulated, say of a simulation; `*simulation` is one's, or NULL. */
static int simulation_of(const filch_options *options, filch_simulation *room, unsigned *workers,
                         const filch_simulation **simulation) {
    *simulation = options->simulation;
    *workers = options->workers;
    if (*simulation != NULL) {
        *room = **simulation;
    } else {
        bool asked = false;
        int error = filch__sim_from_environment(room, workers, &asked);
        if (error != 0) return error;
        if (!asked && !filch__sim_is_mine()) return 0;
        if (!asked) *room = (filch_simulation){.quiet = true}; /* it joins the one that there is */
    }
    *simulation = room;
    if (*workers == 0) *workers = SIMULATED_WORKERS;
    return room->policy == FILCH_RANDOM_WALK || room->policy == FILCH_PCT ? filch__sim_begin(room) : -EINVAL;
}

static void fill_debug(struct filch_runtime *runtime, const filch_options *options) {
    struct filch__debug *debug = &runtime->debug;
    filch__debug_of_environment(debug);
    (void)filch__debug_read(debug, options->debug, NULL);
    if (options->on_deadlock == FILCH_DEADLOCK_ABORT && debug->on_cycle == CYCLE_TELL) debug->on_cycle = CYCLE_ABORT;
    debug->on_report = options->on_report;
    debug->on_report_arg = options->on_report_arg;
    filch__debug_begin(runtime);
}

static void fill(struct filch_runtime *runtime, const filch_options *options, unsigned workers,
                 const filch_simulation *simulation) {
    const char *name = options->name == NULL ? "filch" : options->name;
    snprintf(runtime->name, sizeof runtime->name, "%.*s", (int)filch__utf8_cut(name, sizeof runtime->name - 1), name);
    runtime->simulated = simulation != NULL;
    runtime->task_flags = runtime->simulated ? TASK_SIMULATED : 0;
    fill_debug(runtime, options);
    runtime->worker_count = workers != 0 ? workers : filch__cpu_available();
    if (runtime->worker_count > FILCH_WORKERS_MAX) runtime->worker_count = FILCH_WORKERS_MAX;
    runtime->search_max = runtime->worker_count <= 2 ? 1 : runtime->worker_count / 2;
    runtime->stack_class = filch__stack_class(options->stack_size != 0 ? options->stack_size : FILCH__STACK_DEFAULT);
    runtime->closable = !runtime->simulated && barrier_is_to_be_had();
    filch__process_watch();
    runtime->process = filch__process_number();
    runtime->seed = runtime->simulated ? simulation->seed : options->seed != 0 ? options->seed : filch__random_seed();
    runtime->worker_known = runtime->monitor.at_work = runtime->worker_count;
    runtime->monitor.on = !options->no_monitor && MONITOR_POSSIBLE && !runtime->simulated;
    runtime->monitor.tells = options->report_hogs || runtime->debug.checks & CHECK_HOG;
    runtime->monitor.tells_rest = runtime->debug.checks & CHECK_DEADLOCK;
    runtime->on_deadlock = options->on_deadlock;
    runtime->poller_wish = options->poller;
    runtime->interrupt.on = options->interrupt && !runtime->simulated;
    unsigned helpers = options->blocking_threads != 0 ? options->blocking_threads : BLOCKING_THREADS_DEFAULT;
    filch__blocking_init(&runtime->blocking, runtime, helpers);
}

int filch_runtime_create(filch_runtime **result, const filch_options *options) {
    static const filch_options defaults;
    if (options == NULL) options = &defaults;
    if (result == NULL || !options_are_valid(options)) return -EINVAL;
    filch_simulation room;
    const filch_simulation *simulation;
    unsigned workers;
    filch__trace_watch();
    int answer = simulation_of(options, &room, &workers, &simulation);
    if (answer != 0) return answer;
    struct filch_runtime *runtime = runtime_get(simulation != NULL, workers);
    answer = -ENOMEM;
    if (runtime == NULL) goto no_runtime;
    fill(runtime, options, workers, simulation);
    answer = parts_init(runtime, runtime->seed);
    if (answer != 0) goto no_parts;
    filch__trace_by_environment(runtime);
    answer = start_workers(runtime);
    if (answer != 0) goto no_workers;
    filch__process_count(1);
    filch__quit_watch();
    filch__runtimes_add(runtime);
    *result = runtime;
    return 0;

no_workers:
    workers_fini(runtime);
    parts_fini(runtime);
no_parts:
    filch__runtime_free(runtime);
no_runtime:
    if (simulation != NULL) filch__sim_end();
    return answer;
}

void filch__runtime_set_poller(struct filch_runtime *runtime, struct filch__poller *poller) {
    store_seq_cst(&runtime->poller, poller); /* as work that is published: sched/idle.c */
    filch__idle_notify(runtime);
}

static void poller_fini(struct filch_runtime *runtime) {
    struct filch__poller *poller = load_relaxed(&runtime->poller); /* the workers have ended */
    if (poller != NULL) poller->ops->destroy(poller);
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
    /* A spare that is not known when a sum begins has not spawned anything by then, and ends nothing that is in the sum. */
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) completed += load_acquire(&filch__runtime_worker(runtime, i)->completed);
    known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) spawned += load_acquire(&filch__runtime_worker(runtime, i)->spawned);
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
    filch__interrupt_stop(runtime);
    edge_acquire(runtime); /* what all its tasks did */
    filch__runtimes_remove(runtime);
    filch__monitor_stop(runtime);
    filch__quit_unwatch();
    filch__blocking_stop(&runtime->blocking);
    stop_workers(runtime, runtime->worker_count);
    filch__trace_finish(runtime);
    filch__debug_end(runtime);
    filch__process_count(-1);
    poller_fini(runtime);
    workers_fini(runtime);
    parts_fini(runtime);
    bool simulated = runtime->simulated;
    runtime_put(runtime);
    if (simulated) filch__sim_end();
    return 0;
}

/* ------------------------------------------------------------------------------------------------------ running */

static int refuse_task(const filch_options *options) {
    const filch_simulation *simulation = options == NULL ? NULL : options->simulation;
    if (simulation != NULL && !simulation->quiet) {
        dprintf(STDERR_FILENO,
                "filch: simulation: filch_run would keep the worker of the task that calls it: -EDEADLK; "
                "filch_runtime_create does not\n");
    }
    return -EDEADLK;
}

int filch_run(filch_fn *fn, void *arg, const filch_options *options) {
    if (fn == NULL) return -EINVAL;
    if (filch__worker_current() != NULL) return refuse_task(options);
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
    bool stuck = runtime->simulated && filch__sim_is_stuck();
    filch_runtime_destroy(runtime);
    return stuck ? -EDEADLK : answer;
}

filch_runtime *filch_runtime_current(void) {
    struct filch__worker *worker = filch__worker_current();
    return worker == NULL ? NULL : worker->runtime;
}

unsigned filch_runtime_workers(const filch_runtime *runtime) {
    return runtime == NULL ? 0 : runtime->worker_count;
}
