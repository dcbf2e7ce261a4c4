/* SPDX-License-Identifier: MIT */
/*
 * Read-write locks. All is done under the latch. What changes the state then admits whom it lets go on, so that at no
 * time
 *   - readers wait while nobody writes and nobody waits to write, or
 *   - a writer waits while nobody holds the lock.
 * A writer that withdraws changes the state too: the readers behind it may be free to go on.
 *
 * The writer's word has OWNER_FLAG where the writer is watched (sched/debug.h), so that its unlock looks closer; the number
 * of readers has READING_WATCHED while it is not 0, once a reader was noted that is watched.
 *
 * Edges, carried by the latch, or by the grant
 *   WRITTEN  write_unlock, downgrade -> read, write   told of the lock
 *   READ     read_unlock -> write                     told of its list of readers; readers are in no order
 */
#include <errno.h>
#include <filch/rwlock.h>

#include "base/tasksan.h"
#include "sched/circle.h"
#include "sched/debug.h"
#include "sched/ledger.h"
#include "sched/sched.h"
#include "sync/owner.h"

enum turn { READERS_TURN, WRITERS_TURN };

#define READING_WATCHED ((uint32_t)1 << 31)

void filch_rwlock_init(filch_rwlock *lock) {
    *lock = (filch_rwlock)FILCH_RWLOCK_INIT;
}

/* Under the latch. */
static inline uintptr_t writer_of(const filch_rwlock *lock) {
    return lock->filch__writer & ~(uintptr_t)OWNER_FLAG;
}

void filch_rwlock_fini(filch_rwlock *lock) {
    if (lock == NULL) return;
    char text[OWNER_TEXT];
    filch__latch_take(&lock->filch__latch); /* an unlock may still be about to leave it */
    if (lock->filch__writer != 0) {
        filch__die("rwlock_fini: lock %p is held for writing by %s", (void *)lock,
                   filch__owner_write(writer_of(lock), text));
    }
    if (lock->filch__reading != 0) {
        filch__die("rwlock_fini: lock %p is held by %u readers", (void *)lock, lock->filch__reading & ~READING_WATCHED);
    }
    if (!filch__waitlist_is_empty(&lock->filch__readers) || !filch__waitlist_is_empty(&lock->filch__writers)) {
        filch__die("rwlock_fini: lock %p is waited for", (void *)lock);
    }
    filch__latch_leave(&lock->filch__latch);
}

/* ------------------------------------------------------------------------------------------------ under the latch */

static inline bool may_read(const filch_rwlock *lock) {
    return lock->filch__writer == 0 && filch__waitlist_is_empty(&lock->filch__writers);
}

/* Nobody waits for a lock that nobody holds, so this passes nobody by. */
static inline bool may_write(const filch_rwlock *lock) {
    return lock->filch__writer == 0 && lock->filch__reading == 0;
}

static struct filch__clause *admit_readers(filch_rwlock *lock) {
    struct filch__clause *all = filch__waitlist_take_all(&lock->filch__readers);
    for (struct filch__clause *each = all; each != NULL; each = each->next) lock->filch__reading++;
    return all;
}

static struct filch__clause *admit_writer(filch_rwlock *lock) {
    struct filch__clause *first = filch__waitlist_take(&lock->filch__writers);
    if (first == NULL) return NULL;
    lock->filch__writer = first->amount;
    first->next = NULL; /* a chain of one */
    return first;
}

/* Whoever may hold the lock from now on does: the chain is owed grants. If there is a choice, it is the `turn`'s. */
static struct filch__clause *admit(filch_rwlock *lock, enum turn turn) {
    if (lock->filch__writer != 0) return NULL;
    if (turn == READERS_TURN || filch__waitlist_is_empty(&lock->filch__writers)) {
        struct filch__clause *readers = admit_readers(lock);
        if (readers != NULL) return readers;
    }
    return lock->filch__reading == 0 ? admit_writer(lock) : NULL;
}

static void admit_and_leave(filch_rwlock *lock, enum turn turn) {
    struct filch__clause *admitted = admit(lock, turn);
    filch__latch_leave(&lock->filch__latch);
    filch__grant_all(admitted, 0);
}

static int may_now_read(filch_rwlock *lock) {
    edge_acquire(lock); /* WRITTEN */
    return 0;
}

