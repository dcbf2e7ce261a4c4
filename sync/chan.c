/* SPDX-License-Identifier: MIT */
/*
 * Channels: a ring of slots and two lists of waiters under one latch.
 *
 * A value goes the shortest way: to the receiver that waits longest, by whoever sends it; else into the ring. A
 * receiver that takes a value out of a full ring puts the value of the sender that waits longest in its place. So a
 * waiter is woken when what it waited for has been done, and does not come back to the latch.
 *
 *   clause of   value                       amount
 *   a sender    the next value to be sent   how many are left, from 1; of a select: 1
 *   a receiver  where the next value goes   how many it takes at most; when it is granted, how many it was given
 *
 * The clause of a sender of several stays in the list until the last of them has been taken, so that what is left of
 * `amount` tells how far it came if it is cut short.
 */
#include "sync/chan.h"

#include "alloc/alloc.h"
#include "sched/complaint.h"
#include "sched/debug.h"
#include "sched/ledger.h"

/* ------------------------------------------------------------------------------------------------ create, destroy */

/* For debug mode; glances. */
static void describe(const void *object, struct filch__complaint *complaint) {
    filch_chan *chan = (filch_chan *)(uintptr_t)object;
    filch__complaint_say(complaint, "%s, %u of %u values of %zu bytes inside",
                         load_relaxed(&chan->closed) ? "closed" : "open", load_relaxed(&chan->length), chan->capacity,
                         chan->value_size);
}

int filch_chan_create(filch_chan **chan, size_t value_size, size_t capacity) {
    if (chan == NULL || capacity > FILCH_CHAN_CAPACITY_MAX) return -EINVAL;
    size_t ring, bytes;
    if (__builtin_mul_overflow(value_size, capacity, &ring) ||
        __builtin_add_overflow(ring, sizeof(struct filch_chan) + CACHE_LINE, &bytes) || bytes > PTRDIFF_MAX) {
        return -ENOMEM;
    }
    struct filch_chan *made = filch__heap_get(bytes, CACHE_LINE);
    if (made == NULL) return -ENOMEM;
    made->value_size = value_size;
    made->capacity = (uint32_t)capacity;
    made->bytes = bytes;
    if (filch__debug_has(CHECK_CHANNELS)) filch__ledger_made(made, describe);
    *chan = made;
    return 0;
}

void filch_chan_destroy(filch_chan *chan) {
    if (chan == NULL) return;
    filch__latch_take(&chan->latch);
    if (!filch__waitlist_is_empty(&chan->receivers) || !filch__waitlist_is_empty(&chan->senders)) {
        filch__die("channel %p is destroyed while somebody waits at it: close it first, and let them return",
                   (void *)chan);
    }
    uint32_t length = chan->length;
    filch__latch_leave(&chan->latch);
    if (filch__debug_has(CHECK_CHANNELS)) filch__ledger_destroyed(chan, length);
    filch__heap_put(chan, chan->bytes, CACHE_LINE);
}

/* ---------------------------------------------------------------------------------------------- under the latch */

/* The receiver that waits longest, out of its list and owed a grant; or NULL. */
static inline struct filch__clause *next_receiver(struct filch_chan *chan) {
    if (likely(filch__waitlist_is_empty(&chan->receivers))) return NULL;
    return filch__waitlist_take(&chan->receivers);
}

/* The sender that waits longest, still in its list: one value of it must be taken now. Or NULL. */
static inline struct filch__clause *next_sender(struct filch_chan *chan) {
    struct filch__clause *sender;
    while (unlikely((sender = chan->senders.first) != NULL)) {
        if (filch__clause_choose(sender)) return sender;
        filch__waitlist_remove(sender);
    }
    return NULL;
}

/* A value of `sender` has been taken: what is left of it waits on, and a sender of which nothing is left is owed. */
static inline void value_taken(struct filch_chan *chan, struct filch__clause *sender, struct filch__chan_debt *debt) {
    if (--sender->amount > 0) {
        sender->value = (char *)sender->value + chan->value_size;
    } else {
        filch__waitlist_remove(sender);
        filch__chan_owe(debt, sender);
    }
}

int filch__chan_send_now(struct filch_chan *chan, const void *value, struct filch__chan_debt *debt) {
    if (unlikely(chan->closed)) {
        edge_acquire(chan);
        return -EPIPE;
    }
    seen_read(value, chan->value_size);
    struct filch__clause *receiver = next_receiver(chan);
    if (receiver != NULL) {
        filch__chan_copy(receiver->value, value, chan->value_size);
        edge_set(receiver->waiter); /* VALUE */
        receiver->amount = 1;
        filch__chan_owe(debt, receiver);
        return 0;
    }
    if (chan->length == chan->capacity) return -EAGAIN;
    filch__chan_put(chan, value, NULL);
    return 0;
}

