/* SPDX-License-Identifier: MIT */
/*
 * What a strand runs in, as one word (`hot.region` of its worker while it runs, the waiter's while it waits, the frame's
 * for a forked call): its task, or the innermost scope or shield that is open in it. Opening one replaces the word,
 * closing it puts back the one before; so the word leads, outwards, through all of them to the task, from there to the
 * scope that the task was spawned into, and so on.
 *
 * Bits of the word
 *   REGION_OPEN    it is a region (a scope or a shield); else it is the task itself
 *   REGION_CHILD   the strand is a forked call that was taken by another worker: see sched/park.h
 */
#ifndef FILCH_SCHED_REGION_H
#define FILCH_SCHED_REGION_H

#include <filch/scope.h>
#include <filch/task.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    REGION_OPEN = 1,
    REGION_CHILD = 2,
    REGION_BITS = 3,
};

/* The flags of a region. */
enum {
    REGION_CANCELLED = 1, /* every waiting call in it answers -ECANCELED */
    REGION_EXPIRED = 2,   /* ... because its deadline passed */
    REGION_SHIELD = 4,    /* what is cancelled further out does not count in it */
};

static inline struct filch__region *region_of(void *word) {
    return (struct filch__region *)((uintptr_t)word & ~(uintptr_t)REGION_BITS);
}

static inline bool region_is_open(void *word) {
    return (uintptr_t)word & REGION_OPEN;
}

/* The task that a strand with this word is of, or NULL. */
static inline struct filch_task *region_task(void *word) {
    void *address = region_of(word);
    return region_is_open(word) ? ((struct filch__region *)address)->task : address;
}

struct filch__worker;

/* Opens and closes a region of the strand that the worker runs; `call`, for the message, is who closes. */
void filch__region_push(struct filch__worker *worker, struct filch__region *region, uint32_t flags);
void filch__region_pop(struct filch__worker *worker, struct filch__region *region, const char *call);

/* Whether the task itself was cancelled, or one that has called it in place and waits for it, and so on. By a strand of it. */
bool filch__task_is_cancelled(struct filch_task *task);

/* A function that began with the word `begun` has ended, and `word` is not that: something is still open. */
_Noreturn void filch__region_die_open(void *word, const char *what);

/* Dies unless `region` is what the caller has opened last. `call`, for the message. */
void filch__region_must_be_last(struct filch__region *region, const char *call);

/* Whether a strand with this word is cancelled, found by walking outwards. */
bool filch__region_is_cancelled(void *word);

/*
 * The same, by the strand itself. What a walk has found is worth remembering: until somebody cancels what is further out,
 * and so hints at the task, the answer stays what it is, but where a shield ends. So a task's own strand notes in `hints`
 * that it is not cancelled (TASK_SEEN), if they are still what they were before the walk; a hint takes that back. Forked
 * children run in regions of their own, and walk each time.
 *
 * Between the flag and the last hint a note may be wrong, while others have seen the flag. So nobody believes one while
 * somebody in the process is cancelling something.
 *
 *   CANCELLING   cancel: up (seq_cst), the flag, the hints, down (release)  ->  a look: 0 (acquire), then the note: whoever
 *                has seen the flag, or been told by one who has, sees it up, or sees the hints
 */
bool filch__strand_is_cancelled(void *word);

/* Around each change of a flag and the hints that follow. */
void filch__cancelling_begin(void);
void filch__cancelling_end(void);

/* In the child of a fork: those who were at it are its parent's threads. */
void filch__cancelling_forget(void);

#endif
