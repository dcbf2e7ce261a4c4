/* SPDX-License-Identifier: MIT */
/*
 * Semaphores, barriers, wait groups, futures, queues, channels and select, between virtual threads that are no workers
 * and whose deadlines may pass, and with a task that is cancelled in the middle of each kind of call. Verdict: values
 * and permits are conserved (what was said to be moved has moved once, and nothing else has), who waits goes on, and
 * nobody touches what was given away.
 */
#include <errno.h>
#include <filch/filch.h>
#include <string.h>

#include "alloc/heap.h"
#include "base/atomic.h"
#include "tests/explore/explore.h"

enum {
    VALUES = 8,
    UNTOUCHED = 4711,
};

/* ---------------------------------------------------------------------------------------------------- the ledger */

static unsigned sent[VALUES], received[VALUES];
static unsigned inside, done;
static ATOMIC(uint32_t) there;

static void begin(void) {
    for (unsigned i = 0; i < VALUES; i++) sent[i] = received[i] = 0;
    inside = done = 0;
    there = 0;
}

static void note_received(int value) {
    explore_check(value >= 0 && value < VALUES);
    received[value]++;
}

/* Nothing is inside any more, and nobody sends. */
static void check_balance(void) {
    for (unsigned i = 0; i < VALUES; i++) {
        if (sent[i] != received[i]) explore_fail("value %u: %u sent, %u received", i, sent[i], received[i]);
    }
}

static filch_deadline soon(void) {
    return filch_after(1 + (int64_t)explore_choose(40000));
}

static filch_deadline some_deadline(void) {
    return explore_choose(2) == 0 ? FILCH_NEVER : soon();
}

/* Whether a call with this deadline may say that it was cut short. */
static bool may_expire(filch_deadline deadline) {
    return deadline.at_ns != INT64_MAX;
}

/* Others may run while the caller is inside. */
static void stay_inside(void) {
    explore_check(inside++ == 0);
    load_seq_cst(&there);
    explore_check(inside-- == 1);
}

/* The last one on the caller's own thread. */
static void run_three(void (*first)(void *arg), void (*second)(void *arg), void (*third)(void *arg)) {
    unsigned one = explore_start(first, (void *)1), other = explore_start(second, (void *)2);
    third((void *)0);
    explore_join(one);
    explore_join(other);
}

/* ----------------------------------------------------------------------------------------------------- semaphores */

static filch_sem sem;
static unsigned releases;

static void acquire_or_expire(void *arg) {
    (void)arg;
    for (int i = 0; i < 2; i++) {
        filch_deadline deadline = some_deadline();
        int answer = filch_sem_acquire(&sem, deadline);
        explore_check(answer == 0 || (answer == -ETIMEDOUT && may_expire(deadline)));
        if (answer != 0) continue;
        stay_inside();
        filch_sem_release(&sem);
    }
}

SCENARIO(sem_expires, "three threads pass one permit on, and their deadlines pass meanwhile, or not") {
    begin();
    explore_check(filch_sem_init(&sem, 1, 1) == 0);
    run_three(acquire_or_expire, acquire_or_expire, acquire_or_expire);
    explore_check(filch_sem_value(&sem) == 1);
    filch_sem_fini(&sem);
}

static void acquire_two_or_expire(void *arg) {
    (void)arg;
    if (filch_sem_acquire_n(&sem, 2, soon()) == 0) filch_sem_release_n(&sem, 2);
}

static void acquire_one(void *arg) {
    (void)arg;
    explore_check(filch_sem_acquire(&sem, FILCH_NEVER) == 0);
}

static void release_some(void *arg) {
    (void)arg;
    for (unsigned i = 0; i < releases; i++) filch_sem_release(&sem);
}

SCENARIO(sem_gives_way, "who waits for two permits in front of who waits for one expires, and there is one, or two") {
    begin();
    releases = 1 + explore_choose(2);
    explore_check(filch_sem_init(&sem, 0, 0) == 0);
    run_three(acquire_two_or_expire, acquire_one, release_some);
    explore_check(filch_sem_value(&sem) == releases - 1);
    filch_sem_fini(&sem);
}

static void acquire_two(void *arg) {
    (void)arg;
    explore_check(filch_sem_acquire_n(&sem, 2, FILCH_NEVER) == 0);
}

static void acquire_behind(void *arg) {
    do {
        filch_yield();
    } while (filch_sem_value(&sem) == 0 && sem.filch__waiters.first == NULL); /* each look is an event: others run */
    add_seq_cst(&there, 1);
    acquire_one(arg);
    explore_check(done == 3); /* the first two are not for the caller */
}

