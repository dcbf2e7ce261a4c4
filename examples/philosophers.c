/* SPDX-License-Identifier: MIT */
/*
 * Dining philosophers: each needs the forks to both sides of his plate. All take the fork with the lower number first;
 * so whoever holds the highest that is held needs no other that is held, eats, and lays both down: no deadlock. And since
 * a mutex starves nobody, each gets his turn.
 */
#include <filch/filch.h>
#include <stdio.h>

enum { SEATS = 5, MEALS = 200 };

struct fork {
    filch_mutex held;
    int uses; /* whoever holds it counts */
};

struct philosopher {
    struct fork *lower, *higher;
    int meals;
};

static int eat(struct philosopher *philosopher) {
    int error = filch_mutex_lock(&philosopher->lower->held, FILCH_NEVER);
    if (error != 0) return error;
    error = filch_mutex_lock(&philosopher->higher->held, FILCH_NEVER);
    if (error == 0) {
        philosopher->lower->uses++;
        philosopher->higher->uses++;
        philosopher->meals++;
        filch_yield(); /* others may run meanwhile, and find the forks taken */
        filch_mutex_unlock(&philosopher->higher->held);
    }
    filch_mutex_unlock(&philosopher->lower->held);
    return error;
}

static int live(void *arg) {
    struct philosopher *philosopher = arg;
    int error = 0;
    while (philosopher->meals < MEALS && error == 0) {
        filch_yield(); /* thinks */
        error = eat(philosopher);
    }
    return error;
}

static int dine(void *arg) {
    struct fork forks[SEATS] = {0}; /* zeroed mutexes are free */
    struct philosopher philosophers[SEATS] = {0};
    filch_scope scope;
    (void)arg;
    int error = filch_scope_open(&scope, &(filch_scope_options){.deadline = filch_after(FILCH_SEC(60))});
    if (error != 0) return error;
    for (int i = 0; i < SEATS && error == 0; i++) {
        int right = (i + 1) % SEATS;
        philosophers[i].lower = &forks[i < right ? i : right];
        philosophers[i].higher = &forks[i < right ? right : i];
        error = filch_scope_spawn(&scope, NULL, live, &philosophers[i], NULL);
    }
    if (error != 0) filch_scope_fail(&scope, error);
    error = filch_scope_close(&scope); /* -ETIMEDOUT, were there a deadlock */
    if (error != 0) return error;
    for (int i = 0; i < SEATS; i++) {
        printf("philosopher %d ate %d times; fork %d was used %d times\n", i, philosophers[i].meals, i, forks[i].uses);
    }
    return 0;
}

int main(void) {
    return filch_run(dine, NULL, NULL) == 0 ? 0 : 1;
}
