/* SPDX-License-Identifier: MIT */
/*
 * The deque of a worker: what has not begun. In two parts:
 *
 *   - the list, the young part, linked through its items. It is private: push and pop are a few plain loads and stores.
 *   - the ring, the old part: a growable work-stealing deque (Chase and Lev 2005; orders after Lê, Pop, Cohen, Nardelli
 *     2013), whose owner pays for each pop with a locked instruction, and from whose old end anyone may steal.
 *
 * While nobody is idle, nobody steals, and everything goes through the list. A thief asks for the list to be shared; the
 * owner answers at its next push or pop, by moving it to the ring. A thief that cannot wait (it is about to sleep, and
 * the owner may be computing for a second) runs membarrier(2) and moves the list itself. Thus the cost of exclusion is
 * paid by whoever is idle (an asymmetric Dekker protocol: Dice, Huang, Yang 2001). A private part that thieves can ask
 * for is Lace's (van Dijk and van de Pol 2014) and Wool's; but theirs stays hidden for as long as the owner computes.
 *
 *                                                         owner worker    any other worker
 *   push, pop, pop_oldest, pop_if_youngest, holds,             yes               no
 *   share, close
 *   steal, ask, share_after_barrier                            yes               yes
 *
 * The mode, `hot.mode`, says whose the list is:
 *   PRIVATE   the owner's
 *   ASKED     the owner's; it is to share it at its next push or pop
 *   TAKING    whoever set this, the owner or a thief: it moves the list to the ring
 *   SHARED    the owner's, and empty unless memory for the ring was short; pushes go to the ring
 * Changes:
 *   PRIVATE -> ASKED    any thief, by CAS
 *   ASKED -> TAKING     by CAS: the owner; or a thief that has run membarrier since it saw this very asking
 *   PRIVATE -> TAKING   by CAS: the owner
 *   TAKING -> SHARED    who set TAKING
 *   TAKING -> PRIVATE   the owner, where it came from PRIVATE
 *   SHARED -> PRIVATE   the owner, having seen nobody idle; it looks again afterwards
 *
 * A frame in the ring says at which index, in its join word (sched/frame.h).
 *
 * Invariants
 *   I1  top only grows. top <= bottom, except inside a pop that found nothing.
 *   I2  an item pushed once is returned once, by exactly one pop or one steal.
 *   I3  only the owner writes `hot.young`. What a thief has moved is cut off by the owner before it looks at the list
 *       again: it learns of it from the mode, which it reads after each change of `hot.young`. What a thief has moved may
 *       have been run, and be gone: the owner follows no link of a frame unless it is TAKING, and asks no item.
 *   I4  every item of the list is younger than every item of the ring, but for memory shortage.
 *   I5  what a thief has moved is cut off before an item of the same address as the youngest of it can be pushed. So
 *       comparing addresses tells whether the thief saw a change of the list that it ran into: a frame is pushed again
 *       only after its join, which looks; a frame at the same place of another strand only after a switch to that strand
 *       or to a fresh stack, which looks last thing; a task's record by a push that looks.
 *
 * Edges (each name appears at both of its ends)
 *   PUBLISH  push to the ring: bottom (seq_cst)  -> steal: bottom (seq_cst)   carries the slot and what the item points to
 *   GROW     ring (release)                      -> steal: ring (acquire)     carries the copied slots
 *   RECYCLE  steal: top (seq_cst)                -> push: top (acquire)       the thief is done with the slot
 *   LAST     pop and steal: seq_cst on bottom and top                         they cannot both miss the other
 *   REVOKE   owner: young, compiler's barrier, mode  <->  thief: mode = ASKED, membarrier, TAKING, young.
 *            Either the owner sees that the list is not private, or the thief sees the owner's young
 *   TAKEN    TAKING -> SHARED (release)          -> the owner sees SHARED (acquire)   carries the ring, and where items are
 *   GIVEN    SHARED -> PRIVATE -> ASKED -> TAKING (each acq_rel)              carries the ring to whoever moves the list
 *   WAKE     push to the ring: bottom (seq_cst), then the idle word (seq_cst)  <->  sched/idle.c
 */
#ifndef FILCH_SCHED_DEQUE_H
#define FILCH_SCHED_DEQUE_H

#include <filch/fork.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "sched/item.h"
#include "sched/ring.h"

enum deque_mode {
    DEQUE_PRIVATE = 0, /* zero: fork's and join's inline paths test for it */
    DEQUE_ASKED,
    DEQUE_TAKING,
    DEQUE_SHARED,
    DEQUE_MODE_MASK = 3, /* ASKED has the number of the asking above this, so that none is taken for another */
};

struct filch__deque {
    struct filch__hot hot; /* young: this worker only, but for who is TAKING; mode: any worker */