static void release_three(void *arg) {
    (void)arg;
    while (load_seq_cst(&there) == 0) filch_yield();
    for (int i = 0; i < 3; i++) {
        done++;
        filch_sem_release(&sem);
    }
}

SCENARIO(sem_in_turn, "a thread acquires one permit after another has begun to wait for two, and three are released") {
    begin();
    explore_check(filch_sem_init(&sem, 0, 3) == 0);
    run_three(acquire_two, acquire_behind, release_three);
    explore_check(filch_sem_value(&sem) == 0);
    filch_sem_fini(&sem);
}

/* ------------------------------------------------------------------------------------------------------- barriers */

static filch_barrier barrier;
static unsigned places[2];

static void arrive_twice(void *arg) {
    (void)arg;
    for (int round = 0; round < 2; round++) {
        int place;
        do {
            filch_deadline deadline = some_deadline();
            place = filch_barrier_wait(&barrier, deadline);
            explore_check(place != -ETIMEDOUT || may_expire(deadline));
        } while (place == -ETIMEDOUT);
        explore_check(place >= 0 && place < 3);
        explore_check((places[round] & 1u << place) == 0);
        places[round] |= 1u << place;
    }
}

SCENARIO(barrier_expires, "three threads meet twice; who expires comes again") {
    begin();
    places[0] = places[1] = 0;
    explore_check(filch_barrier_init(&barrier, 3) == 0);
    run_three(arrive_twice, arrive_twice, arrive_twice);
    explore_check(places[0] == 7 && places[1] == 7);
    explore_check(filch_barrier_waiting(&barrier) == 0);
    filch_barrier_fini(&barrier);
}

static void wait_for_its_end(void *arg) {
    (void)arg;
    filch_deadline deadline = some_deadline();
    int answer = filch_barrier_wait(&barrier, deadline);
    explore_check(answer == -EPIPE || (answer == -ETIMEDOUT && may_expire(deadline)));
    done++;
}

static void end_rounds(void *arg) {
    (void)arg;
    if (explore_choose(2) == 0) {
        filch_barrier_abort(&barrier);
        explore_check(filch_barrier_wait(&barrier, FILCH_NEVER) == -EPIPE);
    } else {
        do { /* not again and again: a spin lock is not fair */
            if (filch_barrier_waiting(&barrier) > 0) filch_barrier_reset(&barrier);
            filch_yield();
        } while (done < 2);
        explore_check(filch_barrier_try_wait(&barrier) == -EAGAIN);
    }
}

SCENARIO(barrier_ends, "two threads wait at a barrier that a third aborts, or resets until they are gone") {
    begin();
    explore_check(filch_barrier_init(&barrier, 3) == 0);
    run_three(wait_for_its_end, wait_for_its_end, end_rounds);
    explore_check(filch_barrier_waiting(&barrier) == 0);
    filch_barrier_fini(&barrier);
}

/* ---------------------------------------------------------------------------------------------------- wait groups */

static filch_wait_group group;

static void do_one(void *wait_group) {
    filch_wait_group_done(wait_group);
}

SCENARIO(wait_group_is_freed, "a thread waits for two others, and gives the group's memory away") {
    begin();
    filch_wait_group *own = filch__heap_get(sizeof *own, 8);
    explore_check(filch_wait_group_init(own) == 0);
    filch_wait_group_add(own, 2);
    unsigned first = explore_start(do_one, own), second = explore_start(do_one, own);
    filch_deadline deadline = some_deadline();
    int answer;
    while ((answer = filch_wait_group_wait(own, deadline)) == -ETIMEDOUT) deadline = FILCH_NEVER;
    explore_check(answer == 0);
    filch_wait_group_fini(own);
    filch__heap_put(own, sizeof *own, 8);
    explore_join(first);
    explore_join(second);
}

static void wait_for_zero(void *arg) {
    filch_deadline deadline = arg == (void *)1 ? FILCH_NEVER : soon();
    int answer = filch_wait_group_wait(&group, deadline);
    explore_check(answer == 0 || (answer == -ETIMEDOUT && may_expire(deadline)));
    explore_check(answer != 0 || done > 0);
}

static void do_two_rounds(void *arg) {
    (void)arg;
    done++;
    filch_wait_group_done(&group);
    filch_wait_group_add(&group, 1);
    filch_wait_group_done(&group);
}

SCENARIO(wait_group_again, "two threads wait at a group, one of them not for long, that is used again at once") {
    begin();
    explore_check(filch_wait_group_init(&group) == 0);
    filch_wait_group_add(&group, 1);
    run_three(wait_for_zero, wait_for_zero, do_two_rounds);
    filch_wait_group_fini(&group);
}

/* -------------------------------------------------------------------------------------------------------- futures */

