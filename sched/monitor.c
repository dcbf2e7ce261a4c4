/* SPDX-License-Identifier: MIT */
/*
 * What the monitor does. While any worker runs it looks at all of them, each millisecond or two; when all have slept for a
 * while it sleeps as well, until one gets up.
 *
 * A worker stands still if it has taken no turn since the look before last, although it was given a processor for a good
 * part of that time, or because it waits in the kernel: a thread that wants to run and gets no processor is not helped by
 * one more that wants to. Between filch_block_begin and _end it stands still by its own account.
 *
 * A worker that stands still is no harm unless something waits for it. The monitor moves that to the inject queue, where
 * busy workers look too: what is in its next slot, its run queue and its deque, and whom its due timers wake. If then
 * something waits in the inject queue, and nobody is idle, and fewer workers run than the runtime was made with, a spare
 * is put to work. In a deque only tasks count: forked calls wait for nobody but their parent, which will make them itself.
 * And a worker that takes no turns but pushes and pops (it forks and joins, spawns, or awaits in place) is given
 * DEQUE_PATIENCE looks before tasks in its deque count as waiting.
 *
 * What a private list holds is not to be seen. The monitor asks for it, as a thief does; if the owner has not answered by
 * the next look, it neither pushes nor pops, and the list is taken by means of membarrier(2).
 *
 * Sizes. PERIOD: two looks without a turn, and one to see whether it runs, make 2 to 3 ms until a spare starts; 4 to 6 ms
 * for the first after a while, since a look wakes a thread, which costs a busy worker 1 to 2 % at 1 ms (CALM). EXCESS:
 * who hogs once often hogs again, and a spare at work that has nothing to do costs nothing.
 */
#include "sched/monitor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/barrier.h"
#include "base/clock.h"
#include "base/futex.h"
#include "sched/hog.h"
#include "sched/quit.h"
#include "sched/region.h"
#include "sched/runtime.h"
#include "sched/task.h"

enum {
    PERIOD_NS = 1000000,
    CALM_PERIOD_NS = 2000000, /* while nobody has stood still for CALM_NS */
    CALM_NS = 1000000000,
    LONG_PERIOD_NS = 4000000, /* while those that run stand still, and nothing happens */
    RAN_NS = 300000,          /* so much of a processor in a period is "it ran" */
    STILL_LOOKS = 2,
    UNMOVED_LOOKS = 16,
    REST_LOOKS = 16,
    EXCESS_LOOKS = 10,
    DEQUE_PATIENCE = 100,
    DEQUE_LOOKS_AN_ASKING = 16,
    SLOTS_A_LOOK = 32,
    TELL_NS = 100000000, /* a hog is told of at most so often */
};

/* What a look at all workers has found. */
struct sight {
    int64_t now_ns;
    int64_t earliest_ns; /* of the timers of those that do not fire them themselves */
    uint32_t stuck;      /* that stand still, not by their own account */
    bool blocked;        /* some do by their own account */
    bool rest;           /* all are at rest */
    bool moved;          /* somebody has taken a turn */
    bool work;           /* something waits for one that stands still */
};

/* -------------------------------------------------------------------------------------------- does it stand still? */

/* What the worker writes by plain stores; a glance, of which nothing is believed that is not checked. */
FILCH__UNSEEN static void *region_at_a_glance(const struct filch__worker *worker) {
    return *(void *const volatile *)&worker->deque.hot.region;
}

static int64_t processor_ns(const struct filch__worker *worker) {
    struct timespec used;
    if (clock_gettime(worker->processor_clock, &used) != 0) return 0;
    return FILCH_SEC(used.tv_sec) + used.tv_nsec;
}

/* Whether the thread waits in the kernel, and not for a processor. Where that is not to be known: yes. */
static bool waits_in_kernel(const struct filch__worker *worker) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", worker->thread_number);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return true;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0) return true;
    text[length] = '\0';
    const char *state = strrchr(text, ')'); /* after the name, which may hold anything */
    return state == NULL || state[1] != ' ' || state[2] != 'R';
}

