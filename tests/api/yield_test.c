/* SPDX-License-Identifier: MIT */
/*
 * Proves the bound on fairness that sched/loop.c states, by counting turns and not time: with one worker, and others
 * that yield for ever, whatever stands at the old end of the deque, in the run queue or in the inject queue begins
 * within 64 turns, and a timer that is due fires within 16. Each yield is one turn.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "tests/api/workers.h"

/* With one worker and no spares: turns are counted, which others must not take over when the machine stalls. */
static void run_unmonitored(filch_fn *fn, void *arg) {
    check_int(filch_run(fn, arg, &(filch_options){.workers = 1, .no_monitor = true}), 0);
}

enum { FAIR_TURNS = 64, TIMER_TURNS = 16 };

/* ------------------------------------------------------------------------------------------------------- yielding */

struct counters {
    atomic_bool stop;
    atomic_long yields;
};

static int yield_until_stopped(void *arg) {
    struct counters *counters = arg;
    while (!atomic_load(&counters->stop)) {
        atomic_fetch_add(&counters->yields, 1);
        filch_yield();
    }
    return 0;
}

/* With one worker, two tasks that yield go by turns: neither takes two in a row. */
struct alternation {
    int *last;
    int mine;
};

static int take_turns(void *arg) {
    struct alternation *self = arg;
    for (int i = 0; i < 1000; i++) {
        if (i > 0) check(*self->last != self->mine);
        *self->last = self->mine;
        filch_yield();
    }
    return 0;
}

static int two_alternate(void *arg) {
    (void)arg;
    int last = -1;
    struct alternation both[2] = {{&last, 0}, {&last, 1}};
    filch_task *tasks[2];
    for (int i = 0; i < 2; i++) check_int(filch_spawn(&tasks[i], take_turns, &both[i], NULL), 0);
    for (int i = 0; i < 2; i++) check_int(filch_await(tasks[i], NULL, filch_after(FILCH_SEC(1000))), 0);
    return 0;
}

TEST(yield, two_tasks_alternate) {
    run_unmonitored(two_alternate, NULL);
}

static int yield_alone(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++) filch_yield(); /* returns at once */
    return 0;
}

TEST(yield, alone_it_returns) {
    run_with_all(yield_alone, NULL);
    check_int(yield_alone(NULL), 0); /* and on a thread that is no worker */
}

/* A hundred tasks that yield: the rounds of any two differ by little, where one worker runs them. */
static int go_round(void *arg) {
    int *mine = arg;
    for (int i = 0; i < 200; i++) {
        ++*mine;
        filch_yield();
    }
    return 0;
}

