/* SPDX-License-Identifier: MIT */
/*
 * One owner and W - 1 thieves (at least one) at one deque: pushes and pops in random bursts, lists that are private now
 * and then, asked for, and moved by thieves after membarrier(2). Each piece must come out exactly once.
 */
#include <sched.h>

#include "base/barrier.h"
#include "context/context.h"
#include "sched/deque.h"
#include "stress/stress.h"

enum { PIECES = 20000, THIEVES_MAX = 63 };

struct piece {
    filch_frame frame; /* first */
    uint64_t plain;
    ATOMIC(uint32_t) taken;
};

static struct {
    struct filch__deque deque;
    struct piece pieces[PIECES];
    ATOMIC(uint64_t) round;
    ATOMIC(uint32_t) between; /* thieves between asking and sharing, as sleepers are counted in the idle word */
    ATOMIC(uint32_t) filling; /* 1: the owner is at work */
    ATOMIC(uint32_t) thieves; /* that are in the round */
    ATOMIC(uint32_t) over;
    bool closes;
} race;

static void take(void *item) {
    struct piece *piece = item;
    must(piece >= race.pieces && piece < race.pieces + PIECES);
    must(piece->plain == (uint64_t)(piece - race.pieces) + load_relaxed(&race.round));
    must(add_relaxed(&piece->taken, 1) == 0);
}

static void ask(struct filch__random *random) {
    if (below(random, 4) != 0) {
        (void)filch__deque_ask(&race.deque);
        return;
    }
    add_seq_cst(&race.between, 1);
    int64_t asking = filch__deque_ask(&race.deque);
    filch__barrier_all();
    filch__deque_share_after_barrier(&race.deque, asking);
    sub_seq_cst(&race.between, 1);
}

/* Steals until the owner has done its part and nothing is left. */
static void steal_all(struct filch__random *random) {
    for (;;) {
        bool last = load_acquire(&race.filling) == 0;
        void *item;
        switch (filch__deque_steal(&race.deque, &item)) {
        case STEAL_TAKEN:
            take(item);
            break;
        case STEAL_PRIVATE:
            ask(random);
            break;
        case STEAL_LOST:
            break;
        case STEAL_EMPTY:
            if (last) return;
            break;
        }
        if (stress.workers > 2 && below(random, 64) == 0) sched_yield();
    }
}

static void *thief(void *argument) {
    struct filch__random random = stress_random(1 + (uint64_t)(uintptr_t)argument);
    uint64_t seen = 0;
    for (;;) {
        while (load_acquire(&race.round) == seen) {
            if (load_acquire(&race.over)) return NULL;
            sched_yield();
        }
        seen = load_acquire(&race.round);
        steal_all(&random);
        sub_acq_rel(&race.thieves, 1);
    }
}

static void *pop(struct filch__random *random, int newest) {
    switch (below(random, 16)) {
    case 0:
        return filch__deque_pop_oldest(&race.deque);
    case 1:
        if (filch__deque_pop_if_youngest(&race.deque, &race.pieces[newest].frame)) return &race.pieces[newest].frame;
        return NULL;
    default:
        return filch__deque_pop(&race.deque);
    }
}

static void own(struct filch__random *random) {
    uint32_t burst = 1u << below(random, 11);
    for (int given = 0; given < PIECES;) {
        for (uint32_t i = 1 + below(random, burst); i > 0 && given < PIECES; i--) {
            race.pieces[given].plain = (uint64_t)given + race.round;
            filch__deque_push(&race.deque, &race.pieces[given++].frame);
        }
        void *item;
        for (uint32_t i = below(random, burst + 2); i > 0 && (item = pop(random, given - 1)) != NULL; i--) take(item);
        if (!race.closes || below(random, 4) != 0 || load_seq_cst(&race.between) != 0) continue;
        filch__deque_close(&race.deque);
        if (load_seq_cst(&race.between) != 0) filch__deque_share(&race.deque);
    }
    for (void *item; (item = filch__deque_pop(&race.deque)) != NULL;) take(item);
    filch__deque_share(&race.deque);
}

int main(int count, char **arguments) {
    stress_begin("deque_race", count, arguments);
    struct filch__random random = stress_random(0);
    unsigned thieves = stress.workers < 2 ? 1 : stress.workers - 1;
    if (thieves > THIEVES_MAX) thieves = THIEVES_MAX;
#ifndef FILCH_TSAN /* which does not see membarrier(2) */
    race.closes = filch__barrier_register();
#endif
    must(filch__deque_init(&race.deque, race.closes) == 0);
    pthread_t threads[THIEVES_MAX];
    for (uintptr_t i = 0; i < thieves; i++) must(pthread_create(&threads[i], NULL, thief, (void *)i) == 0);
    do {
        for (int i = 0; i < PIECES; i++) race.pieces[i].taken = 0;
        store_relaxed(&race.filling, 1);
        store_relaxed(&race.thieves, thieves);
        store_release(&race.round, race.round + 1);
        own(&random);
        store_release(&race.filling, 0);
        while (load_acquire(&race.thieves) != 0) sched_yield();
        for (int i = 0; i < PIECES; i++) must(race.pieces[i].taken == 1);
    } while (stress_go_on(PIECES));
    store_release(&race.over, 1);
    for (unsigned i = 0; i < thieves; i++) pthread_join(threads[i], NULL);
    filch__deque_fini(&race.deque);
    return stress_end();
}
