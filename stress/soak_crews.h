/* SPDX-License-Identifier: MIT */
/*
 * The crews of stress/soak.c: each is a function that makes one round of one kind of work, checks that nothing of it was
 * lost or came twice, leaves nothing behind, and returns how many operations that was.
 */
#ifndef FILCH_STRESS_SOAK_CREWS_H
#define FILCH_STRESS_SOAK_CREWS_H

#include <errno.h>
#include <fcntl.h>
#include <filch/io.h>

#include "stress/stress.h"

/* How often somebody was refused a descriptor. */
static atomic_ullong refused;

static bool is_refused(int error) {
    if (error != -EMFILE) return false;
    atomic_fetch_add(&refused, 1);
    return true;
}

/* Tasks that were started and have not been seen to end yet. */
static filch_task *start(filch_fn *fn, void *arg) {
    filch_task *task = NULL;
    must(filch_spawn(&task, fn, arg, NULL) == 0);
    return task;
}

static int end_of(filch_task *task) {
    int result = 0;
    must(filch_await(task, &result, FILCH_NEVER) == 0);
    return result;
}

/* ---------------------------------------------------------------------------------------------------------- computing */

struct fib {
    int n, answer;
};

static int fib(void *arg) {
    struct fib *fib_of = arg;
    if (fib_of->n < 2) {
        fib_of->answer = fib_of->n;
        return 0;
    }
    struct fib left = {.n = fib_of->n - 1}, right = {.n = fib_of->n - 2};
    filch_frame frame;
    filch_fork(&frame, fib, &left);
    fib(&right);
    must(filch_join(&frame) == 0);
    fib_of->answer = left.answer + right.answer;
    return 0;
}

static uint64_t fork_round(struct filch__random *random) {
    (void)random;
    struct fib twenty = {.n = 20};
    fib(&twenty);
    must(twenty.answer == 6765);
    return 21891; /* calls */
}

static void zero(void *sum, void *arg) {
    (void)arg;
    *(uint64_t *)sum = 0;
}

static int add_range(int64_t first, int64_t last, void *sum, void *arg) {
    (void)arg;
    for (int64_t i = first; i < last; i++) *(uint64_t *)sum += (uint64_t)i;
    return 0;
}

static void add_sum(void *sum, const void *right, void *arg) {
    (void)arg;
    *(uint64_t *)sum += *(const uint64_t *)right;
}

static uint64_t loop_round(struct filch__random *random) {
    static const filch_reduction summing = {sizeof(uint64_t), zero, add_range, add_sum};
    int64_t count = 1 + below(random, 100000), grain = below(random, 2) == 0 ? 0 : 1 + below(random, 100);
    uint64_t sum = 0;
    must(filch_parallel_reduce(0, count, grain, &summing, &sum, NULL) == 0);
    must(sum == (uint64_t)count * (uint64_t)(count - 1) / 2);
    return (uint64_t)count;
}

/* -------------------------------------------------------------------------------------------------------------- tasks */

static int yield_and_count(void *arg) {
    filch_yield();
    atomic_fetch_add((atomic_uint *)arg, 1);
    return 0;
}

/* Up to some thousand stacks at once, and then none. */
static uint64_t spawn_round(struct filch__random *random) {
    uint32_t count = 1 + below(random, 3000);
    filch_task **tasks = malloc(count * sizeof *tasks);
    must(tasks != NULL);
    atomic_uint ended = 0;
    for (uint32_t i = 0; i < count; i++) tasks[i] = start(yield_and_count, &ended);
    for (uint32_t i = 0; i < count; i++) must(end_of(tasks[i]) == 0);
    must(ended == count);
    free(tasks);
    return count;
}

/* ----------------------------------------------------------------------------------------------------------- channels */

enum { SENDERS = 4, VALUES = 500 };

struct relay {
    filch_chan *chan;
    bool hurried; /* sends and receives give up soon */
    atomic_ullong in, out;
};

static filch_deadline relay_deadline(const struct relay *relay) {
    return relay->hurried ? filch_after(FILCH_US(50)) : FILCH_NEVER;
}

static int send_values(void *arg) {
    struct relay *relay = arg;
    for (uint64_t value = 1; value <= VALUES; value++) {
        int answer = filch_chan_send(relay->chan, &value, relay_deadline(relay));
        must(answer == 0 || (relay->hurried && answer == -ETIMEDOUT));
        if (answer == 0) atomic_fetch_add(&relay->in, value);
    }
    return 0;
}

static int receive_values(void *arg) {
    struct relay *relay = arg;
    uint64_t value;
    for (;;) {
        int answer = filch_chan_recv(relay->chan, &value, relay_deadline(relay));
        if (answer == -EPIPE) return 0;
        must(answer == 0 || (relay->hurried && answer == -ETIMEDOUT));
        if (answer == 0) atomic_fetch_add(&relay->out, value);
    }
}

