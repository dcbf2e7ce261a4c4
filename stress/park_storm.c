/* SPDX-License-Identifier: MIT */
/*
 * Park and wake, bare: waiters of tasks and of threads, woken by tasks and by threads, with deadlines that pass at
 * about the same time. Every wake must be received exactly once, a wait without a deadline must never end without one,
 * and one with a deadline must end.
 *
 * A slot holds at most one waiter. Who waits puts its waiter there and parks; who wakes takes it out by an exchange, so
 * that a wake belongs to one waiter; a waiter whose deadline passed takes itself out, or, if a waker was faster, waits
 * for the grant that is on its way.
 */
#include "sched/park.h"
#include "stress/stress.h"

enum { SLOTS = 16, TASKS = 24, THREADS = 2, WAITS = 300 };

static struct {
    struct slot {
        _Atomic(struct filch__waiter *) waiter;
        char pad[56];
    } slots[SLOTS];
    atomic_ullong granted, received, expired;
    atomic_uint waiting; /* parties that have waits left */
} storm;

/* Waits in the slot once. */
static void wait_once(struct slot *slot, struct filch__random *random) {
    struct filch__waiter waiter, *expected = NULL;
    filch__waiter_init(&waiter, "storm", slot);
    if (!atomic_compare_exchange_strong(&slot->waiter, &expected, &waiter)) return;
    bool timed = below(random, 2) == 0;
    filch_deadline deadline = timed ? filch_after(below(random, 60000)) : FILCH_NEVER;
    if (timed && below(random, 16) == 0) deadline = (filch_deadline){0};
    uint32_t causes = filch__park_until(&waiter, deadline);
    if (causes & WAITER_GRANTED) {
        atomic_fetch_add(&storm.received, 1);
        return;
    }
    must(timed && (causes & WAITER_EXPIRED));
    expected = &waiter;
    if (atomic_compare_exchange_strong(&slot->waiter, &expected, NULL)) {
        atomic_fetch_add(&storm.expired, 1);
        return;
    }
    /* Somebody has taken it, and will grant. */
    filch__park(&waiter);
    atomic_fetch_add(&storm.received, 1);
}

static void wake_one(struct slot *slot) {
    struct filch__waiter *waiter = atomic_exchange(&slot->waiter, NULL);
    if (waiter == NULL) return;
    atomic_fetch_add(&storm.granted, 1);
    filch__wake(waiter, WAITER_GRANTED);
}

/* A party waits some times and wakes some times; then it wakes until nobody waits any more. */
static void take_part(struct filch__random *random) {
    for (int i = 0; i < WAITS; i++) {
        struct slot *slot = &storm.slots[below(random, SLOTS)];
        switch (below(random, 4)) {
        case 0:
        case 1:
            wake_one(slot);
            break;
        case 2:
            filch_yield();
            break;
        default:
            wait_once(slot, random);
            break;
        }
    }
    atomic_fetch_sub(&storm.waiting, 1);
    while (atomic_load(&storm.waiting) > 0) {
        wake_one(&storm.slots[below(random, SLOTS)]);
        if (below(random, 8) == 0) filch_sleep(1000);
        filch_yield();
    }
}

static int task_party(void *arg) {
    take_part(arg);
    return 0;
}

static void *thread_party(void *arg) {
    take_part(arg);
    return NULL;
}

static void one_round(filch_runtime *runtime, struct filch__random *random) {
    struct filch__random randoms[TASKS + THREADS];
    filch_task *tasks[TASKS];
    pthread_t threads[THREADS];
    storm.granted = storm.received = storm.expired = 0;
    storm.waiting = TASKS + THREADS;
    for (int i = 0; i < TASKS + THREADS; i++) filch__random_init(&randoms[i], filch__random_next(random), (uint64_t)i);
    for (int i = 0; i < TASKS; i++) must(filch_runtime_spawn(runtime, &tasks[i], task_party, &randoms[i], NULL) == 0);
    for (int i = 0; i < THREADS; i++) must(pthread_create(&threads[i], NULL, thread_party, &randoms[TASKS + i]) == 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < TASKS; i++) must(filch_await(tasks[i], NULL, FILCH_NEVER) == 0);
    must(storm.granted == storm.received);
    for (int i = 0; i < SLOTS; i++) must(storm.slots[i].waiter == NULL);
}

int main(int count, char **arguments) {
    stress_begin("park_storm", count, arguments);
    struct filch__random random = stress_random(0);
    filch_runtime *runtime = stress_runtime();
    do {
        one_round(runtime, &random);
    } while (stress_go_on((TASKS + THREADS) * WAITS));
    must(filch_runtime_destroy(runtime) == 0);
    return stress_end();
}
