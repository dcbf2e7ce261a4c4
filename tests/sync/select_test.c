/* SPDX-License-Identifier: MIT */
/*
 * Proves that a select does exactly the case whose index it returns, that no case is preferred, that selects meet each
 * other and never themselves, and that nothing is lost, doubled or left behind where several of its cases, a deadline
 * or a cancel race.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/alloc.h"
#include "tests/api/workers.h"

static const filch_deadline past = {0};

static filch_chan *make(size_t capacity) {
    filch_chan *chan = NULL;
    check_int(filch_chan_create(&chan, sizeof(uint64_t), capacity), 0);
    return chan;
}

static void let_wait(void) {
    for (int i = 0; i < 20; i++) filch_yield();
}

static void send_one(filch_chan *chan, uint64_t value) {
    check_int(filch_chan_send(chan, &value, FILCH_NEVER), 0);
}

/* ------------------------------------------------------------------------------------------------------- one case */

static int each_kind_at_once(void *arg) {
    (void)arg;
    filch_chan *full = make(1), *roomy = make(1), *closed = make(1);
    filch_event event = FILCH_EVENT_INIT;
    filch_future future;
    uint64_t out = 5, in = 4711;
    check_int(filch_future_init(&future), 0);
    send_one(full, 3);
    filch_chan_close(closed);

    filch_case one = filch_case_recv(full, &in);
    one.result = 99;
    check_int(filch_select(&one, 1, FILCH_NEVER), 0);
    check_int(one.result, 0);
    check_int(in, 3);
    one = filch_case_send(roomy, &out);
    check_int(filch_select(&one, 1, FILCH_NEVER), 0);
    check_int(filch_chan_recv(roomy, &in, past), 0);
    check_int(in, 5);
    one = filch_case_recv(closed, &in);
    check_int(filch_select(&one, 1, FILCH_NEVER), 0);
    check_int(one.result, -EPIPE);
    one = filch_case_send(closed, &out);
    check_int(filch_select(&one, 1, FILCH_NEVER), 0);
    check_int(one.result, -EPIPE);

    one = filch_case_event(&event);
    check_int(filch_try_select(&one, 1), -EAGAIN);
    filch_event_set(&event);
    check_int(filch_try_select(&one, 1), 0);
    one = filch_case_future(&future);
    check_int(filch_try_select(&one, 1), -EAGAIN);
    check_int(filch_future_set(&future, 7, NULL), 0);
    check_int(filch_try_select(&one, 1), 0);
    one = filch_case_deadline(filch_after(FILCH_SEC(100)));
    check_int(filch_try_select(&one, 1), -EAGAIN);
    one = filch_case_deadline(past);
    check_int(filch_try_select(&one, 1), 0);
    one = (filch_case){0};
    check_int(filch_try_select(&one, 1), -EAGAIN);
    check_int(filch_select(&one, 1, past), -ETIMEDOUT);
    check_int(filch_try_select(NULL, 0), -EAGAIN);
    check_int(filch_select(NULL, 0, filch_after(FILCH_MS(1))), -ETIMEDOUT);

    filch_future_fini(&future);
    filch_event_fini(&event);
    filch_chan_destroy(full);
    filch_chan_destroy(roomy);
    filch_chan_destroy(closed);
    return 0;
}

TEST(select, each_kind_of_case_goes_on_at_once_if_it_can) {
    run_with_all(each_kind_at_once, NULL);
    check_int(each_kind_at_once(NULL), 0);
}

/* One case of each kind, and something that makes one of them go on. */
struct stage {
    filch_chan *from, *to;
    filch_event event;
    filch_future future;
    filch_deadline deadline;
    uint64_t in, out;
    int index, result;
};

static int select_all(void *arg) {
    struct stage *stage = arg;
    filch_case cases[] = {
        filch_case_recv(stage->from, &stage->in),
        filch_case_send(stage->to, &stage->out),
        filch_case_event(&stage->event),
        filch_case_future(&stage->future),
        filch_case_deadline(stage->deadline),
        {0},
        filch_case_deadline(filch_after(FILCH_SEC(1000))),
    };
    for (int i = 0; i < 7; i++) cases[i].result = 4711;
    stage->index = filch_select(cases, 7, FILCH_NEVER);
    for (int i = 0; i < 7; i++) check(i == stage->index || cases[i].result == 4711);
    stage->result = stage->index >= 0 ? cases[stage->index].result : 0;
    return 0;
}

