/* SPDX-License-Identifier: MIT */
/*
 * A runtime in numbers: counters, which workers and others keep anyway, and gauges, which are read here when they are asked
 * for. To ask costs who asks; nobody else does more than he did, but for a latch that he may find taken for a moment.
 *
 * relaxed, all that is loaded so here: each figure for itself, as the header says. Where a gauge is the difference of two
 * counters, what ends is read first, by acquire, and what begins after it.
 */
#include "sched/stats.h"

#include <errno.h>
#include <time.h>

#include "sched/runtime.h"

/* --------------------------------------------------------------------------------------------------------- a worker */

/* What its thread has used; nothing of one that has not begun, or has none. */
static uint64_t processor_ns(struct filch__worker *worker) {
    struct timespec used;
    if (load_acquire(&worker->thread_number) == 0) return 0; /* BEGUN */
    if (clock_gettime(worker->processor_clock, &used) != 0) return 0;
    return (uint64_t)FILCH_SEC(used.tv_sec) + (uint64_t)used.tv_nsec;
}

static filch_worker_state state_of(struct filch__worker *worker) {
    switch (load_relaxed(&worker->rests)) {
    case RESTS_RETIRED:
        return FILCH_WORKER_RETIRED;
    case RESTS_ASLEEP:
        return load_relaxed(&worker->polls) ? FILCH_WORKER_POLLING : FILCH_WORKER_ASLEEP;
    default:
        return load_relaxed(&worker->blocks) ? FILCH_WORKER_BLOCKED : FILCH_WORKER_AWAKE;
    }
}

/* The two indices are read one after the other, so that more may have been taken by then than there was. */
static uint64_t deque_depth(struct filch__deque *deque) {
    int64_t top = load_relaxed(&deque->top), depth = load_relaxed(&deque->bottom) - top;
    return depth > 0 ? (uint64_t)depth : 0;
}

static uint64_t run_queue_depth(struct filch__worker *worker) {
    int64_t length = filch__runqueue_length(&worker->runqueue);
    return (length > 0 ? (uint64_t)length : 0) + (load_relaxed(&worker->next) != NULL);
}

static void read_timers(struct filch__timers *timers, filch_worker_stats *stats) {
    filch__latch_take(&timers->latch);
    stats->timers = timers->count;
    stats->timers_set = timers->set_count;
    filch__latch_leave(&timers->latch);
}

void filch__stats_read_worker(struct filch__worker *worker, filch_worker_stats *stats, bool cpu) {
    *stats = (filch_worker_stats){
        .spawned = load_relaxed(&worker->spawned),
        .completed = load_relaxed(&worker->completed),
        .steals = load_relaxed(&worker->steals),
        .steal_tries = load_relaxed(&worker->steal_tries),
        .parks = load_relaxed(&worker->parks),
        .yields = load_relaxed(&worker->yields),
        .switches = load_relaxed(&worker->switches),
        .sleeps = load_relaxed(&worker->sleeps),
        .wakes = load_relaxed(&worker->wakes),
        .polls = load_relaxed(&worker->looks),
        .poll_events = load_relaxed(&worker->events),
        .stack_refills = load_relaxed(&worker->stacks.refills),
        .stack_spills = load_relaxed(&worker->stacks.spills),
        .cpu_ns = cpu ? processor_ns(worker) : 0,
        .hogs = load_acquire(&worker->hogs), /* and what the monitor has noted of the last */
        .deque_depth = deque_depth(&worker->deque),
        .run_queue_depth = run_queue_depth(worker),
        .stacks_cached = filch__stack_cache_glance(&worker->stacks),
        .index = worker->index,
        .thread = load_relaxed(&worker->thread_number),
        .state = state_of(worker),
        .spare = worker->index >= worker->runtime->worker_count,
        .deque_private = load_relaxed(&worker->deque.hot.young) != NULL,
    };
    read_timers(&worker->timers, stats);
}

