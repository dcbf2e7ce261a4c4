/* SPDX-License-Identifier: MIT */
/*
 * Proves that filch_blocking makes each call once, on a thread that is no worker, and hands its result back; that calls
 * beyond the limit wait in the order they came, and can be withdrawn until they begin and not after; that look-ups have a
 * lane of their own; that helpers end when idle and with the runtime; and what happens where there is no memory for one.
 * Then that filch_block_begin leaves the worker's queues to others, and that its misuse aborts.
 */
#include <errno.h>
#include <filch/filch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "alloc/alloc.h"
#include "sched/blocking.h"
#include "tests/api/workers.h"
#include "tests/test.h"

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* A gate that blocks threads in the kernel's way: they look now and then, so that nothing of the runtime is needed. */
struct gate {
    atomic_bool open;
    atomic_int inside, through;
};

static int pass(void *arg) {
    struct gate *gate = arg;
    atomic_fetch_add(&gate->inside, 1);
    while (!atomic_load(&gate->open)) nap();
    atomic_fetch_add(&gate->through, 1);
    return 5;
}

static int pass_on_a_helper(void *arg) {
    int result = -1;
    check_int(filch_blocking(pass, arg, &result, FILCH_NEVER), 0);
    check_int(result, 5);
    return 0;
}

static void await(filch_task *task) {
    check_int(result_of(task), 0);
}

static filch_stats stats_here(void) {
    filch_stats stats;
    check_int(filch_runtime_stats(filch_runtime_current(), &stats), 0);
    return stats;
}

/* ---------------------------------------------------------------------------------------------------------- results */

static int double_it(void *arg) {
    check(filch_self() == NULL);
    check(filch_runtime_current() == NULL);
    return 2 * *(int *)arg;
}

static int call_many(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int value = i, result = -1;
        check_int(filch_blocking(double_it, &value, &result, FILCH_NEVER), 0);
        check_int(result, 2 * i);
        check_int(filch_blocking(double_it, &value, NULL, (filch_deadline){0}), 0);
    }
    return 0;
}

static int call_from_many(void *arg) {
    filch_task *tasks[20];
    for (int i = 0; i < 20; i++) tasks[i] = start(call_many, arg);
    for (int i = 0; i < 20; i++) await(tasks[i]);
    check_int(stats_here().blocking_calls, 20 * 400);
    check(stats_here().blocking_threads <= 64);
    return 0;
}

TEST(blocking, each_call_is_made_once_and_its_result_comes_back) {
    run_with_all(call_from_many, NULL);
}

static int call_on_this_thread(void *arg) {
    return pthread_equal(*(pthread_t *)arg, pthread_self()) ? 3 : -1;
}

TEST(blocking, a_thread_that_is_no_worker_makes_the_call_itself) {
    pthread_t self = pthread_self();
    int result;
    check_int(filch_blocking(call_on_this_thread, &self, &result, (filch_deadline){0}), 0);
    check_int(result, 3);
    check_int(filch_blocking(NULL, NULL, NULL, FILCH_NEVER), -EINVAL);
}

static int fail(void *arg) {
    (void)arg;
    return -ENOENT;
}

static int call_failing(void *arg) {
    (void)arg;
    int result = 0;
    check_int(filch_blocking(fail, NULL, &result, FILCH_NEVER), 0);
    check_int(result, -ENOENT);
    check_int(filch_blocking(NULL, NULL, NULL, FILCH_NEVER), -EINVAL);
    return 0;
}

TEST(blocking, an_error_of_the_call_is_its_result_and_not_that_of_filch_blocking) {
    run_with_all(call_failing, NULL);
}

/* ------------------------------------------------------------------------------------------- the worker goes on */

static int open_gate(void *arg) {
    struct gate *gate = arg;
    while (atomic_load(&gate->inside) == 0) filch_yield();
    atomic_store(&gate->open, true);
    return 0;
}

static int block_beside_others(void *arg) {
    (void)arg;
    struct gate gate = {0};
    filch_task *caller = start(pass_on_a_helper, &gate), *opener = start(open_gate, &gate);
    await(caller);
    await(opener);
    return 0;
}

TEST(blocking, the_worker_runs_others_while_the_call_blocks) {
    run_with_all(block_beside_others, NULL);
}

