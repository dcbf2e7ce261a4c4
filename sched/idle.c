/* SPDX-License-Identifier: MIT */
/*
 * The idle protocol: no worker sleeps while there is work in a queue that it could take, nobody is woken in vain for
 * long, and an idle program uses no processor. A next slot is not such a queue: its worker serves it when the task that
 * runs gives way, and until then only those who happen to search may take it.
 *
 * One word counts who searches and who sleeps. Everything below is seq_cst on that word and on the queues' own words, so
 * there is one order S of these accesses.
 *
 *   A producer  publishes its work (W), then reads the word (R). If one sleeps and none searches, it wakes one: takes it
 *               off the list and moves it, in the word, from sleeping to searching.
 *   A sleeper   lists itself and moves itself, in the word, to sleeping (Z); then looks at every source once more (L);
 *               then sleeps on its own futex, with no timeout but for its own timers.
 *   A searcher  that finds work leaves the word (F). If it was the last searcher, it looks whether there is more work to
 *               be seen, and if so does what a producer does.
 *
 * Why none is lost. Suppose W is done and nobody takes the work.
 *   - R sees a sleeper and no searcher: one is woken, and searches.
 *   - R sees nobody idle: each worker that becomes idle later does Z or begins to search after R in S, hence after W, and
 *     its last look L sees the work.
 *   - R sees a searcher: that searcher either goes to sleep, and its L comes after R, hence sees the work; or it finds
 *     other work, and its F comes after R: if another searcher is left the same holds for that one; if not, it looks
 *     after F and sees the work, and wakes somebody. The number of searchers is finite, so one of these ends the chain.
 * A sleeper that is woken between Z and its futex finds the futex word set and does not sleep.
 *
 * Private lists (sched/deque.h) show nothing of what is in them. An owner makes its list private only after it has read
 * the word as zero, and it reads it again afterwards and shares the list if it is not. A worker that goes to sleep asks,
 * between Z and L, for every private list to be shared, runs membarrier(2) once if there was any, and shares them itself.
 * So whoever sleeps has every list shared, and a push to a shared deque is a producer as above. A searcher asks too, but
 * leaves the owner until the end of the search to answer by itself.
 *
 * At most half of the workers search at once, for SEARCH_NS at most. What was rejected, and why, is in docs/SCHEDULER.md.
 */
#include "sched/idle.h"

#include <sched.h>
#include <stddef.h>

#include "base/barrier.h"
#include "base/clock.h"
#include "base/futex.h"
#include "sched/probe.h"
#include "sched/runtime.h"
#include "sched/steal.h"

enum {
    SEARCH_NS = 15000,  /* how long a worker searches before it sleeps */
    GLANCES = 16,       /* between two full rounds of a search */
    CRUMB_NS = 2000,    /* stolen work that lasted less was not worth the theft */
    REST_NS_MIN = 1000, /* how long the thief of a crumb from a rich victim rests; doubled with each in a row */
    REST_NS_MAX = 32000,
    PATIENCE_MAX = 256,    /* so many crumbs at most are paid for beforehand */
    TIMER_REST_NS = 80000, /* between two sleeps that end for timers */
};

#define ONE_SEARCHING ((uint64_t)1)
#define ONE_SLEEPING ((uint64_t)1 << 32)

void filch__idle_init(struct filch__idle *idle) {
    filch__lock_init(&idle->lock);
    filch__lock_init(&idle->share_lock);
    idle->word = 0;
    idle->sleepers = NULL;
}

void filch__idle_fini(struct filch__idle *idle) {
    filch__lock_fini(&idle->share_lock);
    filch__lock_fini(&idle->lock);
}

/* ------------------------------------------------------------------------------------------ the list, under the lock */

static void list_add(struct filch__idle *idle, struct filch__worker *worker) {
    worker->listed = true;
    worker->sleeper_prev = NULL;
    worker->sleeper_next = idle->sleepers;
    if (idle->sleepers != NULL) idle->sleepers->sleeper_prev = worker;
    idle->sleepers = worker;
}

static void list_remove(struct filch__idle *idle, struct filch__worker *worker) {
    worker->listed = false;
    if (worker->sleeper_prev != NULL) {
        worker->sleeper_prev->sleeper_next = worker->sleeper_next;
    } else {
        idle->sleepers = worker->sleeper_next;
    }
    if (worker->sleeper_next != NULL) worker->sleeper_next->sleeper_prev = worker->sleeper_prev;
}

