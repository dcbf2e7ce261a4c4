/* SPDX-License-Identifier: MIT */
/*
 * The join word of a forked frame (filch_frame.filch__join), by which parent and thief settle who waits for whom.
 *
 *   JOIN_LISTED (0)  not ended, nobody waits; pushed, and in no ring yet
 *   a place > 0      not ended, nobody waits; the index at which it came into a deque's ring
 *   JOIN_ALONE       not ended, and never pushed: only the parent can make the call
 *   a waiter         the parent waits: its address, with the top bit
 *   JOIN_DONE(r)     ended: both top bits, and the result in the low half
 *
 * Edge
 *   JOIN   the child's end: join word (acq_rel) -> join: join word (acquire)   carries all the child did
 */
#ifndef FILCH_SCHED_FRAME_H
#define FILCH_SCHED_FRAME_H

#include <filch/fork.h>
#include <stdbool.h>
#include <stdint.h>

struct filch__waiter;
struct filch__worker;

#define JOIN_LISTED ((int64_t)0)
#define JOIN_ALONE INT64_MIN
#define JOIN_DONE(result) ((int64_t)(UINT64_C(3) << 62 | (uint32_t)(result)))

static inline bool join_is_done(int64_t word) {
    return (uint64_t)word >> 62 == 3;
}

static inline bool join_is_waiter(int64_t word) {
    return (uint64_t)word >> 62 == 2 && word != JOIN_ALONE;
}

static inline int64_t join_of_waiter(struct filch__waiter *waiter) {
    return (int64_t)((uint64_t)1 << 63 | (uint64_t)(uintptr_t)waiter);
}

static inline struct filch__waiter *join_waiter(int64_t word) {
    return (struct filch__waiter *)(uintptr_t)((uint64_t)word & ~((uint64_t)1 << 63));
}

/* Makes the call of a frame that was taken from a queue, on the running stack; the worker may be another afterwards. */
void filch__frame_run(struct filch__worker *worker, filch_frame *frame);

#endif