static void *select_all_thread(void *arg) {
    select_all(arg);
    return NULL;
}

/* What is done to the stage so that the case goes on; from case 5 on, closes. */
static void act(struct stage *stage, int which) {
    uint64_t value;
    switch (which) {
    case 0:
        send_one(stage->from, 77);
        break;
    case 1:
        check_int(filch_chan_recv(stage->to, &value, FILCH_NEVER), 0);
        check_int(value, 33);
        break;
    case 2:
        filch_event_set(&stage->event);
        break;
    case 3:
        check_int(filch_future_set(&stage->future, 1, NULL), 0);
        break;
    case 4:
        break; /* its deadline is near */
    case 5:
        filch_chan_close(stage->from);
        break;
    case 6:
        filch_chan_close(stage->to);
        break;
    }
}

/* Nothing else has moved, and nobody stands in a list. */
static void check_stage(struct stage *stage, int which) {
    static const int index[] = {0, 1, 2, 3, 4, 0, 1};
    uint64_t value = 0;
    check_int(stage->index, index[which]);
    check_int(stage->result, which >= 5 ? -EPIPE : 0);
    check_int(stage->in, which == 0 ? 77 : 4711);
    if (which != 6) check_int(filch_chan_try_recv(stage->to, &value), -EAGAIN);
    if (which != 5) check_int(filch_chan_try_send(stage->from, &value), -EAGAIN);
    filch_event_fini(&stage->event);
    filch_future_fini(&stage->future);
    filch_chan_destroy(stage->from);
    filch_chan_destroy(stage->to);
}

static void set_stage(struct stage *stage, int which) {
    *stage = (struct stage){.from = make(0), .to = make(0), .in = 4711, .out = 33};
    stage->deadline = which == 4 ? filch_after(FILCH_MS(3)) : filch_after(FILCH_SEC(900));
    filch_event_init(&stage->event);
    check_int(filch_future_init(&stage->future), 0);
}

static int wake_each(void *arg) {
    (void)arg;
    for (int round = 0; round < 35; round++) {
        struct stage stage;
        int which = round % 7;
        set_stage(&stage, which);
        filch_task *task = start(select_all, &stage);
        for (int i = 0; i < round; i++) filch_yield();
        act(&stage, which);
        check_int(result_of(task), 0);
        check_stage(&stage, which);
    }
    return 0;
}

TEST(select, each_kind_of_case_wakes_a_task_that_waits_and_the_others_are_withdrawn) {
    run_with_all(wake_each, NULL);
}

TEST(select, threads_select_as_tasks_do) {
    for (int which = 0; which < 7; which++) {
        struct stage stage;
        pthread_t thread;
        set_stage(&stage, which);
        check_int(pthread_create(&thread, NULL, select_all_thread, &stage), 0);
        check_int(filch_sleep(FILCH_MS(2)), 0);
        act(&stage, which);
        pthread_join(thread, NULL);
        check_stage(&stage, which);
    }
}

/* ------------------------------------------------------------------------------------------------------- fairness */

/* Chi-squared of `kinds` counts against all being equal stays below a bound that chance passes once in a billion. */
static void check_even(const unsigned *counts, unsigned kinds, unsigned total) {
    double expected = (double)total / kinds, sum = 0;
    for (unsigned i = 0; i < kinds; i++) sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    check(sum < 50 + kinds);
}

static void count_choices(unsigned ready, size_t capacity) {
    enum { CASES = 8, TIMES = 4000 };
    filch_chan *chans[CASES];
    filch_case cases[CASES];
    uint64_t value;
    unsigned counts[CASES] = {0}, even[CASES], kinds = 0;
    for (unsigned i = 0; i < CASES; i++) {
        chans[i] = make(capacity);
        cases[i] = filch_case_recv(chans[i], &value);
    }
    for (unsigned k = 0; k < TIMES; k++) {
        for (unsigned i = 0; i < CASES; i++) {
            if (ready >> i & 1 && filch_chan_length(chans[i]) == 0) send_one(chans[i], i);
        }
        int index = filch_select(cases, CASES, past);
        check(index >= 0 && (ready >> index & 1));
        check_int(value, index);
        counts[index]++;
    }
    for (unsigned i = 0; i < CASES; i++) {
        if (ready >> i & 1) even[kinds++] = counts[i];
        filch_chan_destroy(chans[i]);
    }
    check_even(even, kinds, TIMES);
}