/* ----------------------------------------------------------------------------------------------- transitions */

/* A sleeper, which the caller will rouse, is a searcher from now on. Under the lock. */
static void make_searcher(struct filch__idle *idle, struct filch__worker *sleeper) {
    list_remove(idle, sleeper);
    add_seq_cst(&idle->word, ONE_SEARCHING - ONE_SLEEPING);
    count_up(&sleeper->wakes, 1);
}

/* Takes one sleeper off the list and makes it a searcher, or returns NULL; with `only_if_none_searches`, as it says. */
static struct filch__worker *sleeper_to_searcher(struct filch__idle *idle, bool only_if_none_searches) {
    filch__lock_take(&idle->lock);
    struct filch__worker *worker = idle->sleepers;
    if (worker != NULL && only_if_none_searches && idle_searching(load_seq_cst(&idle->word)) > 0) worker = NULL;
    if (worker != NULL) make_searcher(idle, worker);
    filch__lock_leave(&idle->lock);
    return worker;
}

static void rouse(struct filch__worker *worker) {
    store_seq_cst(&worker->wake, 1); /* POLLS */
    if (unlikely(load_seq_cst(&worker->polls))) {
        struct filch__poller *poller = load_relaxed(&worker->runtime->poller); /* POLLS carries it */
        poller->ops->interrupt(poller);
    } else {
        filch__futex_wake(&worker->wake, 1);
    }
}

void filch__idle_notify(struct filch_runtime *runtime) {
    uint64_t word = load_seq_cst(&runtime->idle.word); /* R */
    if (likely(idle_sleeping(word) == 0 || idle_searching(word) > 0)) return;
    struct filch__worker *worker = sleeper_to_searcher(&runtime->idle, true);
    if (worker != NULL) rouse(worker);
}

void filch__idle_rouse(struct filch__worker *worker) {
    struct filch__idle *idle = &worker->runtime->idle;
    filch__lock_take(&idle->lock);
    bool sleeps = worker->listed;
    if (sleeps) make_searcher(idle, worker);
    filch__lock_leave(&idle->lock);
    if (sleeps) rouse(worker);
}

void filch__idle_hand_over(struct filch_runtime *runtime) {
    struct filch__poller *poller = load_seq_cst(&runtime->poller);
    bool unheld = poller != NULL && load_seq_cst(&poller->held) != HELD_SLEEPS;
    if (unheld || filch__steal_in_sight(runtime)) filch__idle_notify(runtime);
}

void filch__idle_wake_all(struct filch_runtime *runtime) {
    for (;;) {
        struct filch__worker *worker = sleeper_to_searcher(&runtime->idle, false);
        if (worker == NULL) return;
        rouse(worker);
    }
}

/* Counts itself as searching, unless enough do. */
static bool begin_search(struct filch__worker *worker) {
    struct filch__idle *idle = &worker->runtime->idle;
    uint64_t word = load_relaxed(&idle->word); /* only a first guess for the CAS */
    do {
        if (idle_searching(word) >= worker->runtime->search_max) return false;
    } while (!cas_seq_cst(&idle->word, &word, word + ONE_SEARCHING));
    worker->searching = true;
    return true;
}

/* F: it has found something. */
static void end_search(struct filch__worker *worker) {
    if (!worker->searching) return;
    worker->searching = false;
    struct filch_runtime *runtime = worker->runtime;
    uint64_t word = sub_seq_cst(&runtime->idle.word, ONE_SEARCHING);
    bool last = idle_searching(word) == 1;
    if (last && idle_sleeping(word) > 0 && filch__steal_in_sight(runtime)) filch__idle_notify(runtime);
}

/* Z */
static void lie_down(struct filch__worker *worker) {
    struct filch__idle *idle = &worker->runtime->idle;
    filch__lock_take(&idle->lock);
    store_relaxed(&worker->wake, 0); /* nobody else knows of it before it is listed */
    list_add(idle, worker);
    add_seq_cst(&idle->word, ONE_SLEEPING - (worker->searching ? ONE_SEARCHING : 0));
    worker->searching = false;
    store_seq_cst(&worker->rests, RESTS_ASLEEP);
    filch__lock_leave(&idle->lock);
}

