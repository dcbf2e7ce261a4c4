/* SPDX-License-Identifier: MIT */
/*
 * The record of a descriptor: what a filch_fd leads to. It lasts as long as its runtime; one opening after the other uses
 * it, told apart by a generation.
 *
 * Use. Each call enters the record, which answers -EBADF where the generation is another or the descriptor is being
 * closed, and leaves it when it no longer uses the number. Closing sets CLOSING and wakes who waits; whoever leaves last
 * gives the number back to the kernel and begins the next generation. So no call ever uses a number that is not its own.
 *
 *   state                          means                       who changes it
 *   generation, 0                  free                        who opens it (takes it off the free list): +1 user, OPEN
 *   generation, OPEN, users        open; one user is the       who enters: +1. Who leaves: -1.
 *                                  opening itself              who closes: CLOSING, then leaves for the opening
 *   generation, OPEN, CLOSING, n   being closed                who leaves: -1
 *   generation, OPEN, CLOSING, 0   nobody uses it              one of those who see that, by CAS: the next generation
 *   Who enters in vain adds a user and takes it off again, in any state; so "nobody" can be seen more than once.
 *
 * Readiness. For each direction a word says whether a call is worth trying. An event counts the word up and sets READY; a
 * call that was told EAGAIN clears READY, if the word is what it was before the call: then nothing has happened since. A
 * short read of TCP shows that it is empty just as well, without another call. Who has to wait sets WAITED under the
 * latch and stands in the list; of the event and the waiter, the later one sees the other's bit, since both change the
 * same word. An event grants the first in the list, who tries; whoever leaves a direction that is still READY and WAITED
 * grants the next. So each event runs once through those who wait, until one finds nothing.
 *
 * That there is room to write comes with most events that tell of something to read, since both are told of together. So
 * such an event is passed over where the direction is READY and nobody is WAITED; and who waits to write, being in the list
 * by then, looks once more by poll(2) whether that was so between its try and its listing. Writes that wait are rare.
 *
 * Edges
 *   ENTER   open: state (release)  -> who enters: state (acquire)    carries number and kind
 *   LEAVE   leave: state (acq_rel) -> who finds nobody left          carries all use of the number, before close(2)
 *   READY   an event: the word (seq_cst RMW)  <->  a waiter: the word (seq_cst RMW): one of them sees the other
 *   WATCH   who watches in vain: `watched` (release), then the latch  ->  a waiter: the latch, then `watched`: it is told,
 *           or sees that nobody watches
 *   CLOSE   close: CLOSING (seq_cst), then the latch  <->  a waiter: the latch, then state: it is woken or does not wait
 */
#ifndef FILCH_IO_RECORD_H
#define FILCH_IO_RECORD_H

#include <errno.h>
#include <filch/fd.h>

#include "base/atomic.h"
#include "base/latch.h"
#include "sched/sched.h"

struct filch__io;

enum filch__direction { TO_READ = 0, TO_WRITE = 1 };

/* The state word. */
#define RECORD_USERS ((uint64_t)0x3fffffff)
#define RECORD_CLOSING ((uint64_t)1 << 30)
#define RECORD_OPEN ((uint64_t)1 << 31)
#define RECORD_GENERATION ((uint64_t)1 << 32) /* counts up from here */

/* A readiness word. */
enum {
    READY = 1,   /* a call is worth trying */
    HUNG_UP = 2, /* the other side has ended, or has sent urgent data: a short read says nothing. Never cleared */
    WAITED = 4,  /* somebody stands in the list. Changed under the latch */
    LISTENS = 8, /* to read: it is a listener: see filch__attempt_accept. Never cleared */
    EVENT = 16,  /* counts up from here */
};

/* Whether the backend watches it. */
enum filch__watch_state {
    WATCH_NOT,
    WATCH_BEGINS, /* somebody is at it */
    WATCH_ON,
    WATCH_CANNOT, /* a regular file */
};

struct filch__record {
    struct filch__record *link; /* the free list's; first, as slabs want it */

    /* any thread, atomic */
    ATOMIC(uint64_t) state;
    ATOMIC(uint32_t) ready[2];
    ATOMIC(uint32_t) watched; /* enum filch__watch_state */