/* Brings the watch of a worker that runs up to date. */
static void watch(struct filch__worker *worker, struct sight *sight) {
    struct filch__watch *watch = &worker->watch;
    uint32_t turn = load_relaxed(&worker->turn); /* a glance */
    if (turn != watch->turn) {
        if (unlikely(watch->asked)) filch__hog_gone_on(worker, sight->now_ns - watch->since_ns);
        *watch = (struct filch__watch){.turn = turn, .since_ns = sight->now_ns};
        sight->moved = true;
        return;
    }
    if (watch->still < UINT32_MAX) watch->still++;
    if (watch->stuck || load_acquire(&worker->thread_number) == 0) return; /* BEGUN */
    if (watch->still == 1) watch->cpu_ns = processor_ns(worker);
    if (watch->still < STILL_LOOKS || region_at_a_glance(worker) == NULL)
        return; /* it runs no task: it is on its way */
    watch->stuck = processor_ns(worker) - watch->cpu_ns >= RAN_NS || waits_in_kernel(worker);
    if (watch->stuck) sight->moved = true;
}

/* ---------------------------------------------------------------------------------------------- does anything wait? */

/* Whether there are tasks among the oldest items of the ring. A guess: it may change under way. */
static bool ring_has_task(struct filch__deque *deque) {
    int64_t top = load_seq_cst(&deque->top), bottom = load_seq_cst(&deque->bottom); /* PUBLISH */
    if (bottom > top + SLOTS_A_LOOK) bottom = top + SLOTS_A_LOOK;
    struct filch__ring *ring = load_acquire(&deque->ring); /* GROW */
    for (; top < bottom; top++) {
        void *item = load_relaxed(filch__ring_slot(ring, top)); /* only its kind is looked at */
        if (item != NULL && item_kind(item) == ITEM_TASK) return true;
    }
    return false;
}

/* Asks for the list; takes it, if the owner has not answered what it was asked at an earlier look. */
static void open_list(struct filch__worker *worker) {
    struct filch__watch *watch = &worker->watch;
    if (watch->asking == 0) {
        if (watch->waiting % DEQUE_LOOKS_AN_ASKING != 1) return;
        int64_t mode = filch__deque_ask(&worker->deque);
        if ((mode & DEQUE_MODE_MASK) == DEQUE_ASKED) watch->asking = mode;
        return;
    }
    bool answered = load_seq_cst(&worker->deque.hot.mode) != watch->asking;
    if (!answered && filch__barrier_all()) {
        filch__deque_share_after_barrier(&worker->deque, watch->asking);
        filch__idle_notify(worker->runtime);
    }
    watch->asking = 0;
}

static bool tasks_wait(struct filch__worker *worker) {
    struct filch__watch *watch = &worker->watch;
    struct filch__deque *deque = &worker->deque;
    void *young = load_relaxed(&deque->hot.young); /* these are compared, and no more */
    int64_t top = load_relaxed(&deque->top), bottom = load_relaxed(&deque->bottom);
    bool same = young == watch->young && top == watch->top && bottom == watch->bottom;
    watch->young = young;
    watch->top = top;
    watch->bottom = bottom;
    if (young == NULL && top >= bottom) {
        watch->waiting = 0;
        return false;
    }
    watch->waiting++;
    if (young != NULL) open_list(worker);
    return (same || watch->waiting >= DEQUE_PATIENCE) && ring_has_task(deque);
}

/* Takes from the next slot of a worker that stands still what it was to run next. */
static void free_next(struct filch__worker *worker) {
    if (load_relaxed(&worker->next) == NULL) return; /* a glance before the exchange, which is what counts */
    void *item = exchange_acq_rel(&worker->next, NULL);
    if (item == NULL) return;
    filch__inject_push(&worker->runtime->inject, item);
    filch__idle_notify(worker->runtime);
}

