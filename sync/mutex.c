/* SPDX-License-Identifier: MIT */
/*
 * Mutexes.
 *
 * The word is 0, or the owner (sync/owner.h) and perhaps LOOK. It is 0 whenever the mutex is free, so that both fast
 * paths are one CAS; LOOK makes that of the unlock fail.
 *
 *   from         to           by whom
 *   0            owner        anyone, for itself
 *   owner        0            the owner
 *   owner        owner, LOOK  who is going to wait, under the latch; the owner, if it is watched: see sched/debug.h
 *   owner, LOOK  0            the owner, under the latch; it has woken the first waiter, or there is none
 *   owner, LOOK  another      the owner, under the latch: a hand-off to the first waiter, with LOOK if more wait
 *
 * Invariant: while somebody waits in the list, the mutex is held with LOOK in its word, or somebody has been woken
 * (`woken`) and has not tried yet. Who has been woken tries under the latch, and sets LOOK if it leaves others in the
 * list: so it does not matter that nobody looks until then. It tries whatever became of its deadline or its scope
 * meanwhile, and so nothing has to be passed on; if it goes away after that, somebody else holds the mutex, with LOOK.
 *
 * A waiter that has tried and lost goes back to the head of the list. Once it is starving, the next unlock hands over.
 *
 * Edge
 *   MUTEX   unlock: the word (release)  ->  lock: the word (acquire)   carries all that was done under the mutex. In a
 *           hand-off the grant carries it instead
 */
#include "sync/mutex.h"

#include <errno.h>

#include "base/clock.h"
#include "base/tasksan.h"
#include "sched/circle.h"
#include "sched/debug.h"
#include "sched/ledger.h"
#include "sched/sched.h"
#include "sync/owner.h"

enum {
    LOOK = OWNER_FLAG,
    LOSSES_MAX = 4,          /* after so many tries a waiter is starving, or */
    TRYING_NS_MAX = 1000000, /* after it has tried for so long, and lost */
};

/* What a waiter is granted: a try, or the mutex. */
enum { GRANT_TRY = 1, GRANT_MUTEX = 2 };

/* One who waits, from its first to its last try. */
struct attempt {
    uintptr_t who;
    unsigned waits;
    int64_t trying_since_ns; /* when it first lost after having been woken */
    bool starving;
};

static inline uintptr_t owner_in(uintptr_t word) {
    return word & ~(uintptr_t)LOOK;
}

/* relaxed: for what the caller itself has written, and for errors */
static inline uintptr_t owner_of(const filch_mutex *mutex) {
    return owner_in(load_relaxed(&mutex->filch__word));
}

void filch_mutex_init(filch_mutex *mutex) {
    *mutex = (filch_mutex)FILCH_MUTEX_INIT;
}

void filch_mutex_fini(filch_mutex *mutex) {
    if (mutex == NULL) return;
    char text[OWNER_TEXT];
    filch__latch_take(&mutex->filch__latch); /* an unlock may still be about to leave it */
    uintptr_t owner = owner_of(mutex);
    if (owner != 0) {
        filch__die("mutex_fini: mutex %p is held by %s", (void *)mutex, filch__owner_write(owner, text));
    }
    if (!filch__waitlist_is_empty(&mutex->filch__waiters))
        filch__die("mutex_fini: mutex %p is waited for", (void *)mutex);
    filch__latch_leave(&mutex->filch__latch);
}

bool filch_mutex_locked(const filch_mutex *mutex) {
    return owner_of(mutex) != 0;
}

/* ---------------------------------------------------------------------------------------------------------- lock */

static _Noreturn void die_of_relock(const filch_mutex *mutex, uintptr_t caller) {
    char text[OWNER_TEXT];
    filch__die("mutex_lock: mutex %p is held already by its caller, %s", (const void *)mutex,
               filch__owner_write(caller, text));
}

