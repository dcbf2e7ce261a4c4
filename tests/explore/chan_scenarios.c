/* SPDX-License-Identifier: MIT */
/*
 * Channels and select, between virtual threads that are no workers and whose deadlines may pass, and with a task that is
 * cancelled in the middle of each kind of call. Verdict: what was said to be moved has moved once, and nothing else has;
 * who waits goes on, and nobody touches what was given away.
 */
#include <string.h>

#include "tests/explore/ledger.h"

/* ------------------------------------------------------------------------------------------------------- channels */

static filch_chan *chan, *other;
static bool closing;

static void begin_chan(size_t capacity) {
    begin();
    closing = false;
    other = NULL;
    explore_check(filch_chan_create(&chan, sizeof(int), capacity) == 0);
}

static void begin_chans(size_t capacity) {
    begin_chan(capacity);
    explore_check(filch_chan_create(&other, sizeof(int), capacity) == 0);
}

static void close_chans(void) {
    closing = true;
    filch_chan_close(chan);
    if (other != NULL) filch_chan_close(other);
}

static void end_chan(filch_chan *own) {
    int value, answer;
    while ((answer = filch_chan_try_recv(own, &value)) == 0) note_received(value);
    explore_check(answer == (closing ? -EPIPE : -EAGAIN));
    filch_chan_destroy(own);
}

/* Nobody uses them any more. */
static void end_chans(void) {
    end_chan(chan);
    if (other != NULL) end_chan(other);
    check_balance();
}

static void check_cut_short(int answer, filch_deadline deadline) {
    explore_check((answer == -EPIPE && closing) || answer == -ECANCELED ||
                  (answer == -ETIMEDOUT && may_expire(deadline)));
}

static int send(filch_chan *to, int value, filch_deadline deadline) {
    int answer = filch_chan_send(to, &value, deadline);
    if (answer != 0) check_cut_short(answer, deadline);
    sent[value] += answer == 0;
    return answer;
}

static int recv(filch_chan *from, filch_deadline deadline) {
    int value = UNTOUCHED;
    int answer = filch_chan_recv(from, &value, deadline);
    if (answer == 0) {
        note_received(value);
    } else {
        check_cut_short(answer, deadline);
        explore_check(value == UNTOUCHED);
    }
    return answer;
}

static void send_two(void *arg) {
    for (int i = 0; i < 2; i++) (void)send(chan, (int)(uintptr_t)arg * 2 + i, some_deadline());
}

static void recv_two_and_close(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) (void)recv(chan, soon());
    close_chans();
}

static void recv_until_closed(void *arg) {
    (void)arg;
    while (recv(chan, some_deadline()) != -EPIPE) {
    }
}

SCENARIO(chan_expires, "two threads send and one receives, with room for one value or none; all may expire") {
    begin_chan(explore_choose(2));
    run_three(send_two, send_two, recv_two_and_close);
    end_chans();
}

static void send_until_closed(void *arg) {
    for (int i = 0; i < 2; i++) {
        if (send(chan, (int)(uintptr_t)arg * 2 + i, FILCH_NEVER) != 0) return;
    }
}

static void close_now(void *arg) {
    (void)arg;
    close_chans();
}

SCENARIO(chan_closes, "a channel is closed at which two threads send, or one of them receives") {
    begin_chan(explore_choose(2));
    run_three(send_until_closed, explore_choose(2) == 0 ? send_until_closed : recv_until_closed, close_now);
    end_chans();
}

static void send_all(void *arg) {
    (void)arg;
    for (int i = 0; i < 3; i++) explore_check(send(chan, i, FILCH_NEVER) == 0);
}

static void recv_all(void *arg) {
    (void)arg;
    for (int i = 0; i < 3 - (int)filch_chan_capacity(chan); i++) {
        explore_check(recv(chan, FILCH_NEVER) == 0);
        explore_check(received[i] == 1);
    }
}

SCENARIO(chan_in_order, "one thread sends three values, with room for one or none, another receives all but those") {
    begin_chan(explore_choose(2));
    unsigned receiver = explore_start(recv_all, NULL);
    send_all(NULL);
    explore_join(receiver);
    end_chans();
}

