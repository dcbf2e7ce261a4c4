/* SPDX-License-Identifier: MIT */
/* Proves that a wait ends when the count is 0 and not before, for all that wait, and that misuse is told. */
#include "tests/sync/locks.h"

TEST(wait_group, an_empty_group_is_not_waited_for) {
    filch_wait_group group;
    check_int(filch_wait_group_init(NULL), -EINVAL);
    check_int(filch_wait_group_wait(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_wait_group_try_wait(NULL), -EINVAL);
    check_int(filch_wait_group_init(&group), 0);
    check_int(filch_wait_group_wait(&group, FILCH_NEVER), 0);
    filch_wait_group_add(&group, 5);
    filch_wait_group_add(&group, -3);
    filch_wait_group_done(&group);
    check_int(filch_wait_group_try_wait(&group), -EAGAIN);
    check_int(filch_wait_group_wait(&group, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_wait_group_wait(&group, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    filch_wait_group_done(&group);
    check_int(filch_wait_group_wait(&group, (filch_deadline){0}), 0);
    check_int(filch_wait_group_try_wait(&group), 0);
    filch_wait_group_fini(&group);
    filch_wait_group_fini(NULL);
}

struct work {
    filch_wait_group group;
    long written[64]; /* plain: the group alone orders them */
    atomic_int next;
};

static int work_and_be_done(void *arg) {
    struct work *work = arg;
    int index = atomic_fetch_add_explicit(&work->next, 1, memory_order_relaxed);
    if (index % 3 == 0) filch_yield();
    work->written[index] = index + 1;
    filch_wait_group_done(&work->group);
    return 0;
}

static void *work_in_thread(void *arg) {
    work_and_be_done(arg);
    return NULL;
}

static int wait_and_look(void *arg) {
    struct work *work = arg;
    check_int(filch_wait_group_wait(&work->group, FILCH_NEVER), 0);
    for (int i = 0; i < 64; i++) check_int(work->written[i], i + 1);
    return 0;
}

/* The group stands on the stack of who waits first, and is gone right after: done must be through with it. */
static int work_in_rounds(void *arg) {
    (void)arg;
    for (int round = 0; round < 100 / TEST_SCALE; round++) {
        struct work work = {0};
        pthread_t threads[2];
        filch_task *waiters[4];
        check_int(filch_wait_group_init(&work.group), 0);
        filch_wait_group_add(&work.group, 64);
        for (int i = 0; i < 4; i++) waiters[i] = start(wait_and_look, &work);
        for (int i = 0; i < 62; i++) check_int(filch_spawn(NULL, work_and_be_done, &work, NULL), 0);
        for (int i = 0; i < 2; i++) check_int(pthread_create(&threads[i], NULL, work_in_thread, &work), 0);
        wait_and_look(&work);
        for (int i = 0; i < 4; i++) check_int(result_of(waiters[i]), 0);
        filch_wait_group_fini(&work.group);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    }
    return 0;
}

TEST(wait_group, all_that_wait_go_on_when_all_is_done) {
    run_with_each(work_in_rounds, NULL);
}

static int wait_cancelled(void *arg) {
    return filch_wait_group_wait(arg, FILCH_NEVER);
}

static int cancel_waits(void *arg) {
    (void)arg;
    filch_wait_group group;
    check_int(filch_wait_group_init(&group), 0);
    filch_wait_group_add(&group, 1);
    filch_task *one = start(wait_cancelled, &group), *other = start(wait_cancelled, &group);
    until_wait_at(&group, 2);
    filch_task_cancel(one);
    check_int(result_of(one), -ECANCELED);
    until_wait_at(&group, 1);
    filch_wait_group_done(&group);
    check_int(result_of(other), 0);
    filch_wait_group_fini(&group);
    return 0;
}

TEST(wait_group, who_is_cancelled_waits_no_more_and_the_others_do) {
    run_with_each(cancel_waits, NULL);
}

static int done_and_cancelled(void *arg) {
    (void)arg;
    filch_wait_group group;
    check_int(filch_wait_group_init(&group), 0);
    filch_wait_group_add(&group, 1);
    filch_task *waiter = start(wait_cancelled, &group);
    until_wait_at(&group, 1);
    filch_wait_group_done(&group);
    filch_wait_group_add(&group, 1); /* used again before the waiter has run */
    filch_task_cancel(waiter);
    check_int(result_of(waiter), 0);
    filch_wait_group_done(&group);
    filch_wait_group_fini(&group);
    return 0;
}

TEST(wait_group, who_was_let_go_and_is_then_cancelled_has_waited_to_the_end) {
    run_with(1, done_and_cancelled, NULL);
}

TEST_DIES(wait_group, a_count_below_zero_aborts, "counted below 0") {
    filch_wait_group group;
    check_int(filch_wait_group_init(&group), 0);
    filch_wait_group_add(&group, 1);
    filch_wait_group_done(&group);
    filch_wait_group_done(&group);
}

static int end_while_waited_at(void *arg) {
    (void)arg;
    filch_wait_group group;
    check_int(filch_wait_group_init(&group), 0);
    filch_wait_group_add(&group, 1);
    start(wait_cancelled, &group);
    until_wait_at(&group, 1);
    filch_wait_group_fini(&group);
    return 0;
}

TEST_DIES(wait_group, ending_one_that_is_waited_at_aborts, "ended while somebody waits") {
    run_with(1, end_while_waited_at, NULL);
}