static int choices_are_even(void *arg) {
    (void)arg;
    count_choices(0xff, 1);
    count_choices(0x07, 1); /* neighbours, with a gap after them */
    count_choices(0x91, 1);
    count_choices(0x03, 2);
    return 0;
}

TEST(select, cases_that_can_go_on_are_chosen_evenly) {
    run_with(1, choices_are_even, NULL);
    check_int(choices_are_even(NULL), 0);
}

/* With and without a buffer, an event and a deadline: those which take a latch to be seen do not come off worse. */
struct mixed {
    filch_chan *bare, *buffered;
    atomic_bool over;
};

static int keep_sending(void *arg) {
    struct mixed *mixed = arg;
    uint64_t value = 0;
    int error;
    while ((error = filch_chan_send(mixed->bare, &value, FILCH_NEVER)) == 0) continue;
    check_int(error, -EPIPE);
    return 0;
}

static int kinds_are_even(void *arg) {
    (void)arg;
    enum { TIMES = 4000 };
    struct mixed mixed = {.bare = make(0), .buffered = make(1)};
    filch_event event = FILCH_EVENT_INIT;
    unsigned counts[4] = {0};
    uint64_t value;
    filch_task *task = start(keep_sending, &mixed);
    filch_event_set(&event);
    filch_case cases[] = {filch_case_recv(mixed.bare, &value), filch_case_recv(mixed.buffered, &value),
                          filch_case_event(&event), filch_case_deadline(past)};
    for (unsigned i = 0; i < TIMES; i++) {
        if (filch_chan_length(mixed.buffered) == 0) send_one(mixed.buffered, 0);
        filch_yield(); /* the sender waits again */
        int index = filch_select(cases, 4, FILCH_NEVER);
        check(index >= 0);
        counts[index]++;
    }
    check_even(counts, 4, TIMES);
    filch_chan_close(mixed.bare);
    check_int(result_of(task), 0);
    filch_event_fini(&event);
    filch_chan_destroy(mixed.bare);
    filch_chan_destroy(mixed.buffered);
    return 0;
}

TEST(select, kinds_of_cases_are_chosen_evenly) {
    run_with(1, kinds_are_even, NULL);
}

/* ------------------------------------------------------------------------------------------------- the same channel */

