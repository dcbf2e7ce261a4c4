/* SPDX-License-Identifier: MIT */
/*
 * Who owns a lock, as one word: a task's own strand, a forked call of a task that another worker has taken, or a thread
 * that is no worker. It is the same wherever the strand goes on, and never 0.
 *
 * All forked calls of a task that were taken have the same word, so that it does not tell whether one of them asks for
 * what it holds itself, or for what another of them holds.
 */
#ifndef FILCH_SYNC_OWNER_H
#define FILCH_SYNC_OWNER_H

#include <filch/fork.h>
#include <filch/scope.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"

enum {
    OWNER_FLAG = 1, /* clear in each owner: free for whoever keeps the word */
    OWNER_CHILD = 2,
    OWNER_THREAD = 4,
};

/* Of a thread that is no worker. */
uintptr_t filch__owner_thread(void);

static force_inline uintptr_t filch__owner(void) {
    uintptr_t word = (uintptr_t)filch__here()->region; /* most often the task itself: see sched/region.h */
    if (likely(word != 0 && !(word & OWNER_FLAG))) return word;
    if (word == 0) return filch__owner_thread();
    const struct filch__region *region = (const struct filch__region *)(word & ~(uintptr_t)(OWNER_FLAG | OWNER_CHILD));
    return (uintptr_t)region->task | (word & OWNER_CHILD);
}

/* Whether `caller`, whose word this is, can only be the one that `owner` stands for. */
static inline bool filch__owner_is(uintptr_t owner, uintptr_t caller) {
    return owner == caller && !(caller & OWNER_CHILD);
}

enum { OWNER_TEXT = 96 };

/*
 * Writes who it is, for the line that an abort leaves; returns `text`. A task that has ended with a lock held may be
 * given the name of the one that has its record now.
 */
const char *filch__owner_write(uintptr_t owner, char text[OWNER_TEXT]);

#endif
