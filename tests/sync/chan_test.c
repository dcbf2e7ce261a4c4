/* SPDX-License-Identifier: MIT */
/*
 * Proves that a channel passes each value once and in order, between tasks and threads, whatever the capacity and the
 * number of workers; that a call which answers anything but success has moved nothing, also where the deadline, a
 * cancel or a close races the grant; and that bad arguments, want of memory and misuse are answered as the header says.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc/alloc.h"
#include "tests/api/workers.h"

static filch_chan *make(size_t value_size, size_t capacity) {
    filch_chan *chan = NULL;
    check_int(filch_chan_create(&chan, value_size, capacity), 0);
    check(chan != NULL);
    return chan;
}

static const filch_deadline past = {0};

/* Lets everybody else come to where they wait. With one worker it surely does. */
static void let_wait(void) {
    for (int i = 0; i < 20; i++) filch_yield();
}

/* -------------------------------------------------------------------------------------------------------- model */

/* Sizes around those that are copied in line, and capacities around those where the ring wraps. */
static void against_model(size_t size, size_t capacity, unsigned seed) {
    enum { MOST = 9, STEPS = 2000, WIDE = 64 };
    unsigned char model[MOST][WIDE], value[WIDE], filler = 0;
    size_t length = 0;
    filch_chan *chan = make(size, capacity);
    check_int(filch_chan_capacity(chan), capacity);
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 1103515245 + 12345;
        check_int(filch_chan_length(chan), length);
        if (seed >> 16 & 1) {
            memset(value, ++filler, sizeof value);
            int expected = length == capacity ? -EAGAIN : 0;
            check_int(seed >> 17 & 1                            ? filch_chan_try_send(chan, value)
                      : filch_chan_send(chan, value, past) == 0 ? 0
                                                                : -EAGAIN,
                      expected);
            if (expected == 0) memcpy(model[length++], value, sizeof value);
        } else {
            memset(value, 0xee, sizeof value);
            int expected = length == 0 ? -EAGAIN : 0;
            check_int(filch_chan_try_recv(chan, value), expected);
            for (size_t i = 0; i < sizeof value; i++)
                check_int(value[i], expected == 0 && i < size ? model[0][i] : 0xee);
            if (expected != 0) continue;
            memmove(model[0], model[1], --length * WIDE);
        }
    }
    filch_chan_destroy(chan);
}

TEST(chan, behaves_as_a_queue_of_limited_length) {
    static const size_t sizes[] = {0, 1, 3, 4, 5, 8, 12, 16, 17, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t capacity = 0; capacity <= 8; capacity++)
            against_model(sizes[i], capacity, (unsigned)(i * 9 + capacity));
    }
}

/* The same for batches: what is sent and received in pieces of all lengths is one sequence. */
TEST(chan, batches_move_as_many_as_fit) {
    enum { CAPACITY = 7 };
    uint32_t out[CAPACITY * 2], in[CAPACITY * 2], next_out = 0, next_in = 0;
    filch_chan *chan = make(sizeof *out, CAPACITY);
    for (unsigned step = 0; step < 3000; step++) {
        size_t count = step * 7 % 11, length = filch_chan_length(chan);
        for (size_t i = 0; i < count; i++) out[i] = next_out + (uint32_t)i;
        int64_t room = (int64_t)(CAPACITY - length);
        int64_t sent = count == 0 ? 0 : room == 0 ? -ETIMEDOUT : (int64_t)count < room ? (int64_t)count : room;
        check_int(filch_chan_send_many(chan, out, count, past), sent);
        if (sent > 0) next_out += (uint32_t)sent;
        count = step * 5 % 13;
        length = filch_chan_length(chan);
        int64_t received = count == 0 ? 0 : length == 0 ? -ETIMEDOUT : (int64_t)(count < length ? count : length);
        check_int(filch_chan_recv_many(chan, in, count, past), received);
        for (int64_t i = 0; i < received; i++) check_int(in[i], next_in++);
    }
    check(next_in > 3000);
    filch_chan_destroy(chan);
}

/* -------------------------------------------------------------------------------------------------- conservation */

enum { PARTIES = 16, BATCH = 5 };

/* A value says who has sent it, and as which. */
struct load {
    filch_chan *chan;
    unsigned senders, receivers, each;
    atomic_uint next_sender, next_receiver;
    unsigned last[PARTIES][PARTIES]; /* of each receiver: the last value of each sender, and 1 */
    atomic_uchar *seen;
    atomic_uint received;
};