static int may_now_write(filch_rwlock *lock) {
    edge_acquire(lock);                  /* WRITTEN */
    edge_acquire(&lock->filch__readers); /* READ */
    return 0;
}

static int wait_in_list(filch_rwlock *lock, struct filch__waitlist *list, const char *reason, uintptr_t caller,
                        filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, reason, lock);
    struct filch__clause clause = {.waiter = &waiter, .amount = caller};
    filch__waitlist_add(list, &clause);
    return filch__wait(&lock->filch__latch, &clause, deadline);
}

/* ---------------------------------------------------------------------------------------------------------- lock */

static void must_not_write(const filch_rwlock *lock, const char *call, uintptr_t caller) {
    char text[OWNER_TEXT];
    if (likely(!filch__owner_is(writer_of(lock), caller))) return;
    filch__die("%s: lock %p is held already for writing by its caller, %s", call, (const void *)lock,
               filch__owner_write(caller, text));
}

static force_inline int lock_to_read(filch_rwlock *lock, filch_deadline deadline) {
    filch__latch_take(&lock->filch__latch);
    if (likely(may_read(lock))) {
        lock->filch__reading++;
        filch__latch_leave(&lock->filch__latch);
        return may_now_read(lock);
    }
    uintptr_t caller = filch__owner();
    must_not_write(lock, "rwlock_read", caller);
    int answer = wait_in_list(lock, &lock->filch__readers, "rwlock, to read", caller, deadline);
    return answer != 0 ? answer : may_now_read(lock);
}

static force_inline int lock_to_write(filch_rwlock *lock, filch_deadline deadline) {
    uintptr_t caller = filch__owner();
    filch__latch_take(&lock->filch__latch);
    if (likely(may_write(lock))) {
        lock->filch__writer = caller;
        filch__latch_leave(&lock->filch__latch);
        return may_now_write(lock);
    }
    must_not_write(lock, "rwlock_write", caller);
    int answer = wait_in_list(lock, &lock->filch__writers, "rwlock, to write", caller, deadline);
    if (answer != 0) {
        filch__latch_take(&lock->filch__latch);
        admit_and_leave(lock, WRITERS_TURN);
        return answer;
    }
    return may_now_write(lock);
}

/* For tasks that are watched. */
static uintptr_t holder(const void *object) {
    filch_rwlock *lock = (filch_rwlock *)(uintptr_t)object;
    filch__latch_take(&lock->filch__latch);
    uintptr_t writer = writer_of(lock);
    filch__latch_leave(&lock->filch__latch);
    return writer;
}

/* Locks, and where circles are looked for, notes meanwhile that it waits for who writes. */
static int lock_noted(filch_rwlock *lock, bool to_write, uintptr_t caller, filch_deadline deadline) {
    uintptr_t writer = holder(lock);
    bool noted = writer != 0 && writer != caller && filch__debug_has(CHECK_CYCLE);
    struct filch__circle_note note = {.who = caller,
                                      .what = to_write ? "rwlock, to write" : "rwlock, to read",
                                      .object = lock,
                                      .holder = holder,
                                      .deadline = deadline,
                                      .cancellable = true,
                                      .may_fail = true};
    if (noted && filch__circle_enter(&note)) return -EDEADLK;
    int answer = to_write ? lock_to_write(lock, deadline) : lock_to_read(lock, deadline);
    if (noted) filch__circle_leave(&note);
    return answer;
}

/* The caller reads. */
static void note_reader(filch_rwlock *lock) {
    if (!filch__ledger_reads(lock)) return;
    filch__latch_take(&lock->filch__latch);
    lock->filch__reading |= READING_WATCHED;
    filch__latch_leave(&lock->filch__latch);
}

static never_inline int read_rarely(filch_rwlock *lock, filch_deadline deadline) {
    if (filch__cancelled_now()) return -ECANCELED;
    int answer = lock_noted(lock, false, filch__owner(), deadline);
    if (answer == 0) note_reader(lock);
    return answer;
}

static never_inline int write_rarely(filch_rwlock *lock, filch_deadline deadline) {
    if (filch__cancelled_now()) return -ECANCELED;
    int answer = lock_noted(lock, true, filch__owner(), deadline);
    if (answer != 0) return answer;
    filch__latch_take(&lock->filch__latch);
    lock->filch__writer |= OWNER_FLAG;
    filch__latch_leave(&lock->filch__latch);
    filch__ledger_taken("rwlock, to write,", lock);
    return 0;
}

