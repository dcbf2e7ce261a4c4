/* SPDX-License-Identifier: MIT */
/* What moves values: channels, select, queues, and streams over a pair in memory. */
#include "tests/fuzz/api.h"

static void flow_in(struct flow *flow, uint64_t value) {
    flow->in++;
    flow->in_sum += value;
}

static void flow_out(struct flow *flow, uint64_t value) {
    flow->out++;
    flow->out_sum += value;
}

/* --------------------------------------------------------------------------------------------------------- channels */

static void send_one(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % CHANS;
    uint64_t value = ++world->numbers;
    int answer;
    if (how & 4) {
        answer = filch_chan_try_send(world->chans[which].chan, &value);
        must(answer == 0 || answer == -EAGAIN || answer == -EPIPE);
    } else {
        struct wait wait = wait_begin(actor, how / 8, &world->chans[which].waits.senders);
        answer = filch_chan_send(world->chans[which].chan, &value, wait.deadline);
        wait_over(&wait, answer);
    }
    if (answer == 0) flow_in(&world->chans[which].flow, value);
}

static void receive(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % CHANS;
    uint64_t value = 0;
    int answer;
    if (how & 4) {
        answer = filch_chan_try_recv(world->chans[which].chan, &value);
        must(answer == 0 || answer == -EAGAIN || answer == -EPIPE);
    } else {
        struct wait wait = wait_begin(actor, how / 8, &world->chans[which].waits.receivers);
        answer = filch_chan_recv(world->chans[which].chan, &value, wait.deadline);
        wait_over(&wait, answer);
    }
    must((answer == 0) == (value != 0));
    if (answer == 0) flow_out(&world->chans[which].flow, value);
}

static void send_batch(struct actor *actor, uint8_t how) {
    enum { BATCH = 4 };
    unsigned which = (how & 3) % CHANS;
    uint64_t values[BATCH];
    for (int i = 0; i < BATCH; i++) values[i] = ++world->numbers;
    struct wait wait = wait_begin(actor, how / 4, &world->chans[which].waits.senders);
    int64_t count = filch_chan_send_many(world->chans[which].chan, values, BATCH, wait.deadline);
    wait_over(&wait, count);
    must(count <= BATCH);
    for (int64_t i = 0; i < count; i++) flow_in(&world->chans[which].flow, values[i]);
}

static void receive_batch(struct actor *actor, uint8_t how) {
    enum { BATCH = 3 };
    unsigned which = (how & 3) % CHANS;
    uint64_t values[BATCH] = {0};
    struct wait wait = wait_begin(actor, how / 4, &world->chans[which].waits.receivers);
    int64_t count = filch_chan_recv_many(world->chans[which].chan, values, BATCH, wait.deadline);
    wait_over(&wait, count);
    for (int64_t i = 0; i < BATCH; i++) must((i < count) == (values[i] != 0));
    for (int64_t i = 0; i < count; i++) flow_out(&world->chans[which].flow, values[i]);
}

static void close_chan(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % CHANS;
    (void)actor;
    if (how < 192) return; /* not too often: nothing moves from then on */
    world->chans[which].closed = true;
    must(filch_chan_close(world->chans[which].chan) == 0);
}

/* ----------------------------------------------------------------------------------------------------------- select */

enum { TO_SEND, TO_RECV, TO_EVENT, TO_FUTURE, TO_DEADLINE, CASES };

/* Counts, or counts down, a select that lasts at each of its objects. */
static void count_select(unsigned send_to, unsigned recv_from, unsigned change) {
    world->chans[send_to].waits.senders += change;
    world->chans[recv_from].waits.receivers += change;
    if (send_to == recv_from) world->chans[send_to].waits.both += change;
    world->event.waiting += change;
    world->future.waiting += change;
}

static void select_one(struct actor *actor, uint8_t how) {
    unsigned send_to = (how & 3) % CHANS, recv_from = (how >> 2 & 3) % CHANS;
    uint64_t sent = ++world->numbers, received = 0;
    filch_case cases[CASES] = {
        [TO_SEND] = filch_case_send(world->chans[send_to].chan, &sent),
        [TO_RECV] = filch_case_recv(world->chans[recv_from].chan, &received),
        [TO_EVENT] = filch_case_event(&world->event.event),
        [TO_FUTURE] = filch_case_future(&world->future.future),
        [TO_DEADLINE] = filch_case_deadline(filch_after(how * 100)),
    };
    struct wait wait = wait_begin(actor, how >> 4, NULL);
    bool lasts = wait.deadline.at_ns == INT64_MAX;
    if (lasts) count_select(send_to, recv_from, 1);
    int index = filch_select(cases, lasts ? TO_DEADLINE : CASES, wait.deadline);
    if (lasts) count_select(send_to, recv_from, -1u);
    wait_over(&wait, index);
    bool moved = index >= 0 && cases[index].result == 0;
    if (index >= 0) must(moved || cases[index].result == -EPIPE);
    must((index == TO_RECV && moved) == (received != 0));
    if (index == TO_SEND && moved) flow_in(&world->chans[send_to].flow, sent);
    if (index == TO_RECV && moved) flow_out(&world->chans[recv_from].flow, received);
    if (index == TO_FUTURE) must(world->future.set);
}

