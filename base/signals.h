/* SPDX-License-Identifier: MIT */
/*
 * Signals that arrive, counted. One handler for the whole process adds to a count for each signal, and tells that something
 * has been counted in two ways: by a futex, and by an eventfd(2), which is never read and never closed. So the handler
 * touches nothing that could be taken away under it, and nothing is lost: who is told compares counts.
 *
 * A handler, and not signalfd(2), since that needs the signal to be blocked in every thread, those of the program included.
 *
 * Edge
 *   ARRIVED   the handler: the count (seq_cst RMW), then the futex word (seq_cst RMW), then the eventfd
 *             -> who has read the word, or was told by the eventfd: the count (seq_cst)
 */
#ifndef FILCH_BASE_SIGNALS_H
#define FILCH_BASE_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Has arrivals of the signal counted from now on, by a handler in place of what there is. 0; -EINVAL: it cannot be handled,
 * or is one of those that mean that something went wrong in the thread that gets them, or is the library's.
 */
int filch__signals_watch(int number);

/* The opposite, once for each call that answered 0. After the last of them what there was before is back. */
void filch__signals_unwatch(int number);

/* How many have arrived; it wraps. And who sent the last one: 0, the system. */
uint32_t filch__signals_count(int number);
pid_t filch__signals_sender(int number);

/* Counts up with each; a futex. Who reads it before the counts, and then waits for it to change, misses nothing. */
uint32_t *filch__signals_word(void);

/* Wakes all who wait for the word, as an arrival does. */
void filch__signals_rouse(void);

/* The number of the eventfd, which becomes readable anew with each arrival; or -errno. It stays open for good. */
int filch__signals_event(void);

#endif