/* Counted as searching by whoever has woken it, or had it work again. */
static void begin_anew(struct filch__worker *worker) {
    while (load_acquire(&worker->wake) == 0) filch__futex_wait(&worker->wake, 0, INT64_MAX);
    worker->searching = true;
    store_seq_cst(&worker->rests, RESTS_NOT); /* STIR */
    if (unlikely(load_seq_cst(&worker->runtime->monitor.word) == MONITOR_SLEEPS)) filch__monitor_stir(worker->runtime);
}

/* Back to searching, by itself; or somebody was faster and has made it a searcher, and the futex word is or will be set. */
static void get_up(struct filch__worker *worker) {
    struct filch__idle *idle = &worker->runtime->idle;
    filch__lock_take(&idle->lock);
    if (worker->listed) {
        list_remove(idle, worker);
        add_seq_cst(&idle->word, ONE_SEARCHING - ONE_SLEEPING);
        store_relaxed(&worker->wake, 1); /* nobody else writes it now */
    }
    if (load_relaxed(&worker->polls)) store_seq_cst(&worker->polls, false); /* POLLS; its own */
    filch__lock_leave(&idle->lock);
    begin_anew(worker);
}

enum lists {
    LISTS_SHARED, /* every one */
    LISTS_MOVING, /* some are being moved to their rings, and will have to be asked after that */
    LISTS_ASKED,  /* some have been asked and not been answered for */
};

/* Asks every deque. Under the share lock. */
static enum lists ask_all(struct filch_runtime *runtime, unsigned count) {
    enum lists lists = LISTS_SHARED;
    for (unsigned i = 0; i < count; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        worker->asking = filch__deque_ask(&worker->deque);
        if (worker->asking == DEQUE_SHARED) continue;
        if (worker->asking != DEQUE_TAKING) lists = LISTS_ASKED;
        if (lists == LISTS_SHARED) lists = LISTS_MOVING;
    }
    return lists;
}

/* One go of share_all: whether there is more to do. */
static bool share_some(struct filch_runtime *runtime) {
    unsigned count = filch__runtime_known(runtime); /* a spare's list is not private when it is made */
    switch (ask_all(runtime, count)) {
    case LISTS_SHARED:
        return false;
    case LISTS_MOVING:
        sched_yield();
        return true;
    case LISTS_ASKED:
        break;
    }
    if (!filch__barrier_all()) {
        /* It was to be had once; a filter of system calls may have come since. The owners will answer by themselves, and
         * no list becomes private any more. */
        store_seq_cst(&runtime->closable, false);
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        struct filch__worker *worker = filch__runtime_worker(runtime, i);
        filch__deque_share_after_barrier(&worker->deque, worker->asking);
    }
    return true;
}

/* Between Z and L: nobody sleeps before every list is shared, its own included, for when it works again. */
static void share_all(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    if (load_seq_cst(&worker->alone)) return; /* PLURAL: if it is not any more, a spare begins later, and sees Z */
    filch__deque_share(&worker->deque);
    if (!load_relaxed(&runtime->closable)) return; /* never true again */
    filch__lock_take(&runtime->idle.share_lock);
    while (share_some(runtime)) continue;
    filch__lock_leave(&runtime->idle.share_lock);
}

/* ------------------------------------------------------------------------------------------------ search and sleep */

/* Looks at the poller. Whether something has come of it, to the worker's own queue. */
static bool look_outside(struct filch_runtime *runtime) {
    struct filch__poller *poller = load_acquire(&runtime->poller); /* carries its table */
    return poller != NULL && filch__poller_look(poller);
}

/*
 * Searches for SEARCH_NS, or until there is something. Between the full rounds, which also ask for private lists, it only
 * glances at one worker after the other: that much sooner it sees what is published.
 */
static void *search(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    worker->looked_at_ns = filch__clock_now();
    int64_t until_ns = worker->looked_at_ns + (worker->simulated ? 0 : SEARCH_NS);
    store_relaxed(&runtime->coarse_ns, worker->looked_at_ns); /* for reports */
    for (;;) {
        void *item = filch__steal_round(worker);
        for (int i = 0; i < FILCH__TIMES(GLANCES) && item == NULL; i++) {
            if (!worker->simulated) spin_pause();
            item = filch__steal_glance(worker);
        }
        if (item != NULL) return item;
        if (load_relaxed(&runtime->ending)) return NULL; /* a hint: it is looked at again before sleeping */
        if (look_outside(runtime)) return NULL;
        worker->looked_at_ns = filch__clock_now();
        filch__timers_saw(&worker->timers, worker->looked_at_ns);
        if (filch__timers_fire(&worker->timers, worker->looked_at_ns) > 0) return NULL;
        if (worker->looked_at_ns >= until_ns) return NULL;
    }
}