static int rounds_stay_together(void *arg) {
    (void)arg;
    static int rounds[100];
    filch_task *tasks[100];
    for (int i = 0; i < 100; i++) rounds[i] = 0;
    for (int i = 0; i < 100; i++) check_int(filch_spawn(&tasks[i], go_round, &rounds[i], NULL), 0);
    /* All have begun when the slowest has: each of the hundred waits for at most FAIR_TURNS turns. */
    for (;;) {
        int least = rounds[0], most = rounds[0];
        for (int i = 1; i < 100; i++) {
            if (rounds[i] < least) least = rounds[i];
            if (rounds[i] > most) most = rounds[i];
        }
        if (least == 200) break;
        check(least > 0 || most <= 100 * FAIR_TURNS);
        filch_yield();
    }
    for (int i = 0; i < 100; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    return 0;
}

TEST(yield, a_hundred_tasks_all_come_to_their_turn) {
    run_unmonitored(rounds_stay_together, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- bounds */

/* Notes after how many yields of others it began. */
struct probe {
    struct counters *counters;
    atomic_long began;
};

static int probe_begin(void *arg) {
    struct probe *probe = arg;
    atomic_store(&probe->began, atomic_load(&probe->counters->yields));
    return 0;
}

static void start_yielders(struct counters *counters, filch_task **tasks, int count) {
    for (int i = 0; i < count; i++) check_int(filch_spawn(&tasks[i], yield_until_stopped, counters, NULL), 0);
    for (int i = 0; i < 2 * FAIR_TURNS * (count + 1); i++) filch_yield(); /* all have begun */
}

static void stop_yielders(struct counters *counters, filch_task **tasks, int count) {
    atomic_store(&counters->stop, true);
    for (int i = 0; i < count; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
}

/* Yields until the probe has begun; what counts is how many turns went by, the caller's own among them. */
static void await_probe(struct probe *probe, long bound) {
    long before = atomic_load(&probe->counters->yields), own = 0;
    while (atomic_load(&probe->began) < 0) {
        filch_yield();
        check(++own <= bound + 1);
    }
    check(atomic_load(&probe->began) - before + own <= bound + 2);
}

static int deque_bound(void *arg) {
    (void)arg;
    for (int others = 1; others <= 5; others += 2) {
        struct counters counters = {0};
        filch_task *tasks[5], *task;
        start_yielders(&counters, tasks, others);
        for (int round = 0; round < 70; round++) { /* from each place in the cycle of turns */
            struct probe probe = {&counters, -1};
            check_int(filch_spawn(&task, probe_begin, &probe, NULL), 0);
            await_probe(&probe, FAIR_TURNS);
            check_int(filch_await(task, NULL, FILCH_NEVER), 0);
            filch_yield();
        }
        stop_yielders(&counters, tasks, others);
    }
    return 0;
}

TEST(yield, a_spawned_task_begins_within_64_turns_of_others_that_yield) {
    run_unmonitored(deque_bound, NULL);
}

static int fork_bound(void *arg) {
    (void)arg;
    struct counters counters = {0};
    filch_task *tasks[3];
    start_yielders(&counters, tasks, 3);
    for (int round = 0; round < 70; round++) {
        struct probe probe = {&counters, -1};
        filch_frame frame;
        filch_fork(&frame, probe_begin, &probe);
        await_probe(&probe, FAIR_TURNS);
        check_int(filch_join(&frame), 0);
        filch_yield();
    }
    stop_yielders(&counters, tasks, 3);
    return 0;
}

TEST(yield, a_forked_child_begins_within_64_turns_of_others_that_yield) {
    run_unmonitored(fork_bound, NULL);
}

/* A chain of tasks each of which spawns the next: the young end is never empty, yet the old end has its turn. */
struct chain {
    struct probe probe;
    long links;
    atomic_bool stop;
};

static int link_of_chain(void *arg) {
    struct chain *chain = arg;
    chain->links++;
    atomic_fetch_add(&chain->probe.counters->yields, 1);
    if (atomic_load(&chain->probe.began) < 0) {
        check(chain->links <= 2 * FAIR_TURNS);
        check_int(filch_spawn(NULL, link_of_chain, chain, NULL), 0);
    } else {
        atomic_store(&chain->stop, true); /* the last link, and the last access */
    }
    return 0;
}

static int old_end_bound(void *arg) {
    (void)arg;
    struct counters counters = {0};
    struct chain chain = {.probe = {&counters, -1}};
    filch_task *oldest;
    check_int(filch_spawn(&oldest, probe_begin, &chain.probe, NULL), 0);
    check_int(filch_spawn(NULL, link_of_chain, &chain, NULL), 0);
    /* Waits with a deadline, so that it is not called in place. */
    check_int(filch_await(oldest, NULL, filch_after(FILCH_SEC(1000))), 0);
    while (!atomic_load(&chain.stop)) filch_yield();
    check(chain.links <= FAIR_TURNS + 2);
    return 0;
}

TEST(yield, the_old_end_of_the_deque_has_its_turn_within_64_of_the_young_end) {
    for (int i = 0; i < 20; i++) run_unmonitored(old_end_bound, NULL);
}

/* Heaps of tasks, each spawned at one go and worked off in part only: the deque is never empty, nor steadily added to. */
static int count_one(void *arg) {
    ++*(long *)arg;
    return 0;
}

static int old_end_under_heaps(void *arg) {
    enum { HEAP = 300, YIELDS = 2 * FAIR_TURNS };
    (void)arg;
    struct counters counters = {0};
    struct probe probe = {&counters, -1};
    filch_task *oldest;
    long heaps = 0, counted = 0;
    check_int(filch_spawn(&oldest, probe_begin, &probe, NULL), 0);
    while (atomic_load(&probe.began) < 0 && heaps < 100) {
        for (int i = 0; i < HEAP; i++) check_int(filch_spawn(NULL, count_one, &counted, NULL), 0);
        heaps++;
        for (int i = 0; i < YIELDS; i++) filch_yield();
    }
    check(heaps <= 2);
    check_int(filch_await(oldest, NULL, FILCH_NEVER), 0);
    while (counted < heaps * HEAP) filch_yield();
    return 0;
}

TEST(yield, the_old_end_of_the_deque_has_its_turn_under_heaps_of_tasks) {
    run_unmonitored(old_end_under_heaps, NULL);
}

/* A submission from outside, made while nothing turns. */
struct submission {
    filch_runtime *runtime;
    struct probe *probe;
    atomic_bool now, made;
};

static void *submit_when_told(void *argument) {
    struct submission *submission = argument;
    for (int round = 0; round < 70; round++) {
        while (!atomic_load(&submission->now)) sched_yield();
        atomic_store(&submission->now, false);
        check_int(filch_runtime_spawn(submission->runtime, NULL, probe_begin, submission->probe, NULL), 0);
        atomic_store(&submission->made, true);
    }
    return NULL;
}

static int inject_bound(void *arg) {
    (void)arg;
    struct counters counters = {0};
    struct probe probe = {&counters, -1};
    struct submission submission = {.runtime = filch_runtime_current(), .probe = &probe};
    filch_task *tasks[3];
    pthread_t thread;
    start_yielders(&counters, tasks, 3);
    check_int(pthread_create(&thread, NULL, submit_when_told, &submission), 0);
    for (int round = 0; round < 70; round++) {
        atomic_store(&probe.began, -1);
        atomic_store(&submission.made, false);
        atomic_store(&submission.now, true);
        while (!atomic_load(&submission.made)) continue; /* no turn passes */
        await_probe(&probe, FAIR_TURNS);
        filch_yield();
    }
    pthread_join(thread, NULL);
    stop_yielders(&counters, tasks, 3);
    return 0;
}

TEST(yield, a_task_from_outside_begins_within_64_turns_of_others_that_yield) {
    run_unmonitored(inject_bound, NULL);
}

/* A sleeper goes on within 16 turns after its time, and then its turn in the run queue. */
struct sleeper {
    struct probe probe;
    filch_deadline deadline;
};

static int sleep_then_probe(void *arg) {
    struct sleeper *sleeper = arg;
    filch_sleep_until(sleeper->deadline);
    return probe_begin(&sleeper->probe);
}

static int timer_bound(void *arg) {
    (void)arg;
    struct counters counters = {0};
    filch_task *tasks[3], *task;
    start_yielders(&counters, tasks, 3);
    for (int round = 0; round < 40; round++) {
        struct sleeper sleeper = {{&counters, -1}, filch_after(FILCH_US(100))};
        check_int(filch_spawn(&task, sleep_then_probe, &sleeper, NULL), 0);
        for (int i = 0; i < 2 * FAIR_TURNS; i++) filch_yield(); /* it has begun */
        while (filch_now() < sleeper.deadline.at_ns) continue;  /* it is due, and no turn passes */
        if (atomic_load(&sleeper.probe.began) < 0) await_probe(&sleeper.probe, TIMER_TURNS + 4);
        check_int(filch_await(task, NULL, FILCH_NEVER), 0);
    }
    stop_yielders(&counters, tasks, 3);
    return 0;
}

TEST(yield, a_timer_that_is_due_fires_within_16_turns) {
    run_unmonitored(timer_bound, NULL);
}

/* --------------------------------------------------------------------------------------------- with many workers */

static int yield_many(void *arg) {
    for (int i = 0; i < 200; i++) {
        filch_yield();
        atomic_fetch_add((atomic_long *)arg, 1);
    }
    return 0;
}

static int many_yield(void *arg) {
    (void)arg;
    atomic_long yields = 0;
    filch_task *tasks[100];
    for (int i = 0; i < 100; i++) check_int(filch_spawn(&tasks[i], yield_many, &yields, NULL), 0);
    for (int i = 0; i < 100; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    check_int(yields, 100 * 200);
    return 0;
}

TEST(yield, tasks_that_yield_among_workers_all_end) {
    run_with_all(many_yield, NULL);
}