    /* written before it is open; read by who has entered */
    int number;
    bool guest;   /* the number is not the library's: filch_poll's, or released */
    bool socket;  /* SIGPIPE is to be kept away by a flag */
    bool stream;  /* a short read says that it is empty: TCP, and nothing else; see filch__system_prepare */
    bool regular; /* a file: never has to wait, and cannot be watched */
    struct filch__io *io;

    /* who watches it, and who finishes it (LEAVE) */
    int watched_number; /* the number, or a copy of it: see io/epoll.c */

    /* under the latch */
    struct filch__latch latch;
    struct filch__waitlist waiters[2];
} __attribute__((aligned(64)));

/* The record of `fd`, which the caller uses until it leaves it; or -EBADF. */
int filch__record_enter(filch_fd fd, struct filch__record **record);

/* Nobody touches the number any more after the last of these. */
void filch__record_leave(struct filch__record *record);

/*
 * Opens a free record for `number`. `direction`s are taken for ready, since only a try will tell. NULL: no memory. A guest's
 * number is not closed with it.
 */
struct filch__record *filch__record_open(struct filch__io *io, int number, bool guest);

/* The handle of one that the caller has just opened. */
filch_fd filch__record_handle(struct filch__record *record);

/* Begins to close it: -EBADF, if that was done before. The caller has entered, and still has to leave. */
int filch__record_close(struct filch__record *record);

/* As close, but the number is not given back to the kernel: it is the answer. -EBADF, or -EBUSY: others use it. */
int filch__record_release(struct filch__record *record);

/* Something has happened: `ready` and `hung_up` are masks of FILCH_READABLE and FILCH_WRITABLE. Wakes who waits. */
void filch__record_event(struct filch__record *record, unsigned ready, unsigned hung_up);

/* The same, of what poll(2) or epoll(7) tell. */
void filch__record_polled(struct filch__record *record, uint32_t bits);

/*
 * Hints for what is about to be told of several: that the records, and then that those who wait, will be touched. With a
 * thousand connections neither is in a near cache, and misses that overlap cost a fraction of those that do not.
 */
static inline void filch__record_prefetch(const struct filch__record *record) {
    __builtin_prefetch(record, 1);
    __builtin_prefetch((const char *)record + 64, 1);
}
void filch__record_prefetch_reader(const struct filch__record *record);

/*
 * The backend does not watch it any more, by itself or since it could not: who waits tries again, and has it watched anew;
 * or is answered `error`. By who has entered.
 */
void filch__record_unwatched(struct filch__record *record, int error);

/* The word of a direction, to be read before a try. */
static inline uint32_t filch__record_ready(struct filch__record *record, enum filch__direction direction) {
    return load_acquire(&record->ready[direction]); /* READY */
}

/* A try after `seen` was read has shown that it would have to wait. False: something has happened since. */
static inline bool filch__record_clear(struct filch__record *record, enum filch__direction direction, uint32_t seen) {
    return cas_acq_rel(&record->ready[direction], &seen, seen & ~(uint32_t)READY); /* READY */
}

/*
 * Waits until the direction is ready. 0, -ETIMEDOUT, -ECANCELED, -EBADF, -EPERM (it cannot be watched), or another error.
 * Who has waited and tried in vain `again` is the first in the list, where it was before.
 */
int filch__record_wait_again(struct filch__record *record, enum filch__direction direction, bool again,
                             filch_deadline deadline);

static inline int filch__record_wait(struct filch__record *record, enum filch__direction direction,
                                     filch_deadline deadline) {
    return filch__record_wait_again(record, direction, false, deadline);
}

/* The same for either direction. */
int filch__record_wait_both(struct filch__record *record, filch_deadline deadline);

/* The caller is done with a direction that may still be ready: the next in the list has its turn. */
void filch__record_pass_on(struct filch__record *record, enum filch__direction direction);

static inline void filch__record_done(struct filch__record *record, enum filch__direction direction) {
    uint32_t word = load_seq_cst(&record->ready[direction]); /* READY */
    if (unlikely((word & (READY | WAITED)) == (READY | WAITED))) filch__record_pass_on(record, direction);
}

#endif