int filch__chan_recv_now(struct filch_chan *chan, void *value, struct filch__chan_debt *debt) {
    if (chan->length > 0) {
        filch__chan_take(chan, value);
        struct filch__clause *sender = next_sender(chan);
        if (unlikely(sender != NULL)) {
            filch__chan_put(chan, sender->value, sender);
            value_taken(chan, sender, debt);
        }
        return 0;
    }
    struct filch__clause *sender = next_sender(chan);
    if (sender == NULL && chan->closed) edge_acquire(chan);
    if (sender == NULL) return chan->closed ? -EPIPE : -EAGAIN;
    edge_acquire(sender); /* VALUE */
    seen_write(value, chan->value_size);
    filch__chan_copy(value, sender->value, chan->value_size);
    value_taken(chan, sender, debt);
    return 0;
}

/* -------------------------------------------------------------------------------------------------- send, receive */

static inline bool is_bad(const struct filch_chan *chan, const void *value) {
    return unlikely(chan == NULL) || (unlikely(value == NULL) && chan->value_size > 0);
}

/* The rest of a call that has gone on at once, or cannot: leaves the latch. */
static inline int finish(struct filch_chan *chan, int result, const struct filch__chan_debt *debt) {
    filch__latch_leave(&chan->latch);
    if (debt->first != NULL) filch__grant_all(debt->first, 0);
    return result;
}

static const char RECEIVES[] = "channel receive";

/* A value, or several, came while the caller waited. */
static inline void received(const struct filch_chan *chan, const struct filch__clause *clause) {
    edge_acquire(clause->waiter); /* VALUE */
    seen_write(clause->value, clause->amount * chan->value_size);
    (void)chan; /* nobody looks where nothing is told */
}

/* Waits at the end of `list` with `clause`, which holds value and amount. Under the latch, which is left. */
static int wait_at(struct filch_chan *chan, struct filch__waitlist *list, struct filch__clause *clause,
                   const char *reason, filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, reason, chan);
    clause->waiter = &waiter;
    filch__waitlist_add(list, clause);
    edge_set(clause); /* VALUE */
    if (list == &chan->senders) seen_read(clause->value, clause->amount * chan->value_size);
    int answer = filch__wait(&chan->latch, clause, deadline);
    if (answer == -EPIPE) edge_acquire(chan);
    if (answer == 0 && reason == RECEIVES) received(chan, clause);
    return answer;
}

/* All but the plain case. Under the latch, which is left. */
static never_inline int send_or_wait(struct filch_chan *chan, const void *value, filch_deadline deadline) {
    struct filch__chan_debt debt = {0};
    int result = filch__chan_send_now(chan, value, &debt);
    if (result == -EAGAIN) {
        struct filch__clause clause = {.value = (void *)(uintptr_t)value, .amount = 1};
        return wait_at(chan, &chan->senders, &clause, "channel send", deadline);
    }
    result = finish(chan, result, &debt);
    filch__spend();
    return result;
}

int filch_chan_send(filch_chan *chan, const void *value, filch_deadline deadline) {
    if (is_bad(chan, value)) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    filch__latch_take(&chan->latch);
    if (unlikely(chan->length == chan->capacity || chan->closed || !filch__waitlist_is_empty(&chan->receivers))) {
        return send_or_wait(chan, value, deadline);
    }
    seen_read(value, chan->value_size);
    filch__chan_put(chan, value, NULL);
    filch__latch_leave(&chan->latch);
    filch__spend();
    return 0;
}

/* As send_or_wait. */
static never_inline int recv_or_wait(struct filch_chan *chan, void *value, filch_deadline deadline) {
    struct filch__chan_debt debt = {0};
    int result = filch__chan_recv_now(chan, value, &debt);
    if (result == -EAGAIN) {
        struct filch__clause clause = {.value = value, .amount = 1};
        return wait_at(chan, &chan->receivers, &clause, RECEIVES, deadline);
    }
    result = finish(chan, result, &debt);
    filch__spend();
    return result;
}

int filch_chan_recv(filch_chan *chan, void *value, filch_deadline deadline) {
    if (is_bad(chan, value)) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    filch__latch_take(&chan->latch);
    if (unlikely(chan->length == 0 || !filch__waitlist_is_empty(&chan->senders))) {
        return recv_or_wait(chan, value, deadline);
    }
    filch__chan_take(chan, value);
    filch__latch_leave(&chan->latch);
    filch__spend();
    return 0;
}

int filch_chan_try_send(filch_chan *chan, const void *value) {
    if (is_bad(chan, value)) return -EINVAL;
    struct filch__chan_debt debt = {0};
    filch__latch_take(&chan->latch);
    int result = filch__chan_send_now(chan, value, &debt);
    return finish(chan, result, &debt);
}

