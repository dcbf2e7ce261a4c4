/* SPDX-License-Identifier: MIT */
/*
 * Whole runtimes: the real workers, idle protocol, parks and stack switches, on virtual threads. Most lost wake-ups are
 * made good by the next worker that comes along; so tasks here block their worker, on a futex, until others have begun.
 * What a task's end or a join leaves on a stack is written over, so that whoever still uses it is found out.
 */
#include <errno.h>
#include <filch/filch.h>
#include <string.h>

#include "base/futex.h"
#include "sched/runtime.h"
#include "tests/explore/explore.h"

static filch_runtime *runtime;
static ATOMIC(uint32_t) met, done;

static void begin_with_seed(unsigned workers, uint64_t seed) {
    met = done = 0;
    int answer = filch_runtime_create(&runtime, &(filch_options){.workers = workers, .seed = seed});
    explore_check(answer == 0);
}

static void begin(unsigned workers) {
    begin_with_seed(workers, 1 + explore_choose(1000));
}

static void end(void) {
    explore_check(filch_runtime_destroy(runtime) == 0);
}

/* Writes over the stack below the caller: whoever still uses something there is found out. */
static __attribute__((noinline)) void spoil_stack(void) {
    volatile char below[1536];
    memset((char *)below, 0xdd, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory");
}

/* Blocks the worker until `count` callers are here. */
static void meet(uint32_t count) {
    if (add_seq_cst(&met, 1) + 1 == count) filch__futex_wake(&met, INT32_MAX);
    for (uint32_t seen; (seen = load_seq_cst(&met)) < count;) filch__futex_wait(&met, seen, INT64_MAX);
}

/* Perhaps: this worker's next push that finds nobody idle makes its deque private, not only the sixteenth in a row. */
static void close_soon(void) {
    if (explore_choose(2) == 0) filch__worker_current()->calm = 1000;
}

static int meet_two(void *arg) {
    (void)arg;
    meet(2);
    add_seq_cst(&done, 1);
    return 0;
}

static int meet_three(void *arg) {
    (void)arg;
    meet(3);
    add_seq_cst(&done, 1);
    return 0;
}

static int count_one(void *arg) {
    (void)arg;
    add_seq_cst(&done, 1);
    return 0;
}

static void inject_one(void *fn) {
    explore_check(filch_runtime_spawn(runtime, NULL, (filch_fn *)(uintptr_t)fn, NULL, NULL) == 0);
}

/* ---------------------------------------------------------------------------------------------------------- idle */

SCENARIO(idle_inject, "two foreign threads, two tasks, two workers: both run at once") {
    begin(2);
    unsigned other = explore_start(inject_one, (void *)(uintptr_t)meet_two);
    inject_one((void *)(uintptr_t)meet_two);
    explore_join(other);
    end();
    explore_check(done == 2);
}

SCENARIO(idle_three, "three workers, three injected tasks: all run at once") {
    begin(3);
    unsigned other = explore_start(inject_one, (void *)(uintptr_t)meet_three);
    inject_one((void *)(uintptr_t)meet_three);
    inject_one((void *)(uintptr_t)meet_three);
    explore_join(other);
    end();
    explore_check(done == 3);
}

static int spawn_and_meet(void *arg) {
    uint32_t others = (uint32_t)(uintptr_t)arg;
    close_soon();
    for (uint32_t i = explore_choose(3); i > 0; i--) explore_check(filch_spawn(NULL, count_one, NULL, NULL) == 0);
    for (uint32_t i = 0; i < others; i++) {
        filch_fn *fn = others == 1 ? meet_two : meet_three;
        explore_check(filch_spawn(NULL, fn, NULL, NULL) == 0);
    }
    meet(others + 1);
    return 0;
}

SCENARIO(idle_spawn, "a task spawns another and blocks its worker until that one runs on the other worker") {
    begin(2);
    explore_check(filch_runtime_spawn(runtime, NULL, spawn_and_meet, (void *)(uintptr_t)1, NULL) == 0);
    end();
}

SCENARIO(idle_spawn_two, "a task spawns two and blocks its worker until both run on the two others") {
    begin(3);
    explore_check(filch_runtime_spawn(runtime, NULL, spawn_and_meet, (void *)(uintptr_t)2, NULL) == 0);
    end();
}

SCENARIO(idle_mixed, "a spawning task and a foreign thread at once, three workers") {
    begin(3);
    unsigned other = explore_start(inject_one, (void *)(uintptr_t)count_one);
    explore_check(filch_runtime_spawn(runtime, NULL, spawn_and_meet, (void *)(uintptr_t)1, NULL) == 0);
    explore_join(other);
    end();
}

static int spawn_twice(void *arg) {
    (void)arg;
    explore_check(filch_spawn(NULL, meet_three, NULL, NULL) == 0);
    for (unsigned i = explore_choose(4); i > 0; i--) filch_yield();
    explore_check(filch_spawn(NULL, meet_three, NULL, NULL) == 0);
    meet(3);
    return 0;
}

SCENARIO(idle_apart, "a task spawns two with some time between them: the last searcher looks again") {
    begin(3);
    explore_check(filch_runtime_spawn(runtime, NULL, spawn_twice, NULL, NULL) == 0);
    end();
    explore_check(done == 2);
}

static struct filch__waiter *ATOMIC(shown); /* a waiter for others to wake */

static int show_and_meet(void *arg) {
    (void)arg;
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "scenario", NULL);
    store_release(&shown, &waiter);
    filch__park(&waiter);
    meet(2);
    return 0;
}

