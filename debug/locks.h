/* SPDX-License-Identifier: MIT */
/*
 * Between libfilch.so, or a program that has the library in it, and libfilch-debug.so: which locks of pthread's a thread
 * holds. The one is found by the other by the name filch_debug_locks.
 */
#ifndef FILCH_DEBUG_LOCKS_H
#define FILCH_DEBUG_LOCKS_H

#define FILCH_DEBUG_LOCKS_VERSION 1u

enum { FILCH_DEBUG_LOCK_FRAMES = 12 };

/* A lock that is held. */
struct filch_debug_lock {
    const void *address; /* NULL: this place is free */
    const char *kind;    /* "pthread mutex" */
    void *task;          /* that has taken it */
    unsigned depth;
    unsigned told;
    void *frames[FILCH_DEBUG_LOCK_FRAMES]; /* where */
};

/*
 * Takes the function that answers which task runs on the calling thread. Returns one that gives a lock that the calling
 * thread holds for `task` and that it has not given before, or NULL; it is good until the thread unlocks it. NULL: another
 * version.
 */
typedef struct filch_debug_lock *(*filch_debug_locks_fn(unsigned version, void *(*self)(void)))(void *task);

#endif
