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
#include "sched/runtime.h"
#include "sched/steal.h"

enum {
    SEARCH_NS = 15000,  /* how long a worker searches before it sleeps */
    GLANCES = 16,       /* between two full rounds of a search */
    CRUMB_NS = 2000,    /* stolen work that lasted less was not worth the theft */
    REST_NS_MIN = 1000, /* how long the thief of a crumb from a rich victim rests; doubled with each in a row */
    REST_NS_MAX = 32000,
    PATIENCE_MAX = 256, /* so many crumbs at most are paid for beforehand */
};

#define ONE_SEARCHING ((uint64_t)1)
#define ONE_SLEEPING ((uint64_t)1 << 32)

void filch__idle_init(struct filch__idle *idle) {
    filch__lock_init(&idle->lock);
    filch__lock_init(&idle->share_lock);
    idle->word = idle->wakes = 0;
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

/* Takes one sleeper off the list and makes it a searcher, or returns NULL; with `only_if_none_searches`, as it says. */
static struct filch__worker *sleeper_to_searcher(struct filch__idle *idle, bool only_if_none_searches) {
    filch__lock_take(&idle->lock);
    struct filch__worker *worker = idle->sleepers;
    if (worker != NULL && only_if_none_searches && idle_searching(load_seq_cst(&idle->word)) > 0) worker = NULL;
    if (worker != NULL) {
        list_remove(idle, worker);
        add_seq_cst(&idle->word, ONE_SEARCHING - ONE_SLEEPING);
        count_up(&idle->wakes, 1);
    }
    filch__lock_leave(&idle->lock);
    return worker;
}

static void rouse(struct filch__worker *worker) {
    store_release(&worker->wake, 1);
    filch__futex_wake(&worker->wake, 1);
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
    if (sleeps) {
        list_remove(idle, worker);
        add_seq_cst(&idle->word, ONE_SEARCHING - ONE_SLEEPING);
    }
    filch__lock_leave(&idle->lock);
    if (sleeps) rouse(worker);
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
    filch__lock_leave(&idle->lock);
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
    filch__lock_leave(&idle->lock);
    while (load_acquire(&worker->wake) == 0) filch__futex_wait(&worker->wake, 0, INT64_MAX);
    worker->searching = true;
}

enum lists {
    LISTS_SHARED, /* every one */
    LISTS_MOVING, /* some are being moved to their rings, and will have to be asked after that */
    LISTS_ASKED,  /* some have been asked and not been answered for */
};

/* Asks every deque. Under the share lock. */
static enum lists ask_all(struct filch_runtime *runtime) {
    enum lists lists = LISTS_SHARED;
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        struct filch__worker *worker = &runtime->workers[i];
        worker->asking = filch__deque_ask(&worker->deque);
        if (worker->asking == DEQUE_SHARED) continue;
        if (worker->asking != DEQUE_TAKING) lists = LISTS_ASKED;
        if (lists == LISTS_SHARED) lists = LISTS_MOVING;
    }
    return lists;
}

/* One go of share_all: whether there is more to do. */
static bool share_some(struct filch_runtime *runtime) {
    switch (ask_all(runtime)) {
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
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        filch__deque_share_after_barrier(&runtime->workers[i].deque, runtime->workers[i].asking);
    }
    return true;
}

/* Between Z and L: nobody sleeps before every list is shared, its own included, for when it works again. */
static void share_all(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    if (worker->alone) return;
    filch__deque_share(&worker->deque);
    if (!load_relaxed(&runtime->closable)) return; /* never true again */
    filch__lock_take(&runtime->idle.share_lock);
    while (share_some(runtime)) continue;
    filch__lock_leave(&runtime->idle.share_lock);
}

/* ------------------------------------------------------------------------------------------------ search and sleep */

static bool timer_is_due(struct filch__worker *worker, int64_t now_ns) {
    return filch__timers_earliest(&worker->timers) <= now_ns;
}

/*
 * Searches for SEARCH_NS, or until there is something. Between the full rounds, which also ask for private lists, it only
 * glances at one worker after the other: that much sooner it sees what is published.
 */
static void *search(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    worker->looked_at_ns = filch__clock_now();
    int64_t until_ns = worker->looked_at_ns + SEARCH_NS;
    store_relaxed(&runtime->coarse_ns, worker->looked_at_ns); /* for reports */
    for (;;) {
        void *item = filch__steal_round(worker);
        for (int i = 0; i < FILCH__TIMES(GLANCES) && item == NULL; i++) {
            spin_pause();
            item = filch__steal_glance(worker);
        }
        if (item != NULL) return item;
        if (load_relaxed(&runtime->ending)) return NULL; /* a hint: it is looked at again before sleeping */
        worker->looked_at_ns = filch__clock_now();
        if (timer_is_due(worker, worker->looked_at_ns) || worker->looked_at_ns >= until_ns) return NULL;
    }
}

/* Sleeps until woken or until a timer of its own is due. Counted as searching afterwards. */
static void sleep_until_woken(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    lie_down(worker);
    share_all(worker);
    bool stay = filch__steal_in_sight(runtime) || load_seq_cst(&runtime->ending); /* L */
    if (!stay) {
        filch__runtime_quiet(runtime);
        count_up(&worker->sleeps, 1);
        int64_t until_ns = filch__timers_earliest(&worker->timers);
        while (load_acquire(&worker->wake) == 0 && filch__futex_wait(&worker->wake, 0, until_ns)) continue;
    }
    get_up(worker);
}

/*
 * A thief that takes one crumb after the other from a victim that has more rests before it steals again: stealing one
 * costs the victim a cache miss, and the thief more than the crumb was worth. While it rests it is not idle, so that its
 * victim may make its deque private and work at full speed. But in an uneven tree most items are crumbs, and the few
 * large ones are found by taking them all: each CRUMB_NS that stolen work has lasted pays for one more crumb.
 */
static void rest_after_crumb(struct filch__worker *worker) {
    if (worker->stolen_at_ns == 0) return;
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
    rest_after_crumb(worker);
    for (;;) {
        void *item = NULL;
        if (!worker->alone && (worker->searching || begin_search(worker))) item = search(worker);
        if (item == NULL && filch__timers_earliest(&worker->timers) != INT64_MAX) {
            filch__timers_fire(&worker->timers, filch__clock_now());
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
