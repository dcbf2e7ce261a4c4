/* SPDX-License-Identifier: MIT */
/*
 * W threads (at least two), each the owner of a run queue that the others steal halves from. Each piece must be taken
 * exactly once; a queue's rings may grow meanwhile.
 */
#include <sched.h>

#include "sched/runqueue.h"
#include "stress/stress.h"

enum { PIECES = 10000, THREADS_MAX = 64 };

struct piece {
    uint64_t plain;
    ATOMIC(uint32_t) taken;
};

struct owner {
    struct filch__runqueue queue;
    struct piece pieces[PIECES];
    unsigned index;
    pthread_t thread;
};

static struct {
    struct owner *owners;
    unsigned count;
    ATOMIC(uint64_t) round;
    ATOMIC(uint32_t) giving;  /* owners that still push */
    ATOMIC(uint32_t) working; /* owners that are in the round */
    ATOMIC(uint64_t) taken;
    ATOMIC(uint32_t) over;
} race;

static void take(void *item) {
    struct piece *piece = item;
    must(piece->plain == load_relaxed(&race.round));
    must(add_relaxed(&piece->taken, 1) == 0);
    add_relaxed(&race.taken, 1);
}

static void steal(struct owner *owner, struct filch__random *random) {
    struct owner *victim = &race.owners[below(random, race.count)];
    if (victim == owner) return;
    bool lost = false;
    void *item = filch__runqueue_steal_half(&victim->queue, &owner->queue, &lost);
    if (item != NULL) take(item);
}

static void play(struct owner *owner, struct filch__random *random) {
    uint32_t burst = 1u << below(random, 10);
    for (int given = 0; given < PIECES;) {
        for (uint32_t i = 1 + below(random, burst); i > 0 && given < PIECES; i--) {
            struct piece *piece = &owner->pieces[given++];
            piece->plain = race.round;
            store_relaxed(&piece->taken, 0);
            must(filch__runqueue_push(&owner->queue, piece));
        }
        void *item;
        for (uint32_t i = below(random, burst + 1); i > 0 && (item = filch__runqueue_pop(&owner->queue)); i--)
            take(item);
        for (uint32_t i = below(random, 4); i > 0; i--) steal(owner, random);
    }
    sub_acq_rel(&race.giving, 1);
    while (load_acquire(&race.giving) > 0 || load_relaxed(&race.taken) < (uint64_t)race.count * PIECES) {
        void *item = filch__runqueue_pop(&owner->queue);
        if (item != NULL) {
            take(item);
        } else {
            steal(owner, random);
            if (below(random, 16) == 0) sched_yield();
        }
    }
}

static void *own(void *argument) {
    struct owner *owner = argument;
    struct filch__random random = stress_random(1 + owner->index);
    uint64_t seen = 0;
    for (;;) {
        while (load_acquire(&race.round) == seen) {
            if (load_acquire(&race.over)) return NULL;
            sched_yield();
        }
        seen = load_acquire(&race.round);
        play(owner, &random);
        sub_acq_rel(&race.working, 1);
    }
}

int main(int count, char **arguments) {
    stress_begin("runqueue_race", count, arguments);
    race.count = stress.workers < 2 ? 2 : stress.workers > THREADS_MAX ? THREADS_MAX : stress.workers;
    race.owners = aligned_alloc(64, race.count * sizeof *race.owners);
    must(race.owners != NULL);
    for (unsigned i = 0; i < race.count; i++) {
        memset(&race.owners[i], 0, sizeof race.owners[i]);
        race.owners[i].index = i;
        must(filch__runqueue_init(&race.owners[i].queue) == 0);
    }
    for (unsigned i = 0; i < race.count; i++) {
        must(pthread_create(&race.owners[i].thread, NULL, own, &race.owners[i]) == 0);
    }
    do {
        store_relaxed(&race.giving, race.count);
        store_relaxed(&race.working, race.count);
        store_relaxed(&race.taken, 0);
        store_release(&race.round, race.round + 1);
        while (load_acquire(&race.working) != 0) sched_yield();
        must(race.taken == (uint64_t)race.count * PIECES);
        for (unsigned i = 0; i < race.count; i++) {
            must(filch__runqueue_length(&race.owners[i].queue) == 0);
            for (int k = 0; k < PIECES; k++) must(race.owners[i].pieces[k].taken == 1);
        }
    } while (stress_go_on((uint64_t)race.count * PIECES));
    store_release(&race.over, 1);
    for (unsigned i = 0; i < race.count; i++) {
        pthread_join(race.owners[i].thread, NULL);
        filch__runqueue_fini(&race.owners[i].queue);
    }
    free(race.owners);
    return stress_end();
}