/* The timers of one that does not fire them itself. */
static void fire_timers(struct filch__worker *worker, struct sight *sight) {
    if (filch__timers_earliest(&worker->timers) <= sight->now_ns) {
        filch__timers_fire(&worker->timers, sight->now_ns);
    }
    int64_t earliest_ns = filch__timers_earliest(&worker->timers);
    if (earliest_ns < sight->earliest_ns) sight->earliest_ns = earliest_ns;
}

/*
 * A runtime's only worker, which need not share, is one of several from now on (PLURAL). When this returns, it is in no
 * operation of its run queue that relied on being alone, and none such begins. False: that is not to be had.
 */
static bool make_plural(struct filch_runtime *runtime) {
    struct filch__worker *worker = &runtime->workers[0];
    if (!load_relaxed(&worker->alone)) return true; /* only the monitor sets it */
    if (!filch__runqueue_share(&worker->runqueue)) return false;
    store_seq_cst(&worker->alone, false);
    return true;
}

/* Takes the older half of its run queue, and tasks from the old end of its deque, as a thief does. */
static void free_queues(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    struct filch__runqueue *hands = &runtime->monitor.hands;
    void *item;
    bool lost, moved = false;
    if (filch__runqueue_length(&worker->runqueue) > 0 && make_plural(runtime)) {
        item = filch__runqueue_steal_half(&worker->runqueue, hands, &lost);
        for (; item != NULL; item = filch__runqueue_pop(hands)) {
            filch__inject_push(&runtime->inject, item);
            moved = true;
        }
    }
    for (int left = tasks_wait(worker) ? SLOTS_A_LOOK : 0; left > 0; left--) {
        if (filch__deque_steal(&worker->deque, &item) != STEAL_TAKEN) break;
        filch__inject_push(&runtime->inject, item);
        moved = true;
    }
    if (moved) filch__idle_notify(runtime);
}

static void serve(struct filch__worker *worker, struct sight *sight) {
    free_next(worker);
    fire_timers(worker, sight);
    free_queues(worker);
}

static void look_at(struct filch__worker *worker, struct sight *sight) {
    switch (load_seq_cst(&worker->rests)) {
    case RESTS_RETIRED:
        fire_timers(worker, sight);
        break;
    case RESTS_ASLEEP:
        if (unlikely(worker->watch.asked)) filch__hog_gone_on(worker, sight->now_ns - worker->watch.since_ns);
        worker->watch = (struct filch__watch){.turn = load_relaxed(&worker->turn), .since_ns = sight->now_ns};
        break;
    default:
        sight->rest = false;
        watch(worker, sight);
        if (load_acquire(&worker->blocks)) {
            sight->blocked = true;
            serve(worker, sight);
        } else if (worker->watch.stuck) {
            sight->stuck++;
            serve(worker, sight);
        }
    }
}

static struct sight look(struct filch_runtime *runtime) {
    struct sight sight = {.now_ns = filch__clock_now(), .earliest_ns = INT64_MAX, .rest = true};
    store_relaxed(&runtime->coarse_ns, sight.now_ns); /* for reports */
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) look_at(filch__runtime_worker(runtime, i), &sight);
    struct filch__poller *poller = load_acquire(&runtime->poller); /* carries its table */
    if (poller != NULL && filch__poller_look_after(poller)) sight.moved = true;
    store_relaxed(&runtime->monitor.stuck, sight.stuck); /* a hint to filch_block_begin */
    if ((sight.stuck > 0 || sight.blocked) && filch__inject_length(&runtime->inject) > 0) sight.work = true;
    return sight;
}

/* ------------------------------------------------------------------------------------------------------------- hogs */

static void copy_name(struct filch_task *task, char *name) {
    struct filch__task_extra *extra = load_acquire(&task->extra);
    if (extra == NULL) return;
    filch__latch_take(&extra->latch);
    if (extra->task == task) memcpy(name, extra->name, sizeof extra->name);
    filch__latch_leave(&extra->latch);
}