/* Until woken, or until `until_ns`: then true. */
static bool sleep_on_futex(struct filch__worker *worker, int64_t until_ns) {
    while (load_acquire(&worker->wake) == 0) {
        if (!filch__futex_wait(&worker->wake, 0, until_ns)) return true;
    }
    return false;
}

static bool is_spare(const struct filch__worker *worker) {
    return worker->index >= worker->runtime->worker_count;
}

/*
 * Takes the poller to sleep there. From here until it gets up `polls` says so, to who wakes it, and to who retires spares:
 * one that polls is not retired where it lies, since it may have fetched what it is to deliver. But one that has been
 * retired since it lay down must not poll.
 */
static bool begin_to_poll(struct filch__worker *worker, struct filch__poller *poller) {
    if (!filch__poller_hold(poller)) return false;
    store_seq_cst(&worker->polls, true); /* POLLS */
    if (likely(!is_spare(worker))) return true;
    struct filch__idle *idle = &worker->runtime->idle;
    filch__lock_take(&idle->lock);
    bool retired = load_relaxed(&worker->rests) == RESTS_RETIRED; /* written under the lock */
    if (retired) store_seq_cst(&worker->polls, false);
    filch__lock_leave(&idle->lock);
    if (!retired) return true;
    filch__poller_let_go(poller);
    filch__idle_hand_over(worker->runtime);
    return false;
}

/*
 * As sleep_on_futex, or until something happens outside: how many events were fetched. By who holds the poller, which it
 * lets go.
 */
static bool sleep_in_poller(struct filch__worker *worker, struct filch__poller *poller,
                            struct filch__poll_event *events, unsigned *count, int64_t until_ns) {
    bool due = false;
    while (!due && *count == 0 && load_seq_cst(&worker->wake) == 0) { /* POLLS */
        *count = filch__poller_fetch(poller, events, POLL_BATCH, until_ns);
        due = *count == 0 && until_ns != INT64_MAX && filch__clock_now() >= until_ns;
    }
    filch__poller_let_go(poller);
    return due;
}

/*
 * To sleep and wake costs more than to fire some timers: one that is due soon after the last for which it has slept waits
 * a little, for others to be fired with it.
 */
static int64_t sleep_until(struct filch__worker *worker) {
    int64_t until_ns = filch__timers_sleep_until(&worker->timers), rested_ns = worker->slept_until_ns + TIMER_REST_NS;
    return until_ns < rested_ns ? rested_ns : until_ns;
}

/* Until woken, until a timer of its own is due (then true), or until something happens outside. */
static bool sleep_anywhere(struct filch__worker *worker, struct filch__poller *poller, struct filch__poll_event *events,
                           unsigned *count) {
    filch__runtime_quiet(worker->runtime);
    count_up(&worker->sleeps, 1);
    int64_t until_ns = sleep_until(worker);
    bool polls = poller != NULL && begin_to_poll(worker, poller);
    probe1(park, worker->index);
    if (filch__traces(&worker->deque.hot)) filch__trace_worker(&worker->deque.hot, TRACE_SLEEP);
    bool due = polls ? sleep_in_poller(worker, poller, events, count, until_ns) : sleep_on_futex(worker, until_ns);
    probe1(unpark, worker->index);
    if (filch__traces(&worker->deque.hot)) filch__trace_worker(&worker->deque.hot, TRACE_AWAKE);
    if (due) worker->slept_until_ns = until_ns;
    return due;
}

/*
 * Sleeps until woken, until a timer of its own is due, or until something happens outside. Counted as searching
 * afterwards; what has happened outside is delivered when it is, so that it is not chosen to be woken for that.
 */
static void sleep_until_woken(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    struct filch__poll_event events[POLL_BATCH];
    unsigned count = 0;
    lie_down(worker);
    share_all(worker);
    struct filch__poller *poller = load_seq_cst(&runtime->poller);                /* L */
    bool stay = filch__steal_in_sight(runtime) || load_seq_cst(&runtime->ending); /* L */
    bool due = !stay && sleep_anywhere(worker, poller, events, &count);
    worker->fed_outside = due || count > 0;
    get_up(worker);
    if (count > 0) poller->ops->deliver(poller, events, count);
}