/* ----------------------------------------------------------------------------------------------------- the limit */

struct line {
    struct gate gate;
    atomic_int order[16];
    atomic_int count;
};

struct in_line {
    struct line *line;
    int number;
};

static int take_place(void *arg) {
    struct in_line *in_line = arg;
    atomic_store(&in_line->line->order[atomic_fetch_add(&in_line->line->count, 1)], in_line->number);
    return 0;
}

static int stand_in_line(void *arg) {
    return filch_blocking(take_place, arg, NULL, FILCH_NEVER);
}

static int is_waiting(const filch_task_info *info, void *arg) {
    return info->task == arg && info->state == FILCH_TASK_WAITING;
}

static int call_one_after_the_other(void *arg) {
    (void)arg;
    struct line line = {0};
    struct in_line places[16];
    filch_task *first = start(pass_on_a_helper, &line.gate), *tasks[16];
    while (atomic_load(&line.gate.inside) == 0) filch_yield();
    for (int i = 0; i < 16; i++) {
        places[i] = (struct in_line){&line, i};
        tasks[i] = start(stand_in_line, &places[i]);
        while (filch_task_each(filch_runtime_current(), is_waiting, tasks[i]) == 0) filch_yield();
    }
    check_int(atomic_load(&line.count), 0);
    check_int(stats_here().blocking_threads, 1);
    atomic_store(&line.gate.open, true);
    await(first);
    for (int i = 0; i < 16; i++) await(tasks[i]);
    for (int i = 0; i < 16; i++) check_int(atomic_load(&line.order[i]), i);
    check_int(stats_here().blocking_threads, 1);
    return 0;
}

TEST(blocking, beyond_the_limit_calls_wait_in_the_order_they_came) {
    for (unsigned workers = 1; workers <= 2; workers++) {
        filch_options options = {.workers = workers, .blocking_threads = 1};
        check_int(filch_run(call_one_after_the_other, NULL, &options), 0);
    }
}

static int call_up_to_the_limit(void *arg) {
    (void)arg;
    struct gate gate = {0};
    filch_task *tasks[12];
    for (int i = 0; i < 12; i++) tasks[i] = start(pass_on_a_helper, &gate);
    while (atomic_load(&gate.inside) < 4) filch_yield();
    for (int i = 0; i < 100; i++) filch_yield();
    check_int(atomic_load(&gate.inside), 4);
    check_int(stats_here().blocking_threads, 4);
    atomic_store(&gate.open, true);
    for (int i = 0; i < 12; i++) await(tasks[i]);
    check_int(atomic_load(&gate.through), 12);
    return 0;
}

TEST(blocking, no_more_calls_run_than_the_limit_says) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        filch_options options = {.workers = workers, .blocking_threads = 4};
        check_int(filch_run(call_up_to_the_limit, NULL, &options), 0);
    }
}

TEST(blocking, a_limit_out_of_range_is_refused) {
    filch_options options = {.blocking_threads = FILCH_BLOCKING_THREADS_MAX + 1};
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &options), -EINVAL);
}

/* ------------------------------------------------------------------------------------------- withdrawn and not */

static int never(void *arg) {
    (void)arg;
    check(false);
    return 0;
}

static int call_never(void *arg) {
    (void)arg;
    return filch_blocking(never, NULL, NULL, FILCH_NEVER);
}