/*
 * The task that a worker which stands still runs, or NULL. Task records are never unmapped; a region stands on a stack,
 * which may be gone when the worker goes on just now, and is read by means that can fail.
 */
static struct filch_task *task_of(const struct filch__worker *worker) {
    void *word = region_at_a_glance(worker);
    if (word == NULL || !region_is_open(word))
        return word == NULL ? NULL : (struct filch_task *)(void *)region_of(word);
    struct filch_task *task = NULL;
    struct iovec to = {&task, sizeof task}, from = {&region_of(word)->task, sizeof task};
    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)sizeof task) task = NULL;
    return load_relaxed(&worker->turn) == worker->watch.turn ? task : NULL;
}

static void note_longest(struct filch__monitor *monitor, int64_t lasts_ns) {
    if ((uint64_t)lasts_ns <= load_relaxed(&monitor->hog_ns_max)) return; /* the monitor's own */
    store_relaxed(&monitor->hog_ns_max, (uint64_t)lasts_ns);
}

/* Last of all it is counted: who sees that sees its name and how long it was, and it may go on just then. */
static void count_hog(struct filch__worker *worker, int64_t lasts_ns) {
    struct filch__monitor *monitor = &worker->runtime->monitor;
    worker->watch.counted = true;
    char name[32] = "";
    struct filch_task *task = task_of(worker);
    if (task != NULL) copy_name(task, name);
    filch__latch_take(&monitor->name_latch);
    memcpy(monitor->hog_name, name, sizeof name);
    filch__latch_leave(&monitor->name_latch);
    note_longest(monitor, lasts_ns);
    store_release(&worker->hogs, worker->hogs + 1); /* to the acquire in sched/stats.c */
}

/* Whether it is to be asked what it runs: once in a turn. */
static bool is_to_be_told(const struct filch__worker *worker, int64_t lasts_ns, int64_t now_ns) {
    struct filch__monitor *monitor = &worker->runtime->monitor;
    if (!monitor->tells || worker->watch.asked) return false;
    int64_t hog_ns = worker->runtime->debug.hog_ns;
    if (hog_ns > 0) return lasts_ns >= hog_ns;
    if (!worker->watch.counted || now_ns - monitor->told_at_ns < TELL_NS) return false;
    monitor->told_at_ns = now_ns;
    return true;
}

static void tell_of_hog(struct filch__worker *worker, int64_t now_ns) {
    int64_t lasts_ns = now_ns - worker->watch.since_ns;
    if (worker->watch.asked) (void)filch__hog_tell(worker, lasts_ns);
    if (!is_to_be_told(worker, lasts_ns, now_ns)) return;
    worker->watch.asked = true;
    filch__hog_ask(worker);
}

/* Something waits: who stands still is a hog. */
static void count_hogs(struct filch_runtime *runtime, struct sight *sight) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        struct filch__watch *watch = &worker->watch;
        if (!watch->stuck || load_relaxed(&worker->blocks)) continue; /* a glance */
        int64_t lasts_ns = sight->now_ns - watch->since_ns;
        if (!watch->counted && sight->work) count_hog(worker, lasts_ns);
        if (watch->counted) note_longest(&runtime->monitor, lasts_ns);
        tell_of_hog(worker, sight->now_ns);
    }
}

void filch__monitor_hog_name(struct filch_runtime *runtime, char *name) {
    filch__latch_take(&runtime->monitor.name_latch);
    memcpy(name, runtime->monitor.hog_name, sizeof runtime->monitor.hog_name);
    filch__latch_leave(&runtime->monitor.name_latch);
}

/* ----------------------------------------------------------------------------------------------------------- spares */