static filch_future future;

static void set_future(void *own) {
    explore_check(filch_future_set(own, 5, own) == 0);
}

/* One of the ways to learn that it is done. */
static void wait_for_future(filch_future *own) {
    int result = 0;
    void *value = NULL;
    filch_deadline deadline = some_deadline();
    int answer;
    if (explore_choose(4) == 0) {
        while ((answer = filch_future_try_wait(own, &result, &value)) == -EAGAIN) filch_yield();
    } else {
        answer = filch_future_wait(own, &result, &value, deadline);
    }
    if (answer == -ETIMEDOUT) {
        explore_check(may_expire(deadline) && value == NULL);
        answer = filch_future_wait(own, &result, &value, FILCH_NEVER);
    }
    explore_check(answer == 0 && result == 5 && value == own);
}

SCENARIO(future_is_freed, "a thread waits for a future that another sets, and gives its memory away") {
    begin();
    filch_future *own = filch__heap_get(sizeof *own, 8);
    explore_check(filch_future_init(own) == 0);
    unsigned setter = explore_start(set_future, own);
    wait_for_future(own);
    filch_future_fini(own);
    filch__heap_put(own, sizeof *own, 8);
    explore_join(setter);
}

static int winner;

/* The pointer is to what the caller's result is. */
static void try_to_set(void *arg) {
    int result = (int)(uintptr_t)arg;
    int answer = filch_future_set(&future, result, arg);
    explore_check(answer == 0 || answer == -EALREADY);
    if (answer != 0) return;
    explore_check(winner == 0);
    winner = result;
}

static void wait_for_winner(void *arg) {
    int result = 0;
    void *value = NULL;
    filch_deadline deadline = arg == NULL ? FILCH_NEVER : soon();
    int answer = filch_future_wait(&future, &result, &value, deadline);
    if (answer == -ETIMEDOUT && may_expire(deadline)) return;
    explore_check(answer == 0);
    explore_check(result == 1 || result == 2);
    explore_check(value == (void *)(uintptr_t)result);
    explore_check(winner == 0 || winner == result);
}

SCENARIO(future_set_twice, "two threads set a future that two wait for, one of them not for long") {
    begin();
    winner = 0;
    explore_check(filch_future_init(&future) == 0);
    unsigned waiter = explore_start(wait_for_winner, (void *)1);
    run_three(try_to_set, try_to_set, wait_for_winner);
    explore_join(waiter);
    explore_check(winner != 0);
    int result = 0;
    explore_check(filch_future_try_wait(&future, &result, NULL) == 0 && result == winner);
    filch_future_fini(&future);
}

/* --------------------------------------------------------------------------------------------------------- queues */

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

/* A call that a task makes, and what goes on beside it. */
struct call {
    void (*begin)(void);
    int (*make)(void *arg);  /* the task's; without a deadline */
    int (*serve)(void *arg); /* a thread's that is no worker, or a task's: lets the call go on */
    void (*release)(void);   /* or NULL: the call has returned, so nobody need wait for it to be made any more */
    void (*judge)(int answer);
};

static const struct call *call;
static filch_runtime *runtime;
static filch_task *caller;
static int outcome, served;

static int make_call(void *arg) {
    outcome = call->make(arg);
    explore_check(outcome >= 0 || (outcome == -ECANCELED && filch_cancelled()));
    return 0;
}

static int own_caller(void *arg) {
    bool by_deadline = explore_choose(2) == 0;
    filch_scope_options options = {.deadline = by_deadline ? soon() : (filch_deadline){0}};
    filch_scope scope;
    explore_check(filch_scope_open(&scope, &options) == 0);
    int answer = filch_scope_spawn(&scope, NULL, make_call, arg, NULL);
    explore_check(answer == 0 || (answer == -ECANCELED && by_deadline));
    for (unsigned i = explore_choose(3); i > 0; i--) filch_yield();
    if (!by_deadline) filch_scope_cancel(&scope);
    (void)filch_scope_close(&scope);
    return 0;
}

static void serve_outside(void *arg) {
    served = call->serve(arg);
}

static int serve_inside(void *arg) {
    served = call->serve(arg);
    return 0;
}

enum { CANCEL_NOTHING, CANCEL_TASK, CANCEL_SCOPE, CANCELS };

