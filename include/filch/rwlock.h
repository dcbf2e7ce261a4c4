/* SPDX-License-Identifier: MIT */
/*
 * Read-write locks: many readers or one writer.
 *
 * Who is served. Readers and writers take turns: while a writer waits, readers that come wait behind it; when a writer
 * unlocks, all readers that wait by then go on together, and after them the writer that has waited longest. So a reader
 * waits for at most one writer's turn, and a writer for at most one turn of readers and one of each writer before it.
 * What is unlocked is given to who waits, not left to who comes first.
 *
 * A reader that reads again while it reads may wait for ever: for a writer that waits for it. There is no upgrade from
 * reading to writing, since two that ask for one wait for each other; unlock, lock for writing, and look again.
 *
 * A zeroed lock is free; its memory is the caller's and does not move. Owners are those of filch/mutex.h; only the
 * writer is known.
 */
#ifndef FILCH_RWLOCK_H
#define FILCH_RWLOCK_H

#include <filch/base.h>
#include <filch/inside.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef struct filch_rwlock {
    uint32_t filch__reading; /* how many read, and a flag of debug mode; under the latch, as what follows it */
    struct filch__latch filch__latch;
    uintptr_t filch__writer;               /* who writes, or 0 */
    struct filch__waitlist filch__readers; /* who waits to read */
    struct filch__waitlist filch__writers; /* who waits to write */
} filch_rwlock;

#ifdef __cplusplus
#define FILCH_RWLOCK_INIT                                                                                              \
    {}
#else
#define FILCH_RWLOCK_INIT                                                                                              \
    { 0 }
#endif

/* Makes a free lock in the caller's memory, as FILCH_RWLOCK_INIT does. Does not wait. */
FILCH_API void filch_rwlock_init(filch_rwlock *lock);

/*
 * Ends the use of `lock`: its memory is the caller's again. Aborts if it is held or waited for. Calls that have a deadline
 * or may be cancelled must have returned by then. NULL is nothing. From any thread; does not wait.
 */
FILCH_API void filch_rwlock_fini(filch_rwlock *lock);

/*
 * Locks `lock` for reading, waiting while somebody writes or waits to write. Except on 0 the caller does not hold it.
 * Aborts if the caller writes.
 *
 * Returns  0            the caller reads, until filch_rwlock_read_unlock
 *          -ETIMEDOUT   `deadline` passed first; a lock that can be had at once is locked whatever the deadline
 *          -ECANCELED   the scope was cancelled first; also if the lock could be had at once
 *          -EDEADLK     as filch_mutex_lock, in debug mode
 *          -EINVAL      `lock` is NULL
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. A call that need not wait is no occasion for others to run
 * Orders   what writers did before they unlocked, before what follows this call
 */
FILCH_API FILCH_CHECK int filch_rwlock_read(filch_rwlock *lock, filch_deadline deadline);

/*
 * Locks `lock` for writing, waiting while anybody holds it. Except on 0 the caller does not hold it. Aborts if the
 * caller writes already.
 *
 * Returns, Call, Waits  as filch_rwlock_read; on 0 the caller writes, until filch_rwlock_write_unlock or _downgrade
 * Orders   what readers and writers did before they unlocked, before what follows this call
 */
FILCH_API FILCH_CHECK int filch_rwlock_write(filch_rwlock *lock, filch_deadline deadline);

/*
 * Lock `lock` for reading, or for writing, if that is possible at once. Cancellation does not matter.
 *
 * Returns  0         the caller holds the lock
 *          -EBUSY    it would have to wait
 *          -EINVAL   `lock` is NULL
 * Call     from a task or from any thread
 * Waits    no
 * Orders   as filch_rwlock_read and filch_rwlock_write
 */
FILCH_API FILCH_CHECK int filch_rwlock_try_read(filch_rwlock *lock);
FILCH_API FILCH_CHECK int filch_rwlock_try_write(filch_rwlock *lock);

/*
 * Unlocks what was locked for reading. Aborts if nobody reads; whether the caller does is not known. From the task or
 * thread that reads; does not wait.
 */
FILCH_API void filch_rwlock_read_unlock(filch_rwlock *lock);

/* Unlocks what was locked for writing. Aborts unless the caller writes. From who locked it; does not wait. */
FILCH_API void filch_rwlock_write_unlock(filch_rwlock *lock);

/*
 * Turns the caller from the writer into a reader, without letting another writer in between; readers that wait go on.
 * Aborts unless the caller writes. From who locked it; does not wait.
 */
FILCH_API void filch_rwlock_downgrade(filch_rwlock *lock);

FILCH_END_DECLS

#endif