static int withdraw(void *arg) {
    (void)arg;
    struct gate gate = {0};
    filch_task *first = start(pass_on_a_helper, &gate);
    while (atomic_load(&gate.inside) == 0) filch_yield();
    int result = 77;
    check_int(filch_blocking(never, NULL, &result, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_blocking(never, NULL, &result, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_int(result, 77);

    filch_task *second = start(call_never, NULL);
    for (int i = 0; i < 10; i++) filch_yield();
    filch_task_cancel(second);
    check_int(filch_await(second, &result, FILCH_NEVER), 0);
    check_int(result, -ECANCELED);
    atomic_store(&gate.open, true);
    await(first);
    return 0;
}

TEST(blocking, a_call_that_has_not_begun_is_withdrawn_by_deadline_and_by_cancellation) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        filch_options options = {.workers = workers, .blocking_threads = 1};
        check_int(filch_run(withdraw, NULL, &options), 0);
    }
}

static int cancel_begun(void *arg) {
    (void)arg;
    struct gate gate = {0};
    filch_task *caller = start(pass_on_a_helper, &gate);
    while (atomic_load(&gate.inside) == 0) filch_yield();
    filch_task_cancel(caller);
    for (int i = 0; i < 100; i++) filch_yield();
    check(!filch_task_done(caller));
    atomic_store(&gate.open, true);
    await(caller); /* it got its result, although it was cancelled */
    return 0;
}

TEST(blocking, a_call_that_has_begun_is_waited_for_though_the_task_is_cancelled) {
    run_with_all(cancel_begun, NULL);
}

static int call_when_cancelled(void *arg) {
    (void)arg;
    filch_task_cancel(filch_self());
    return filch_blocking(never, NULL, NULL, FILCH_NEVER);
}

static int cancel_before(void *arg) {
    (void)arg;
    int result;
    check_int(filch_await(start(call_when_cancelled, NULL), &result, FILCH_NEVER), 0);
    check_int(result, -ECANCELED);
    return 0;
}

TEST(blocking, a_cancelled_task_begins_no_call) {
    run_with_all(cancel_before, NULL);
}

/* Calls come and are withdrawn all the time: each is made, or answers why not, and never both. */
struct storm {
    atomic_int made, answered;
};

static int count(void *arg) {
    struct storm *storm = arg;
    atomic_fetch_add(&storm->made, 1);
    return 0;
}

static int call_shortly(void *arg) {
    struct storm *storm = arg;
    for (int i = 0; i < 50; i++) {
        int answer = filch_blocking(count, storm, NULL, filch_after(FILCH_US(i % 7 * 10)));
        if (answer == 0) atomic_fetch_add(&storm->answered, 1);
        if (answer == -ECANCELED) return 0;
        check(answer == 0 || answer == -ETIMEDOUT);
    }
    return 0;
}

static int storm(void *arg) {
    (void)arg;
    struct storm storm = {0};
    filch_task *tasks[40];
    for (int i = 0; i < 40; i++) tasks[i] = start(call_shortly, &storm);
    for (int i = 0; i < 40; i += 3) {
        filch_sleep(FILCH_US(20));
        filch_task_cancel(tasks[i]);
    }
    for (int i = 0; i < 40; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    check_int(storm.made, storm.answered);
    check(storm.made > 0);
    return 0;
}

TEST(blocking, a_call_is_made_or_withdrawn_and_never_both) {
    for (unsigned workers = 1; workers <= 4; workers++) {
        for (unsigned threads = 1; threads <= 4; threads++) {
            filch_options options = {.workers = workers, .blocking_threads = threads};
            check_int(filch_run(storm, NULL, &options), 0);
        }
    }
}

/* --------------------------------------------------------------------------------------------------------- lanes */

static int pass_look_up(void *arg) {
    return filch__blocking_resolve(pass, arg, NULL, FILCH_NEVER);
}

static int look_up_slowly(void *arg) {
    (void)arg;
    struct gate slow = {0};
    filch_task *tasks[20];
    for (int i = 0; i < 20; i++) tasks[i] = start(pass_look_up, &slow);
    while (atomic_load(&slow.inside) == 0) filch_yield();
    int value = 4, result = 0;
    check_int(filch_blocking(double_it, &value, &result, FILCH_NEVER), 0);
    check_int(result, 8);
    check(atomic_load(&slow.inside) <= 8);
    atomic_store(&slow.open, true);
    for (int i = 0; i < 20; i++) check_int(filch_await(tasks[i], NULL, FILCH_NEVER), 0);
    check_int(slow.through, 20);
    return 0;
}

TEST(blocking, slow_look_ups_do_not_hold_other_calls_up) {
    for (unsigned workers = 1; workers <= 2; workers++) {
        filch_options options = {.workers = workers, .blocking_threads = workers == 1 ? 1 : 0};
        check_int(filch_run(look_up_slowly, NULL, &options), 0);
    }
}

/* ----------------------------------------------------------------------------------------- coming, and going */

static int outlive_helpers(void *arg) {
    (void)arg;
    struct gate gate = {0};
    filch_task *tasks[5];
    for (int i = 0; i < 5; i++) tasks[i] = start(pass_on_a_helper, &gate);
    while (atomic_load(&gate.inside) < 5) filch_yield();
    atomic_store(&gate.open, true);
    for (int i = 0; i < 5; i++) await(tasks[i]);
    check_int(stats_here().blocking_threads, 5);
    while (stats_here().blocking_threads > 0) filch_sleep(FILCH_MS(20)); /* the test's time-out is the limit */
    int value = 1, result = 0;
    check_int(filch_blocking(double_it, &value, &result, FILCH_NEVER), 0);
    check_int(result, 2);
    return 0;
}

TEST(blocking, idle_helpers_end_and_come_again) {
    check_int(filch_run(outlive_helpers, NULL, &(filch_options){.workers = 2}), 0);
}

TEST(blocking, a_runtime_ends_while_calls_run) {
    for (int round = 0; round < 20; round++) {
        size_t before = filch__heap_objects();
        struct gate gate = {0};
        filch_runtime *runtime;
        check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 2, .blocking_threads = 3}), 0);
        for (int i = 0; i < 6; i++) check_int(filch_runtime_spawn(runtime, NULL, pass_on_a_helper, &gate, NULL), 0);
        while (atomic_load(&gate.inside) < 3) nap();
        check_int(filch_runtime_shutdown(runtime, filch_after(FILCH_MS(1))), -ETIMEDOUT);
        atomic_store(&gate.open, true);
        check_int(filch_runtime_destroy(runtime), 0);
        check_int(gate.through, 6);
        check_int(filch__heap_objects(), before);
    }
}

