/* SPDX-License-Identifier: MIT */
/*
 * Queues of values, between virtual threads that are no workers and whose deadlines may pass, and with a task that is
 * cancelled in the middle of a call. Verdict: what was said to be moved has moved once, and nothing else has; who waits
 * goes on.
 */
#include "tests/explore/ledger.h"

static filch_queue queue;

static void begin_queue(size_t capacity) {
    begin();
    explore_check(filch_queue_init(&queue, sizeof(int), &(filch_queue_options){.capacity = capacity}) == 0);
}

static int put(int value, filch_deadline deadline) {
    int answer = filch_queue_put(&queue, &value, deadline);
    explore_check(answer == 0 || answer == -EPIPE || answer == -ECANCELED || may_expire(deadline));
    sent[value] += answer == 0;
    return answer;
}

/* And says that it is dealt with. */
static int get(filch_deadline deadline) {
    int value = UNTOUCHED;
    int answer = filch_queue_get(&queue, &value, deadline);
    if (answer == 0) {
        note_received(value);
        filch_queue_task_done(&queue);
    } else {
        explore_check(answer == -EPIPE || answer == -ECANCELED || may_expire(deadline));
        explore_check(value == UNTOUCHED);
    }
    return answer;
}

/* Nobody uses it any more. */
static void end_queue(void) {
    int value;
    while (filch_queue_try_get(&queue, &value) == 0) {
        note_received(value);
        filch_queue_task_done(&queue);
    }
    explore_check(filch_queue_try_join(&queue) == 0);
    filch_queue_fini(&queue);
}

static void put_two(void *arg) {
    for (int i = 0; i < 2; i++) (void)put((int)(uintptr_t)arg * 2 + i, some_deadline());
}

static void get_two(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) (void)get(some_deadline());
}

static void get_until_shut(void *arg) {
    (void)arg;
    while (get(FILCH_NEVER) == 0) {
    }
}

static void get_and_shut(void *arg) {
    (void)arg;
    (void)get(soon());
    (void)get(soon());
    filch_queue_shutdown(&queue, FILCH_QUEUE_DRAIN);
}

SCENARIO(queue_passes, "two threads get, one puts, all may expire; then the queue is shut down, to be drained") {
    begin_queue(1);
    run_three(put_two, get_two, get_and_shut);
    end_queue();
    check_balance();
}

static void put_all(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) explore_check(put(i, FILCH_NEVER) == 0);
}

static void get_all(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) {
        explore_check(get(FILCH_NEVER) == 0);
        explore_check(received[i] == 1);
    }
}

SCENARIO(queue_fills, "one thread puts three values into a queue with room for one, and another gets them in order") {
    begin_queue(1);
    unsigned getter = explore_start(get_all, NULL);
    put_all(NULL);
    explore_join(getter);
    end_queue();
    check_balance();
}

static void shut_and_drop(void *arg) {
    (void)arg;
    filch_queue_shutdown(&queue, explore_choose(2) == 0 ? FILCH_QUEUE_DROP : FILCH_QUEUE_DRAIN);
    filch_queue_shutdown(&queue, FILCH_QUEUE_DROP);
    explore_check(put(7, FILCH_NEVER) == -EPIPE);
}

SCENARIO(queue_shut, "two threads put, and wait to, or one gets, when the queue is shut down and emptied") {
    begin_queue(1);
    run_three(put_two, explore_choose(2) == 0 ? put_two : get_until_shut, shut_and_drop);
    for (unsigned i = 0; i < VALUES; i++) explore_check(received[i] <= sent[i]);
    end_queue();
}

static void get_and_work(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int value = UNTOUCHED;
        explore_check(filch_queue_get(&queue, &value, FILCH_NEVER) == 0);
        note_received(value);
        load_seq_cst(&there);
        done++;
        filch_queue_task_done(&queue);
    }
}

static void join_queue(void *arg) {
    filch_deadline deadline = arg == NULL ? FILCH_NEVER : soon();
    int answer = filch_queue_join(&queue, deadline);
    explore_check(answer == 0 || (answer == -ETIMEDOUT && may_expire(deadline)));
    if (answer == 0 && arg == NULL) explore_check(done == 2); /* the caller has put all there is */
}

static void put_and_join(void *arg) {
    explore_check(put(0, FILCH_NEVER) == 0);
    explore_check(put(1, FILCH_NEVER) == 0);
    join_queue(arg);
}

SCENARIO(queue_joins, "two threads wait until what was put has been dealt with, one of them not for long") {
    begin_queue(2);
    run_three(get_and_work, join_queue, put_and_join);
    end_queue();
    check_balance();
}

/* ------------------------------------------------------------------------------------- cancelled at any one point */

static void begin_full_queue(void) {
    begin_queue(1);
    explore_check(put(0, FILCH_NEVER) == 0);
}

static void begin_empty_queue(void) {
    begin_queue(1);
}

static int make_put(void *arg) {
    (void)arg;
    return put(1, FILCH_NEVER);
}

static int make_get(void *arg) {
    (void)arg;
    return get(FILCH_NEVER);
}

static int make_join(void *arg) {
    (void)arg;
    int answer = filch_queue_join(&queue, FILCH_NEVER);
    explore_check(answer != 0 || received[0] == 1);
    return answer;
}

static void judge_queue(int answer) {
    (void)answer;
    explore_check(served == 0);
    end_queue();
    check_balance();
}

SCENARIO(cancel_at_queue, "a task is cancelled while it puts, gets, or waits until all is dealt with") {
    static const struct call calls[] = {
        {begin_full_queue, make_put, make_get, NULL, judge_queue},
        {begin_empty_queue, make_get, make_put, NULL, judge_queue},
        {begin_full_queue, make_join, make_get, NULL, judge_queue},
    };
    run_and_cancel(&calls[explore_choose(sizeof calls / sizeof *calls)]);
}
