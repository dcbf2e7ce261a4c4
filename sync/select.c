/* SPDX-License-Identifier: MIT */
/*
 * Select: a wait with a clause for each case.
 *
 * All the latches are held at once, in the order of their addresses, while it is looked whether a case can go on and,
 * if none can, while the clauses are listed: so nobody sees some of them listed and others not, and a select that looks
 * is in no list that it or another could find it in. From then on the waiter's `chosen` decides: see sched/waitlist.h.
 * Once it goes on, the clauses that were not chosen are taken out one by one.
 *
 * Before that, one case is tried at random, and then, where the hints alone tell which can go on, one of those: with
 * its latch alone.
 */
#include <filch/select.h>

#include "alloc/alloc.h"
#include "base/clock.h"
#include "base/tasksan.h"
#include "sync/chan.h"

enum { FEW = 16 };

/* What a case needs while it is selected. */
struct branch {
    struct filch__latch *latch; /* of its object, or NULL: it has none */
    struct filch__clause clause;
    size_t size; /* of a value, for who looks when the channel may be gone */
};

struct selection {
    filch_case *cases;
    size_t count;
    int64_t now_ns;     /* where a case is a deadline */
    int64_t at_ns;      /* the earliest deadline of a case, and */
    size_t at_case;     /* its index; `count`: there is none */
    size_t ready_count; /* cases that seemed able to go on at the last look */
    uint16_t *ready;
    size_t latch_count;
    struct filch__latch **latches; /* the distinct ones, in the order of their addresses */
    struct branch *branches;
};

/* Everything that grows with the number of cases. */
struct room {
    struct branch branches[FEW];
    struct filch__latch *latches[FEW];
    uint16_t ready[FEW];
};

/* ------------------------------------------------------------------------------------------------------- each case */

/* The latch of its object, or NULL: it has none. */
static inline struct filch__latch *latch_of(const filch_case *one) {
    switch (one->kind) {
    case FILCH_CASE_SEND:
    case FILCH_CASE_RECV:
        return &one->chan->latch;
    case FILCH_CASE_EVENT:
        return &one->event->filch__latch;
    case FILCH_CASE_FUTURE:
        return &one->future->filch__latch;
    case FILCH_CASE_NEVER:
    case FILCH_CASE_DEADLINE:
        break;
    }
    return NULL;
}

/* Where who waits for it stands; it has a latch. */
static inline struct filch__waitlist *list_of(const filch_case *one) {
    if (one->kind == FILCH_CASE_SEND) return &one->chan->senders;
    if (one->kind == FILCH_CASE_RECV) return &one->chan->receivers;
    return one->kind == FILCH_CASE_EVENT ? &one->event->filch__waiters : &one->future->filch__waiters;
}

/* Whether somebody waits whose wait is not decided yet; may be so by the time that it is taken. Under the latch. */
static bool somebody_waits(struct filch__waitlist *list) {
    struct filch__clause *first;
    while ((first = list->first) != NULL) {
        if (first->number == 0 || load_relaxed(&first->waiter->chosen) == 0) return true; /* the taking CAS counts */
        filch__waitlist_remove(first);
    }
    return false;
}

/* Whether it can go on, unless somebody is faster elsewhere. Under the latch. */
static bool is_ready(const struct selection *selection, const filch_case *one) {
    switch (one->kind) {
    case FILCH_CASE_SEND:
        return !filch__chan_seems_full(one->chan) || somebody_waits(&one->chan->receivers);
    case FILCH_CASE_RECV:
        return !filch__chan_seems_empty(one->chan) || somebody_waits(&one->chan->senders);
    case FILCH_CASE_EVENT:
        return filch_event_is_set(one->event);
    case FILCH_CASE_FUTURE:
        if (one->future->filch__done) edge_acquire(one->future);
        return one->future->filch__done;
    case FILCH_CASE_DEADLINE:
        return one->deadline.at_ns <= selection->now_ns;
    case FILCH_CASE_NEVER:
        break;
    }
    return false;
}

/* Does it, if it can go on: its result, or -EAGAIN. Under the latch. */
static inline int go_on(const struct selection *selection, filch_case *one, struct filch__chan_debt *debt) {
    if (one->kind == FILCH_CASE_RECV) return filch__chan_recv_plain(one->chan, one->into, debt);
    if (one->kind == FILCH_CASE_SEND) return filch__chan_send_plain(one->chan, one->from, debt);
    return is_ready(selection, one) ? 0 : -EAGAIN;
}