/* The first request for memory after the injection is the helper's. */
static int run_short(void *arg) {
    (void)arg;
    int value = 3, result = 99;
    filch__alloc_fail(1, true);
    int answer = filch_blocking(double_it, &value, &result, FILCH_NEVER);
    filch__alloc_fail(0, false);
    check_int(answer, -EAGAIN);
    check_int(result, 99);
    check_int(stats_here().blocking_threads, 0);
    check_int(filch_blocking(double_it, &value, &result, FILCH_NEVER), 0);
    check_int(result, 6);
    return 0;
}

static int call_short_of_memory(void *arg) {
    filch__alloc_fail(1, false);
    int answer = pass_on_a_helper(arg);
    check(filch__alloc_requests() > 0);
    filch__alloc_fail(0, false);
    return answer;
}

static int run_short_beside_one(void *arg) {
    (void)arg;
    struct gate gate = {0};
    filch_task *first = start(pass_on_a_helper, &gate);
    while (atomic_load(&gate.inside) < 1) filch_yield();
    uint64_t parks = stats_here().parks;
    filch_task *second = start(call_short_of_memory, &gate);
    while (stats_here().parks == parks) filch_yield();
    check_int(stats_here().blocking_threads, 1);
    check_int(gate.inside, 1);
    atomic_store(&gate.open, true);
    await(first);
    await(second);
    check_int(gate.through, 2);
    return 0;
}

TEST(blocking, without_memory_for_a_helper_a_call_waits_for_one_or_fails) {
    check_int(filch_run(run_short, NULL, &(filch_options){.workers = 1}), 0);
    check_int(filch_run(run_short_beside_one, NULL, &(filch_options){.workers = 1}), 0);
}

/* ------------------------------------------------------------------------------------------------ block in place */

/* Blocks in place until another task, which needs a worker, has run. */
static int block_until_open(void *arg) {
    struct gate *gate = arg;
    filch_block_begin();
    filch_block_begin();
    pass(gate);
    filch_block_end();
    while (!atomic_load(&gate->open)) nap();
    filch_block_end();
    return 0;
}

static int block_all_workers(void *arg) {
    (void)arg;
    for (int round = 0; round < 20; round++) {
        struct gate gate = {0};
        unsigned count = filch_runtime_workers(filch_runtime_current());
        filch_task *tasks[4];
        for (unsigned i = 0; i < count; i++) tasks[i] = start(block_until_open, &gate);
        while ((unsigned)atomic_load(&gate.inside) < count) filch_yield();
        atomic_store(&gate.open, true);
        for (unsigned i = 0; i < count; i++) await(tasks[i]);
        filch_sleep(FILCH_US(100) * round);
    }
    return 0;
}