int filch_rwlock_read(filch_rwlock *lock, filch_deadline deadline) {
    if (unlikely(lock == NULL)) return -EINVAL;
    if (unlikely(filch__cancelled_or_watched())) return read_rarely(lock, deadline);
    return lock_to_read(lock, deadline);
}

int filch_rwlock_write(filch_rwlock *lock, filch_deadline deadline) {
    if (unlikely(lock == NULL)) return -EINVAL;
    if (unlikely(filch__cancelled_or_watched())) return write_rarely(lock, deadline);
    return lock_to_write(lock, deadline);
}

int filch_rwlock_try_read(filch_rwlock *lock) {
    if (unlikely(lock == NULL)) return -EINVAL;
    filch__latch_take(&lock->filch__latch);
    bool may = may_read(lock);
    if (may) lock->filch__reading++;
    filch__latch_leave(&lock->filch__latch);
    return may ? may_now_read(lock) : -EBUSY;
}

int filch_rwlock_try_write(filch_rwlock *lock) {
    if (unlikely(lock == NULL)) return -EINVAL;
    uintptr_t caller = filch__owner();
    filch__latch_take(&lock->filch__latch);
    bool may = may_write(lock);
    if (may) lock->filch__writer = caller;
    filch__latch_leave(&lock->filch__latch);
    return may ? may_now_write(lock) : -EBUSY;
}

/* -------------------------------------------------------------------------------------------------------- unlock */

static void must_read(const filch_rwlock *lock) {
    if (unlikely(lock->filch__reading == 0)) {
        filch__die("rwlock_read_unlock: nobody holds lock %p for reading", (const void *)lock);
    }
}

/* Nobody reads, or readers were noted. Returns what is left of `filch__reading`. Under the latch, which is left meanwhile. */
static never_inline uint32_t read_unlock_rarely(filch_rwlock *lock) {
    must_read(lock);
    bool last = lock->filch__reading == (READING_WATCHED | 1); /* a reader who comes just now may not be named */
    filch__latch_leave(&lock->filch__latch);
    filch__ledger_reads_no_more(lock, last);
    filch__latch_take(&lock->filch__latch);
    must_read(lock);
    uint32_t left = lock->filch__reading - 1;
    return left == READING_WATCHED ? 0 : left;
}

void filch_rwlock_read_unlock(filch_rwlock *lock) {
    filch__latch_take(&lock->filch__latch);
    uint32_t left = lock->filch__reading - 1;
    if (unlikely(left & READING_WATCHED)) left = read_unlock_rarely(lock); /* of 0, too */
    edge_release(&lock->filch__readers);                                   /* READ */
    lock->filch__reading = left;
    admit_and_leave(lock, WRITERS_TURN);
}

/* Whether the writer is watched: the ledger is to be told when the latch has been left. */
static inline bool must_write(const filch_rwlock *lock, const char *call) {
    char held_by[OWNER_TEXT] = "nobody", called_by[OWNER_TEXT];
    uintptr_t caller = filch__owner(), writer = lock->filch__writer;
    if (likely(writer == caller)) return false;
    if (writer == (caller | OWNER_FLAG)) return true;
    if (writer != 0) filch__owner_write(writer, held_by);
    filch__die("%s: only its writer may: lock %p is held for writing by %s, and the caller is %s", call,
               (const void *)lock, held_by, filch__owner_write(caller, called_by));
}

void filch_rwlock_write_unlock(filch_rwlock *lock) {
    filch__latch_take(&lock->filch__latch);
    bool watched = must_write(lock, "rwlock_write_unlock");
    edge_set(lock); /* WRITTEN */
    lock->filch__writer = 0;
    admit_and_leave(lock, READERS_TURN);
    if (unlikely(watched)) filch__ledger_left(lock);
}

void filch_rwlock_downgrade(filch_rwlock *lock) {
    filch__latch_take(&lock->filch__latch);
    bool watched = must_write(lock, "rwlock_downgrade");
    edge_set(lock); /* WRITTEN */
    lock->filch__writer = 0;
    lock->filch__reading = 1;
    admit_and_leave(lock, READERS_TURN);
    if (unlikely(watched)) {
        filch__ledger_left(lock);
        note_reader(lock);
    }
}
