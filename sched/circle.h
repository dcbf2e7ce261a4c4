/* SPDX-License-Identifier: MIT */
/*
 * Circles of tasks that wait for one another, found in debug mode by the call that closes them, at once.
 *
 * Whoever is about to wait for something that somebody holds notes that, and takes the note back when it goes on; notes come
 * and go under one lock. Under the same lock it then goes from note to note: from what it waits for to who holds that, and
 * to that one's note. If that leads back to itself, it is a circle. Why there is no false one:
 *
 *   - Who has a note does not run the program's code, and so gives nothing away that it holds, from before the search took
 *     the lock until after it has left it. So each "is held by" that was seen at any time of the search holds at its end.
 *   - Hence nobody on the way has got what it waits for, whatever became of its wait, since another is seen to hold it.
 *   - Of a task that is awaited this is seen by the note itself: the note is taken out before the task's record, by whose
 *     address the task is known, is given back, and so cannot be meant for a task that has the record later. Whoever gives
 *     the record back takes it out: the awaiter, or the task at its end, which finds the note by its end word.
 *   - A wait whose deadline has passed, or whose strand is cancelled, may end by itself: there is no circle then.
 *
 * And of each circle the last one to note its wait finds it, since it sees all other notes, and what their writers took they
 * took before.
 *
 * Who holds it, is a word as in sync/owner.h. Forked calls of one task that other workers have taken share a word, so that
 * a way that leads to it ends there. Semaphores, readers, events and channels are held by nobody in particular: likewise.
 */
#ifndef FILCH_SCHED_CIRCLE_H
#define FILCH_SCHED_CIRCLE_H

#include <filch/time.h>
#include <stdbool.h>
#include <stdint.h>

#include "sched/complaint.h"

struct filch_runtime;

struct filch__circle_note {
    /* by who enters it, before */
    uintptr_t who;    /* is about to wait, as an owner's word */
    const char *what; /* "mutex" */
    const void *object;
    uintptr_t (*holder)(const void *object); /* who holds it, or 0. NULL: it is a scope, held by all its members */
    filch_deadline deadline;
    bool cancellable;
    bool may_fail; /* -EDEADLK would be an answer */

    /* inside */
    struct filch__circle_note *next, **link;
    void *region;
    struct filch__witness witness;
};

/* Before the wait, without a latch. True: this would close a circle, and the caller is to answer -EDEADLK in place of it. */
bool filch__circle_enter(struct filch__circle_note *note);

/* After a wait that was entered, by whoever; what has been taken out already is left alone. */
void filch__circle_leave(struct filch__circle_note *note);

/* In the child of a fork. */
void filch__circle_forget(void);

#endif