/* How many workers too few (or, negative, too many) are at work and do not stand still. */
static int64_t shortage(struct filch_runtime *runtime, uint32_t stuck) {
    struct filch__idle *idle = &runtime->idle;
    filch__lock_take(&idle->lock);
    int64_t able = (int64_t)runtime->monitor.at_work - runtime->monitor.blocked - stuck;
    filch__lock_leave(&idle->lock);
    return (int64_t)runtime->worker_count - able;
}

/* Has one more spare at work: a retired one, or a new one. */
static void add_spare(struct filch_runtime *runtime) {
    if (!make_plural(runtime)) return;
    if (filch__idle_unretire(runtime)) return;
    if (filch__runtime_add_spare(runtime)) filch__idle_unretire(runtime);
}

static void add_spares(struct filch_runtime *runtime, const struct sight *sight) {
    bool wanted = exchange_seq_cst(&runtime->monitor.wanted, 0);
    if (!wanted && !sight->work) return;
    uint64_t word = load_seq_cst(&runtime->idle.word);
    if (idle_sleeping(word) > 0) {
        filch__idle_notify(runtime);
    } else if (idle_searching(word) == 0 && shortage(runtime, sight->stuck) > 0) {
        add_spare(runtime);
    }
}

static void dismiss_spares(struct filch_runtime *runtime, const struct sight *sight) {
    struct filch__monitor *monitor = &runtime->monitor;
    int64_t excess = -shortage(runtime, sight->stuck);
    if (excess <= 0) {
        if (monitor->looks_excess >= EXCESS_LOOKS) filch__idle_retire(runtime, 0);
        monitor->looks_excess = 0;
        return;
    }
    if (++monitor->looks_excess < EXCESS_LOOKS) return;
    filch__idle_retire(runtime, (unsigned)excess);
}

/* ------------------------------------------------------------------------------------------------------- its thread */

static void sleep_in(struct filch__monitor *monitor, uint32_t word, int64_t until_ns) {
    while (load_acquire(&monitor->word) == word && filch__futex_wait(&monitor->word, word, until_ns)) continue;
    store_seq_cst(&monitor->word, MONITOR_LOOKS);
}

static bool is_called(struct filch__monitor *monitor) {
    return load_seq_cst(&monitor->ending) || load_seq_cst(&monitor->wanted) || filch__quit_is_asked();
}

static int64_t period_ns(struct filch__monitor *monitor, const struct sight *sight) {
    monitor->looks_unmoved = sight->moved || sight->work || sight->rest ? 0 : monitor->looks_unmoved + 1;
    if (sight->stuck > 0 || sight->blocked) monitor->stood_still_ns = sight->now_ns;
    if (monitor->looks_unmoved >= UNMOVED_LOOKS) return LONG_PERIOD_NS;
    return sight->now_ns - monitor->stood_still_ns < CALM_NS ? PERIOD_NS : CALM_PERIOD_NS;
}

static void nap(struct filch_runtime *runtime, const struct sight *sight) {
    struct filch__monitor *monitor = &runtime->monitor;
    int64_t until_ns = sight->now_ns + period_ns(monitor, sight);
    if (sight->earliest_ns < until_ns) until_ns = sight->earliest_ns;
    store_seq_cst(&monitor->word, MONITOR_NAPS);
    if (is_called(monitor)) store_seq_cst(&monitor->word, MONITOR_LOOKS);
    sleep_in(monitor, MONITOR_NAPS, until_ns);
}

static bool all_rest(struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        if (load_seq_cst(&filch__runtime_worker(runtime, i)->rests) == RESTS_NOT) return false; /* STIR */
    }
    return true;
}

/*
 * Of the timers that nobody but the monitor fires while all rest. To be read once all have been seen to rest: a spare may
 * have got up since the look, set one, and retired or been retired.
 */
static int64_t earliest_of_retired(struct filch_runtime *runtime) {
    int64_t earliest_ns = INT64_MAX;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = runtime->worker_count; i < known; i++) {
        struct filch__worker *spare = filch__runtime_worker(runtime, i);
        if (load_seq_cst(&spare->rests) != RESTS_RETIRED) continue; /* STIR; carries what it has set */
        int64_t its_ns = filch__timers_earliest(&spare->timers);
        if (its_ns < earliest_ns) earliest_ns = its_ns;
    }
    return earliest_ns;
}

