/* SPDX-License-Identifier: MIT */
/*
 * A ring of io_uring(7), by the bare system calls: what it needs is small, and whoever links the library needs no other
 * for it. Any thread submits; one at a time reaps: who holds the poller.
 *
 *                      any thread     who holds the poller
 *   push, submit          yes                yes
 *   reap, wait            no                 yes
 *
 * Requests are pushed under a latch and submitted without it. Of threads that submit at once one does it for all, and each
 * of the others goes on: its request is submitted soon, if not by then.
 *
 * The kernel finishes what it cannot do at once on the thread that has submitted it, and interrupts that for it. Rings
 * that are made for one thread alone (SINGLE_ISSUER, DEFER_TASKRUN) save the interrupt, but nobody else can submit to
 * them or reap them, so that a task that computes would hold up what others wait for; and with COOP_TASKRUN it would
 * hold that up until the next tick of the clock. So none of these is used, and no thread of the kernel's that spins
 * (SQPOLL).
 *
 * Edges
 *   SQE     push: sq_tail (release)  -> the kernel                carries the request
 *   CQE     the kernel  -> reap: cq_tail (acquire)                carries what has come of it
 *   TAKEN   the kernel  -> push: sq_head (acquire)                the place in the queue is free again
 *   ROUND   submit: submitting (acq_rel RMW)  <->  another submit (acq_rel RMW)   the later one sees the other's requests
 * Who submits and who reaps are ordered by the kernel, which sanitizers do not see: whatever a completion leads to (a
 * record, an operation) has a word of its own that is stored before (release) and read after (acquire).
 */
#ifndef FILCH_IO_URING_H
#define FILCH_IO_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/latch.h"
#include "io/backend.h"

struct filch__uring {
    /* read-only after open */
    int fd;
    uint32_t sq_size, sq_mask, cq_mask;
    ATOMIC(uint32_t) * sq_head; /* TAKEN */
    ATOMIC(uint32_t) * sq_tail; /* SQE; written under the latch */
    ATOMIC(uint32_t) * sq_flags;
    ATOMIC(uint32_t) * cq_head; /* who reaps writes it */
    ATOMIC(uint32_t) * cq_tail; /* CQE */
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    void *queues;
    size_t queues_size, sqes_size;

    /* any thread */
    struct filch__latch latch cache_aligned;
    ATOMIC(uint32_t) submitting; /* enum ring_submitting */

    /* the monitor only */
    uint32_t head_seen; /* the head of the queue when it last looked, and */
    bool requests_seen; /* whether there was something in it */
};

/* Opens it: 0, or -errno and, in `*why`, what it was that answered so. */
int filch__uring_open(struct filch__uring *ring, const char **why);
void filch__uring_close(struct filch__uring *ring);

/* Puts a request into the queue; it is made with the next submit: see filch__poller_put_off. */
void filch__uring_push(struct filch__uring *ring, const struct io_uring_sqe *sqe);

/* Whether there is something in the queue; for the monitor alone, something that was there when it last asked. */
bool filch__uring_has_requests(struct filch__uring *ring);
bool filch__uring_has_old(struct filch__uring *ring);

/* Submits what is in the queue, or has somebody do it who is at it. */
void filch__uring_submit(struct filch__uring *ring);

static inline void filch__uring_send(struct filch__uring *ring, const struct io_uring_sqe *sqe) {
    filch__uring_push(ring, sqe);
    filch__uring_submit(ring);
}

/* Whether a look at the queues is not enough: completions that found no room, or requests that could not be submitted. */
bool filch__uring_needs_look(struct filch__uring *ring);

/*
 * Takes up to `room` completions, whose words are as in io/backend.h. Returns how many; of EVENT_NOBODY and EVENT_WAKE it
 * takes any number besides, and sets `*woken` if there was one of the latter.
 */
unsigned filch__uring_reap(struct filch__uring *ring, struct filch__poll_event *events, unsigned room, bool *woken);

/* Waits until there is a completion, or until `until_ns` (0: not at all, INT64_MAX: no limit); or for less. */
void filch__uring_wait(struct filch__uring *ring, int64_t until_ns);

#endif
