/* SPDX-License-Identifier: MIT */
/*
 * The memory of C11, and of C++20 where that is clearer: what a load may read, by the orders of the accesses.
 *
 * Each atomic object is a list of messages, one for each store, in modification order; what is in memory is the newest.
 * Each thread has a clock, a vector with one entry for each thread: all that is at most as late as the clock says happens
 * before what the thread does next. A message remembers who has seen it, and when. So a thread may read any message but
 * those that are older than one that was seen before, in the sense of happens before: that is coherence.
 *
 *   release       the message carries the clock of its writer
 *   acquire       who reads a message joins the clock that it carries to its own
 *   RMW           reads the newest message, and its own carries on what that one carried (release sequences)
 *   failed CAS    a load: it may read an older message that differs from what was expected
 *   seq_cst       the order S is the order of execution. A seq_cst load reads no message that is older than one that a
 *                 seq_cst access has read or written before
 *   membarrier    each other thread, one after the other, in the middle of what it does: its clock is joined to the
 *                 caller's and the caller's to its own, and it reads nothing older than what S has by then
 *
 * Not modelled: modification order is the order of execution, so a store never slips in before one that was executed
 * earlier (2+2W); a load never reads what is stored later (load buffering, values out of thin air); dependencies order
 * nothing, as in C11. A thread reads the same old message a few times at most (stores become visible in the end), and
 * an object keeps its few newest messages only.
 *
 * The clocks serve to find data races as well: races.c.
 */
#ifndef FILCH_TESTS_EXPLORE_ORDERS_H
#define FILCH_TESTS_EXPLORE_ORDERS_H

#include "tests/explore/explore.h"

enum { ORDER_ACQUIRE = 1, ORDER_RELEASE = 2, ORDER_EXACT = 4 /* in S */ };

struct orders_clock {
    uint32_t of[EXPLORE_THREADS];
};

/* Of which thread, and when. */
struct orders_moment {
    unsigned thread;
    uint32_t time;
};

/* Forgets all. Before each schedule. */
void orders_reset(void);

/* All that `from` has done happens before what `to` does next: its start, its join, a lock handed over. */
void orders_then(unsigned from, unsigned to);

struct orders_moment orders_now(unsigned thread);

/* Whether what was done then happens before what `thread` does next. */
bool orders_is_before(struct orders_moment moment, unsigned thread);

/* `age`: by how many messages what was read is older than the newest. With `fresh`, the newest is read. */
uint64_t orders_load(unsigned thread, const void *object, unsigned size, unsigned order, bool fresh, unsigned *age);
void orders_store(unsigned thread, void *object, unsigned size, unsigned order, uint64_t value);

/* Of a read-modify-write, the newest value; then `value` in its place. */
uint64_t orders_newest(const void *object, unsigned size);
void orders_update(unsigned thread, void *object, unsigned size, unsigned order, uint64_t value);

/* Compare and swap: true, and the newest message was `expected`; false: `*seen` was read, and differs. */
bool orders_cas(unsigned thread, void *object, unsigned size, unsigned order, uint64_t expected, uint64_t value,
                uint64_t *seen, unsigned *age);

/* membarrier's part that is in `other`, for `caller`. */
void orders_fence(unsigned caller, unsigned other);

/* A plain store comes over the object: what follows reads that, as if it were new. */
void orders_forget(const void *object);

/* What a lock within a stand-in would do: all before the put happens before all after the get of the same object. */
void orders_put(unsigned thread, void *object);
void orders_get(unsigned thread, void *object);

#endif