/* ----------------------------------------------------------------------------------------------------------- queues */

static void put(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % QUEUES;
    uint64_t value = ++world->numbers;
    struct wait wait = wait_begin(actor, how / 4, &world->queues[which].putting);
    if (wait_over(&wait, filch_queue_put(&world->queues[which].queue, &value, wait.deadline))) {
        flow_in(&world->queues[which].flow, value);
    }
}

/* The value is dealt with at once, or never: what is not is made up for when the input ends. */
static void get(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % QUEUES;
    uint64_t value = 0;
    struct wait wait = wait_begin(actor, how / 8, &world->queues[which].getting);
    bool got = wait_over(&wait, filch_queue_get(&world->queues[which].queue, &value, wait.deadline));
    must(got == (value != 0));
    if (!got) return;
    flow_out(&world->queues[which].flow, value);
    if (how & 4) return;
    world->queues[which].done++;
    filch_queue_task_done(&world->queues[which].queue);
}

static void join(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % QUEUES;
    struct wait wait = wait_begin(actor, how / 4, &world->queues[which].joining);
    wait_over(&wait, filch_queue_join(&world->queues[which].queue, wait.deadline));
}

static void shut_queue(struct actor *actor, uint8_t how) {
    unsigned which = (how & 3) % QUEUES;
    (void)actor;
    if (how < 192) return; /* as close_chan */
    world->queues[which].shut = true;
    must(filch_queue_shutdown(&world->queues[which].queue, FILCH_QUEUE_DRAIN) == 0);
}

/* ---------------------------------------------------------------------------------------------------------- streams */

/* The n-th byte that is ever written to an end is n. One writes at a time, so that the model knows which is next. */
static void write_stream(struct actor *actor, uint8_t how) {
    unsigned which = how & 1;
    if (world->ends[which].writing) return;
    world->ends[which].writing = true;
    uint8_t bytes[64];
    size_t size = 1 + how / 4, moved = 0;
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(world->ends[which].sent + i);
    world->ends[which].offered = world->ends[which].sent + size;
    struct wait wait = wait_begin(actor, how >> 5, NULL);
    int answer = filch_stream_write(world->ends[which].stream, bytes, size, &moved, wait.deadline);
    wait_over(&wait, answer);
    must(moved <= size && (answer != 0 || moved == size));
    world->ends[which].sent += moved;
    if (moved > 0) world->ends[which].undrained = true;
    if (how & 2) {
        wait = wait_begin(actor, how >> 4, NULL);
        bool drained = wait_over(&wait, filch_stream_drain(world->ends[which].stream, wait.deadline));
        if (drained) world->ends[which].undrained = false;
    }
    world->ends[which].writing = false;
}

static void read_stream(struct actor *actor, uint8_t how) {
    unsigned which = how & 1;
    if (world->ends[which].reading) return;
    world->ends[which].reading = true;
    uint8_t bytes[64];
    struct wait wait = wait_begin(actor, how >> 4, &world->ends[which].waiting);
    ssize_t count = filch_stream_read(world->ends[which].stream, bytes, 1 + how / 4, wait.deadline);
    wait_over(&wait, count);
    for (ssize_t i = 0; i < count; i++) must(bytes[i] == (uint8_t)world->ends[which].received++);
    must(world->ends[which].received <= world->ends[1 - which].offered);
    if (count == 0) must(world->ends[1 - which].closed);
    world->ends[which].reading = false;
}

void api_flow(struct actor *actor, unsigned what, uint8_t how) {
    static void (*const operations[FLOW_OPERATIONS])(struct actor * actor, uint8_t how) = {
        send_one, receive, send_batch, receive_batch, close_chan,   select_one,
        put,      get,     join,       shut_queue,    write_stream, read_stream,
    };
    operations[what](actor, how);
}