/* ------------------------------------------------------------------------------------------------------ spares */

/* Under the lock: the spare is at work no more. */
static void count_retired(struct filch__worker *spare) {
    struct filch__monitor *monitor = &spare->runtime->monitor;
    store_relaxed(&spare->dismissed, false);
    store_seq_cst(&spare->rests, RESTS_RETIRED);
    monitor->at_work--;
    store_relaxed(&monitor->spares, monitor->at_work - spare->runtime->worker_count); /* for statistics */
}

static void drain(struct filch__worker *spare) {
    filch__slab_cache_drain(&spare->extras);
    filch__slab_cache_drain(&spare->tasks);
    filch__stack_cache_drain(&spare->stacks);
}

void filch__idle_retire(struct filch_runtime *runtime, unsigned count) {
    struct filch__idle *idle = &runtime->idle;
    unsigned known = filch__runtime_known(runtime), before = count;
    filch__lock_take(&idle->lock);
    for (unsigned i = runtime->worker_count; i < known; i++) {
        struct filch__worker *spare = filch__runtime_worker(runtime, i);
        if (!spare->listed || count == 0 || load_relaxed(&spare->polls)) continue; /* see below */
        count--;
        list_remove(idle, spare);
        sub_seq_cst(&idle->word, ONE_SLEEPING);
        count_retired(spare);
        drain(spare);
    }
    bool some = count < before;
    struct filch__worker *polling = NULL;
    for (unsigned i = runtime->worker_count; i < known; i++) {
        struct filch__worker *spare = filch__runtime_worker(runtime, i);
        bool polls = spare->listed && load_relaxed(&spare->polls); /* another is to poll in its place: see retire */
        bool dismissed = count > 0 && (polls || load_relaxed(&spare->rests) == RESTS_NOT); /* it will look itself */
        store_relaxed(&spare->dismissed, dismissed);
        if (!dismissed) continue;
        count--;
        if (!polls || polling != NULL) continue;
        polling = spare;
        make_searcher(idle, spare);
    }
    filch__lock_leave(&idle->lock);
    if (polling != NULL) rouse(polling);
    /* One that had not looked yet, after it lay down, looks in vain, if a producer has left it to it: hence as at F. */
    if (some) filch__idle_hand_over(runtime);
}

bool filch__idle_unretire(struct filch_runtime *runtime) {
    struct filch__idle *idle = &runtime->idle;
    struct filch__monitor *monitor = &runtime->monitor;
    unsigned known = filch__runtime_known(runtime);
    struct filch__worker *spare = NULL;
    filch__lock_take(&idle->lock);
    for (unsigned i = runtime->worker_count; i < known && spare == NULL; i++) {
        spare = filch__runtime_worker(runtime, i);
        if (load_relaxed(&spare->rests) != RESTS_RETIRED) spare = NULL; /* written under the lock */
    }
    if (spare != NULL) {
        store_seq_cst(&spare->rests, RESTS_ASLEEP);
        monitor->at_work++;
        store_relaxed(&monitor->spares, monitor->at_work - runtime->worker_count);
        count_up(&monitor->spare_starts, 1);
        add_seq_cst(&idle->word, ONE_SEARCHING);
    }
    filch__lock_leave(&idle->lock);
    if (spare != NULL) rouse(spare);
    return spare != NULL;
}

void filch__idle_leave_alone(struct filch_runtime *runtime) {
    struct filch__worker *worker = &runtime->workers[0];
    if (load_relaxed(&worker->alone)) return; /* only the monitor, which is the caller, sets it */
    filch__lock_take(&runtime->idle.lock);
    /* A worker that is blocked is about to put a spare to work. `alone` is written under the lock but by PLURAL. */
    if (runtime->monitor.at_work == 1 && runtime->monitor.blocked == 0 && !load_relaxed(&worker->alone)) {
        filch__runqueue_unshare(&worker->runqueue);
        store_seq_cst(&worker->alone, true);
    }
    filch__lock_leave(&runtime->idle.lock);
}