static int wake_in_turn_and_meet(void *arg) {
    (void)arg;
    struct filch__waiter *waiter;
    while ((waiter = load_acquire(&shown)) == NULL) {
        filch_yield();
        spin_pause();
    }
    filch__wake_in_turn(waiter, WAITER_GRANTED);
    meet(2);
    return 0;
}

SCENARIO(idle_wake, "a task makes another runnable, in its run queue, and blocks its worker until that one runs") {
    begin(2);
    shown = NULL;
    explore_check(filch_runtime_spawn(runtime, NULL, show_and_meet, NULL, NULL) == 0);
    explore_check(filch_runtime_spawn(runtime, NULL, wake_in_turn_and_meet, NULL, NULL) == 0);
    end();
}

/* --------------------------------------------------------------------------------------------------------- spawn */

enum { TREE_NODES = 16 };

static ATOMIC(uint32_t) visits[TREE_NODES];

/* Node n has the children 2n and 2n + 1. Detached: records are freed and used again while the tree grows. */
static int visit(void *arg) {
    uintptr_t node = (uintptr_t)arg;
    if (add_seq_cst(&visits[node], 1) != 0) explore_fail("task %u ran twice", (unsigned)node);
    close_soon();
    for (uintptr_t below = 2 * node; below <= 2 * node + 1 && below < TREE_NODES; below++) {
        explore_check(filch_spawn(NULL, visit, (void *)below, NULL) == 0);
    }
    return 0;
}

static void visit_all(unsigned workers) {
    begin(workers);
    for (unsigned i = 0; i < TREE_NODES; i++) visits[i] = 0;
    explore_check(filch_runtime_spawn(runtime, NULL, visit, (void *)(uintptr_t)1, NULL) == 0);
    end();
    for (unsigned i = 1; i < TREE_NODES; i++) explore_check(visits[i] == 1);
}

SCENARIO(spawn_tree, "a tree of detached tasks, two workers: each runs once") {
    visit_all(2);
}

SCENARIO(spawn_tree_three, "a tree of detached tasks, three workers: each runs once") {
    visit_all(3);
}

/* ------------------------------------------------------------------------------------------------- await and park */

static int child(void *arg) {
    for (unsigned i = explore_choose(3); i > 0; i--) filch_yield();
    return (int)(uintptr_t)arg;
}

static filch_deadline some_deadline(void) {
    return explore_choose(2) == 0 ? FILCH_NEVER : filch_after(1 + (int64_t)explore_choose(60000));
}

/* Awaits again where the deadline passed. */
static void await_child(filch_task *task, int expected) {
    int result = -1, answer = filch_await(task, &result, some_deadline());
    spoil_stack();
    if (answer == -ETIMEDOUT) {
        for (unsigned i = explore_choose(3); i > 0; i--) filch_yield();
        answer = filch_await(task, &result, FILCH_NEVER);
        spoil_stack();
    }
    explore_check(answer == 0);
    explore_check(result == expected);
}

SCENARIO(await_thread, "a thread that is no worker awaits a task, with and without a deadline") {
    begin(1 + explore_choose(2));
    filch_task *task;
    explore_check(filch_runtime_spawn(runtime, &task, child, (void *)(uintptr_t)7, NULL) == 0);
    await_child(task, 7);
    end();
}

static int parent(void *arg) {
    (void)arg;
    filch_task *first, *second;
    explore_check(filch_spawn(&first, child, (void *)(uintptr_t)1, NULL) == 0);
    explore_check(filch_spawn(&second, child, (void *)(uintptr_t)2, NULL) == 0);
    await_child(first, 1);
    await_child(second, 2);
    add_seq_cst(&done, 1);
    return 0;
}