/* ------------------------------------------------------------------------------------------------------- at once */

/* Takes one of the cases that seem ready, each with the same chance, off that list; its index. */
static size_t pick(struct selection *selection) {
    uint32_t count = (uint32_t)selection->ready_count;
    uint32_t which = count == 1 ? 0 : filch__choose_here(CHOICE_BRANCH, count);
    size_t index = selection->ready[which];
    selection->ready[which] = selection->ready[--selection->ready_count];
    return index;
}

/* A case that is a deadline, in the first look at it: whether it has passed. */
static bool look_at_deadline(struct selection *selection, size_t index) {
    int64_t at_ns = selection->cases[index].deadline.at_ns;
    if (selection->at_case == selection->count) selection->now_ns = filch__clock_now();
    if (selection->at_case == selection->count || at_ns < selection->at_ns) {
        selection->at_case = index;
        selection->at_ns = at_ns;
    }
    return at_ns <= selection->now_ns;
}

/* Looks at each case, without its latch, and lists those that seem able to go on. False: of some it cannot be told. */
static bool look(struct selection *selection) {
    bool known = true;
    size_t ready_count = 0;
    selection->at_case = selection->count;
    for (size_t i = 0; i < selection->count; i++) {
        const filch_case *one = &selection->cases[i];
        bool ready = false;
        switch (one->kind) {
        case FILCH_CASE_RECV:
            known = known && one->chan->capacity > 0;
            ready = !filch__chan_seems_empty(one->chan);
            break;
        case FILCH_CASE_SEND:
            known = known && one->chan->capacity > 0;
            ready = !filch__chan_seems_full(one->chan);
            break;
        case FILCH_CASE_EVENT:
            ready = filch_event_is_set(one->event);
            break;
        case FILCH_CASE_FUTURE:
            known = false;
            break;
        case FILCH_CASE_DEADLINE:
            ready = look_at_deadline(selection, i);
            break;
        case FILCH_CASE_NEVER:
            break;
        }
        selection->ready[ready_count] = (uint16_t)i;
        ready_count += ready;
    }
    selection->ready_count = ready_count;
    return known;
}

/* Does the case, if it can go on: its index, or -EAGAIN. Takes its latch alone. */
static force_inline int go_on_alone(const struct selection *selection, size_t index) {
    filch_case *one = &selection->cases[index];
    struct filch__chan_debt debt = {0};
    struct filch__latch *latch = latch_of(one);
    if (likely(latch != NULL)) filch__latch_take(latch);
    int result = go_on(selection, one, &debt);
    if (likely(latch != NULL)) filch__latch_leave(latch);
    if (unlikely(result == -EAGAIN)) return -EAGAIN;
    if (unlikely(debt.first != NULL)) filch__grant_all(debt.first, 0);
    one->result = result;
    return (int)index;
}

/*
 * Tries one of all the cases, each with the same chance. Since the looks that follow a failure choose evenly among
 * those that can go on, the whole does. Without a latch where the hint is enough.
 */
static inline int go_on_by_luck(const struct selection *selection) {
    uint32_t count = (uint32_t)selection->count;
    if (count == 0) return -EAGAIN;
    size_t index = count == 1 ? 0 : filch__choose_here(CHOICE_BRANCH, count);
    const filch_case *one = &selection->cases[index];
    switch (one->kind) {
    case FILCH_CASE_RECV:
        if (one->chan->capacity > 0 && filch__chan_seems_empty(one->chan)) return -EAGAIN;
        return go_on_alone(selection, index);
    case FILCH_CASE_SEND:
        if (one->chan->capacity > 0 && filch__chan_seems_full(one->chan)) return -EAGAIN;
        return go_on_alone(selection, index);
    case FILCH_CASE_EVENT:
    case FILCH_CASE_FUTURE:
        return go_on_alone(selection, index);
    case FILCH_CASE_DEADLINE:
        if (one->deadline.at_ns > filch__clock_now()) return -EAGAIN;
        selection->cases[index].result = 0;
        return (int)index;
    case FILCH_CASE_NEVER:
        break;
    }
    return -EAGAIN;
}

/* By hints and one latch: the index of the case that has gone on; -EAGAIN: it takes a look under all the latches. */
static int go_on_at_a_glance(struct selection *selection) {
    bool known = look(selection);
    /* A case of which nothing is known must not come off worse. */
    if (!known || selection->ready_count == 0) return -EAGAIN;
    return go_on_alone(selection, pick(selection));
}

