/* SPDX-License-Identifier: MIT */
/*
 * Several runtimes at once, whose tasks spawn into one another's and await one another's tasks, while more come and go.
 * Every hop must arrive, and each runtime's counters must agree at its end.
 */
#include "stress/stress.h"

enum { RUNTIMES = 4, TRAVELLERS = 30, HOPS = 12 };

static filch_runtime *runtimes[RUNTIMES];

struct traveller {
    struct filch__random random;
    int hops;
};

/* Goes on in a random runtime, and waits there until the rest of the way is done. */
static int travel(void *arg) {
    struct traveller *traveller = arg;
    if (traveller->hops == 0) return 1;
    struct traveller next = {traveller->random, traveller->hops - 1};
    filch_runtime *to = runtimes[below(&next.random, RUNTIMES)];
    filch_task *task;
    int rest;
    must(filch_runtime_spawn(to, &task, travel, &next, NULL) == 0);
    if (below(&next.random, 4) == 0) filch_yield();
    while (filch_await(task, &rest, below(&next.random, 2) ? FILCH_NEVER : filch_after(20000)) != 0) continue;
    return 1 + rest;
}

/* A short-lived runtime, whose only task awaits one in a runtime that stays. */
static void visit(struct filch__random *random) {
    struct traveller traveller = {*random, 2};
    filch_options options = {.workers = 1 + below(random, 2)};
    must(filch_run(travel, &traveller, &options) == 3);
}

static void one_round(struct filch__random *random) {
    struct traveller travellers[TRAVELLERS];
    filch_task *tasks[TRAVELLERS];
    for (int i = 0; i < RUNTIMES; i++) runtimes[i] = stress_runtime();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < TRAVELLERS; i++) {
            filch__random_init(&travellers[i].random, filch__random_next(random), (uint64_t)i);
            travellers[i].hops = HOPS;
            must(filch_runtime_spawn(runtimes[i % RUNTIMES], &tasks[i], travel, &travellers[i], NULL) == 0);
        }
        visit(random);
        for (int i = 0; i < TRAVELLERS; i++) {
            int result;
            must(filch_await(tasks[i], &result, FILCH_NEVER) == 0);
            must(result == HOPS + 1);
        }
        atomic_fetch_add(&stress.rounds, stress.cycles == 0); /* progress, for the watchdog */
    }
    uint64_t spawned = 0;
    for (int i = 0; i < RUNTIMES; i++) {
        filch_stats stats;
        must(filch_runtime_shutdown(runtimes[i], FILCH_NEVER) == 0);
        must(filch_runtime_stats(runtimes[i], &stats) == 0);
        must(stats.spawned == stats.completed);
        spawned += stats.spawned;
    }
    must(spawned == 10 * (TRAVELLERS * (HOPS + 1) + 2));
    for (int i = 0; i < RUNTIMES; i++) must(filch_runtime_destroy(runtimes[i]) == 0);
}

int main(int count, char **arguments) {
    stress_begin("many_runtimes", count, arguments);
    struct filch__random random = stress_random(0);
    do {
        one_round(&random);
    } while (stress_go_on(10 * TRAVELLERS * HOPS));
    return stress_end();
}
