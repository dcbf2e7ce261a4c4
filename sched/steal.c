/* SPDX-License-Identifier: MIT */
#include "sched/steal.h"

#include <stddef.h>

#include "sched/probe.h"
#include "sched/runtime.h"

/*
 * What was just woken will be run by its victim at once, and is best left there: it is taken only when it has been seen
 * to stay from one round to a later one.
 */
static void *steal_next(struct filch__worker *worker, struct filch__worker *victim) {
    void *seen = load_relaxed(&victim->next); /* a glance; the CAS is what counts */
    if (seen == NULL) return NULL;
    if (seen != worker->suspect) {
        worker->suspect = seen;
        return NULL;
    }
    worker->suspect = NULL;
    return cas_acq_rel(&victim->next, &seen, NULL) ? seen : NULL;
}

/* A few more tries where another thief was faster: then there is work. */
static void *steal_from(struct filch__worker *worker, struct filch__worker *victim) {
    void *item = NULL;
    count_up(&worker->steal_tries, 1);
    for (int tries = 0; tries < 4; tries++) {
        bool lost = false;
        switch (filch__deque_steal(&victim->deque, &item)) {
        case STEAL_TAKEN:
            worker->stolen_at_ns = worker->looked_at_ns;
            worker->victim_was_rich = filch__deque_in_sight(&victim->deque);
            return item;
        case STEAL_LOST:
            lost = true;
            break;
        case STEAL_PRIVATE:
            filch__deque_ask(&victim->deque);
            break;
        case STEAL_EMPTY:
            break;
        }
        item = filch__runqueue_steal_half(&victim->runqueue, &worker->runqueue, &lost);
        if (item != NULL) return item;
        if (!lost) break;
    }
    return steal_next(worker, victim);
}

static void *taken(struct filch__worker *worker, void *item, unsigned victim) {
    count_up(&worker->steals, 1);
    probe3(steal, item, worker->index, victim);
    if (filch__traces(&worker->deque.hot)) filch__trace_steal(&worker->deque.hot, item, victim);
    return item;
}

void *filch__steal_round(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    void *item = filch__inject_pop(&runtime->inject);
    if (item != NULL) return item;
    unsigned count = filch__runtime_known(runtime);
    unsigned first = filch__choose(&worker->random, CHOICE_VICTIM, count);
    for (unsigned i = 0; i < count; i++) {
        unsigned index = first + i < count ? first + i : first + i - count;
        if (index == worker->index) continue;
        item = steal_from(worker, filch__runtime_worker(runtime, index));
        if (item != NULL) return taken(worker, item, index);
    }
    return NULL;
}

void *filch__steal_glance(struct filch__worker *worker) {
    struct filch_runtime *runtime = worker->runtime;
    unsigned others = filch__runtime_known(runtime) - 1;
    if (others == 0) return NULL;
    worker->glance = worker->glance + 1 < others ? worker->glance + 1 : 0; /* counts the others */
    struct filch__worker *victim = filch__runtime_worker(runtime, worker->glance + (worker->glance >= worker->index));
    filch__deque_prefetch(&victim->deque);
    if (!filch__deque_in_sight(&victim->deque) && filch__runqueue_length(&victim->runqueue) <= 0) return NULL;
    void *item = steal_from(worker, victim);
    return item == NULL ? NULL : taken(worker, item, victim->index);
}

bool filch__steal_in_sight(struct filch_runtime *runtime) {
    if (filch__inject_length(&runtime->inject) > 0) return true;
    unsigned known = filch__runtime_known(runtime);
    for (unsigned i = 0; i < known; i++) {
        struct filch__worker *victim = filch__runtime_worker(runtime, i);
        if (filch__deque_in_sight(&victim->deque)) return true;
        if (filch__runqueue_length(&victim->runqueue) > 0) return true;
        /* Not the next slot: its worker serves it next. */
    }
    return false;
}
