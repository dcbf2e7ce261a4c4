/* SPDX-License-Identifier: MIT */
#include "sched/waitlist.h"

#include <errno.h>

void filch__waitlist_add(struct filch__waitlist *list, struct filch__clause *clause) {
    clause->list = list;
    clause->next = NULL;
    clause->previous = list->last;
    if (list->last != NULL) {
        list->last->next = clause;
    } else {
        list->first = clause;
    }
    list->last = clause;
}

void filch__waitlist_add_first(struct filch__waitlist *list, struct filch__clause *clause) {
    clause->list = list;
    clause->previous = NULL;
    clause->next = list->first;
    if (list->first != NULL) {
        list->first->previous = clause;
    } else {
        list->last = clause;
    }
    list->first = clause;
}

void filch__waitlist_remove(struct filch__clause *clause) {
    struct filch__waitlist *list = clause->list;
    if (clause->previous != NULL) {
        clause->previous->next = clause->next;
    } else {
        list->first = clause->next;
    }
    if (clause->next != NULL) {
        clause->next->previous = clause->previous;
    } else {
        list->last = clause->previous;
    }
    clause->list = NULL;
}

struct filch__clause *filch__waitlist_take(struct filch__waitlist *list) {
    struct filch__clause *clause;
    while ((clause = list->first) != NULL) {
        filch__waitlist_remove(clause);
        if (filch__clause_choose(clause)) return clause;
    }
    return NULL;
}

struct filch__clause *filch__waitlist_take_all(struct filch__waitlist *list) {
    struct filch__clause *first = filch__waitlist_take(list), *last = first;
    while (last != NULL) last = last->next = filch__waitlist_take(list);
    return first;
}

void filch__grant_all(struct filch__clause *chain, int result) {
    while (chain != NULL) {
        struct filch__clause *next = chain->next;
        filch__grant(chain->waiter, result);
        chain = next;
    }
}

/* Takes the clause out if it still stands in the list; else its grant is on its way. */
static bool withdraw(struct filch__latch *latch, struct filch__clause *clause) {
    filch__latch_take(latch);
    bool mine = clause->list != NULL;
    if (mine) filch__waitlist_remove(clause);
    filch__latch_leave(latch);
    return mine;
}

static int settle(struct filch__latch *latch, struct filch__clause *clause, uint32_t cause) {
    if (likely(cause == WAITER_GRANTED)) return clause->waiter->result;
    if (withdraw(latch, clause)) return cause == WAITER_CANCELLED ? -ECANCELED : -ETIMEDOUT;
    filch__park(clause->waiter);
    return clause->waiter->result;
}

int filch__wait(struct filch__latch *latch, struct filch__clause *clause, filch_deadline deadline) {
    filch__latch_leave(latch);
    return settle(latch, clause, filch__park_cancellable(clause->waiter, deadline));
}

int filch__wait_listed(struct filch__latch *latch, struct filch__clause *clause, filch_deadline deadline) {
    return settle(latch, clause, filch__park_cancellable(clause->waiter, deadline));
}

int filch__wait_through(struct filch__latch *latch, struct filch__clause *clause, filch_deadline deadline) {
    filch__latch_leave(latch);
    return settle(latch, clause, filch__park_until(clause->waiter, deadline));
}