SCENARIO(await_task, "a task awaits its children, which others may have stolen, with and without deadlines") {
    begin(2);
    explore_check(filch_runtime_spawn(runtime, NULL, parent, NULL, NULL) == 0);
    end();
    explore_check(done == 1);
}

static void wake_with(void *cause) {
    struct filch__waiter *waiter;
    while ((waiter = load_acquire(&shown)) == NULL) spin_pause();
    filch__wake(waiter, (uint32_t)(uintptr_t)cause);
}

static int park_once(void *arg) {
    (void)arg;
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "scenario", NULL);
    store_release(&shown, &waiter);
    explore_check(filch__park_until(&waiter, FILCH_NEVER) != 0);
    uintptr_t both = WAITER_GRANTED | WAITER_EXPIRED;
    while ((load_acquire(waiter.word) & both) != both) {
        filch_yield();
        spin_pause();
    }
    add_seq_cst(&done, 1);
    return 0;
}

static void park_on_stack(void) {
    park_once(NULL);
    spoil_stack();
}

SCENARIO(park_two_wakers, "a task parks; two foreign threads give it a cause each: it goes on once") {
    begin(1 + explore_choose(2));
    shown = NULL;
    explore_start(wake_with, (void *)(uintptr_t)WAITER_GRANTED);
    explore_start(wake_with, (void *)(uintptr_t)WAITER_EXPIRED);
    explore_check(filch_runtime_spawn(runtime, NULL, park_once, NULL, NULL) == 0);
    for (unsigned i = 1; i <= 2; i++) explore_join(runtime->worker_count + i);
    end();
    explore_check(done == 1);
}

SCENARIO(park_thread, "a thread that is no worker parks; two others give it a cause each") {
    shown = NULL;
    done = 0;
    explore_start(wake_with, (void *)(uintptr_t)WAITER_GRANTED);
    explore_start(wake_with, (void *)(uintptr_t)WAITER_EXPIRED);
    park_on_stack();
    for (unsigned i = 1; i <= 2; i++) explore_join(i);
}

static void wake_after(void *cause) {
    filch__wake(load_relaxed(&shown), (uint32_t)(uintptr_t)cause);
}

SMALL_SCENARIO(park_small_two, "a thread parks; two others, who know it, give it a cause each") {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "scenario", NULL);
    shown = &waiter;
    unsigned first = explore_start(wake_after, (void *)(uintptr_t)WAITER_GRANTED);
    explore_start(wake_after, (void *)(uintptr_t)WAITER_EXPIRED);
    explore_check(filch__park_until(&waiter, FILCH_NEVER) != 0);
    explore_join(first);
    explore_join(first + 1);
}

static void grant_shown(void *arg) {
    (void)arg;
    filch__grant(load_relaxed(&shown), 7);
}

SMALL_SCENARIO(park_small_granted, "a thread parks, is granted something, and its waiter's memory is used anew") {
    struct filch__waiter *waiter = filch__heap_get(sizeof *waiter, _Alignof(struct filch__waiter));
    filch__waiter_init(waiter, "scenario", NULL);
    shown = waiter;
    unsigned other = explore_start(grant_shown, NULL);
    filch__park(waiter);
    explore_plain_read(&waiter->result, sizeof waiter->result);
    explore_check(waiter->result == 7);
    filch__heap_put(waiter, sizeof *waiter, _Alignof(struct filch__waiter));
    explore_join(other);
}

static int sleep_a_little(void *arg) {
    (void)arg;
    int64_t until_ns = filch_now() + ((int64_t)20000 << explore_choose(16)); /* on several levels of the wheel */
    filch_sleep_until((filch_deadline){until_ns});
    explore_check(filch_now() >= until_ns);
    add_seq_cst(&done, 1);
    return 0;
}

SCENARIO(sleep, "two tasks sleep, a third comes from outside meanwhile") {
    begin(2);
    explore_check(filch_runtime_spawn(runtime, NULL, sleep_a_little, NULL, NULL) == 0);
    explore_check(filch_runtime_spawn(runtime, NULL, sleep_a_little, NULL, NULL) == 0);
    inject_one((void *)(uintptr_t)count_one);
    end();
    explore_check(done == 3);
}

/* ----------------------------------------------------------------------------------------------------- fork, join */

struct sum {
    int depth, result;
};