static int64_t send_many(filch_deadline deadline) {
    static const int values[] = {1, 2, 3};
    int64_t count = filch_chan_send_many(chan, values, 3, deadline);
    if (count < 0) check_cut_short((int)count, deadline);
    explore_check(count == 3 || may_expire(deadline) || closing || filch_cancelled());
    for (int64_t i = 0; i < count; i++) sent[values[i]]++;
    return count;
}

static int64_t recv_many(filch_deadline deadline) {
    int values[3] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
    int64_t count = filch_chan_recv_many(chan, values, 2, deadline);
    if (count < 0) check_cut_short((int)count, deadline);
    explore_check(count != 0 && count <= 2);
    for (int64_t i = 0; i < count; i++) note_received(values[i]);
    for (int64_t i = count < 0 ? 0 : count; i < 3; i++) explore_check(values[i] == UNTOUCHED);
    return count;
}

static void send_batch(void *arg) {
    (void)arg;
    (void)send_many(some_deadline());
}

static void send_beside(void *arg) {
    (void)arg;
    (void)send(chan, 0, some_deadline());
}

static void recv_batches_and_close(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (explore_choose(2) == 0) {
            (void)recv(chan, soon());
        } else {
            (void)recv_many(soon());
        }
        for (int k = 3; k > 1; k--) explore_check(received[k] <= received[k - 1]);
    }
    close_chans();
}

SCENARIO(chan_batches, "three values are sent at once beside a single one, some are received, all may expire") {
    begin_chan(explore_choose(3));
    run_three(send_batch, send_beside, recv_batches_and_close);
    end_chans();
}

static void send_rest(void *arg) {
    (void)arg;
    explore_check(send_many(FILCH_NEVER) == 3);
}

static void recv_rest(void *arg) {
    (void)arg;
    for (int64_t count = 0; count < 3;) count += recv_many(FILCH_NEVER);
}

SCENARIO(chan_batch_in_turn, "three values are sent at once and received in several goes") {
    begin_chan(explore_choose(3));
    unsigned receiver = explore_start(recv_rest, NULL);
    send_rest(NULL);
    explore_join(receiver);
    end_chans();
}

/* --------------------------------------------------------------------------------------------------------- select */

static int chosen[3];

/*
 * Writes over the stack below the caller: nobody finds there what an earlier call has left, and whoever still uses
 * something there is found out.
 */
static __attribute__((noinline)) void spoil_stack(void) {
    volatile char below[4096];
    memset((char *)below, 0xdd, sizeof below);
    __asm__ volatile("" : : "r"(below) : "memory");
}

/* Selects among two, sending or receiving; notes what came of it, and that nothing else did. */
static int select_one(filch_chan *first, int first_value, filch_chan *second, int second_value,
                      filch_deadline deadline) {
    filch_chan *const chans[] = {first, second};
    const int values[] = {first_value, second_value}; /* VALUES: receive one */
    int places_of[] = {first_value, second_value};
    filch_case cases[2];
    for (int i = 0; i < 2; i++) {
        bool receives = values[i] == VALUES;
        if (receives) places_of[i] = UNTOUCHED;
        cases[i] = receives ? filch_case_recv(chans[i], &places_of[i]) : filch_case_send(chans[i], &places_of[i]);
        cases[i].result = UNTOUCHED;
    }
    spoil_stack();
    int index = filch_select(cases, 2, deadline);
    spoil_stack();
    if (index < 0) check_cut_short(index, deadline);
    for (int i = 0; i < 2; i++) {
        bool receives = values[i] == VALUES, moved = i == index && cases[i].result == 0;
        explore_check(i == index ? cases[i].result == 0 || (cases[i].result == -EPIPE && closing)
                                 : cases[i].result == UNTOUCHED);
        explore_check(receives || places_of[i] == values[i]);
        explore_check(!receives || (places_of[i] != UNTOUCHED) == moved);
        if (moved && receives) note_received(places_of[i]);
        if (moved && !receives) sent[values[i]]++;
    }
    return index;
}

static void select_other_way(void *arg) {
    (void)arg;
    chosen[1] = select_one(other, 1, chan, VALUES, FILCH_NEVER);
}

