/* SPDX-License-Identifier: MIT */
/*
 * A channel as its two users see it: sync/chan.c, and sync/select.c, which does under several latches what a send or a
 * receive does under one.
 *
 * Invariants, outside of the latch
 *   I1  senders wait only while `length` is `capacity`; receivers wait only while it is 0.
 *   I2  no sender waits while a receiver does, but for clauses of selects that are decided already, and for a sender
 *       and a receiver of the same select.
 *   I3  nobody waits at a closed channel.
 *
 * What is changed by each message stands on one cache line, and what is only read on another, so that two workers pass
 * just the one to and fro. A slot is written and read under the latch.
 */
#ifndef FILCH_SYNC_CHAN_H
#define FILCH_SYNC_CHAN_H

#include <errno.h>
#include <filch/chan.h>
#include <string.h>

#include "base/latch.h"
#include "base/tasksan.h"
#include "sched/sched.h"

struct filch_chan {
    struct filch__latch latch cache_aligned;

    /* under the latch; `length` and `closed` are also read without it, as hints */
    ATOMIC(uint32_t) length; /* values inside */
    uint32_t head, tail;     /* slots of the oldest value, and of the next that comes */
    ATOMIC(bool) closed;
    struct filch__waitlist receivers, senders;

    /* read-only after init */
    size_t value_size cache_aligned;
    uint32_t capacity;
    size_t bytes; /* of the allocation */
    unsigned char slots[] cache_aligned;
};

/*
 * The same address, of which the compiler does not know what it is of. A value has its channel's size, which is not known
 * either where this is inlined, at link time, into who has, say, an int for it: gcc would warn of the cases for larger ones.
 */
static force_inline void *filch__chan_hidden(void *to) {
    __asm__("" : "+r"(to));
    return to;
}

/* Values are mostly words: those sizes are spared the call. */
static force_inline void filch__chan_copy(void *to, const void *from, size_t size) {
    switch (size) {
    case 0:
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(filch__chan_hidden(to), from, 8);
        break;
    case 16:
        memcpy(filch__chan_hidden(to), from, 16);
        break;
    default:
        memcpy(to, from, size);
    }
}

static force_inline uint32_t filch__chan_after(const struct filch_chan *chan, uint32_t slot) {
    return ++slot == chan->capacity ? 0 : slot;
}

/*
 * Edge
 *   VALUE  send -> receive, each value for itself: its slot while it is in the ring (all have the same where values have
 *          no size), the sender's clause while the sender waits, the receiver's waiter where that is given it
 */

/* Where a value goes from a waiting sender's clause, VALUE goes with it. */
static inline void filch__chan_edge_in(struct filch_chan *chan, const struct filch__clause *sender) {
    unsigned char *slot = chan->slots + chan->tail * chan->value_size;
    if (sender == NULL && chan->value_size > 0) {
        edge_set(slot);
    } else if (sender == NULL) {
        edge_release(slot);
    } else {
        edge_pass(sender, slot);
    }
}

/* Adds a value at the end, of `sender` if that waits. Under the latch, where there is room. */
static force_inline void filch__chan_put(struct filch_chan *chan, const void *value,
                                         const struct filch__clause *sender) {
    filch__chan_edge_in(chan, sender); /* VALUE */
    filch__chan_copy(chan->slots + chan->tail * chan->value_size, value, chan->value_size);
    chan->tail = filch__chan_after(chan, chan->tail);
    count_up(&chan->length, 1);
}

/* Takes the oldest value out. Under the latch, where there is one. */
static force_inline void filch__chan_take(struct filch_chan *chan, void *value) {
    edge_acquire(&chan->slots[chan->head * chan->value_size]); /* VALUE */
    seen_write(value, chan->value_size);
    filch__chan_copy(value, chan->slots + chan->head * chan->value_size, chan->value_size);
    chan->head = filch__chan_after(chan, chan->head);
    count_up(&chan->length, -1);
}

/*
 * What a call owes to others for what it has done under the latch: grants, given in this order after the latch has been
 * left. Begins as {0}.
 */
struct filch__chan_debt {
    struct filch__clause *first, *last;
};

static inline void filch__chan_owe(struct filch__chan_debt *debt, struct filch__clause *clause) {
    clause->next = NULL;
    if (debt->first == NULL) {
        debt->first = clause;
    } else {
        debt->last->next = clause;
    }
    debt->last = clause;
}

/*
 * Sends the value, or receives one, if that goes on at once: 0, -EPIPE or -EAGAIN. Under the latch. The clauses are
 * those of the waits that end by it; a wait with several clauses is decided by this.
 */
int filch__chan_send_now(struct filch_chan *chan, const void *value, struct filch__chan_debt *debt);
int filch__chan_recv_now(struct filch_chan *chan, void *value, struct filch__chan_debt *debt);

/* The same, faster where a value just goes into the ring or out of it. */
static force_inline int filch__chan_send_plain(struct filch_chan *chan, const void *value,
                                               struct filch__chan_debt *debt) {
    if (unlikely(chan->length == chan->capacity || chan->closed || !filch__waitlist_is_empty(&chan->receivers))) {
        return filch__chan_send_now(chan, value, debt);
    }
    seen_read(value, chan->value_size);
    filch__chan_put(chan, value, NULL);
    return 0;
}

static force_inline int filch__chan_recv_plain(struct filch_chan *chan, void *value, struct filch__chan_debt *debt) {
    if (unlikely(chan->length == 0 || !filch__waitlist_is_empty(&chan->senders))) {
        return filch__chan_recv_now(chan, value, debt);
    }
    filch__chan_take(chan, value);
    return 0;
}

/* Whether a waiting call would find nobody to do with, as far as can be said without the latch: a hint. */
static inline bool filch__chan_seems_full(struct filch_chan *chan) {
    return load_relaxed(&chan->length) == chan->capacity && !load_relaxed(&chan->closed);
}

static inline bool filch__chan_seems_empty(struct filch_chan *chan) {
    return load_relaxed(&chan->length) == 0 && !load_relaxed(&chan->closed);
}

#endif