static inline bool take_if_free(filch_mutex *mutex, uintptr_t caller) {
    uintptr_t nobody = 0;
    if (!cas_acquire(&mutex->filch__word, &nobody, caller)) return false; /* MUTEX */
    edge_acquire(mutex);
    return true;
}

/* Takes the mutex, or else makes sure that its owner looks at the list. Under the latch. */
static bool take_or_mark(filch_mutex *mutex, uintptr_t caller) {
    bool look = !filch__waitlist_is_empty(&mutex->filch__waiters) && !mutex->filch__woken;
    uintptr_t word = load_relaxed(&mutex->filch__word); /* the CAS counts */
    for (;;) {
        if (word == 0) {
            if (cas_acquire(&mutex->filch__word, &word, caller | (look ? LOOK : 0))) return true; /* MUTEX */
        } else if (word & LOOK || mutex->filch__woken) {
            return false;
        } else if (cas_relaxed(&mutex->filch__word, &word, word | LOOK)) { /* the latch orders the list */
            return false;
        }
    }
}

/* It was woken, has tried at `now_ns`, and has lost. */
static void lose(struct attempt *attempt, int64_t now_ns) {
    if (attempt->waits == 1) attempt->trying_since_ns = now_ns;
    attempt->starving = attempt->waits >= LOSSES_MAX || now_ns - attempt->trying_since_ns >= TRYING_NS_MAX;
}

/* Waits at the end of the list, or, having lost, at its head. Under the latch, which is left. */
static int wait_in_list(filch_mutex *mutex, struct attempt *attempt, filch_deadline deadline, bool through) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "mutex", mutex);
    struct filch__clause clause = {.waiter = &waiter, .value = attempt};
    if (attempt->waits++ == 0) {
        filch__waitlist_add(&mutex->filch__waiters, &clause);
    } else {
        filch__waitlist_add_first(&mutex->filch__waiters, &clause);
    }
    return through ? filch__wait_through(&mutex->filch__latch, &clause, deadline)
                   : filch__wait(&mutex->filch__latch, &clause, deadline);
}

static int wait_for(filch_mutex *mutex, uintptr_t caller, filch_deadline deadline, bool through) {
    struct attempt attempt = {.who = caller};
    for (int64_t now_ns = 0;; now_ns = filch__clock_now()) {
        filch__latch_take(&mutex->filch__latch);
        if (attempt.waits > 0) mutex->filch__woken = false;
        if (take_or_mark(mutex, caller)) break;
        if (attempt.waits > 0) lose(&attempt, now_ns);
        int answer = wait_in_list(mutex, &attempt, deadline, through);
        if (answer == GRANT_MUTEX) edge_acquire(mutex); /* MUTEX */
        if (answer != GRANT_TRY) return answer == GRANT_MUTEX ? 0 : answer;
    }
    edge_acquire(mutex); /* MUTEX */
    filch__latch_leave(&mutex->filch__latch);
    return 0;
}

static uintptr_t holder(const void *mutex) {
    return owner_of(mutex);
}

/* Where circles are looked for. */
static never_inline int wait_noted(filch_mutex *mutex, uintptr_t caller, filch_deadline deadline, bool through) {
    struct filch__circle_note note = {.who = caller,
                                      .what = "mutex",
                                      .object = mutex,
                                      .holder = holder,
                                      .deadline = deadline,
                                      .cancellable = !through,
                                      .may_fail = !through};
    if (filch__circle_enter(&note)) return -EDEADLK;
    int answer = wait_for(mutex, caller, deadline, through);
    filch__circle_leave(&note);
    return answer;
}

static never_inline int lock_slowly(filch_mutex *mutex, uintptr_t caller, filch_deadline deadline, bool through) {
    if (filch__owner_is(owner_of(mutex), caller)) die_of_relock(mutex, caller);
    if (filch__debug_has(CHECK_CYCLE)) return wait_noted(mutex, caller, deadline, through);
    return wait_for(mutex, caller, deadline, through);
}