int filch_runtime_worker_stats(filch_runtime *runtime, unsigned index, filch_worker_stats *stats) {
    if (runtime == NULL || stats == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN; /* its locks may be taken for ever */
    if (index >= filch__runtime_known(runtime)) return -ENOENT;
    filch__stats_read_worker(filch__runtime_worker(runtime, index), stats, true);
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- a runtime */

static void add_worker(filch_stats *stats, const filch_worker_stats *worker) {
    stats->spawned += worker->spawned;
    stats->steals += worker->steals;
    stats->steal_tries += worker->steal_tries;
    stats->parks += worker->parks;
    stats->yields += worker->yields;
    stats->switches += worker->switches;
    stats->sleeps += worker->sleeps;
    stats->wakes += worker->wakes;
    stats->polls += worker->polls;
    stats->poll_events += worker->poll_events;
    stats->timers_set += worker->timers_set;
    stats->stack_refills += worker->stack_refills;
    stats->stack_spills += worker->stack_spills;
    stats->cpu_ns += worker->cpu_ns;
    stats->hogs += worker->hogs;
    stats->deque_depth += worker->deque_depth;
    stats->run_queue_depth += worker->run_queue_depth;
    stats->timers += worker->timers;
}

/*
 * Before what they have spawned: who is seen to have ended was seen to be spawned, so that no task that lives is missed
 * (all_done in runtime.c sums up alike).
 */
static void add_completed(filch_stats *stats, struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        stats->completed += load_acquire(&filch__runtime_worker(runtime, i)->completed); /* QUIET */
    }
}

static void add_workers(filch_stats *stats, struct filch_runtime *runtime, bool cpu) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        filch_worker_stats worker;
        filch__stats_read_worker(filch__runtime_worker(runtime, i), &worker, cpu);
        add_worker(stats, &worker);
    }
    uint64_t word = load_relaxed(&runtime->idle.word);
    stats->workers = runtime->worker_count;
    stats->spares_made = known - runtime->worker_count;
    stats->workers_searching = idle_searching(word);
    stats->workers_asleep = idle_sleeping(word);
}

static void add_tasks(filch_stats *stats, struct filch_runtime *runtime) {
    stats->spawned_outside = load_relaxed(&runtime->spawned_outside);
    stats->spawned += stats->spawned_outside;
    stats->tasks = stats->spawned - stats->completed;
    stats->injected = load_relaxed(&runtime->inject.pushed);
    stats->inject_depth = load_relaxed(&runtime->inject.length);
}

static void add_monitor(filch_stats *stats, struct filch_runtime *runtime) {
    struct filch__monitor *monitor = &runtime->monitor;
    stats->hog_ns_max = load_relaxed(&monitor->hog_ns_max);
    filch__monitor_hog_name(runtime, stats->hog_name);
    stats->spare_starts = load_relaxed(&monitor->spare_starts);
    stats->spares = load_relaxed(&monitor->spares);
}

static void add_blocking(filch_stats *stats, struct filch_runtime *runtime) {
    struct filch__lane_stats calls = filch__lane_stats(&runtime->blocking.calls);
    struct filch__lane_stats look_ups = filch__lane_stats(&runtime->blocking.look_ups);
    stats->blocking_calls = calls.made + look_ups.made;
    stats->blocking_threads = calls.threads + look_ups.threads;
    stats->blocking_busy = calls.busy + look_ups.busy;
    stats->blocking_queued = calls.queued + look_ups.queued;
    stats->look_ups = look_ups.made;
    stats->look_up_threads = look_ups.threads;
    stats->look_up_busy = look_ups.busy;
    stats->look_up_queued = look_ups.queued;
}

static void add_poller(filch_stats *stats, struct filch_runtime *runtime) {
    struct filch__poller *poller = load_acquire(&runtime->poller); /* carries all of it */
    if (poller == NULL) return;
    uint64_t closed = load_acquire(&poller->closed); /* carries that each of these was opened */
    stats->fds_opened = load_relaxed(&poller->opened);
    stats->fds = stats->fds_opened - closed;
    stats->monitor_polls = load_relaxed(&poller->looks_of_others);
    stats->workers_polling = load_relaxed(&poller->held) == HELD_SLEEPS;
}

static void add_stacks(filch_stats *stats, struct filch_runtime *runtime) {
    struct filch__stack_stats stacks;
    filch__stack_pool_stats(&runtime->stock.stacks, &stacks);
    stats->stacks = stacks.stacks;
    stats->stacks_peak = stacks.stacks_peak;
    stats->stacks_cached = stacks.free;
    stats->stack_bytes = stacks.bytes;
    stats->guard_mprotect = runtime->stock.stacks.guard_mprotect;
}

void filch__stats_read(struct filch_runtime *runtime, filch_stats *stats, bool cpu) {
    *stats = (filch_stats){0};
    add_completed(stats, runtime);
    add_workers(stats, runtime, cpu);
    add_tasks(stats, runtime);
    add_monitor(stats, runtime);
    add_blocking(stats, runtime);
    add_poller(stats, runtime);
    add_stacks(stats, runtime);
}

int filch_runtime_stats(filch_runtime *runtime, filch_stats *stats) {
    if (runtime == NULL || stats == NULL) return -EINVAL;
    if (filch__runtime_is_parents(runtime)) return -ESHUTDOWN; /* its locks may be taken for ever */
    filch__stats_read(runtime, stats, true);
    return 0;
}