int filch_chan_try_recv(filch_chan *chan, void *value) {
    if (is_bad(chan, value)) return -EINVAL;
    struct filch__chan_debt debt = {0};
    filch__latch_take(&chan->latch);
    int result = filch__chan_recv_now(chan, value, &debt);
    return finish(chan, result, &debt);
}

/* ----------------------------------------------------------------------------------------------- several at once */

/* Gives the receiver that waits longest what it takes of `count` values; how many that was. Under the latch. */
static size_t hand_over(struct filch_chan *chan, const char *values, size_t count, struct filch__chan_debt *debt) {
    struct filch__clause *receiver = next_receiver(chan);
    if (receiver == NULL) return 0;
    if (receiver->amount > count) receiver->amount = count;
    filch__chan_copy(receiver->value, values, receiver->amount * chan->value_size);
    edge_set(receiver->waiter); /* VALUE */
    filch__chan_owe(debt, receiver);
    return receiver->amount;
}

/* Sends what can be sent at once of `count` values; how many that was. Under the latch. */
static size_t send_some(struct filch_chan *chan, const char *values, size_t count, struct filch__chan_debt *debt) {
    size_t sent = 0, handed;
    if (chan->closed) {
        edge_acquire(chan);
        return 0;
    }
    seen_read(values, count * chan->value_size);
    while (sent < count && (handed = hand_over(chan, values + sent * chan->value_size, count - sent, debt)) > 0) {
        sent += handed;
    }
    for (; sent < count && chan->length < chan->capacity; sent++) {
        filch__chan_put(chan, values + sent * chan->value_size, NULL);
    }
    return sent;
}

/* Waits until what is left of several values has been taken: how many were, or why none. Under the latch, as above. */
static int64_t send_rest(struct filch_chan *chan, const char *values, size_t count, filch_deadline deadline) {
    struct filch__clause clause = {.value = (void *)(uintptr_t)values, .amount = count};
    int result = wait_at(chan, &chan->senders, &clause, "channel send", deadline);
    return clause.amount < count ? (int64_t)(count - clause.amount) : result;
}

int64_t filch_chan_send_many(filch_chan *chan, const void *values, size_t count, filch_deadline deadline) {
    if (is_bad(chan, values) || count > INT64_MAX) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    const char *next = values != NULL ? values : (const char *)chan->slots; /* of no size: never read */
    size_t sent = 0;
    int64_t result = 0;
    while (sent < count && result == 0) {
        struct filch__chan_debt debt = {0};
        filch__latch_take(&chan->latch);
        size_t more = send_some(chan, next + sent * chan->value_size, count - sent, &debt);
        sent += more;
        if (more == 0 && !chan->closed) {
            result = send_rest(chan, next + sent * chan->value_size, count - sent, deadline);
        } else {
            /* Those who are owed something come first, before this waits. */
            result = finish(chan, chan->closed ? -EPIPE : 0, &debt);
        }
    }
    if (result > 0) return (int64_t)sent + result;
    filch__spend();
    return sent > 0 ? (int64_t)sent : result;
}

int64_t filch_chan_recv_many(filch_chan *chan, void *values, size_t count, filch_deadline deadline) {
    if (is_bad(chan, values) || count > INT64_MAX) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    if (count == 0) return 0;
    char *next = values != NULL ? values : (char *)chan->slots; /* of no size: never written */
    struct filch__chan_debt debt = {0};
    size_t received = 0;
    int result = 0;
    filch__latch_take(&chan->latch);
    while (received < count && result == 0) {
        result = filch__chan_recv_now(chan, next + received * chan->value_size, &debt);
        if (result == 0) received++;
    }
    if (received == 0 && result == -EAGAIN) {
        struct filch__clause clause = {.value = next, .amount = count};
        result = wait_at(chan, &chan->receivers, &clause, RECEIVES, deadline);
        return result == 0 ? (int64_t)clause.amount : result;
    }
    finish(chan, 0, &debt);
    filch__spend();
    return received > 0 ? (int64_t)received : result;
}

/* ----------------------------------------------------------------------------------------------------------- close */

int filch_chan_close(filch_chan *chan) {
    if (chan == NULL) return -EINVAL;
    filch__latch_take(&chan->latch);
    edge_release(chan);
    store_relaxed(&chan->closed, true); /* under the latch: relaxed for those who take it as a hint */
    struct filch__clause *senders = filch__waitlist_take_all(&chan->senders);
    struct filch__clause *receivers = filch__waitlist_take_all(&chan->receivers);
    filch__latch_leave(&chan->latch);
    filch__grant_all(senders, -EPIPE);
    filch__grant_all(receivers, -EPIPE);
    return 0;
}

size_t filch_chan_length(const filch_chan *chan) {
    if (chan == NULL) return 0;
    return load_relaxed(&chan->length); /* a moment ago, whatever the order */
}

size_t filch_chan_capacity(const filch_chan *chan) {
    return chan == NULL ? 0 : chan->capacity;
}
