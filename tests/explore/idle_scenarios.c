/* SPDX-License-Identifier: MIT */
/*
 * The idle protocol alone: workers without threads of their own, of a runtime that runs nothing. Whoever looks for work
 * does so by filch__idle_find, as a worker's loop does, and goes to sleep there; whoever brings it does so as a task or
 * as a thread from outside would. Verdict: each item is found, by somebody who was asleep if need be.
 */
#include "sched/idle.h"

#include <string.h>

#include "sched/runtime.h"
#include "tests/explore/explore.h"

enum { WORKERS = 3, ITEMS = 4 };

static struct filch_runtime runtime;
static struct filch__worker workers[WORKERS];
static struct filch_task tasks[ITEMS];
static uint64_t payload[ITEMS]; /* what an item points to: plain, and not to be raced for */
static unsigned found[ITEMS];

static void begin(unsigned count, bool private_lists) {
    memset(&runtime, 0, sizeof runtime);
    memset(workers, 0, sizeof workers);
    memset(tasks, 0, sizeof tasks);
    memset(found, 0, sizeof found);
    runtime.workers = workers;
    runtime.worker_count = runtime.worker_known = count;
    runtime.search_max = 1;
    runtime.closable = private_lists;
    filch__idle_init(&runtime.idle);
    filch__inject_init(&runtime.inject);
    for (unsigned i = 0; i < count; i++) {
        workers[i].runtime = &runtime;
        workers[i].index = i;
        filch__random_init(&workers[i].random, 1, i);
        filch__timers_init(&workers[i].timers);
        explore_check(filch__deque_init(&workers[i].deque, private_lists) == 0);
        explore_check(filch__runqueue_init(&workers[i].runqueue) == 0);
        workers[i].deque.ring = filch__ring_create(1, NULL); /* it grows soon, under whoever looks into it */
        workers[i].deque.full_at = workers[i].deque.bottom + 1;
    }
}

static void *new_item(unsigned number) {
    explore_plain_write(&payload[number], sizeof payload[number]);
    return item_of_task(&tasks[number]);
}

static void find_one(void *arg) {
    void *item = filch__idle_find(&workers[(uintptr_t)arg]);
    explore_check(item != NULL && item_kind(item) == ITEM_TASK);
    unsigned number = (unsigned)(item_task(item) - tasks);
    explore_check(number < ITEMS && found[number]++ == 0);
    explore_plain_write(&payload[number], sizeof payload[number]);
}

static unsigned start_to_find(unsigned worker) {
    return explore_start(find_one, (void *)(uintptr_t)worker);
}

static void inject_item(void *arg) {
    filch__inject_push(&runtime.inject, new_item((unsigned)(uintptr_t)arg));
    filch__idle_notify(&runtime);
}

BOUNDED_SCENARIO(idle_small_inject, "a task comes from outside while the only worker goes to sleep", 3) {
    begin(1, false);
    unsigned sleeper = start_to_find(0);
    inject_item(0);
    explore_join(sleeper);
}

BOUNDED_SCENARIO(idle_small_enqueue, "a worker makes something runnable while the other goes to sleep", 3) {
    begin(2, false);
    unsigned sleeper = start_to_find(1);
    filch__worker_enqueue(&workers[0], new_item(0));
    explore_join(sleeper);
}

BOUNDED_SCENARIO(idle_small_push, "a worker spawns, in a list that is shared, while the other goes to sleep", 3) {
    begin(2, false);
    unsigned sleeper = start_to_find(1);
    if (filch__deque_push(&workers[0].deque, new_item(0))) filch__worker_pushed(&workers[0]);
    explore_join(sleeper);
}

BOUNDED_SCENARIO(idle_small_private, "a worker spawns, in a list that is private, while the other goes to sleep", 2) {
    begin(2, true);
    unsigned sleeper = start_to_find(1);
    if (filch__deque_push(&workers[0].deque, new_item(0))) filch__worker_pushed(&workers[0]);
    explore_join(sleeper);
}

/* Spawns as a task would; perhaps the worker's list is private afterwards. */
static void push_item(unsigned number) {
    workers[0].calm = 1000;
    if (filch__deque_push(&workers[0].deque, new_item(number))) filch__worker_pushed(&workers[0]);
}

BOUNDED_SCENARIO(idle_small_close, "a worker makes its list private, and spawns there, while the other goes to sleep",
                 2) {
    begin(2, true);
    filch__deque_share(&workers[0].deque);
    unsigned sleeper = start_to_find(1);
    push_item(1);
    if (filch__deque_pop(&workers[0].deque) != NULL) push_item(2);
    explore_join(sleeper);
}

SCENARIO(idle_last, "two tasks come while two workers search and sleep: the last searcher looks again") {
    begin(2, false);
    unsigned sleeper = start_to_find(0);
    start_to_find(1);
    inject_item((void *)0);
    inject_item((void *)1);
    explore_join(sleeper);
    explore_join(sleeper + 1);
}

SCENARIO(idle_alone, "three workers without threads look for what two threads bring, in all ways") {
    bool private_lists = explore_choose(2) == 0;
    begin(3, private_lists);
    unsigned sleeper = start_to_find(1);
    start_to_find(2);
    if (!private_lists || explore_choose(2) == 0) filch__deque_share(&workers[0].deque);
    workers[0].calm = explore_choose(2) == 0 ? 1000 : 0;
    bool injects = explore_choose(2) == 0;
    if (injects) explore_start(inject_item, (void *)1);
    for (unsigned i = 0; i < 2; i += injects ? 2 : 1) {
        if (explore_choose(2) == 0)
            filch__worker_enqueue(&workers[0], new_item(i));
        else if (filch__deque_push(&workers[0].deque, new_item(i)))
            filch__worker_pushed(&workers[0]);
    }
    for (unsigned i = 0; i < (injects ? 3u : 2u); i++) explore_join(sleeper + i);
}
