/* SPDX-License-Identifier: MIT */
/* Once: one call succeeds, all see what it did, and the turn to make it is not lost where a call fails. */
#include <string.h>

#include "tests/sync/locks.h"

struct work {
    filch_once once;
    atomic_int calls, inside;
    int fail_first; /* so many calls fail before one succeeds */
    int made;       /* by the call that succeeds, for all to see */
    int yields;
};

static int make(void *arg) {
    struct work *work = arg;
    check_int(atomic_fetch_add(&work->inside, 1), 0);
    int call = atomic_fetch_add(&work->calls, 1);
    for (int i = 0; i < work->yields; i++) filch_yield();
    if (call >= work->fail_first) work->made = 7;
    atomic_fetch_sub(&work->inside, 1);
    return call < work->fail_first ? -EIO : 5;
}

static void ask_for_it(void *arg, uint32_t *random) {
    struct work *work = arg;
    for (int i = 0; i < 20; i++) {
        filch_deadline deadline = chance(random, 4) ? FILCH_NEVER : filch_after(FILCH_US(chance(random, 20)));
        int answer = filch_once_run(&work->once, make, work, deadline);
        check(answer == 5 || answer == -EIO || answer == -ETIMEDOUT || answer == -ECANCELED);
        if (answer == 5) check_int(work->made, 7);
    }
}

static int run_in_a_crowd(void *arg) {
    (void)arg;
    for (int round = 0; round < 200 / TEST_SCALE; round++) {
        struct work work = {.fail_first = round % 4, .yields = round % 3};
        crowd(ask_for_it, &work, round & 1);
        check(filch_once_done(&work.once));
        check_int(work.calls, work.fail_first + 1);
        filch_once_fini(&work.once);
    }
    return 0;
}

TEST(once, one_call_succeeds_among_tasks_and_threads) {
    run_with_each(run_in_a_crowd, NULL);
}

static int run_alone(void *arg) {
    (void)arg;
    struct work work = {.fail_first = 2};
    memset(&work.once, 0xa5, sizeof work.once);
    filch_once_init(&work.once);
    check(!filch_once_done(&work.once));
    check_int(filch_once_run(&work.once, make, &work, FILCH_NEVER), -EIO);
    check_int(filch_once_run(&work.once, make, &work, (filch_deadline){0}), -EIO);
    check(!filch_once_done(&work.once));
    check_int(filch_once_run(&work.once, make, &work, FILCH_NEVER), 5);
    check(filch_once_done(&work.once));
    check_int(filch_once_run(&work.once, make, &work, (filch_deadline){0}), 5);
    check_int(work.calls, 3);
    check_int(filch_once_run(NULL, make, &work, FILCH_NEVER), -EINVAL);
    check_int(filch_once_run(&work.once, NULL, &work, FILCH_NEVER), -EINVAL);
    filch_once_fini(&work.once);
    return 0;
}

TEST(once, a_call_that_fails_is_made_again_and_one_that_succeeds_is_not) {
    run_with(1, run_alone, NULL);
    check_int(run_alone(NULL), 0); /* a thread that is no worker */
}

/* ---------------------------------------------------------------------------------------- deadlines, cancellation */

/* A call that waits until it is told how to end. */
struct slow {
    filch_once once;
    atomic_bool begun, go_on;
    int answer;
    filch_deadline deadline; /* of the next one who asks */
    atomic_int calls;
};

static int be_slow(void *arg) {
    struct slow *slow = arg;
    atomic_fetch_add(&slow->calls, 1);
    atomic_store(&slow->begun, true);
    while (!atomic_load(&slow->go_on)) filch_yield();
    return slow->answer;
}

static int ask_slow(void *arg) {
    struct slow *slow = arg;
    return filch_once_run(&slow->once, be_slow, slow, slow->deadline);
}

static int succeed(void *arg) {
    atomic_fetch_add(&((struct slow *)arg)->calls, 1);
    return 1;
}

static int ask_to_succeed(void *arg) {
    struct slow *slow = arg;
    return filch_once_run(&slow->once, succeed, slow, slow->deadline);
}

static filch_task *start_slow(struct slow *slow) {
    *slow = (struct slow){.deadline = FILCH_NEVER};
    filch_task *runs = start(ask_slow, slow);
    while (!atomic_load(&slow->begun)) filch_yield();
    return runs;
}

static int cut_short(void *arg) {
    (void)arg;
    struct slow slow;
    filch_task *runs = start_slow(&slow);
    filch_task *waits = start(ask_to_succeed, &slow);
    until_wait_at(&slow.once, 1);
    filch_task_cancel(waits);
    check_int(result_of(waits), -ECANCELED);
    slow.deadline = filch_after(FILCH_MS(2));
    check_int(result_of(start(ask_to_succeed, &slow)), -ETIMEDOUT);
    slow.deadline = (filch_deadline){0};
    check_int(result_of(start(ask_to_succeed, &slow)), -ETIMEDOUT);
    atomic_store(&slow.go_on, true);
    check_int(result_of(runs), 0);
    check_int(slow.calls, 1);
    filch_once_fini(&slow.once);
    return 0;
}

TEST(once, who_waits_is_cut_short_and_the_call_is_not) {
    run_with_each(cut_short, NULL);
}

static int run_when_cancelled(void *arg) {
    (void)arg;
    struct slow slow = {.deadline = FILCH_NEVER};
    filch_scope scope;
    for (int i = 0; i < 2; i++) {
        check_int(filch_scope_open(&scope, NULL), 0);
        filch_scope_cancel(&scope);
        check_int(ask_to_succeed(&slow), -ECANCELED);
        filch_scope_close(&scope);
        check_int(ask_to_succeed(&slow), 1);
    }
    check_int(slow.calls, 1);
    return 0;
}

TEST(once, nothing_is_called_or_answered_in_a_cancelled_scope) {
    run_with_each(run_when_cancelled, NULL);
}

/* The call fails, the first who waits has the turn, and is cancelled before it has run. */
static int cancel_the_next(void *arg) {
    (void)arg;
    struct slow slow;
    filch_task *runs = start_slow(&slow);
    filch_task *first = start(ask_to_succeed, &slow);
    until_wait_at(&slow.once, 1);
    filch_task *second = start(ask_to_succeed, &slow);
    until_wait_at(&slow.once, 2);
    slow.answer = -EIO;
    atomic_store(&slow.go_on, true);
    check_int(result_of(runs), -EIO);
    filch_task_cancel(first);
    int result = result_of(first);
    check_int(result, 1);
    check_int(result_of(second), 1);
    check_int(slow.calls, 2);
    filch_once_fini(&slow.once);
    return 0;
}

TEST(once, one_cancelled_when_it_has_the_turn_uses_it) {
    for (int i = 0; i < 50; i++) run_with_each(cancel_the_next, NULL);
}

/* --------------------------------------------------------------------------------------------------------- misuse */

static int come_back(void *arg) {
    return filch_once_run(arg, come_back, arg, FILCH_NEVER);
}

TEST_DIES(once, a_function_that_comes_back_to_its_once_aborts, "came back to it, in task") {
    filch_once once = FILCH_ONCE_INIT;
    run_with(1, come_back, &once);
}

static int end_it(void *arg) {
    filch_once_fini(arg);
    return 0;
}

TEST_DIES(once, ending_the_use_of_one_that_is_run_aborts, "is being run") {
    filch_once once = FILCH_ONCE_INIT;
    (void)!filch_once_run(&once, end_it, &once, FILCH_NEVER);
}