/* Of a task that is watched. LOOK has the unlock go the slow way, where it is noted. */
static never_inline int lock_watched(filch_mutex *mutex, filch_deadline deadline, bool through) {
    uintptr_t caller = filch__owner();
    int answer = take_if_free(mutex, caller) ? 0 : lock_slowly(mutex, caller, deadline, through);
    if (answer != 0) return answer;
    or_acq_rel(&mutex->filch__word, (uintptr_t)LOOK);
    filch__ledger_taken("mutex", mutex);
    return 0;
}

static never_inline int lock_rarely(filch_mutex *mutex, filch_deadline deadline) {
    return filch__cancelled_now() ? -ECANCELED : lock_watched(mutex, deadline, false);
}

int filch_mutex_lock(filch_mutex *mutex, filch_deadline deadline) {
    if (unlikely(mutex == NULL)) return -EINVAL;
    if (unlikely(filch__cancelled_or_watched())) return lock_rarely(mutex, deadline);
    uintptr_t caller = filch__owner();
    if (likely(take_if_free(mutex, caller))) return 0;
    return lock_slowly(mutex, caller, deadline, false);
}

int filch_mutex_try_lock(filch_mutex *mutex) {
    if (unlikely(mutex == NULL)) return -EINVAL;
    return take_if_free(mutex, filch__owner()) ? 0 : -EBUSY;
}

void filch__mutex_lock_through(filch_mutex *mutex, bool watched) {
    if (unlikely(watched)) {
        (void)lock_watched(mutex, FILCH_NEVER, true);
        return;
    }
    uintptr_t caller = filch__owner();
    if (likely(take_if_free(mutex, caller))) return;
    (void)lock_slowly(mutex, caller, FILCH_NEVER, true);
}

/* -------------------------------------------------------------------------------------------------------- unlock */

static _Noreturn void die_of_not_holding(const filch_mutex *mutex, const char *call, uintptr_t caller) {
    char held_by[OWNER_TEXT] = "nobody", called_by[OWNER_TEXT];
    uintptr_t owner = owner_of(mutex);
    if (owner != 0) filch__owner_write(owner, held_by);
    filch__die("%s: only its owner may: mutex %p is held by %s, and the caller is %s", call, (const void *)mutex,
               held_by, filch__owner_write(caller, called_by));
}

void filch__mutex_must_hold(filch_mutex *mutex, const char *call) {
    uintptr_t caller = filch__owner();
    if (unlikely(owner_of(mutex) != caller)) die_of_not_holding(mutex, call, caller);
}

static never_inline void unlock_slowly(filch_mutex *mutex, uintptr_t caller) {
    if (unlikely(owner_of(mutex) != caller)) die_of_not_holding(mutex, "mutex_unlock", caller);
    if (filch__debug_has(CHECK_HELD)) filch__ledger_left(mutex);
    filch__latch_take(&mutex->filch__latch);
    struct filch__clause *first = filch__waitlist_take(&mutex->filch__waiters);
    const struct attempt *attempt = first == NULL ? NULL : first->value;
    bool hand_off = attempt != NULL && attempt->starving;
    uintptr_t next = 0;
    if (hand_off) {
        next = attempt->who | (filch__waitlist_is_empty(&mutex->filch__waiters) ? 0 : LOOK);
    } else if (first != NULL) {
        mutex->filch__woken = true;
    }
    store_release(&mutex->filch__word, next); /* MUTEX */
    filch__latch_leave(&mutex->filch__latch);
    if (first != NULL) filch__grant(first->waiter, hand_off ? GRANT_MUTEX : GRANT_TRY);
}

void filch_mutex_unlock(filch_mutex *mutex) {
    uintptr_t caller = filch__owner(), owner = caller;
    edge_set(mutex); /* MUTEX: it has acquired what others released */
    if (unlikely(!cas_acq_rel(&mutex->filch__word, &owner, 0))) unlock_slowly(mutex, caller); /* MUTEX */
}