static void sleep_until_stirred(struct filch_runtime *runtime) {
    struct filch__monitor *monitor = &runtime->monitor;
    int64_t until_ns = filch__deadlock_look(runtime);
    store_seq_cst(&monitor->word, MONITOR_SLEEPS); /* STIR */
    if (is_called(monitor) || !all_rest(runtime)) store_seq_cst(&monitor->word, MONITOR_LOOKS);
    int64_t earliest_ns = earliest_of_retired(runtime);
    if (earliest_ns < until_ns) until_ns = earliest_ns;
    sleep_in(monitor, MONITOR_SLEEPS, until_ns);
    if (filch__clock_now() < until_ns) monitor->deadlock_looked = false; /* stirred: somebody has got up */
}

/* Everybody has been asleep for a while, and no spare is at work in vain. */
static bool may_sleep(struct filch_runtime *runtime, const struct sight *sight) {
    struct filch__monitor *monitor = &runtime->monitor;
    if (!sight->rest) {
        monitor->looks_at_rest = 0;
        monitor->deadlock_looked = false;
        return false;
    }
    if (monitor->looks_at_rest < REST_LOOKS) monitor->looks_at_rest++;
    return monitor->looks_at_rest >= REST_LOOKS && load_relaxed(&monitor->spares) == 0; /* a hint */
}

/* All tasks have ended: who was asked has gone on. */
static void end_hogs(struct filch_runtime *runtime) {
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        if (worker->watch.asked) filch__hog_gone_on(worker, filch__clock_now() - worker->watch.since_ns);
    }
}

static void *monitor_thread(void *argument) {
    struct filch_runtime *runtime = argument;
    struct filch__monitor *monitor = &runtime->monitor;
    filch__heap_begin_thread();
    while (!load_seq_cst(&monitor->ending)) {
        filch__quit_serve();
        struct sight sight = look(runtime);
        if (sight.stuck > 0) count_hogs(runtime, &sight);
        add_spares(runtime, &sight);
        if (filch__runtime_known(runtime) > runtime->worker_count) dismiss_spares(runtime, &sight);
        if (runtime->workers[0].may_be_alone) filch__idle_leave_alone(runtime);
        if (may_sleep(runtime, &sight)) {
            sleep_until_stirred(runtime);
        } else {
            nap(runtime, &sight);
        }
    }
    if (monitor->tells) end_hogs(runtime);
    return NULL;
}

void filch__monitor_stir(struct filch_runtime *runtime) {
    struct filch__monitor *monitor = &runtime->monitor;
    if (exchange_seq_cst(&monitor->word, MONITOR_LOOKS) != MONITOR_LOOKS) filch__futex_wake(&monitor->word, 1);
}

int filch__monitor_start(struct filch_runtime *runtime) {
    struct filch__monitor *monitor = &runtime->monitor;
    if (!monitor->on) return 0;
    if (monitor->tells) filch__hog_prepare();
    if (filch__runqueue_init(&monitor->hands) != 0) return -ENOMEM;
    if (pthread_create(&monitor->thread, NULL, monitor_thread, runtime) != 0) {
        filch__runqueue_fini(&monitor->hands);
        return -EAGAIN;
    }
    char name[32];
    snprintf(name, sizeof name, "%.10s-look", runtime->name);
    name[15] = '\0';
    pthread_setname_np(monitor->thread, name);
    return 0;
}

void filch__monitor_stop(struct filch_runtime *runtime) {
    if (!runtime->monitor.on) return;
    store_seq_cst(&runtime->monitor.ending, 1);
    filch__monitor_stir(runtime);
    pthread_join(runtime->monitor.thread, NULL);
    filch__runqueue_fini(&runtime->monitor.hands);
}
