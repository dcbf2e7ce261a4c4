/* SPDX-License-Identifier: MIT */
/*
 * Loops, reductions and sets of calls in parallel, built on fork and join (filch/fork.h). The caller takes part, and
 * each call returns when all of its parts have ended. Called outside a task, or where memory is short, they run in
 * the calling thread, one part after the other.
 *
 * Errors. A part that returns other than 0 is a failure: parts that have not begun by then may be left out, and the
 * call returns the value of one part that failed (the one with the lowest index among those that ran and failed).
 *
 * Splitting is lazy (Tzannes, Caragea, Barua, Vishkin: "Lazy Binary-Splitting", PPoPP 2010): a range is halved only
 * while somebody could take the half, so that the grain need not be tuned.
 */
#ifndef FILCH_PARALLEL_H
#define FILCH_PARALLEL_H

#include <filch/base.h>

FILCH_BEGIN_DECLS

/* Works on indices first, first + 1, ..., last - 1. Returns 0, or its failure. */
typedef int filch_range_fn(int64_t first, int64_t last, void *arg);

/*
 * Calls `body` on parts of [first, last) that together cover it, each index once. A part has at most `grain` indices
 * where grain is positive; 0 lets the library choose (many indices a part while nobody is idle).
 *
 * Returns  0, or the failure of a part
 *          -EINVAL   `body` is NULL, or `grain` is negative. An empty range (first >= last) is 0
 * Call     from a task, or from any thread (then serially)
 * Waits    yes; the task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_parallel_for(int64_t first, int64_t last, int64_t grain, filch_range_fn *body,
                                             void *arg);

/* A reduction: accumulators of `size` bytes that are made, filled from parts of the range, and combined in order. */
typedef struct filch_reduction {
    size_t size;                                                            /* bytes of an accumulator, at most 4096 */
    void (*init)(void *accumulator, void *arg);                             /* makes it the neutral element */
    int (*body)(int64_t first, int64_t last, void *accumulator, void *arg); /* adds a part to it; 0, or a failure */
    void (*combine)(void *accumulator, const void *right, void *arg);       /* accumulator = accumulator + right */
} filch_reduction;

/*
 * Reduces [first, last) into `*result`, which holds `reduction->size` bytes. `combine` gets neighbouring parts, the
 * left one first: it must be associative and need not be commutative. An empty range leaves the neutral element. On a
 * failure `*result` holds nothing of use. Accumulators are aligned as malloc(3) aligns.
 *
 * Returns, Call, Waits  as filch_parallel_for; -EINVAL also for a NULL function, a NULL `result`, or a size of 0 or
 *                       above 4096
 */
FILCH_API FILCH_CHECK int filch_parallel_reduce(int64_t first, int64_t last, int64_t grain,
                                                const filch_reduction *reduction, void *result, void *arg);

/* One call of a set. */
typedef struct filch_call {
    filch_fn *fn;
    void *arg;
} filch_call;

/*
 * Makes the `count` calls, in any order and in parallel, and waits for all. All of them run, also after a failure.
 *
 * Returns  0, or the first value other than 0 in the order of `calls`
 *          -EINVAL   a function is NULL, or `calls` is with a count above 0; nothing was called
 * Call     from a task, or from any thread (then serially)
 * Waits    yes; the task may continue on another worker
 */
FILCH_API FILCH_CHECK int filch_parallel_invoke(size_t count, const filch_call *calls);

FILCH_END_DECLS

#endif
