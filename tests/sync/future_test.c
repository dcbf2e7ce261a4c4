/* SPDX-License-Identifier: MIT */
/* Proves that a future has one result, that all that wait get it, and that a wait cut short leaves it alone. */
#include "tests/sync/locks.h"

TEST(future, the_first_result_stays) {
    int value = 0, other = 0, result = 4711;
    void *got = NULL;
    filch_future future;
    check_int(filch_future_init(NULL), -EINVAL);
    check_int(filch_future_set(NULL, 0, NULL), -EINVAL);
    check_int(filch_future_cancel(NULL), -EINVAL);
    check_int(filch_future_wait(NULL, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_future_try_wait(NULL, NULL, NULL), -EINVAL);
    check_int(filch_future_init(&future), 0);
    check_int(filch_future_fail(&future, 0), -EINVAL);
    check_int(filch_future_fail(&future, 5), -EINVAL);
    check(!filch_future_is_done(&future));
    check_int(filch_future_try_wait(&future, &result, &got), -EAGAIN);
    check_int(filch_future_wait(&future, &result, &got, (filch_deadline){0}), -ETIMEDOUT);
    check_int(filch_future_wait(&future, &result, &got, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check(result == 4711 && got == NULL);
    check_int(filch_future_set(&future, 17, &value), 0);
    check_int(filch_future_set(&future, 18, &other), -EALREADY);
    check_int(filch_future_fail(&future, -EIO), -EALREADY);
    check_int(filch_future_cancel(&future), -EALREADY);
    check(filch_future_is_done(&future));
    for (int i = 0; i < 2; i++) {
        check_int(filch_future_wait(&future, &result, &got, (filch_deadline){0}), 0);
        check(result == 17 && got == &value);
        result = 0, got = NULL;
        check_int(filch_future_try_wait(&future, &result, &got), 0);
        check(result == 17 && got == &value);
    }
    check_int(filch_future_wait(&future, NULL, NULL, FILCH_NEVER), 0);
    filch_future_fini(&future);
    filch_future_fini(NULL);
}

TEST(future, failures_and_cancellation_are_results) {
    int result = 0;
    void *got = &result;
    filch_future future;
    check_int(filch_future_init(&future), 0);
    check_int(filch_future_fail(&future, -EIO), 0);
    check_int(filch_future_wait(&future, &result, &got, FILCH_NEVER), 0);
    check(result == -EIO && got == NULL);
    filch_future_fini(&future);
    check_int(filch_future_init(&future), 0);
    check_int(filch_future_cancel(&future), 0);
    check_int(filch_future_wait(&future, &result, NULL, FILCH_NEVER), 0);
    check_int(result, -ECANCELED);
    filch_future_fini(&future);
}

/* ------------------------------------------------------------------------------------------------------ waiters */

struct question {
    filch_future future;
    long answer; /* plain: the future alone orders it */
    atomic_int sets;
};

static int ask(void *arg) {
    struct question *question = arg;
    void *got = NULL;
    int result = 0;
    check_int(filch_future_wait(&question->future, &result, &got, FILCH_NEVER), 0);
    check(got == &question->answer);
    check_int(*(long *)got, 42);
    check_int(result, 7);
    return 0;
}

static void *ask_in_thread(void *arg) {
    ask(arg);
    return NULL;
}

static void *tell(void *arg) {
    struct question *question = arg;
    question->answer = 42;
    check_int(filch_future_set(&question->future, 7, &question->answer), 0);
    return NULL;
}

static int tell_in_task(void *arg) {
    tell(arg);
    return 0;
}

/* The future is ended as soon as all have their answer: who set it must be through with it. */
static int ask_all(void *arg) {
    (void)arg;
    for (int round = 0; round < 200 / TEST_SCALE; round++) {
        struct question question = {0};
        filch_task *askers[8];
        pthread_t threads[2], teller;
        check_int(filch_future_init(&question.future), 0);
        check_int(pthread_create(&threads[0], NULL, ask_in_thread, &question), 0);
        check_int(pthread_create(&threads[1], NULL, ask_in_thread, &question), 0);
        for (int i = 0; i < 8; i++) askers[i] = start(ask, &question);
        if (round % 2 == 0) until_wait_at(&question.future, 10);
        if (round % 4 < 2) {
            check_int(filch_spawn(NULL, tell_in_task, &question, NULL), 0);
        } else {
            check_int(pthread_create(&teller, NULL, tell, &question), 0);
        }
        for (int i = 0; i < 8; i++) check_int(result_of(askers[i]), 0);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        filch_future_fini(&question.future);
        if (round % 4 >= 2) pthread_join(teller, NULL);
    }
    return 0;
}

TEST(future, all_that_wait_get_the_result) {
    run_with_each(ask_all, NULL);
}

static int set_once(void *arg) {
    struct question *question = arg;
    int answer = filch_future_set(&question->future, 7, &question->answer);
    check(answer == 0 || answer == -EALREADY);
    if (answer == 0) atomic_fetch_add(&question->sets, 1);
    return 0;
}

static int race_to_set(void *arg) {
    (void)arg;
    for (int round = 0; round < 300 / TEST_SCALE; round++) {
        struct question question = {.answer = 42};
        filch_task *tasks[8];
        check_int(filch_future_init(&question.future), 0);
        for (int i = 0; i < 8; i++) tasks[i] = start(set_once, &question);
        check_int(ask(&question), 0);
        for (int i = 0; i < 8; i++) check_int(result_of(tasks[i]), 0);
        check_int(question.sets, 1);
        filch_future_fini(&question.future);
    }
    return 0;
}

TEST(future, one_of_many_sets_it) {
    run_with_each(race_to_set, NULL);
}

/* ---------------------------------------------------------------------------------------------------- cut short */

struct attempt {
    filch_future *future;
    int answer, result;
};

static int attempt(void *arg) {
    struct attempt *self = arg;
    self->answer = filch_future_wait(self->future, &self->result, NULL, FILCH_NEVER);
    return 0;
}

static int cancel_waits(void *arg) {
    (void)arg;
    filch_future future;
    check_int(filch_future_init(&future), 0);
    struct attempt one = {&future, 1, 1}, other = {&future, 1, 1};
    filch_task *first = start(attempt, &one), *second = start(attempt, &other);
    until_wait_at(&future, 2);
    filch_task_cancel(first);
    check_int(result_of(first), 0);
    check_int(one.answer, -ECANCELED);
    check_int(one.result, 1); /* not written */
    check(!filch_future_is_done(&future));
    check_int(filch_future_set(&future, 9, NULL), 0);
    check_int(result_of(second), 0);
    check(other.answer == 0 && other.result == 9);
    filch_future_fini(&future);
    return 0;
}

TEST(future, a_wait_that_is_cancelled_leaves_the_future_as_it_was) {
    run_with_each(cancel_waits, NULL);
}

/* asyncio's wait_for threw a result away that came with the cancellation. */
static int set_and_cancel(void *arg) {
    (void)arg;
    filch_future future;
    check_int(filch_future_init(&future), 0);
    struct attempt one = {&future, 1, 1};
    filch_task *task = start(attempt, &one);
    until_wait_at(&future, 1);
    check_int(filch_future_set(&future, 9, NULL), 0);
    filch_task_cancel(task);
    check_int(result_of(task), 0);
    check(one.answer == 0 && one.result == 9);
    filch_future_fini(&future);
    return 0;
}

TEST(future, a_result_that_came_before_the_cancellation_is_given) {
    run_with(1, set_and_cancel, NULL);
}

/* A time-out that races with the result: either, and never something between. */
static void wait_shortly(void *shared, uint32_t *random) {
    filch_future *future = shared;
    for (;;) {
        int result = 1;
        int answer = filch_future_wait(future, &result, NULL, filch_after(chance(random, 20) * 1000));
        if (answer == -ECANCELED) return;
        check(answer == 0 || answer == -ETIMEDOUT);
        check_int(result, answer == 0 ? 9 : 1);
        if (answer == 0) return;
        if (chance(random, 300) == 0) check(filch_future_set(future, 9, NULL) <= 0);
        filch_yield();
    }
}

static int race_deadlines(void *arg) {
    for (int round = 0; round < 40 / TEST_SCALE; round++) {
        filch_future future;
        check_int(filch_future_init(&future), 0);
        crowd(wait_shortly, &future, *(bool *)arg);
        filch_future_fini(&future);
    }
    return 0;
}

TEST(future, a_wait_that_races_with_its_deadline_gives_the_result_or_nothing) {
    for (int cancel = 0; cancel < 2; cancel++) {
        bool arg = cancel;
        run_with_each(race_deadlines, &arg);
    }
}

/* ------------------------------------------------------------------------------------------------------- misuse */

static int end_while_waited_at(void *arg) {
    (void)arg;
    filch_future future;
    check_int(filch_future_init(&future), 0);
    struct attempt one = {&future, 1, 1};
    start(attempt, &one);
    until_wait_at(&future, 1);
    filch_future_fini(&future);
    return 0;
}

TEST_DIES(future, ending_one_that_is_waited_at_aborts, "ended while somebody waits") {
    run_with(1, end_while_waited_at, NULL);
}