static int sum_tree(void *arg) {
    struct sum *sum = arg;
    if (sum->depth == 0) {
        if (explore_choose(4) == 0) filch_yield();
        sum->result = 1;
        return 1;
    }
    struct sum left = {.depth = sum->depth - 1}, right = {.depth = sum->depth - 1};
    filch_frame frame;
    close_soon();
    filch_fork(&frame, sum_tree, &left);
    if (explore_choose(4) == 0) explore_check(filch_spawn(NULL, count_one, NULL, NULL) == 0);
    sum_tree(&right);
    explore_check(filch_join(&frame) == left.result);
    spoil_stack();
    sum->result = left.result + right.result;
    return sum->result;
}

static int sum_root(void *arg) {
    struct sum sum = {.depth = (int)(uintptr_t)arg};
    return sum_tree(&sum);
}

static void sum_with(unsigned workers, int depth) {
    begin(workers);
    filch_task *task;
    int result;
    explore_check(filch_runtime_spawn(runtime, &task, sum_root, (void *)(uintptr_t)depth, NULL) == 0);
    explore_check(filch_await(task, &result, FILCH_NEVER) == 0);
    explore_check(result == 1 << depth);
    end();
}

static int yield_or_not(void *arg) {
    (void)arg;
    if (explore_choose(3) == 0) filch_yield();
    add_seq_cst(&done, 1);
    return 0;
}

static int fork_again(void *arg) {
    (void)arg;
    filch_frame frame; /* the same address each time, on whatever worker this goes on */
    for (unsigned i = 0; i < 4; i++) {
        close_soon();
        filch_fork(&frame, yield_or_not, NULL);
        for (unsigned yields = explore_choose(3); yields > 0; yields--) filch_yield();
        if (explore_choose(2) == 0) filch_sleep(1000);
        filch_join(&frame);
    }
    return 0;
}

SCENARIO(fork_again, "two tasks fork and join a frame at the same place again and again, on changing workers") {
    begin(2);
    explore_check(filch_runtime_spawn(runtime, NULL, fork_again, NULL, NULL) == 0);
    explore_check(filch_runtime_spawn(runtime, NULL, fork_again, NULL, NULL) == 0);
    end();
    explore_check(done == 8);
}

static ATOMIC(uint32_t) in_turns, idle_from_now, parked_again, forked_again;

static void raise_flag(uint32_t *flag) {
    store_seq_cst(flag, 1);
    filch__futex_wake(flag, 1);
}

static void await_flag(uint32_t *flag) {
    while (load_seq_cst(flag) == 0) filch__futex_wait(flag, 0, INT64_MAX);
}

/* Parks; who calls wake_shown afterwards wakes it. */
static void park_shown(void) {
    struct filch__waiter waiter;
    filch__waiter_init(&waiter, "scenario", NULL);
    store_release(&shown, &waiter);
    filch__park(&waiter);
}

static int wake_shown(void *arg) {
    (void)arg;
    struct filch__waiter *waiter;
    while ((waiter = exchange_acq_rel(&shown, NULL)) == NULL) spin_pause();
    filch__wake(waiter, WAITER_GRANTED);
    return 0;
}

static int busy_at_first(void *arg) {
    (void)arg;
    meet(2);
    await_flag(&idle_from_now);
    return 0;
}

static int busy_again(void *arg) {
    (void)arg;
    raise_flag(&parked_again);
    await_flag(&forked_again);
    return 0;
}

/* Two of these by turns keep a worker choosing, each time with a look at the inject queue first. */
static int take_turns(void *arg) {
    if (add_seq_cst(&in_turns, 1) == 1) wake_shown(arg);
    for (unsigned i = 0; i < 8; i++) {
        filch__worker_current()->turn = 15;
        filch_yield();
    }
    return 0;
}

static int come_back(void *arg) {
    (void)arg;
    filch_frame frame; /* forked on one worker twice, and joined on the other in between */
    meet(2);
    for (unsigned i = 0; i < 2; i++) explore_check(filch_spawn(NULL, take_turns, NULL, NULL) == 0);
    park_shown();
    filch__deque_close(&filch__worker_current()->deque); /* nobody is idle: the other worker is busy */
    filch_fork(&frame, wake_shown, NULL);
    raise_flag(&idle_from_now);
    park_shown();
    filch_join(&frame);
    explore_check(filch_spawn(NULL, busy_again, NULL, NULL) == 0);
    park_shown();
    filch_fork(&frame, count_one, NULL);
    raise_flag(&forked_again);
    filch_join(&frame);
    return 0;
}