SCENARIO(select_meets,
         "two selects meet at one of two channels without room, where each sends at one, receives at one") {
    begin_chans(0);
    unsigned second = explore_start(select_other_way, NULL);
    chosen[0] = select_one(chan, 0, other, VALUES, FILCH_NEVER);
    explore_join(second);
    explore_check(chosen[0] + chosen[1] == 1);
    end_chans();
}

static void select_in_crowd(void *arg) {
    (void)select_one(chan, (int)(uintptr_t)arg, chan, VALUES, soon());
}

SCENARIO(select_crowd, "three selects would each send or receive at the same channel, until they expire") {
    begin_chan(explore_choose(2));
    run_three(select_in_crowd, select_in_crowd, select_in_crowd);
    end_chans();
}

static void send_at_one(void *arg) {
    (void)send(arg == (void *)1 ? chan : other, (int)(uintptr_t)arg, some_deadline());
}

static void select_and_close(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) (void)select_one(chan, VALUES, other, VALUES, soon());
    close_chans();
}

SCENARIO(select_receives, "a select receives at two channels, at each of which somebody sends; all may expire") {
    begin_chans(explore_choose(2));
    run_three(send_at_one, send_at_one, select_and_close);
    end_chans();
}

static void recv_at_one(void *arg) {
    (void)recv(arg == (void *)1 ? chan : other, some_deadline());
}

static void select_to_send(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) (void)select_one(chan, 2 * i, other, 2 * i + 1, soon());
    close_chans();
}

SCENARIO(select_sends, "a select sends at one of two channels, at each of which somebody receives; all may expire") {
    begin_chans(explore_choose(2));
    run_three(recv_at_one, recv_at_one, select_to_send);
    end_chans();
}

static void select_until_closed(void *arg) {
    (void)arg;
    chosen[0] = select_one(chan, VALUES, other, 3, some_deadline());
}

static void recv_at_other(void *arg) {
    (void)arg;
    (void)recv(other, soon());
}

static void close_first(void *arg) {
    (void)arg;
    closing = true;
    filch_chan_close(chan);
}

SCENARIO(select_closes, "a select waits to receive at a channel that is closed, or sends where somebody receives") {
    begin_chans(0);
    run_three(select_until_closed, recv_at_other, close_first);
    close_chans();
    end_chans();
}

static void send_patiently(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) explore_check(send(chan, i, FILCH_NEVER) == 0);
}

SCENARIO(select_again, "a select expires when somebody sends, and is made again at once, on the same stack") {
    begin_chans(0);
    unsigned sender = explore_start(send_patiently, NULL);
    (void)select_one(chan, VALUES, other, VALUES, soon());
    while (received[1] == 0) explore_check(select_one(other, VALUES, chan, VALUES, FILCH_NEVER) == 1);
    explore_join(sender);
    end_chans();
}

static void send_soon(void *arg) {
    (void)send(chan, (int)(uintptr_t)arg, soon());
}

SCENARIO(select_expires, "a select with a deadline among its cases and one of its own expires when somebody sends") {
    begin_chan(explore_choose(2));
    unsigned sender = explore_start(send_soon, (void *)1);
    int value = UNTOUCHED;
    filch_case cases[] = {filch_case_recv(chan, &value), filch_case_deadline(soon())};
    filch_deadline deadline = some_deadline();
    int index = filch_select(cases, 2, deadline);
    if (index == 0) note_received(value);
    explore_check(index == 0 || value == UNTOUCHED);
    explore_check(index == 0 || index == 1 || (index == -ETIMEDOUT && deadline.at_ns < cases[1].deadline.at_ns));
    close_chans();
    explore_join(sender);
    end_chans();
}

static void select_ready(void *arg) {
    chosen[(uintptr_t)arg] = select_one(chan, VALUES, other, VALUES, FILCH_NEVER);
}

static void try_one_now(void *arg) {
    (void)arg;
    int value = UNTOUCHED;
    filch_case one = filch_case_recv(chan, &value);
    int index = filch_try_select(&one, 1);
    explore_check(index == 0 || index == -EAGAIN);
    if (index == 0) {
        note_received(value);
        explore_check(send(other, 4, FILCH_NEVER) == 0);
    }
}

