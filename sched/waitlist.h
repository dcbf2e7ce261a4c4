/* SPDX-License-Identifier: MIT */
/*
 * Lists of who waits at an object, and the wait itself: what every primitive is made of.
 *
 * A clause says that a waiter waits at an object; a wait has one clause, or several (select). It stands in the object's
 * list, under the object's latch, until somebody takes it out: a granter, who thereby owes it a filch__grant, or the
 * waiter itself, which thereby withdraws. So the latch decides who was first, and nothing can be granted to somebody who
 * has gone, or be lost on the way. A wait with several clauses has as many latches, so it is decided by its waiter's
 * `chosen`: who changes that from 0 to the clause's number may grant; others leave the clause alone.
 *
 * Rules
 *   - The waiter's memory is good for the granter from filch__waitlist_take, under the latch, until filch__grant.
 *   - What a grant hands over (a value copied to `clause->value`, an owner's word) is written between the two. Grant after
 *     the latch has been left: it may make a system call.
 *   - A waiter whose deadline passes or that is cancelled takes the latch, and if its clause has been taken out by then,
 *     waits for the grant, which is on its way: it has won, and the call succeeds. So an object whose waiters may be cut
 *     short is not to be given away before they have returned; being granted is not enough.
 */
#ifndef FILCH_SCHED_WAITLIST_H
#define FILCH_SCHED_WAITLIST_H

#include <filch/inside.h>

#include "base/latch.h"
#include "sched/park.h"

struct filch__clause {
    struct filch__waiter *waiter;
    unsigned number; /* from 1, among the clauses of a wait that has several; 0: the only one */
    void *value;     /* the object's: where to copy from or to, or what else it needs */
    size_t amount;   /* likewise */

    /* under the object's latch */
    struct filch__waitlist *list; /* that it stands in, or NULL */
    struct filch__clause *next, *previous;
};

static inline bool filch__waitlist_is_empty(const struct filch__waitlist *list) {
    return list->first == NULL;
}

/* Adds a clause at the end, or at the front. Under the latch. */
void filch__waitlist_add(struct filch__waitlist *list, struct filch__clause *clause);
void filch__waitlist_add_first(struct filch__waitlist *list, struct filch__clause *clause);

/* Takes a clause out that stands in a list. Under the latch. */
void filch__waitlist_remove(struct filch__clause *clause);

/* Whether the wait of `clause` may be granted by the caller, who then must. Under the latch. */
static inline bool filch__clause_choose(struct filch__clause *clause) {
    uint32_t nobody = 0;
    return clause->number == 0 || cas_acq_rel(&clause->waiter->chosen, &nobody, clause->number);
}

/* Takes the first clause out whose wait is not decided elsewhere; NULL: there is none. The caller owes it a grant. */
struct filch__clause *filch__waitlist_take(struct filch__waitlist *list);

/*
 * Moves all that filch__waitlist_take would give to a list of the caller's own, linked by `next`; each is owed a grant.
 * Read `next` before granting.
 */
struct filch__clause *filch__waitlist_take_all(struct filch__waitlist *list);

/* Grants each of a chain from filch__waitlist_take_all. Without the latch. */
void filch__grant_all(struct filch__clause *chain, int result);

/*
 * Waits with one clause that stands in a list under `latch`, which is taken and is left by this call.
 *
 * Returns what the granter said; or -ETIMEDOUT or -ECANCELED, and then the clause has been withdrawn.
 */
int filch__wait(struct filch__latch *latch, struct filch__clause *clause, filch_deadline deadline);

/* The same where the latch has been left already, since the clause was listed. */
int filch__wait_listed(struct filch__latch *latch, struct filch__clause *clause, filch_deadline deadline);

/* As filch__wait, but not cut short by cancellation. */
int filch__wait_through(struct filch__latch *latch, struct filch__clause *clause, filch_deadline deadline);

#endif