static void send_one_by_one(struct load *load, unsigned who) {
    for (unsigned i = 0; i < load->each; i++) {
        uint64_t value = (uint64_t)who << 32 | i;
        check_int(filch_chan_send(load->chan, &value, FILCH_NEVER), 0);
    }
}

static void send_batches(struct load *load, unsigned who) {
    for (unsigned i = 0; i < load->each; i += BATCH) {
        uint64_t values[BATCH];
        unsigned count = load->each - i < BATCH ? load->each - i : BATCH;
        for (unsigned k = 0; k < count; k++) values[k] = (uint64_t)who << 32 | (i + k);
        check_int(filch_chan_send_many(load->chan, values, count, FILCH_NEVER), count);
    }
}

/* Tries with deadlines that mostly pass, until it is sent. */
static void send_impatiently(struct load *load, unsigned who) {
    for (unsigned i = 0; i < load->each; i++) {
        uint64_t value = (uint64_t)who << 32 | i;
        for (unsigned tries = 0;; tries++) {
            int error = filch_chan_send(load->chan, &value, filch_after((int64_t)(tries % 7) * 300));
            if (error == 0) break;
            check_int(error, -ETIMEDOUT);
        }
    }
}

static int sender(void *arg) {
    struct load *load = arg;
    unsigned who = atomic_fetch_add(&load->next_sender, 1);
    if (who % 3 == 0) send_one_by_one(load, who);
    if (who % 3 == 1) send_batches(load, who);
    if (who % 3 == 2) send_impatiently(load, who);
    return 0;
}

static void got(struct load *load, unsigned who, uint64_t value) {
    unsigned from = (unsigned)(value >> 32), i = (uint32_t)value;
    check(from < load->senders && i < load->each);
    check_int(atomic_exchange(&load->seen[from * load->each + i], 1), 0);
    check(i >= load->last[who][from]);
    load->last[who][from] = i + 1;
    atomic_fetch_add(&load->received, 1);
}

static int receiver(void *arg) {
    struct load *load = arg;
    unsigned who = atomic_fetch_add(&load->next_receiver, 1);
    for (unsigned round = 0;; round++) {
        uint64_t values[BATCH];
        int64_t count;
        if (who % 3 == 0) {
            count = filch_chan_recv(load->chan, values, FILCH_NEVER);
        } else if (who % 3 == 1) {
            count = filch_chan_recv_many(load->chan, values, BATCH, FILCH_NEVER);
        } else {
            count = filch_chan_recv(load->chan, values, filch_after(round % 7 * 300));
        }
        if (count == -EPIPE) return 0;
        if (count == -ETIMEDOUT) continue;
        check(count >= 0);
        for (int64_t i = 0; i < (who % 3 == 1 ? count : 1); i++) got(load, who, values[i]);
    }
}

static void *sender_thread(void *arg) {
    sender(arg);
    return NULL;
}

static void *receiver_thread(void *arg) {
    receiver(arg);
    return NULL;
}