/* -------------------------------------------------------------------------------------------- under all the latches */

static void latches_add(struct selection *selection, struct filch__latch *latch) {
    size_t i = selection->latch_count;
    for (; i > 0 && (uintptr_t)selection->latches[i - 1] >= (uintptr_t)latch; i--) {
        if (selection->latches[i - 1] == latch) return;
    }
    for (size_t k = selection->latch_count; k > i; k--) selection->latches[k] = selection->latches[k - 1];
    selection->latches[i] = latch;
    selection->latch_count++;
}

static void latches_take(struct selection *selection) {
    selection->latch_count = 0;
    for (size_t i = 0; i < selection->count; i++) {
        struct filch__latch *latch = latch_of(&selection->cases[i]);
        selection->branches[i].latch = latch;
        if (latch != NULL) latches_add(selection, latch);
    }
    for (size_t i = 0; i < selection->latch_count; i++) filch__latch_take(selection->latches[i]);
}

static void latches_leave(struct selection *selection) {
    for (size_t i = selection->latch_count; i > 0; i--) filch__latch_leave(selection->latches[i - 1]);
}

/* Under all the latches: the index of the case that has gone on, and what is owed for it; or -EAGAIN. */
static int go_on_latched(struct selection *selection, struct filch__chan_debt *debt) {
    selection->ready_count = 0;
    for (size_t i = 0; i < selection->count; i++) {
        if (is_ready(selection, &selection->cases[i])) selection->ready[selection->ready_count++] = (uint16_t)i;
    }
    while (selection->ready_count > 0) {
        size_t index = pick(selection);
        int result = go_on(selection, &selection->cases[index], debt);
        if (result == -EAGAIN) continue; /* who waited there has been chosen elsewhere */
        selection->cases[index].result = result;
        return (int)index;
    }
    return -EAGAIN;
}

/* For ThreadSanitizer, as the next but one: see base/tasksan.h. */
static inline void tell_of_case(struct branch *branch, const filch_case *one) {
    edge_set(&branch->clause);
    branch->size = one->kind == FILCH_CASE_SEND || one->kind == FILCH_CASE_RECV ? one->chan->value_size : 0;
    if (one->kind == FILCH_CASE_SEND) seen_read(branch->clause.value, branch->size);
}

static void list_clauses(struct selection *selection, struct filch__waiter *waiter) {
    for (size_t i = 0; i < selection->count; i++) {
        struct branch *branch = &selection->branches[i];
        if (branch->latch == NULL) continue;
        branch->clause.waiter = waiter;
        branch->clause.number = (unsigned)i + 1;
        branch->clause.value = selection->cases[i].into;
        branch->clause.amount = 1;
        tell_of_case(branch, &selection->cases[i]);
        filch__waitlist_add(list_of(&selection->cases[i]), &branch->clause);
    }
}

/* -------------------------------------------------------------------------------------------------------- waiting */

/* Takes out the clauses that are listed still. One that was granted is not, and its object may be gone. */
static void withdraw(struct selection *selection, uint32_t granted) {
    for (size_t i = 0; i < selection->count; i++) {
        struct branch *branch = &selection->branches[i];
        if (branch->latch == NULL || i + 1 == granted) continue;
        filch__latch_take(branch->latch);
        if (branch->clause.list != NULL) filch__waitlist_remove(&branch->clause);
        filch__latch_leave(branch->latch);
    }
}

/* Nothing was chosen. */
static int cut_short(struct selection *selection, uint32_t cause, filch_deadline deadline) {
    if (cause == WAITER_CANCELLED) return -ECANCELED;
    if (selection->at_case == selection->count || selection->at_ns > deadline.at_ns) return -ETIMEDOUT;
    selection->cases[selection->at_case].result = 0;
    return (int)selection->at_case;
}

/* A wait was ended by this case, with the waiter's result: as in the call that it stands for. */
static void went_on(const filch_case *one, const struct branch *branch, const struct filch__waiter *waiter) {
    (void)branch; /* nobody looks where nothing is told */
    switch (one->kind) {
    case FILCH_CASE_SEND:
        if (waiter->result == -EPIPE) edge_acquire(one->chan);
        break;
    case FILCH_CASE_RECV:
        edge_acquire(waiter->result == -EPIPE ? (const void *)one->chan : (const void *)waiter);
        if (waiter->result == 0) seen_write(one->into, branch->size);
        break;
    case FILCH_CASE_EVENT:
        edge_acquire(one->event);
        break;
    case FILCH_CASE_FUTURE:
        edge_acquire(one->future);
        break;
    case FILCH_CASE_NEVER:
    case FILCH_CASE_DEADLINE:
        break;
    }
}