static int not_itself(void *arg) {
    (void)arg;
    uint64_t in = 4711, out = 1;
    filch_chan *chan = make(0);
    filch_case cases[] = {filch_case_send(chan, &out), filch_case_recv(chan, &in), filch_case_send(chan, &out)};
    check_int(filch_try_select(cases, 3), -EAGAIN);
    check_int(filch_select(cases, 3, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_int(in, 4711);
    check_int(filch_chan_try_send(chan, &out), -EAGAIN);
    check_int(filch_chan_try_recv(chan, &in), -EAGAIN);
    filch_chan_destroy(chan);
    return 0;
}

TEST(select, a_select_does_not_meet_itself) {
    run_with_all(not_itself, NULL);
    check_int(not_itself(NULL), 0);
}

/*
 * Tasks that each offer to send and to receive at the same bare channels: whoever sends is received from. The sums and
 * counts of both sides agree.
 */
struct market {
    filch_chan *chans[3];
    atomic_uint sent, received;
    atomic_ullong sum_sent, sum_received;
    atomic_uint next;
    unsigned deals;
};

static int trade(void *arg) {
    struct market *market = arg;
    unsigned who = atomic_fetch_add(&market->next, 1);
    for (unsigned i = 0; i < market->deals; i++) {
        uint64_t in = 0, out = (uint64_t)who << 20 | i;
        filch_case cases[6];
        for (unsigned k = 0; k < 6; k++) {
            filch_chan *chan = market->chans[(k / 2 + who) % 3];
            cases[k] = k % 2 == 0 ? filch_case_send(chan, &out) : filch_case_recv(chan, &in);
        }
        int index = filch_select(cases, 6, filch_after(FILCH_US(i % 3 == 0 ? 0 : 50)));
        if (index == -ETIMEDOUT) continue;
        check(index >= 0 && index < 6);
        check_int(cases[index].result, 0);
        if (index % 2 == 0) {
            atomic_fetch_add(&market->sent, 1);
            atomic_fetch_add(&market->sum_sent, out);
        } else {
            atomic_fetch_add(&market->received, 1);
            atomic_fetch_add(&market->sum_received, in);
        }
    }
    return 0;
}

static void *trade_thread(void *arg) {
    trade(arg);
    return NULL;
}

static int hold_market(void *arg) {
    (void)arg;
    struct market market = {.deals = 2000 / TEST_SCALE};
    filch_task *tasks[7];
    pthread_t thread;
    for (int i = 0; i < 3; i++) market.chans[i] = make(0);
    for (int i = 0; i < 7; i++) tasks[i] = start(trade, &market);
    check_int(pthread_create(&thread, NULL, trade_thread, &market), 0);
    for (int i = 0; i < 7; i++) check_int(result_of(tasks[i]), 0);
    pthread_join(thread, NULL);
    check_int(market.sent, market.received);
    check_int(market.sum_sent, market.sum_received);
    check(market.sent > 0);
    for (int i = 0; i < 3; i++) {
        uint64_t value;
        check_int(filch_chan_try_recv(market.chans[i], &value), -EAGAIN);
        filch_chan_destroy(market.chans[i]);
    }
    return 0;
}

TEST(select, selects_that_meet_each_other_lose_and_double_nothing) {
    run_with_all(hold_market, NULL);
}

/* ---------------------------------------------------------------------------------------------------- conservation */

/* Senders and receivers at four channels of different capacities: half of them by select, half by plain calls. */
enum { LANES = 4, PARTIES = 12, EACH = 2000 / TEST_SCALE };

struct lanes {
    filch_chan *chans[LANES];
    filch_event over;
    atomic_uint next_sender, received;
    atomic_uchar seen[PARTIES * EACH];
};

static int lane_sender(void *arg) {
    struct lanes *lanes = arg;
    unsigned who = atomic_fetch_add(&lanes->next_sender, 1);
    for (unsigned i = 0; i < EACH; i++) {
        uint64_t value = who * EACH + i;
        if (who % 2 == 0) {
            send_one(lanes->chans[(who / 2 + i) % LANES], value);
            continue;
        }
        filch_case cases[LANES];
        for (unsigned k = 0; k < LANES; k++) cases[k] = filch_case_send(lanes->chans[k], &value);
        int index;
        do {
            index = filch_select(cases, LANES, i % 2 == 0 ? FILCH_NEVER : filch_after(i % 7 * 500));
        } while (index == -ETIMEDOUT);
        check(index >= 0);
        check_int(cases[index].result, 0);
    }
    return 0;
}

static void lane_got(struct lanes *lanes, uint64_t value) {
    check(value < PARTIES * EACH);
    check_int(atomic_exchange(&lanes->seen[value], 1), 0);
    if (atomic_fetch_add(&lanes->received, 1) + 1 == PARTIES * EACH) filch_event_set(&lanes->over);
}

static int lane_receiver(void *arg) {
    struct lanes *lanes = arg;
    uint64_t values[LANES];
    filch_case cases[LANES + 1];
    for (unsigned k = 0; k < LANES; k++) cases[k] = filch_case_recv(lanes->chans[k], &values[k]);
    cases[LANES] = filch_case_event(&lanes->over);
    for (;;) {
        int index = filch_select(cases, LANES + 1, FILCH_NEVER);
        check(index >= 0 && index <= LANES);
        check_int(cases[index].result, 0);
        if (index == LANES) return 0;
        lane_got(lanes, values[index]);
    }
}

static int lane_plain_receiver(void *arg) {
    struct lanes *lanes = arg;
    uint64_t value;
    for (unsigned i = 0; !filch_event_is_set(&lanes->over); i++) {
        if (filch_chan_recv(lanes->chans[i % LANES], &value, filch_after(2000)) == 0) lane_got(lanes, value);
    }
    return 0;
}

static void *lane_receiver_thread(void *arg) {
    lane_receiver(arg);
    return NULL;
}

static int use_lanes(void *arg) {
    (void)arg;
    struct lanes *lanes = calloc(1, sizeof *lanes);
    filch_task *tasks[2 * PARTIES];
    pthread_t thread;
    for (unsigned k = 0; k < LANES; k++) lanes->chans[k] = make(k == 3 ? 20 : k);
    check_int(pthread_create(&thread, NULL, lane_receiver_thread, lanes), 0);
    for (int i = 0; i < PARTIES; i++) {
        tasks[2 * i] = start(lane_sender, lanes);
        tasks[2 * i + 1] = start(i % 3 == 0 ? lane_plain_receiver : lane_receiver, lanes);
    }
    for (int i = 0; i < 2 * PARTIES; i++) check_int(result_of(tasks[i]), 0);
    pthread_join(thread, NULL);
    check_int(lanes->received, PARTIES * EACH);
    for (unsigned k = 0; k < LANES; k++) {
        check_int(filch_chan_length(lanes->chans[k]), 0);
        filch_chan_destroy(lanes->chans[k]);
    }
    filch_event_fini(&lanes->over);
    free(lanes);
    return 0;
}

TEST(select, every_value_is_received_once_whatever_way_it_was_waited_for) {
    run_with_all(use_lanes, NULL);
}

/* ------------------------------------------------------------------------------------------- cancel and deadline */

struct cut {
    filch_chan *chans[2];
    atomic_uint sent, received;
};

static int select_until_cut(void *arg) {
    struct cut *cut = arg;
    for (unsigned i = 0;; i++) {
        uint64_t in, out = 1;
        filch_case cases[] = {filch_case_recv(cut->chans[0], &in), filch_case_send(cut->chans[1], &out),
                              filch_case_send(cut->chans[0], &out), filch_case_recv(cut->chans[1], &in)};
        int index = filch_select(cases, 4, i % 2 == 0 ? FILCH_NEVER : filch_after(i % 5 * 400));
        if (index == -ECANCELED) return 0;
        if (index == -ETIMEDOUT) continue;
        check(index >= 0);
        atomic_fetch_add(index == 0 || index == 3 ? &cut->received : &cut->sent, 1);
    }
}

static int select_races(void *arg) {
    (void)arg;
    for (int round = 0; round < 200 / TEST_SCALE; round++) {
        struct cut cut = {.chans = {make(0), make((size_t)round % 3)}};
        filch_task *tasks[5];
        for (int i = 0; i < 5; i++) tasks[i] = start(select_until_cut, &cut);
        for (int i = 0; i < round % 25; i++) filch_yield();
        for (int i = 0; i < 5; i++) filch_task_cancel(tasks[(i + round) % 5]);
        for (int i = 0; i < 5; i++) (void)result_of(tasks[i]);
        check_int(cut.received + filch_chan_length(cut.chans[1]), cut.sent);
        filch_chan_destroy(cut.chans[0]);
        filch_chan_destroy(cut.chans[1]);
    }
    return 0;
}

TEST(select, a_cancel_or_a_deadline_that_races_a_case_loses_and_doubles_nothing) {
    run_with_all(select_races, NULL);
}

static int cancelled_select(void *arg) {
    filch_chan *chan = arg;
    uint64_t value = 4711;
    filch_case one = filch_case_recv(chan, &value);
    filch_task_cancel(filch_self());
    check_int(filch_select(&one, 1, FILCH_NEVER), -ECANCELED);
    check_int(value, 4711);
    check_int(filch_try_select(&one, 1), 0); /* does not wait, and does not look */
    return 0;
}

static int select_in_cancelled(void *arg) {
    (void)arg;
    filch_chan *chan = make(1);
    send_one(chan, 1);
    check_int(result_of(start(cancelled_select, chan)), 0);
    filch_chan_destroy(chan);
    return 0;
}

TEST(select, in_a_cancelled_task_it_chooses_nothing) {
    run_with_all(select_in_cancelled, NULL);
}

static int cancel_waiting(void *arg) {
    (void)arg;
    struct stage stage;
    set_stage(&stage, 0);
    filch_task *task = start(select_all, &stage);
    let_wait();
    filch_task_cancel(task);
    check_int(result_of(task), 0);
    check_int(stage.index, -ECANCELED);
    uint64_t value = 0;
    check_int(filch_chan_try_recv(stage.to, &value), -EAGAIN);
    check_int(filch_chan_try_send(stage.from, &value), -EAGAIN);
    filch_event_fini(&stage.event);
    filch_future_fini(&stage.future);
    filch_chan_destroy(stage.from);
    filch_chan_destroy(stage.to);
    return 0;
}

TEST(select, cancelling_one_that_waits_withdraws_all_its_cases) {
    run_with(1, cancel_waiting, NULL);
}

static int which_deadline(void *arg) {
    (void)arg;
    filch_deadline near = filch_after(FILCH_MS(2)), far = filch_after(FILCH_SEC(100));
    filch_case cases[] = {filch_case_deadline(far), filch_case_deadline(near), filch_case_deadline(FILCH_NEVER)};
    check_int(filch_select(cases, 3, far), 1);
    check(filch_now() >= near.at_ns);
    near = filch_after(FILCH_MS(2));
    cases[1] = filch_case_deadline(far);
    check_int(filch_select(cases, 3, near), -ETIMEDOUT);
    check(filch_now() >= near.at_ns);
    near = filch_after(FILCH_MS(2));
    cases[2] = filch_case_deadline(near);
    check_int(filch_select(cases, 3, near), 2); /* the same: the case has it */
    return 0;
}

TEST(select, the_earliest_deadline_is_the_one_that_counts) {
    run_with_all(which_deadline, NULL);
    check_int(which_deadline(NULL), 0);
}

/* ------------------------------------------------------------------------------------------- many, memory, misuse */

static int send_to_last(void *arg) {
    send_one(arg, 8);
    return 0;
}

static int many_cases(void *arg) {
    (void)arg;
    static const size_t counts[] = {15, 16, 17, FILCH_SELECT_MAX};
    for (size_t n = 0; n < 4; n++) {
        filch_chan *chans[FILCH_SELECT_MAX];
        filch_case cases[FILCH_SELECT_MAX];
        uint64_t values[FILCH_SELECT_MAX] = {0};
        size_t count = counts[n];
        for (size_t i = 0; i < count; i++) {
            chans[i] = make(i % 2);
            cases[i] = filch_case_recv(chans[i], &values[i]);
        }
        for (size_t i = 0; i < count; i += 5) {
            filch_task *task = start(send_to_last, chans[i]);
            check_int(filch_select(cases, count, FILCH_NEVER), i);
            check_int(values[i], 8);
            check_int(result_of(task), 0);
        }
        for (size_t i = 0; i < count; i++) filch_chan_destroy(chans[i]);
    }
    return 0;
}

TEST(select, has_room_for_many_cases) {
    run_with_all(many_cases, NULL);
}

TEST(select, want_of_memory_chooses_nothing) {
    enum { COUNT = 40 };
    filch_chan *chan = make(1);
    filch_case cases[COUNT] = {0};
    uint64_t value = 4711;
    send_one(chan, 5);
    cases[COUNT - 1] = filch_case_recv(chan, &value);
    size_t before = filch__heap_objects();
    filch__alloc_fail(1, true);
    int index = filch_select(cases, COUNT, FILCH_NEVER);
    int few = filch_try_select(cases, 16);
    filch__alloc_fail(0, false);
    check_int(index, -ENOMEM);
    check_int(few, -EAGAIN); /* these need none */
    check_int(value, 4711);
    check_int(filch_select(cases, COUNT, FILCH_NEVER), COUNT - 1);
    check_int(value, 5);
    check_int(filch__heap_objects(), before);
    filch_chan_destroy(chan);
}

TEST(select, bad_arguments_are_answered) {
    filch_chan *chan = make(1);
    uint64_t value = 0;
    filch_case good = filch_case_recv(chan, &value);
    filch_case bad[] = {filch_case_recv(NULL, &value), filch_case_send(NULL, &value), filch_case_recv(chan, NULL),
                        filch_case_send(chan, NULL),   filch_case_event(NULL),        filch_case_future(NULL),
                        {.kind = (filch_case_kind)77}};
    static filch_case too_many[FILCH_SELECT_MAX + 1];
    send_one(chan, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        filch_case cases[] = {good, bad[i]};
        check_int(filch_select(cases, 2, FILCH_NEVER), -EINVAL);
        check_int(filch_try_select(cases, 2), -EINVAL);
    }
    check_int(filch_select(NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_try_select(NULL, 1), -EINVAL);
    check_int(filch_select(too_many, FILCH_SELECT_MAX + 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_length(chan), 1);
    filch_chan_destroy(chan);
}