static uint64_t channel_round(struct filch__random *random) {
    struct relay relay = {.hurried = below(random, 4) == 0};
    filch_task *senders[SENDERS], *receivers[SENDERS];
    must(filch_chan_create(&relay.chan, sizeof(uint64_t), below(random, 3) * 8) == 0);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = start(send_values, &relay);
        receivers[i] = start(receive_values, &relay);
    }
    for (int i = 0; i < SENDERS; i++) must(end_of(senders[i]) == 0);
    must(filch_chan_close(relay.chan) == 0);
    for (int i = 0; i < SENDERS; i++) must(end_of(receivers[i]) == 0);
    filch_chan_destroy(relay.chan);
    must(relay.in == relay.out);
    must(relay.hurried || relay.in == SENDERS * (uint64_t)VALUES * (VALUES + 1) / 2);
    return SENDERS * VALUES;
}

/* ------------------------------------------------------------------------------------------------------------- timers */

enum { SLEEPERS = 200 };

static int sleep_for(void *arg) {
    int64_t duration_ns = *(int64_t *)arg, from = filch_now();
    must(filch_sleep(duration_ns) == 0);
    must(filch_now() - from >= duration_ns);
    return 0;
}

static uint64_t timer_round(struct filch__random *random) {
    int64_t durations[SLEEPERS];
    filch_task *tasks[SLEEPERS];
    filch_event never;
    filch_ticker ticker;
    for (int i = 0; i < SLEEPERS; i++) {
        durations[i] = below(random, 3000000);
        tasks[i] = start(sleep_for, &durations[i]);
    }
    filch_event_init(&never);
    must(filch_event_wait(&never, filch_after(below(random, 1000000))) == -ETIMEDOUT);
    filch_event_fini(&never);
    must(filch_ticker_init(&ticker, FILCH_US(200)) == 0);
    for (int i = 0; i < 5; i++) must(filch_ticker_wait(&ticker, FILCH_NEVER) >= 1);
    for (int i = 0; i < SLEEPERS; i++) must(end_of(tasks[i]) == 0);
    return SLEEPERS;
}

/* ------------------------------------------------------------------------------------------------------ cancellations */

enum { MEMBERS = 100 };

struct crowd {
    filch_event event;
    filch_mutex mutex;
    filch_chan *chan;
    atomic_uint begun, ended;
};

static int wait_in_crowd(void *arg) {
    struct crowd *crowd = arg;
    uint64_t value;
    int answer;
    switch (atomic_fetch_add(&crowd->begun, 1) % 4) {
    case 0:
        answer = filch_event_wait(&crowd->event, FILCH_NEVER);
        break;
    case 1:
        answer = filch_chan_recv(crowd->chan, &value, FILCH_NEVER);
        break;
    case 2:
        answer = filch_sleep(FILCH_SEC(1000));
        break;
    default:
        answer = filch_mutex_lock(&crowd->mutex, FILCH_NEVER);
        if (answer != 0) break;
        answer = filch_sleep(FILCH_SEC(1000));
        filch_mutex_unlock(&crowd->mutex);
    }
    must(answer == -ECANCELED);
    atomic_fetch_add(&crowd->ended, 1);
    return 0;
}

static uint64_t cancel_round(struct filch__random *random) {
    struct crowd crowd = {.begun = 0};
    filch_scope scope;
    bool by_deadline = below(random, 2) == 0;
    filch_event_init(&crowd.event);
    must(filch_chan_create(&crowd.chan, sizeof(uint64_t), 0) == 0);
    filch_deadline deadline = filch_after(below(random, 2000000));
    must(filch_scope_open(&scope, &(filch_scope_options){.deadline = by_deadline ? deadline : FILCH_NEVER}) == 0);
    for (int i = 0; i < MEMBERS; i++) {
        int answer = filch_scope_spawn(&scope, NULL, wait_in_crowd, &crowd, NULL);
        must(answer == 0 || (by_deadline && answer == -ECANCELED));
    }
    if (!by_deadline) {
        (void)filch_sleep(below(random, 1000000));
        filch_scope_cancel(&scope);
    }
    must(filch_scope_close(&scope) == (by_deadline ? -ETIMEDOUT : -ECANCELED));
    must(crowd.begun == crowd.ended);
    filch_mutex_fini(&crowd.mutex);
    filch_event_fini(&crowd.event);
    filch_chan_destroy(crowd.chan);
    return MEMBERS;
}

/* --------------------------------------------------------------------------------------------------------------- hogs */

static int block_for(void *arg) {
    usleep(*(useconds_t *)arg);
    return 0;
}

static int stand_still(void *arg) {
    int64_t until = filch_now() + *(int64_t *)arg;
    while (filch_now() < until) {
    }
    return 0;
}

/* One holds its worker up, one says that it will block, one blocks on a helper. Then nobody does, for a while. */
static uint64_t hog_round(struct filch__random *random) {
    int64_t busy_ns = FILCH_MS(5) + below(random, 30000000);
    useconds_t blocked_us = 1000 + below(random, 10000);
    int result = -1;
    filch_task *task = start(stand_still, &busy_ns);
    must(filch_blocking(block_for, &blocked_us, &result, FILCH_NEVER) == 0 && result == 0);
    filch_block_begin();
    usleep(blocked_us);
    filch_block_end();
    must(end_of(task) == 0);
    must(filch_sleep(FILCH_MS(200)) == 0);
    return 3;
}