/* The last sender and the last receiver are threads. */
static int pass_load(void *arg) {
    struct load *load = arg;
    filch_task *tasks[2 * PARTIES];
    pthread_t threads[2];
    unsigned count = 0;
    for (unsigned i = 0; i < load->receivers - 1; i++) tasks[count++] = start(receiver, load);
    unsigned senders_begin = count;
    for (unsigned i = 0; i < load->senders - 1; i++) tasks[count++] = start(sender, load);
    check_int(pthread_create(&threads[0], NULL, sender_thread, load), 0);
    check_int(pthread_create(&threads[1], NULL, receiver_thread, load), 0);
    for (unsigned i = senders_begin; i < count; i++) check_int(result_of(tasks[i]), 0);
    while (atomic_load(&load->received) < load->senders * load->each) check_int(filch_sleep(20000), 0);
    filch_chan_close(load->chan);
    for (unsigned i = 0; i < senders_begin; i++) check_int(result_of(tasks[i]), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    return 0;
}

static void conserve(unsigned workers, size_t capacity) {
    struct load load = {
        .chan = make(sizeof(uint64_t), capacity), .senders = 9, .receivers = 8, .each = 3000 / TEST_SCALE};
    load.seen = calloc(load.senders * load.each, sizeof *load.seen);
    run_with(workers, pass_load, &load);
    check_int(load.received, load.senders * load.each);
    check_int(filch_chan_length(load.chan), 0);
    filch_chan_destroy(load.chan);
    free(load.seen);
}

TEST(chan, every_value_is_received_once_and_in_order_without_a_buffer) {
    for (size_t i = 0; i < TEST_WORKERS; i++) conserve(test_workers[i], 0);
}

TEST(chan, every_value_is_received_once_and_in_order_with_one_slot) {
    for (size_t i = 0; i < TEST_WORKERS; i++) conserve(test_workers[i], 1);
}

TEST(chan, every_value_is_received_once_and_in_order_with_many_slots) {
    for (size_t i = 0; i < TEST_WORKERS; i++) conserve(test_workers[i], 64);
}

/* What the sender wrote before its send is seen after the receive: plain accesses, for the sanitizer. */
struct letter {
    long text;
};

static int write_letters(void *arg) {
    filch_chan *chan = arg;
    for (long i = 0; i < 2000; i++) {
        struct letter *letter = malloc(sizeof *letter);
        letter->text = i;
        check_int(filch_chan_send(chan, &letter, FILCH_NEVER), 0);
    }
    return filch_chan_close(chan);
}

static int read_letters(void *arg) {
    for (size_t capacity = 0; capacity < 40; capacity += 13) {
        filch_chan *chan = make(sizeof(struct letter *), capacity);
        struct letter *letter;
        filch_task *writer = start(write_letters, chan);
        long i = 0;
        for (; filch_chan_recv(chan, &letter, FILCH_NEVER) == 0; i++) {
            check_int(letter->text, i);
            free(letter);
        }
        check_int(i, 2000);
        check_int(result_of(writer), 0);
        filch_chan_destroy(chan);
    }
    (void)arg;
    return 0;
}

TEST(chan, a_message_carries_what_was_written_before_it) {
    run_with_all(read_letters, NULL);
}

/* ------------------------------------------------------------------------------------------- order of who waits */

struct queue_up {
    filch_chan *chan;
    int number, order[8];
    int *served;
};

static int wait_in_line(void *arg) {
    struct queue_up *one = arg;
    int value;
    check_int(filch_chan_recv(one->chan, &value, FILCH_NEVER), 0);
    check_int(value, one->number);
    return 0;
}

static int receivers_in_order(void *arg) {
    (void)arg;
    struct queue_up line[8];
    filch_task *tasks[8];
    filch_chan *chan = make(sizeof(int), 4);
    for (int i = 0; i < 8; i++) {
        line[i] = (struct queue_up){.chan = chan, .number = i};
        tasks[i] = start(wait_in_line, &line[i]);
        let_wait();
    }
    for (int i = 0; i < 8; i++) check_int(filch_chan_send(chan, &i, past), 0);
    check_int(filch_chan_length(chan), 0); /* each was handed over */
    for (int i = 0; i < 8; i++) check_int(result_of(tasks[i]), 0);
    filch_chan_destroy(chan);
    return 0;
}

TEST(chan, receivers_are_served_in_the_order_they_came) {
    run_with(1, receivers_in_order, NULL);
}

static int send_number(void *arg) {
    struct queue_up *one = arg;
    return filch_chan_send(one->chan, &one->number, FILCH_NEVER);
}

static int senders_in_order(void *arg) {
    (void)arg;
    for (size_t capacity = 0; capacity < 3; capacity++) {
        struct queue_up line[8];
        filch_task *tasks[8];
        filch_chan *chan = make(sizeof(int), capacity);
        for (int i = 0; i < 8; i++) {
            line[i] = (struct queue_up){.chan = chan, .number = i};
            tasks[i] = start(send_number, &line[i]);
            let_wait();
        }
        for (int i = 0; i < 8; i++) {
            int value;
            check_int(filch_chan_recv(chan, &value, past), 0);
            check_int(value, i);
            /* Who waits moves up at once: nobody who comes later finds room before that. */
            check_int(filch_chan_length(chan), 7 - i < (int)capacity ? 7 - i : (int)capacity);
        }
        for (int i = 0; i < 8; i++) check_int(result_of(tasks[i]), 0);
        filch_chan_destroy(chan);
    }
    return 0;
}

TEST(chan, senders_are_served_in_the_order_they_came) {
    run_with(1, senders_in_order, NULL);
}

/* --------------------------------------------------------------------------------------------------------- close */

struct outcome {
    filch_chan *chan;
    filch_deadline deadline;
    uint64_t values[8];
    size_t count;
    int64_t result;
};

static int recv_into(void *arg) {
    struct outcome *outcome = arg;
    outcome->result = outcome->count == 0
                          ? filch_chan_recv(outcome->chan, outcome->values, outcome->deadline)
                          : filch_chan_recv_many(outcome->chan, outcome->values, outcome->count, outcome->deadline);
    return 0;
}

static int send_from(void *arg) {
    struct outcome *outcome = arg;
    outcome->result = outcome->count == 0
                          ? filch_chan_send(outcome->chan, outcome->values, outcome->deadline)
                          : filch_chan_send_many(outcome->chan, outcome->values, outcome->count, outcome->deadline);
    return 0;
}

static int close_drains(void *arg) {
    (void)arg;
    filch_chan *chan = make(sizeof(uint64_t), 4);
    uint64_t value = 7;
    for (uint64_t i = 0; i < 3; i++) check_int(filch_chan_send(chan, &i, past), 0);
    check_int(filch_chan_close(chan), 0);
    check_int(filch_chan_close(chan), 0);
    check_int(filch_chan_send(chan, &value, FILCH_NEVER), -EPIPE);
    check_int(filch_chan_try_send(chan, &value), -EPIPE);
    check_int(filch_chan_send_many(chan, &value, 1, FILCH_NEVER), -EPIPE);
    check_int(filch_chan_length(chan), 3);
    for (uint64_t i = 0; i < 3; i++) {
        check_int(filch_chan_recv(chan, &value, FILCH_NEVER), 0);
        check_int(value, i);
    }
    value = 4711;
    check_int(filch_chan_recv(chan, &value, FILCH_NEVER), -EPIPE);
    check_int(filch_chan_try_recv(chan, &value), -EPIPE);
    check_int(filch_chan_recv_many(chan, &value, 1, FILCH_NEVER), -EPIPE);
    check_int(value, 4711);
    filch_chan_destroy(chan);
    return 0;
}

TEST(chan, after_close_sends_fail_and_what_is_inside_is_delivered) {
    run_with(1, close_drains, NULL);
    check_int(close_drains(NULL), 0); /* the same on a thread */
}

static int close_wakes(void *arg) {
    (void)arg;
    struct outcome outcomes[6];
    filch_task *tasks[6];
    filch_chan *empty = make(sizeof(uint64_t), 4), *full = make(sizeof(uint64_t), 1);
    uint64_t value = 1;
    check_int(filch_chan_send(full, &value, past), 0);
    for (int i = 0; i < 6; i++) {
        outcomes[i] = (struct outcome){.chan = i < 3 ? empty : full, .deadline = FILCH_NEVER, .values = {42}};
        outcomes[i].count = i % 3 == 2 ? 3 : 0;
        tasks[i] = start(i < 3 ? recv_into : send_from, &outcomes[i]);
    }
    let_wait();
    filch_chan_close(empty);
    filch_chan_close(full);
    for (int i = 0; i < 6; i++) {
        check_int(result_of(tasks[i]), 0);
        check_int(outcomes[i].result, -EPIPE);
        check_int(outcomes[i].values[0], 42);
    }
    check_int(filch_chan_recv(full, &value, past), 0); /* and nothing of those who waited */
    check_int(value, 1);
    check_int(filch_chan_recv(full, &value, past), -EPIPE);
    filch_chan_destroy(empty);
    filch_chan_destroy(full);
    return 0;
}

TEST(chan, close_wakes_senders_and_receivers_whose_values_have_not_moved) {
    run_with_all(close_wakes, NULL);
}

/* Senders count what they have sent until the channel is closed under them; all of that is received. */
struct closing {
    filch_chan *chan;
    atomic_uint sent, received;
};

static int send_until_closed(void *arg) {
    struct closing *closing = arg;
    uint64_t values[3] = {0};
    for (unsigned round = 0;; round++) {
        int64_t sent = round % 2 == 0 ? filch_chan_send(closing->chan, values, FILCH_NEVER)
                                      : filch_chan_send_many(closing->chan, values, 3, FILCH_NEVER);
        if (sent == -EPIPE) return 0;
        check(sent >= 0);
        atomic_fetch_add(&closing->sent, round % 2 == 0 ? 1 : (unsigned)sent);
    }
}

static int receive_until_closed(void *arg) {
    struct closing *closing = arg;
    uint64_t value;
    while (filch_chan_recv(closing->chan, &value, FILCH_NEVER) == 0) atomic_fetch_add(&closing->received, 1);
    return 0;
}

static int close_under_way(void *arg) {
    (void)arg;
    for (int round = 0; round < 200 / TEST_SCALE; round++) {
        struct closing closing = {.chan = make(sizeof(uint64_t), (size_t)round % 4)};
        filch_task *tasks[8];
        for (int i = 0; i < 8; i++) tasks[i] = start(i % 2 == 0 ? send_until_closed : receive_until_closed, &closing);
        while (atomic_load(&closing.received) < (unsigned)round) filch_yield();
        filch_chan_close(closing.chan);
        for (int i = 0; i < 8; i++) check_int(result_of(tasks[i]), 0);
        check_int(closing.received, closing.sent);
        filch_chan_destroy(closing.chan);
    }
    return 0;
}

TEST(chan, what_was_sent_before_a_close_that_races_is_received) {
    run_with_all(close_under_way, NULL);
}

/* ------------------------------------------------------------------------------------------ deadlines and cancels */

static int deadlines_pass(void *arg) {
    (void)arg;
    filch_chan *chan = make(sizeof(uint64_t), 0);
    uint64_t value = 4711, values[3] = {1, 2, 3};
    int64_t before_ns = filch_now();
    check_int(filch_chan_recv(chan, &value, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_int(filch_chan_send(chan, &value, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_int(filch_chan_recv_many(chan, values, 3, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check_int(filch_chan_send_many(chan, values, 3, filch_after(FILCH_MS(2))), -ETIMEDOUT);
    check(filch_now() - before_ns >= FILCH_MS(8));
    check_int(value, 4711);
    check_int(filch_chan_try_recv(chan, &value), -EAGAIN); /* nobody is left in the lists */
    check_int(filch_chan_try_send(chan, &value), -EAGAIN);
    filch_chan_destroy(chan);
    return 0;
}

TEST(chan, a_deadline_that_passes_moves_nothing) {
    run_with_all(deadlines_pass, NULL);
    check_int(deadlines_pass(NULL), 0);
}

/* A batch that is cut short says how far it came. */
static int batch_cut_short(void *arg) {
    (void)arg;
    for (size_t capacity = 0; capacity < 3; capacity++) {
        filch_chan *chan = make(sizeof(uint64_t), capacity);
        struct outcome outcome = {
            .chan = chan, .deadline = FILCH_NEVER, .values = {0, 1, 2, 3, 4, 5, 6, 7}, .count = 8};
        filch_task *task = start(send_from, &outcome);
        uint64_t value;
        for (uint64_t i = 0; i < 3; i++) {
            check_int(filch_chan_recv(chan, &value, FILCH_NEVER), 0);
            check_int(value, i);
        }
        filch_task_cancel(task);
        check_int(result_of(task), 0);
        check_int(outcome.result, 3 + capacity);
        for (uint64_t i = 3; i < 3 + capacity; i++) {
            check_int(filch_chan_recv(chan, &value, past), 0);
            check_int(value, i);
        }
        check_int(filch_chan_try_recv(chan, &value), -EAGAIN);
        filch_chan_destroy(chan);
    }
    return 0;
}

TEST(chan, a_batch_that_is_cut_short_says_how_much_was_sent) {
    run_with(1, batch_cut_short, NULL);
}

static int cancelled_calls(void *arg) {
    filch_chan *chan = arg;
    uint64_t value = 4711;
    filch_task_cancel(filch_self());
    for (int i = 0; i < 2; i++) {
        check_int(filch_chan_send(chan, &value, FILCH_NEVER), -ECANCELED);
        check_int(filch_chan_recv(chan, &value, FILCH_NEVER), -ECANCELED);
        check_int(filch_chan_send_many(chan, &value, 1, FILCH_NEVER), -ECANCELED);
        check_int(filch_chan_recv_many(chan, &value, 1, FILCH_NEVER), -ECANCELED);
    }
    check_int(value, 4711);
    check_int(filch_chan_length(chan), 1);
    check_int(filch_chan_try_recv(chan, &value), 0); /* these do not wait, and do not look */
    check_int(filch_chan_try_send(chan, &value), 0);
    return 0;
}

static int cancelled_before(void *arg) {
    (void)arg;
    filch_chan *chan = make(sizeof(uint64_t), 2);
    uint64_t value = 5;
    check_int(filch_chan_send(chan, &value, past), 0);
    check_int(result_of(start(cancelled_calls, chan)), 0);
    filch_chan_destroy(chan);
    return 0;
}

TEST(chan, in_a_cancelled_task_waiting_calls_move_nothing_though_they_could) {
    run_with_all(cancelled_before, NULL);
}

static int cancelled_waits(void *arg) {
    (void)arg;
    for (size_t count = 0; count < 4; count += 3) {
        filch_chan *chan = make(sizeof(uint64_t), 0);
        struct outcome one = {.chan = chan, .deadline = FILCH_NEVER, .values = {42}, .count = count};
        filch_fn *const calls[] = {send_from, recv_into};
        for (int i = 0; i < 2; i++) {
            filch_task *task = start(calls[i], &one);
            let_wait();
            filch_task_cancel(task);
            check_int(result_of(task), 0);
            check_int(one.result, -ECANCELED);
            check_int(one.values[0], 42);
        }
        uint64_t value;
        check_int(filch_chan_try_recv(chan, &value), -EAGAIN);
        check_int(filch_chan_try_send(chan, &value), -EAGAIN);
        filch_chan_destroy(chan);
    }
    return 0;
}

TEST(chan, cancelling_a_wait_ends_it_and_moves_nothing) {
    run_with(1, cancelled_waits, NULL);
}

/*
 * A cancel and a deadline race the grant: a value is received exactly if the send said that it was sent, and a receive
 * that was cut short has taken none.
 */
struct race {
    filch_chan *chan;
    atomic_uint sent, received;
    atomic_bool over;
};

static int send_until_cut(void *arg) {
    struct race *race = arg;
    uint64_t value = 1;
    for (unsigned i = 0;; i++) {
        int error = filch_chan_send(race->chan, &value, i % 2 == 0 ? FILCH_NEVER : filch_after(i % 5 * 500));
        if (error == -ECANCELED) return 0;
        if (error == 0) atomic_fetch_add(&race->sent, 1);
    }
}

static int receive_until_cut(void *arg) {
    struct race *race = arg;
    uint64_t value;
    for (unsigned i = 0;; i++) {
        int error = filch_chan_recv(race->chan, &value, i % 2 == 0 ? FILCH_NEVER : filch_after(i % 5 * 500));
        if (error == -ECANCELED) return 0;
        if (error == 0) atomic_fetch_add(&race->received, 1);
    }
}

static int races(void *arg) {
    (void)arg;
    for (int round = 0; round < 300 / TEST_SCALE; round++) {
        struct race race = {.chan = make(sizeof(uint64_t), (size_t)round % 3)};
        filch_task *tasks[6];
        for (int i = 0; i < 6; i++) tasks[i] = start(i % 2 == 0 ? send_until_cut : receive_until_cut, &race);
        for (int i = 0; i < round % 30; i++) filch_yield();
        for (int i = 0; i < 6; i++) {
            filch_task_cancel(tasks[(i + round) % 6]);
            if (round % 3 == 0) filch_yield();
        }
        for (int i = 0; i < 6; i++) (void)result_of(tasks[i]); /* one that never began answers for itself */
        unsigned left = (unsigned)filch_chan_length(race.chan);
        check_int(race.received + left, race.sent);
        filch_chan_destroy(race.chan);
    }
    return 0;
}

TEST(chan, a_cancel_or_a_deadline_that_races_a_grant_loses_and_doubles_nothing) {
    run_with_all(races, NULL);
}

/* ----------------------------------------------------------------------------------------------- fairness, scopes */

static int flood(void *arg) {
    struct race *race = arg;
    uint64_t value = 0;
    while (!atomic_load(&race->over)) {
        check_int(filch_chan_send(race->chan, &value, FILCH_NEVER), 0);
        check_int(filch_chan_recv(race->chan, &value, FILCH_NEVER), 0);
    }
    return 0;
}

/* On the only worker, a task whose calls all go on at once lets another run all the same. */
static int flood_gives_way(void *arg) {
    (void)arg;
    struct race race = {.chan = make(sizeof(uint64_t), 4)};
    filch_task *task = start(flood, &race);
    filch_yield();
    atomic_store(&race.over, true);
    check_int(result_of(task), 0);
    filch_chan_destroy(race.chan);
    return 0;
}

TEST(chan, a_task_that_never_has_to_wait_gives_way) {
    run_with(1, flood_gives_way, NULL);
}

/* A value size of zero: only how many counts. */
static int send_signals(void *arg) {
    for (int i = 0; i < 500; i++) check_int(filch_chan_send(arg, NULL, FILCH_NEVER), 0);
    check_int(filch_chan_send_many(arg, NULL, 500, FILCH_NEVER), 500);
    return filch_chan_close(arg);
}

static int signals(void *arg) {
    (void)arg;
    for (size_t capacity = 0; capacity < 5; capacity += 2) {
        filch_chan *chan = make(0, capacity);
        filch_task *task = start(send_signals, chan);
        int64_t count = 0, more = 0;
        for (; count < 300; count++) check_int(filch_chan_recv(chan, NULL, FILCH_NEVER), 0);
        while ((more = filch_chan_recv_many(chan, NULL, 7, FILCH_NEVER)) > 0) count += more;
        check_int(more, -EPIPE);
        check_int(count, 1000);
        check_int(result_of(task), 0);
        filch_chan_destroy(chan);
    }
    return 0;
}

TEST(chan, values_of_no_size_are_signals) {
    run_with_all(signals, NULL);
}

/* ------------------------------------------------------------------------------------------ arguments and misuse */

TEST(chan, bad_arguments_are_answered) {
    filch_chan *const untouched = (filch_chan *)(uintptr_t)0x10, *chan = untouched;
    uint64_t value = 0;
    check_int(filch_chan_create(NULL, 8, 1), -EINVAL);
    check_int(filch_chan_create(&chan, 8, FILCH_CHAN_CAPACITY_MAX + 1), -EINVAL);
    check_int(filch_chan_create(&chan, SIZE_MAX, 2), -ENOMEM);
    check_int(filch_chan_create(&chan, SIZE_MAX / 2, 1), -ENOMEM);
    check(chan == untouched);
    check_int(filch_chan_send(NULL, &value, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_recv(NULL, &value, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_try_send(NULL, &value), -EINVAL);
    check_int(filch_chan_try_recv(NULL, &value), -EINVAL);
    check_int(filch_chan_send_many(NULL, &value, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_recv_many(NULL, &value, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_close(NULL), -EINVAL);
    check_int(filch_chan_length(NULL), 0);
    check_int(filch_chan_capacity(NULL), 0);
    filch_chan_destroy(NULL);
    chan = make(8, 1);
    check_int(filch_chan_send(chan, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_recv(chan, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_try_send(chan, NULL), -EINVAL);
    check_int(filch_chan_try_recv(chan, NULL), -EINVAL);
    check_int(filch_chan_send_many(chan, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_recv_many(chan, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_send_many(chan, &value, (size_t)INT64_MAX + 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_recv_many(chan, &value, (size_t)INT64_MAX + 1, FILCH_NEVER), -EINVAL);
    check_int(filch_chan_length(chan), 0);
    filch_chan_destroy(chan);
    chan = make(0, FILCH_CHAN_CAPACITY_MAX);
    check_int(filch_chan_capacity(chan), FILCH_CHAN_CAPACITY_MAX);
    filch_chan_destroy(chan);
}

TEST(chan, want_of_memory_makes_no_channel_and_leaves_nothing) {
    size_t before = filch__heap_objects();
    filch_chan *const untouched = (filch_chan *)(uintptr_t)0x10;
    uint64_t nth = 1;
    for (;; nth++) {
        filch_chan *chan = untouched;
        filch__alloc_fail(nth, false);
        int error = filch_chan_create(&chan, 8, 100);
        filch__alloc_fail(0, false);
        if (error == 0) {
            filch_chan_destroy(chan);
            break;
        }
        check_int(error, -ENOMEM);
        check(chan == untouched);
        check_int(filch__heap_objects(), before);
    }
    check(nth > 1);
    check_int(filch__heap_objects(), before);
}

static int destroy_waited_for(void *arg) {
    (void)arg;
    struct outcome outcome = {.chan = make(8, 0), .deadline = FILCH_NEVER};
    filch_task *task = start(recv_into, &outcome);
    let_wait();
    filch_chan_destroy(outcome.chan);
    return result_of(task);
}

TEST_DIES(chan, destroying_a_channel_at_which_somebody_waits_aborts, "is destroyed while somebody waits at it") {
    run_with(1, destroy_waited_for, NULL);
}