/* Waits with a clause for each case. Under all the latches, which are left. */
static int wait_for_one(struct selection *selection, filch_deadline deadline) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "select", selection->cases);
    list_clauses(selection, &waiter);
    latches_leave(selection);
    filch_deadline first = deadline;
    if (selection->at_case < selection->count && selection->at_ns < first.at_ns) first.at_ns = selection->at_ns;
    uint32_t cause = filch__park_cancellable(&waiter, first);
    withdraw(selection, cause == WAITER_GRANTED ? load_relaxed(&waiter.chosen) : 0); /* CAUSE has carried it */
    /* From here on nobody finds a clause. Whoever has chosen one did so under a latch that has been taken since. */
    uint32_t chosen = load_relaxed(&waiter.chosen);
    if (chosen == 0) return cut_short(selection, cause, deadline);
    if (cause != WAITER_GRANTED) filch__park(&waiter);
    went_on(&selection->cases[chosen - 1], &selection->branches[chosen - 1], &waiter);
    selection->cases[chosen - 1].result = waiter.result;
    return (int)chosen - 1;
}

/* --------------------------------------------------------------------------------------------------------- select */

static int select_in_room(struct selection *selection, const filch_deadline *deadline) {
    int index = go_on_by_luck(selection);
    if (index == -EAGAIN) index = go_on_at_a_glance(selection);
    if (index == -EAGAIN) {
        struct filch__chan_debt debt = {0};
        latches_take(selection);
        index = go_on_latched(selection, &debt);
        if (index == -EAGAIN && deadline != NULL) return wait_for_one(selection, *deadline);
        latches_leave(selection);
        if (debt.first != NULL) filch__grant_all(debt.first, 0);
    }
    if (deadline != NULL && index >= 0) filch__spend();
    return index;
}

static int select_few(filch_case *cases, size_t count, const filch_deadline *deadline) {
    struct room room;
    struct selection selection; /* the looks set the rest */
    selection.cases = cases;
    selection.count = count;
    selection.ready = room.ready;
    selection.latches = room.latches;
    selection.branches = room.branches;
    return select_in_room(&selection, deadline);
}

static never_inline int select_many(filch_case *cases, size_t count, const filch_deadline *deadline) {
    const size_t each = sizeof(struct branch) + sizeof(struct filch__latch *) + sizeof(uint16_t);
    char *room = filch__heap_get(count * each, sizeof(void *));
    if (room == NULL) return -ENOMEM;
    struct filch__latch **latches = (void *)(room + count * sizeof(struct branch));
    struct selection selection;
    selection.cases = cases;
    selection.count = count;
    selection.branches = (void *)room;
    selection.latches = latches;
    selection.ready = (void *)(latches + count);
    int index = select_in_room(&selection, deadline);
    filch__heap_put(room, count * each, sizeof(void *));
    return index;
}

static int select_any(filch_case *cases, size_t count, const filch_deadline *deadline) {
    return likely(count <= FEW) ? select_few(cases, count, deadline) : select_many(cases, count, deadline);
}

static inline bool case_is_bad(const filch_case *one) {
    if (one->kind == FILCH_CASE_NEVER || one->kind == FILCH_CASE_DEADLINE) return false;
    if (unlikely(one->kind > FILCH_CASE_FUTURE || one->chan == NULL)) return true; /* whichever of the pointers it is */
    return (one->kind == FILCH_CASE_RECV || one->kind == FILCH_CASE_SEND) && unlikely(one->into == NULL) &&
           one->chan->value_size > 0;
}

static inline bool are_bad(const filch_case *cases, size_t count) {
    if (unlikely((cases == NULL && count > 0) || count > FILCH_SELECT_MAX)) return true;
    for (size_t i = 0; i < count; i++) {
        if (unlikely(case_is_bad(&cases[i]))) return true;
    }
    return false;
}

int filch_select(filch_case *cases, size_t count, filch_deadline deadline) {
    if (unlikely(are_bad(cases, count))) return -EINVAL;
    if (unlikely(filch__cancelled())) return -ECANCELED;
    return select_any(cases, count, &deadline);
}

int filch_try_select(filch_case *cases, size_t count) {
    if (unlikely(are_bad(cases, count))) return -EINVAL;
    return select_any(cases, count, NULL);
}