/* --------------------------------------------------------------------------------------------------------- connections */

enum { CLIENTS = 16, EXCHANGES = 8, PIECE = 1500 };

struct service {
    filch_fd listener;
    filch_address address;
    filch_server server;
    filch_task *task;
};

static struct service tcp, local; /* the other is a Unix socket's */

static int echo(filch_fd connection, const filch_address *peer, void *arg) {
    char buffer[PIECE];
    ssize_t size;
    (void)peer, (void)arg;
    while ((size = filch_fd_read(connection, buffer, sizeof buffer, FILCH_NEVER)) > 0) {
        int error = filch_fd_write_all(connection, buffer, (size_t)size, NULL, FILCH_NEVER);
        if (error != 0) return error;
    }
    return (int)size;
}

static int serve(void *arg) {
    struct service *service = arg;
    return filch_serve(service->listener, echo, NULL, &(filch_serve_options){.server = &service->server});
}

struct client {
    struct service *service;
    struct filch__random random;
    uint64_t exchanges;
};

static void exchange(struct client *client, filch_fd fd) {
    char sent[PIECE], got[PIECE];
    for (int i = 0; i < EXCHANGES; i++) {
        size_t size = 1 + below(&client->random, PIECE);
        memset(sent, (int)below(&client->random, 256), size);
        must(filch_fd_write_all(fd, sent, size, NULL, FILCH_NEVER) == 0);
        must(filch_fd_read_exactly(fd, got, size, NULL, FILCH_NEVER) == 0);
        must(memcmp(sent, got, size) == 0);
        client->exchanges++;
    }
}

static int converse(void *arg) {
    struct client *client = arg;
    filch_fd fd = FILCH_FD_NONE;
    int error = client->service == &tcp ? filch_tcp_connect_address(&fd, &client->service->address, NULL, FILCH_NEVER)
                                        : filch_unix_connect(&fd, &client->service->address, NULL, FILCH_NEVER);
    if (is_refused(error)) return filch_sleep(FILCH_MS(1));
    must(error == 0);
    exchange(client, fd);
    if (client->service == &tcp) must(filch_tcp_set_linger(fd, 0) == 0); /* leaves no port behind */
    must(filch_fd_close(fd) == 0);
    return 0;
}

static uint64_t converse_round(struct service *service, struct filch__random *random) {
    struct client clients[CLIENTS];
    filch_task *tasks[CLIENTS];
    uint64_t exchanges = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.service = service};
        filch__random_init(&clients[i].random, filch__random_next(random), (uint64_t)i);
        tasks[i] = start(converse, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        must(end_of(tasks[i]) == 0);
        exchanges += clients[i].exchanges;
    }
    while (filch_server_counts(&service->server).active != 0) must(filch_sleep(FILCH_US(100)) == 0);
    return exchanges;
}

static uint64_t tcp_round(struct filch__random *random) {
    return converse_round(&tcp, random);
}

static uint64_t unix_round(struct filch__random *random) {
    return converse_round(&local, random);
}

static int open_services(void *arg) {
    (void)arg;
    tcp.address = filch_address_ip4_loopback(0);
    must(filch_tcp_listen(&tcp.listener, &tcp.address, NULL) == 0);
    must(filch_fd_address(tcp.listener, false, &tcp.address) == 0);
    char name[64];
    snprintf(name, sizeof name, "unix:@filch-soak-%d", (int)getpid());
    must(filch_address_parse(&local.address, name) == 0);
    must(filch_unix_listen(&local.listener, &local.address, NULL) == 0);
    tcp.task = start(serve, &tcp);
    local.task = start(serve, &local);
    return 0;
}

static void close_service(struct service *service) {
    filch_server_stop(&service->server);
    must(end_of(service->task) == 0);
    filch_serve_counts counts = filch_server_counts(&service->server);
    must(counts.active == 0 && counts.dropped == 0 && counts.cut == 0 && counts.accepted == counts.finished);
    must(filch_fd_close(service->listener) == 0);
}

static int close_services(void *arg) {
    (void)arg;
    close_service(&tcp);
    close_service(&local);
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- descriptors */

/* Takes all that are left, holds them for a while, and gives them back. Then there are some, for a while. */
static uint64_t shortage_round(struct filch__random *random) {
    enum { MOST = 1024 };
    int *taken = malloc(MOST * sizeof *taken), count = 0;
    must(taken != NULL);
    while (count < MOST && (taken[count] = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0) count++;
    filch_fd ends[2];
    int answer = filch_pipe_open(&ends[0], &ends[1], NULL);
    must(answer == 0 || is_refused(answer)); /* somebody may have closed one meanwhile */
    if (answer == 0) must(filch_fd_close(ends[0]) == 0 && filch_fd_close(ends[1]) == 0);
    (void)filch_sleep(below(random, 100000000));
    for (int i = 0; i < count; i++) close(taken[i]);
    free(taken);
    (void)filch_sleep(FILCH_MS(300));
    return 1;
}

#endif