SCENARIO(fork_back, "a task whose fork a thief has moved comes back from outside and forks at the same place") {
    begin(2);
    in_turns = idle_from_now = parked_again = forked_again = 0;
    shown = NULL;
    runtime->search_max = 0; /* straight to sleep, sharing all lists: who searches spins, and lets others go first */
    inject_one((void *)(uintptr_t)busy_at_first);
    inject_one((void *)(uintptr_t)come_back);
    await_flag(&parked_again);
    wake_shown(NULL); /* through the inject queue */
    end();
    explore_check(done == 1);
}

SCENARIO(fork_tree, "a tree of forks, two workers") {
    sum_with(2, 3);
}

SCENARIO(fork_tree_three, "a tree of forks, three workers") {
    sum_with(3, 2);
}

/* ------------------------------------------------------------------------------------------------------ all at once */

static ATOMIC(uint32_t) promised; /* calls of work() that there are to be */

static int work(void *arg);

static void fork_work(uintptr_t depth) {
    filch_frame frame;
    add_seq_cst(&promised, 2);
    filch_fork(&frame, work, (void *)depth);
    work((void *)depth);
    explore_check(filch_join(&frame) == (int)depth);
    spoil_stack();
}

static void spawn_work(uintptr_t depth, bool await) {
    filch_task *task;
    add_seq_cst(&promised, 1);
    explore_check(filch_spawn(await ? &task : NULL, work, (void *)depth, NULL) == 0);
    if (await) await_child(task, (int)depth);
}

static int work(void *arg) {
    uintptr_t depth = (uintptr_t)arg;
    close_soon();
    for (unsigned i = explore_choose(3); depth > 0 && i > 0; i--) {
        switch (explore_choose(6)) {
        case 0:
            filch_yield();
            break;
        case 1:
            filch_sleep(1 + explore_choose(20000));
            break;
        case 2:
            spawn_work(depth - 1, false);
            break;
        case 3:
            spawn_work(depth - 1, true);
            break;
        default:
            fork_work(depth - 1);
            break;
        }
    }
    add_seq_cst(&done, 1);
    return (int)depth;
}

SCENARIO(everything, "forks, spawns, awaits, yields and sleeps at random: all are done once") {
    begin(1 + explore_choose(3));
    promised = 2;
    filch_task *task;
    explore_check(filch_runtime_spawn(runtime, &task, work, (void *)(uintptr_t)3, NULL) == 0);
    unsigned other = explore_start(inject_one, (void *)(uintptr_t)work);
    await_child(task, 3);
    explore_join(other);
    end();
    explore_check(done == promised);
}

/* ------------------------------------------------------------------------------------------------------- shutdown */

static void inject_if_open(void *arg) {
    uint32_t *accepted = arg;
    for (unsigned i = 0; i < 3; i++) {
        int answer = filch_runtime_spawn(runtime, NULL, count_one, NULL, NULL);
        if (answer == 0)
            ++*accepted;
        else
            explore_check(answer == -ESHUTDOWN);
    }
}

SCENARIO(shutdown, "shutdown while a foreign thread spawns: what was accepted is done when it returns") {
    begin(2);
    static uint32_t accepted;
    accepted = 0;
    unsigned other = explore_start(inject_if_open, &accepted);
    explore_check(filch_runtime_shutdown(runtime, FILCH_NEVER) == 0);
    uint32_t done_then = load_seq_cst(&done);
    explore_join(other);
    explore_check(done_then == accepted);
    end();
}

static ATOMIC(uint32_t) told;

static int tell(void *arg) {
    (void)arg;
    store_seq_cst(&told, 1);
    filch__futex_wake(&told, 1);
    return 0;
}

SCENARIO(destroy, "a runtime is destroyed as soon as a task that another thread has spawned tells that it runs") {
    begin(2);
    told = 0;
    unsigned other = explore_start(inject_one, (void *)(uintptr_t)tell);
    while (load_seq_cst(&told) == 0) filch__futex_wait(&told, 0, INT64_MAX);
    end();
    explore_join(other);
}

static filch_runtime *second;

static int await_abroad(void *arg) {
    (void)arg;
    filch_task *task;
    int result;
    explore_check(filch_runtime_spawn(second, &task, child, (void *)(uintptr_t)5, NULL) == 0);
    explore_check(filch_await(task, &result, FILCH_NEVER) == 0);
    explore_check(result == 5);
    return 0;
}

SCENARIO(two_runtimes, "a task awaits one of another runtime, and its own is destroyed as soon as it has ended") {
    begin(1 + explore_choose(2));
    explore_check(filch_runtime_create(&second, &(filch_options){.workers = 1, .seed = 1}) == 0);
    explore_check(filch_runtime_spawn(runtime, NULL, await_abroad, NULL, NULL) == 0);
    end();
    explore_check(filch_runtime_destroy(second) == 0);
}
