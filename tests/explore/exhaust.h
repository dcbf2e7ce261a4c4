/* SPDX-License-Identifier: MIT */
/*
 * Every execution of a small scenario, one after the other: each choice, of who goes next, of what a load reads, of the
 * scenario's own, is gone through from the last to the first (depth first, by running the scenario anew each time).
 *
 * Who goes next. Of executions that differ only in the order of accesses that do not touch each other, one is enough:
 * sleep sets (Godefroid 1996). A thread whose next access was gone through from here already sleeps until somebody makes
 * an access that the one depends on. Where all who could go on sleep, the rest has been seen: the execution is cut off.
 */
#ifndef FILCH_TESTS_EXPLORE_EXHAUST_H
#define FILCH_TESTS_EXPLORE_EXHAUST_H

#include "tests/explore/explore.h"

enum access_kind {
    ACCESS_NONE, /* touches nothing that others look at */
    ACCESS_READS,
    ACCESS_WRITES,
    ACCESS_ALL, /* depends on everything */
};

/* What a thread does when it goes on. */
struct exhaust_access {
    const void *object;
    enum access_kind kind;
    bool exact; /* in S: see orders.h. Two reads of an object that are both in S do not commute */
};

/* The first execution of a scenario comes next. `preemptions`: go through those only in which no more threads are
 * interrupted than that; then nobody sleeps. Negative: all executions. */
void exhaust_begin(int preemptions);

/* An execution begins. */
void exhaust_start(void);

/* A number below `count`: in the end, all of them, in every combination with all other choices. */
uint32_t exhaust_choose(uint32_t count);

/* Who of `enabled`, a bit for each, goes next; EXPLORE_THREADS: the execution is cut off. */
unsigned exhaust_next(unsigned enabled, unsigned current, const struct exhaust_access accesses[EXPLORE_THREADS]);

/* After an execution: whether there is another. */
bool exhaust_more(void);

#endif