    /* the owner, or who is TAKING, writes; thieves read */
    ATOMIC(int64_t) bottom cache_aligned;
    ATOMIC(struct filch__ring *) ring;
    /* the owner, or who is TAKING */
    int64_t full_at;      /* the bottom at which there may be no more room */
    bool moved;           /* a thief has moved the list, and the owner has not cut it off yet */
    void *moved_from;     /* the youngest item that it saw. Only to be compared: the item may be gone */
    ATOMIC(int64_t) asks; /* any worker: counts up */

    ATOMIC(int64_t) top cache_aligned; /* any worker */
};

enum steal_answer {
    STEAL_EMPTY,   /* there was nothing */
    STEAL_LOST,    /* another took it first: worth another try */
    STEAL_PRIVATE, /* nothing in the ring; what is in the list must be asked for */
    STEAL_TAKEN,
};

/* 0, or -ENOMEM. The deque is empty, and its mode is PRIVATE or, where `private_mode` is false, SHARED. */
int filch__deque_init(struct filch__deque *deque, bool private_mode);
void filch__deque_fini(struct filch__deque *deque);

/* Adds at the young end; never fails. Returns whether it can be seen by others: then sleepers must be thought of. */
bool filch__deque_push(struct filch__deque *deque, void *item);

/* Takes from the young end; NULL where there is nothing. */
void *filch__deque_pop(struct filch__deque *deque);

/* Takes from the old end as a thief does; NULL where there is nothing, or a thief was faster. */
void *filch__deque_pop_oldest(struct filch__deque *deque);

/* Takes `item` if it is at the young end; false: nothing was taken. */
bool filch__deque_pop_if_youngest(struct filch__deque *deque, void *item);

/* Whether `frame`, whose call has not ended, may be in this deque. */
bool filch__deque_holds(struct filch__deque *deque, filch_frame *frame);

/*
 * The rest of an inline push of `item` after which the mode was seen not to be PRIVATE. Sleepers must be thought of.
 * The same for an inline pop: whether the item is the caller's; if not, it is still in the deque, or stolen.
 */
void filch__deque_pushed(struct filch__deque *deque, void *item);
bool filch__deque_popped(struct filch__deque *deque, void *item);

/* Answers who asks, and cuts off what a thief has moved. */
void filch__deque_tidy(struct filch__deque *deque);

/*
 * The owner looks whether a thief has been at its list. Before another strand runs on the worker (I5), among others.
 */
static inline void filch__deque_look(struct filch__deque *deque) {
    if (unlikely(load_relaxed(&deque->hot.mode) != DEQUE_PRIVATE)) filch__deque_tidy(deque);
}

/* Shares the list, on the owner's own account. */
void filch__deque_share(struct filch__deque *deque);

/* Takes from the old end, into `*item` where the answer is STEAL_TAKEN. */
enum steal_answer filch__deque_steal(struct filch__deque *deque, void **item);

/* A thief will look here at once: fetches what it needs beyond the two indices along with them, not after them. */
static inline void filch__deque_prefetch(struct filch__deque *deque) {
    /* relaxed: any index will do; acquire: GROW */
    __builtin_prefetch(filch__ring_slot(load_acquire(&deque->ring), load_relaxed(&deque->top)));
}

/* Asks for the list to be shared. Returns the mode that it has then: SHARED, TAKING, or this or an earlier asking. */
int64_t filch__deque_ask(struct filch__deque *deque);

/*
 * Shares the list of a deque that was asked, if `asking`, which filch__deque_ask returned, still stands. Only by a thread
 * that has run membarrier in between.
 */
void filch__deque_share_after_barrier(struct filch__deque *deque, int64_t asking);

/* Back to PRIVATE; the owner must then look once more whether somebody is idle, and share if so. */
void filch__deque_close(struct filch__deque *deque);

/* Whether the list begins with a task. Owner only. */
static inline bool filch__deque_begins_with_task(struct filch__deque *deque) {
    void *young = load_relaxed(&deque->hot.young); /* the owner's own */
    return young != NULL && item_kind(young) == ITEM_TASK;
}

/* Whether there is nothing in the deque, as the owner sees it. */
static inline bool filch__deque_is_empty(struct filch__deque *deque) {
    filch__deque_look(deque);
    /* relaxed: the owner's own, and a top that may be old only says "not empty" too often */
    return load_relaxed(&deque->hot.young) == NULL && load_relaxed(&deque->bottom) <= load_relaxed(&deque->top);
}

/* Whether there is something in the ring: for the looks of the idle protocol. */
static inline bool filch__deque_in_sight(struct filch__deque *deque) {
    int64_t top = load_seq_cst(&deque->top);
    return load_seq_cst(&deque->bottom) > top; /* WAKE */
}

#endif