SCENARIO(select_ready, "two selects come to two channels that hold a value each, and somebody tries to be faster") {
    begin_chans(1);
    explore_check(send(chan, 0, FILCH_NEVER) == 0);
    explore_check(send(other, 1, FILCH_NEVER) == 0);
    run_three(select_ready, select_ready, try_one_now);
    explore_check(filch_chan_length(chan) + filch_chan_length(other) == 0);
    end_chans();
}

static filch_event event;
static filch_future future;

static void set_both(void *arg) {
    (void)arg;
    filch_event_set(&event);
    filch_future_set(&future, 6, NULL);
}

static void send_late(void *arg) {
    (void)send(chan, (int)(uintptr_t)arg, soon());
}

SCENARIO(select_kinds, "a select waits for an event, a future and a value, which come one after the other") {
    begin_chan(0);
    filch_event_init(&event);
    explore_check(filch_future_init(&future) == 0);
    unsigned setter = explore_start(set_both, NULL), sender = explore_start(send_late, (void *)2);
    int value = UNTOUCHED;
    filch_case cases[] = {filch_case_event(&event), filch_case_future(&future), filch_case_recv(chan, &value)};
    for (int left = 2; left > 0; left--) {
        int index = filch_select(cases, 3, FILCH_NEVER);
        explore_check(index >= 0 && cases[index].result == 0);
        explore_check(index != 0 || filch_event_is_set(&event));
        explore_check(index != 1 || filch_future_is_done(&future));
        if (index == 2) note_received(value);
        cases[index].kind = FILCH_CASE_NEVER;
    }
    close_chans();
    explore_join(setter);
    explore_join(sender);
    end_chans();
    filch_event_fini(&event);
    filch_future_fini(&future);
}

/* ------------------------------------------------------------------------------------- cancelled at any one point */

static void begin_some_chan(void) {
    begin_chan(explore_choose(2));
}

static void begin_full_chan(void) {
    begin_chan(1);
    explore_check(send(chan, 0, FILCH_NEVER) == 0);
}

static void begin_two_chans(void) {
    begin_chans(0);
}

static int make_send(void *arg) {
    (void)arg;
    return send(chan, 4, FILCH_NEVER);
}

static int make_recv(void *arg) {
    (void)arg;
    return recv(chan, FILCH_NEVER);
}

static int make_send_many(void *arg) {
    (void)arg;
    return (int)send_many(FILCH_NEVER);
}

static int serve_three(void *arg) {
    int answer = 0;
    for (int i = 0; i < 3 && answer == 0; i++) answer = make_recv(arg);
    return answer;
}

static int make_recv_many(void *arg) {
    (void)arg;
    return (int)recv_many(FILCH_NEVER);
}

static int make_select(void *arg) {
    (void)arg;
    return select_one(chan, VALUES, other, 5, FILCH_NEVER);
}

static int serve_select(void *arg) {
    (void)arg;
    return select_one(other, VALUES, chan, 6, FILCH_NEVER);
}

static int serve_either(void *arg) {
    (void)arg;
    return explore_choose(2) == 0 ? send(chan, 6, FILCH_NEVER) : recv(other, FILCH_NEVER);
}

static void judge_chan(int answer) {
    (void)answer;
    end_chans();
}

SCENARIO(cancel_at_chan, "a task is cancelled while it sends or receives, one value or several") {
    static const struct call calls[] = {
        {begin_some_chan, make_send, make_recv, close_chans, judge_chan},
        {begin_full_chan, make_send, make_recv, close_chans, judge_chan},
        {begin_some_chan, make_recv, make_send, close_chans, judge_chan},
        {begin_some_chan, make_send_many, serve_three, close_chans, judge_chan},
        {begin_some_chan, make_recv_many, make_send_many, close_chans, judge_chan},
    };
    run_and_cancel(&calls[explore_choose(sizeof calls / sizeof *calls)]);
}

SCENARIO(cancel_at_select, "a task is cancelled in a select that meets a send, a receive or a select") {
    static const struct call calls[] = {
        {begin_two_chans, make_select, serve_either, close_chans, judge_chan},
        {begin_two_chans, make_select, serve_select, close_chans, judge_chan},
    };
    run_and_cancel(&calls[explore_choose(sizeof calls / sizeof *calls)]);
}