static void run_and_cancel(const struct call *one) {
    call = one;
    outcome = -ECANCELED; /* where it has not begun */
    served = UNTOUCHED;
    call->begin();
    filch_options options = {.workers = 1 + explore_choose(2), .seed = 1 + explore_choose(1000)};
    explore_check(filch_runtime_create(&runtime, &options) == 0);
    bool outside = explore_choose(2) == 0;
    uint32_t how = explore_choose(CANCELS);
    unsigned thread = 0;
    filch_task *server = NULL;
    explore_check(filch_runtime_spawn(runtime, &caller, how == CANCEL_SCOPE ? own_caller : make_call, NULL, NULL) == 0);
    if (outside) {
        thread = explore_start(serve_outside, NULL);
    } else {
        explore_check(filch_runtime_spawn(runtime, &server, serve_inside, NULL, NULL) == 0);
    }
    if (how == CANCEL_TASK) {
        for (unsigned i = explore_choose(4); i > 0; i--) filch_yield();
        filch_task_cancel(caller);
    }
    explore_check(filch_await(caller, NULL, FILCH_NEVER) == 0);
    explore_check(outcome >= 0 || how != CANCEL_NOTHING);
    if (call->release != NULL) call->release();
    if (outside) {
        explore_join(thread);
    } else {
        explore_check(filch_await(server, NULL, FILCH_NEVER) == 0);
    }
    explore_check(filch_runtime_destroy(runtime) == 0);
    call->judge(outcome);
}

/* Semaphores, barriers, wait groups, futures, tickers. */

static void begin_sem(void) {
    begin();
    explore_check(filch_sem_init(&sem, 0, 2) == 0);
}

static int make_sem(void *arg) {
    (void)arg;
    return filch_sem_acquire_n(&sem, 2, FILCH_NEVER);
}

static int serve_sem(void *arg) {
    (void)arg;
    filch_sem_release(&sem);
    filch_sem_release(&sem);
    return 0;
}

static void judge_sem(int answer) {
    explore_check(filch_sem_value(&sem) == (answer == 0 ? 0 : 2));
    filch_sem_fini(&sem);
}

static void begin_barrier(void) {
    begin();
    explore_check(filch_barrier_init(&barrier, 2) == 0);
}

static int make_barrier(void *arg) {
    (void)arg;
    return filch_barrier_wait(&barrier, FILCH_NEVER);
}

static void release_barrier(void) {
    filch_barrier_abort(&barrier);
}

/* Either both have met, or neither. */
static void judge_barrier(int answer) {
    explore_check(answer >= 0 ? answer + served == 1 : served == -EPIPE);
    explore_check(filch_barrier_waiting(&barrier) == 0);
    filch_barrier_fini(&barrier);
}

static void begin_group(void) {
    begin();
    explore_check(filch_wait_group_init(&group) == 0);
    filch_wait_group_add(&group, 1);
}

static int make_group(void *arg) {
    (void)arg;
    int answer = filch_wait_group_wait(&group, FILCH_NEVER);
    explore_check(answer != 0 || done == 1);
    return answer;
}

static int serve_group(void *arg) {
    (void)arg;
    done++;
    filch_wait_group_done(&group);
    return 0;
}

static void judge_group(int answer) {
    (void)answer;
    explore_check(filch_wait_group_try_wait(&group) == 0);
    filch_wait_group_fini(&group);
}

static void begin_future(void) {
    begin();
    explore_check(filch_future_init(&future) == 0);
}

static int make_future(void *arg) {
    (void)arg;
    int result = UNTOUCHED;
    int answer = filch_future_wait(&future, &result, NULL, FILCH_NEVER);
    explore_check(result == (answer == 0 ? 9 : UNTOUCHED));
    return answer;
}

static int serve_future(void *arg) {
    return filch_future_set(&future, 9, arg);
}

static void judge_future(int answer) {
    (void)answer;
    explore_check(served == 0 && filch_future_is_done(&future));
    filch_future_fini(&future);
}

static int make_ticker(void *arg) {
    (void)arg;
    filch_ticker ticker;
    explore_check(filch_ticker_init(&ticker, 1 + (int64_t)explore_choose(40000)) == 0);
    return (int)filch_ticker_wait(&ticker, FILCH_NEVER);
}

static int serve_nothing(void *arg) {
    (void)arg;
    return 0;
}

static void judge_ticker(int answer) {
    explore_check(answer != 0);
}

SCENARIO(cancel_at_counts, "a task is cancelled while it waits for permits, a barrier, a group, a future, a tick") {
    static const struct call calls[] = {
        {begin_sem, make_sem, serve_sem, NULL, judge_sem},
        {begin_barrier, make_barrier, make_barrier, release_barrier, judge_barrier},
        {begin_group, make_group, serve_group, NULL, judge_group},
        {begin_future, make_future, serve_future, NULL, judge_future},
        {begin, make_ticker, serve_nothing, NULL, judge_ticker},
    };
    run_and_cancel(&calls[explore_choose(sizeof calls / sizeof *calls)]);
}

/* Queues. */

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

/* Channels and select. */

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