bool filch__idle_block(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    struct filch__monitor *monitor = &runtime->monitor;
    filch__lock_take(&runtime->idle.lock);
    if (worker->may_be_alone) { /* its own, and it is in no operation of its queue */
        store_seq_cst(&worker->alone, false);
        store_release(&worker->runqueue.alone, false);
    }
    monitor->blocked++;
    uint32_t out = monitor->blocked + load_relaxed(&monitor->stuck); /* a hint: the monitor will look itself */
    bool enough = monitor->at_work >= runtime->worker_count + out;
    filch__lock_leave(&runtime->idle.lock);
    return enough;
}

void filch__idle_unblock(struct filch__worker *worker) {
    filch__lock_take(&worker->runtime->idle.lock);
    worker->runtime->monitor.blocked--;
    filch__lock_leave(&worker->runtime->idle.lock);
}

void filch__idle_wait_retired(struct filch__worker *spare) {
    begin_anew(spare);
    end_search(spare); /* it begins with a turn, and may find something there */
}

/*
 * The spare has been dismissed, unless that was taken back. If it was the last searcher, it looks as at F: from here on it
 * is not idle. Counted as searching when it comes back.
 */
static void retire(struct filch__worker *spare) {
    struct filch_runtime *runtime = spare->runtime;
    filch__worker_empty(spare);
    end_search(spare);
    filch__lock_take(&runtime->idle.lock);
    /* Written under the lock. In the end, all that are retired by then are called back, and no more are after that. */
    bool dismissed = load_relaxed(&spare->dismissed) && !load_seq_cst(&runtime->ending);
    if (dismissed) {
        store_relaxed(&spare->wake, 0);
        count_retired(spare);
    }
    filch__lock_leave(&runtime->idle.lock);
    if (!dismissed) return;
    filch__deque_share(&spare->deque);
    filch__runtime_quiet(runtime);
    filch__idle_hand_over(runtime);
    begin_anew(spare);
}

/*
 * A thief that takes one crumb after the other from a victim that has more rests before it steals again: stealing one
 * costs the victim a cache miss, and the thief more than the crumb was worth. While it rests it is not idle, so that its
 * victim may make its deque private and work at full speed. But in an uneven tree most items are crumbs, and the few
 * large ones are found by taking them all: each CRUMB_NS that stolen work has lasted pays for one more crumb.
 */
static void rest_after_crumb(struct filch__worker *worker) {
    if (worker->stolen_at_ns == 0 || worker->simulated) return;
    int64_t now_ns = filch__clock_now();
    int64_t lasted_ns = now_ns - worker->stolen_at_ns;
    worker->stolen_at_ns = 0;
    if (lasted_ns >= CRUMB_NS || !worker->victim_was_rich) {
        worker->rest_ns = 0;
        worker->patience += lasted_ns / CRUMB_NS;
        if (worker->patience > PATIENCE_MAX) worker->patience = PATIENCE_MAX;
        return;
    }
    if (worker->patience > 0) {
        worker->patience--;
        return;
    }
    worker->rest_ns = worker->rest_ns == 0 ? REST_NS_MIN : 2 * worker->rest_ns;
    if (worker->rest_ns > REST_NS_MAX) worker->rest_ns = REST_NS_MAX;
    int64_t until_ns = now_ns + worker->rest_ns;
    while (filch__clock_now() < until_ns && filch__inject_length(&worker->runtime->inject) == 0) {
        for (int i = 0; i < 16; i++) spin_pause();
    }
}

void *filch__idle_find(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    if (unlikely(worker->minds & MINDS_PUT_OFF)) filch__poller_flush(worker);
    rest_after_crumb(worker);
    for (;;) {
        void *item = NULL;
        if (unlikely(load_relaxed(&worker->dismissed))) retire(worker);
        /* Whose timers or descriptors ended its sleep, and who found no other work since, expects more from there. */
        bool search_now = !load_relaxed(&worker->alone) && !worker->fed_outside;
        if (search_now && (worker->searching || begin_search(worker))) item = search(worker);
        if (item == NULL && filch__timers_earliest(&worker->timers) != INT64_MAX) {
            filch__timers_fire(&worker->timers, filch__timers_saw(&worker->timers, filch__clock_now()));
        }
        if (item == NULL) item = filch__worker_next(worker);
        if (item != NULL) {
            end_search(worker);
            return item;
        }
        if (load_seq_cst(&runtime->ending)) return NULL;
        sleep_until_woken(worker);
    }
}