TEST(block, tasks_that_block_in_place_on_every_worker_hold_nobody_up) {
    static const unsigned counts[] = {1, 2, 4};
    for (int i = 0; i < 3; i++) {
        check_int(filch_run(block_all_workers, NULL, &(filch_options){.workers = counts[i]}), 0);
    }
}

/* What the worker has in its next slot, its run queue and its deque when it blocks, is run by others. */
static int set_flag(void *arg) {
    atomic_store((atomic_bool *)arg, true);
    return 0;
}

static int wait_and_set(void *arg) {
    struct gate *gate = arg;
    filch_sleep(FILCH_MS(3));
    atomic_store(&gate->open, true);
    return 0;
}

static int block_on_own_spawn(void *arg) {
    (void)arg;
    atomic_bool flags[3] = {false, false, false};
    filch_task *tasks[3];
    for (int i = 0; i < 3; i++) tasks[i] = start(set_flag, &flags[i]);
    filch_block_begin();
    while (!atomic_load(&flags[0]) || !atomic_load(&flags[1]) || !atomic_load(&flags[2])) nap();
    filch_block_end();
    for (int i = 0; i < 3; i++) await(tasks[i]);

    struct gate gate = {0};
    filch_task *sleeper = start(wait_and_set, &gate);
    for (int i = 0; i < 10; i++) filch_yield(); /* its timer is of this worker, where there is one */
    filch_block_begin();
    while (!atomic_load(&gate.open)) nap();
    filch_block_end();
    await(sleeper);
    return 0;
}

TEST(block, what_the_worker_had_is_run_by_others_and_its_timers_fire) {
    for (unsigned workers = 1; workers <= 4; workers *= 2) {
        check_int(filch_run(block_on_own_spawn, NULL, &(filch_options){.workers = workers}), 0);
    }
}

static int block_alone(void *arg) {
    (void)arg;
    for (int i = 0; i < 100; i++) {
        filch_block_begin();
        filch_block_end();
        filch_yield();
    }
    return 0;
}

TEST(block, without_a_monitor_and_outside_tasks_it_is_allowed) {
    for (unsigned workers = 1; workers <= 2; workers++) {
        check_int(filch_run(block_alone, NULL, &(filch_options){.workers = workers, .no_monitor = true}), 0);
    }
    block_alone(NULL);
}

static int sleep_in_between(void *arg) {
    (void)arg;
    filch_block_begin();
    filch_sleep(FILCH_US(10));
    return 0;
}

TEST_DIES(block, a_waiting_call_in_between_aborts, "makes a call that waits") {
    filch_run(sleep_in_between, NULL, &(filch_options){.workers = 1});
}

static int end_in_between(void *arg) {
    (void)arg;
    filch_block_begin();
    return 0;
}

TEST_DIES(block, a_task_that_ends_in_between_aborts, "has ended") {
    filch_run(end_in_between, NULL, &(filch_options){.workers = 2});
}

static int end_without_begin(void *arg) {
    (void)arg;
    filch_block_end();
    return 0;
}

TEST_DIES(block, an_end_without_a_begin_aborts, "without filch_block_begin") {
    filch_run(end_without_begin, NULL, &(filch_options){.workers = 1});
}

static int come_and_go(void *arg) {
    (void)arg;
    return 0;
}

static int try_while_blocked(void *arg) {
    filch_task *other = start(come_and_go, NULL); /* to give way to */
    filch_block_begin();
    int value;
    for (int i = 0; i < 1000; i++) check_int(filch_chan_recv(arg, &value, (filch_deadline){0}), -ETIMEDOUT);
    filch_block_end();
    await(other);
    return 0;
}

/* Nor is the turn that many such calls in a row give to others. */
TEST(block, a_call_that_need_not_wait_is_no_wait_however_often_it_is_made) {
    filch_chan *chan;
    check_int(filch_chan_create(&chan, sizeof(int), 1), 0);
    check_int(filch_run(try_while_blocked, chan, &(filch_options){.workers = 1, .no_monitor = true}), 0);
    filch_chan_destroy(chan);
}
