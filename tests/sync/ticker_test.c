/* SPDX-License-Identifier: MIT */
/* Proves that ticks stand at fixed points, that those missed are counted once, and what ends a wait for one. */
#include <errno.h>
#include <stdatomic.h>

#include "tests/api/workers.h"

static const filch_deadline past = {0};

static int counts_ticks(void *arg) {
    (void)arg;
    filch_ticker ticker;
    int64_t begin_ns = filch_now();
    check_int(filch_ticker_init(&ticker, FILCH_MS(1)), 0);
    int64_t first_ns = filch_ticker_next(&ticker).at_ns, count = 0;
    check(first_ns >= begin_ns + FILCH_MS(1));
    while (count < 10) {
        int64_t ticks = filch_ticker_wait(&ticker, FILCH_NEVER);
        check(ticks >= 1);
        count += ticks;
        check(filch_now() >= first_ns + (count - 1) * FILCH_MS(1));
        check_int(filch_ticker_next(&ticker).at_ns, first_ns + count * FILCH_MS(1));
    }
    return 0;
}

TEST(ticker, ticks_stand_a_period_apart_and_each_is_counted_once) {
    run_with_all(counts_ticks, NULL);
    check_int(counts_ticks(NULL), 0);
}

static int late(void *arg) {
    (void)arg;
    filch_ticker ticker;
    check_int(filch_ticker_init(&ticker, FILCH_MS(2)), 0);
    int64_t first_ns = filch_ticker_next(&ticker).at_ns;
    check_int(filch_sleep(FILCH_MS(11)), 0);
    int64_t ticks = filch_ticker_wait(&ticker, past); /* at once, for all that were missed */
    check(ticks >= 5);
    check_int(filch_ticker_next(&ticker).at_ns, first_ns + ticks * FILCH_MS(2));
    return 0;
}

TEST(ticker, who_is_late_is_told_once_and_the_phase_stays) {
    run_with_all(late, NULL);
}

static int cut_short(void *arg) {
    (void)arg;
    filch_ticker ticker;
    check_int(filch_ticker_init(&ticker, FILCH_SEC(1000)), 0);
    int64_t next_ns = filch_ticker_next(&ticker).at_ns;
    check_int(filch_ticker_wait(&ticker, past), -ETIMEDOUT);
    check_int(filch_ticker_wait(&ticker, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(filch_ticker_next(&ticker).at_ns, next_ns);
    return 0;
}

TEST(ticker, a_deadline_uses_no_tick_up) {
    run_with_all(cut_short, NULL);
    check_int(cut_short(NULL), 0);
}

static int wait_for_long(void *arg) {
    return (int)filch_ticker_wait(arg, FILCH_NEVER);
}

static int cancelled(void *arg) {
    (void)arg;
    filch_ticker ticker;
    filch_task *task;
    int result;
    check_int(filch_ticker_init(&ticker, FILCH_SEC(1000)), 0);
    for (int yields = 0; yields < 10; yields += 3) {
        check_int(filch_spawn(&task, wait_for_long, &ticker, NULL), 0);
        for (int i = 0; i < yields; i++) filch_yield();
        filch_task_cancel(task);
        check_int(filch_await(task, &result, FILCH_NEVER), 0);
        check_int(result, -ECANCELED);
    }
    return 0;
}

TEST(ticker, a_cancel_ends_the_wait) {
    run_with_all(cancelled, NULL);
}

static int in_select(void *arg) {
    (void)arg;
    filch_ticker ticker;
    filch_event event = FILCH_EVENT_INIT;
    check_int(filch_ticker_init(&ticker, FILCH_MS(1)), 0);
    for (int64_t count = 0; count < 5;) {
        filch_case cases[] = {filch_case_event(&event), filch_case_deadline(filch_ticker_next(&ticker))};
        check_int(filch_select(cases, 2, FILCH_NEVER), 1);
        int64_t ticks = filch_ticker_wait(&ticker, past);
        check(ticks >= 1);
        count += ticks;
    }
    filch_event_fini(&event);
    return 0;
}

TEST(ticker, is_a_deadline_in_a_select) {
    run_with_all(in_select, NULL);
}

TEST(ticker, bad_arguments_are_answered) {
    filch_ticker ticker;
    check_int(filch_ticker_init(NULL, 1), -EINVAL);
    check_int(filch_ticker_init(&ticker, 0), -EINVAL);
    check_int(filch_ticker_init(&ticker, -1), -EINVAL);
    check_int(filch_ticker_wait(NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_ticker_init(&ticker, INT64_MAX), 0); /* never, and nothing overflows */
    check_int(filch_ticker_next(&ticker).at_ns, INT64_MAX);
    check_int(filch_ticker_wait(&ticker, filch_after(FILCH_MS(1))), -ETIMEDOUT);
}
