/* SPDX-License-Identifier: MIT */
/*
 * Select: waits for the first of several things that may happen, and does just that one.
 *
 *     filch_case cases[] = {
 *         filch_case_recv(jobs, &job),
 *         filch_case_send(results, &result),
 *         filch_case_deadline(filch_ticker_next(&ticker)),
 *     };
 *     switch (filch_select(cases, 3, FILCH_NEVER)) {
 *     case 0:
 *         if (cases[0].result == -EPIPE) ...      closed, and empty
 *         ...
 *     }
 *
 * Where several could go on, each of them is chosen with the same chance. The same channel may stand in several cases,
 * also to be sent to and received from; two selects may meet at a channel without a buffer, but one never meets itself.
 */
#ifndef FILCH_SELECT_H
#define FILCH_SELECT_H

#include <filch/base.h>
#include <filch/chan.h>
#include <filch/event.h>
#include <filch/future.h>
#include <filch/time.h>

FILCH_BEGIN_DECLS

typedef enum filch_case_kind {
    FILCH_CASE_NEVER = 0,    /* nothing: a case that is switched off */
    FILCH_CASE_SEND = 1,     /* sends `*from` to `chan`; result 0 or -EPIPE, as filch_chan_send */
    FILCH_CASE_RECV = 2,     /* receives into `*into` from `chan`; result 0 or -EPIPE, as filch_chan_recv */
    FILCH_CASE_DEADLINE = 3, /* `deadline` passes; result 0 */
    FILCH_CASE_EVENT = 4,    /* `event` is set; result 0 */
    FILCH_CASE_FUTURE = 5,   /* `future` has a result, for filch_future_try_wait; result 0 */
} filch_case_kind;

/* One of the things that a select waits for. The functions below make them. */
typedef struct filch_case {
    filch_case_kind kind;
    int result; /* written in the case that was chosen, and in no other */
    union {
        filch_chan *chan;
        filch_event *event;
        filch_future *future;
        filch_deadline deadline;
    };
    union {
        const void *from; /* as the value in filch_chan_send: read when the case is chosen */
        void *into;       /* as the value in filch_chan_recv: written when the case is chosen, with result 0 */
    };
} filch_case;

/* The most cases of one select. */
#define FILCH_SELECT_MAX 256u

/*
 * Waits until one of the `count` cases can go on, and does it. A channel that is closed can go on: with the result
 * -EPIPE. Without a case this waits for the deadline.
 *
 * Except where an index is returned, nothing was sent or received; where one is, that of this case alone.
 *
 * Returns  the index of the case that was chosen, from 0: its `result` says what came of it
 *          -ETIMEDOUT   `deadline` passed first, and that of no case was earlier or the same
 *          -ECANCELED   the scope was cancelled first
 *          -EINVAL      `cases` is NULL and `count` is not 0, `count` is above FILCH_SELECT_MAX, or a case has an
 *                       unknown kind, no object, or no value where values have a size
 *          -ENOMEM      no memory; not for up to 16 cases, which need none
 * Call     from a task or from any thread
 * Waits    yes; a task may continue on another worker. A task that never has to wait gives way now and then
 * Orders   as the call that the case stands for
 * Keeps    `cases`, what they name and the values, until it returns
 */
FILCH_API FILCH_CHECK int filch_select(filch_case *cases, size_t count, filch_deadline deadline);

/*
 * As filch_select, but with a default branch in place of waiting; does not look whether the scope is cancelled.
 *
 * Returns  an index, -EINVAL or -ENOMEM, as filch_select
 *          -EAGAIN   none of the cases can go on: the default branch
 * Call     from a task or from any thread
 * Waits    no
 */
FILCH_API FILCH_CHECK int filch_try_select(filch_case *cases, size_t count);

static inline filch_case filch_case_send(filch_chan *chan, const void *value) {
    filch_case made;
    made.kind = FILCH_CASE_SEND;
    made.result = 0;
    made.chan = chan;
    made.from = value;
    return made;
}

static inline filch_case filch_case_recv(filch_chan *chan, void *value) {
    filch_case made;
    made.kind = FILCH_CASE_RECV;
    made.result = 0;
    made.chan = chan;
    made.into = value;
    return made;
}

static inline filch_case filch_case_deadline(filch_deadline deadline) {
    filch_case made;
    made.kind = FILCH_CASE_DEADLINE;
    made.result = 0;
    made.deadline = deadline;
    made.into = NULL;
    return made;
}

static inline filch_case filch_case_event(filch_event *event) {
    filch_case made;
    made.kind = FILCH_CASE_EVENT;
    made.result = 0;
    made.event = event;
    made.into = NULL;
    return made;
}

static inline filch_case filch_case_future(filch_future *future) {
    filch_case made;
    made.kind = FILCH_CASE_FUTURE;
    made.result = 0;
    made.future = future;
    made.into = NULL;
    return made;
}

FILCH_END_DECLS

#endif
