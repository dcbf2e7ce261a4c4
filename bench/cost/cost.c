/* SPDX-License-Identifier: MIT */
/*
 * What the hot paths cost in instructions: one operation, many times, on one worker without a monitor, so that a run takes
 * the same instructions each time. For callgrind; docs/METRICS.md tells how two builds are compared.
 *
 *     cost fib|spawn|yield|chan|timer|echo COUNT
 */
#include <errno.h>
#include <filch/filch.h>
#include <filch/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------ operations */

static int call(void *arg) {
    intptr_t n = (intptr_t)arg;
    if (n < 2) return (int)n;
    filch_frame left;
    filch_fork(&left, call, (void *)(n - 1));
    int right = call((void *)(n - 2));
    return filch_join(&left) + right;
}

/* fib(20), 10,945 forks and joins. */
static int fib(long count) {
    int error = 0;
    for (long i = 0; i < count && error == 0; i++) error = call((void *)20) == 6765 ? 0 : -EBADMSG;
    return error;
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static int spawn(long count) {
    int error = 0;
    filch_task *task;
    for (long i = 0; i < count && error == 0; i++) {
        error = filch_spawn(&task, nothing, NULL, NULL);
        if (error == 0) error = filch_await(task, NULL, FILCH_NEVER);
    }
    return error;
}

static int yield_often(void *arg) {
    for (long i = 0; i < *(long *)arg; i++) filch_yield();
    return 0;
}

static int yield(long count) {
    filch_task *task;
    int error = filch_spawn(&task, yield_often, &count, NULL);
    if (error != 0) return error;
    yield_often(&count);
    return filch_await(task, NULL, FILCH_NEVER);
}

static int receive(void *arg) {
    long number;
    int error;
    while ((error = filch_chan_recv(arg, &number, FILCH_NEVER)) == 0) continue;
    return error == -EPIPE ? 0 : error;
}

static int chan(long count) {
    filch_chan *values;
    filch_task *task;
    int error = filch_chan_create(&values, sizeof(long), 0), received = 0;
    if (error != 0) return error;
    error = filch_spawn(&task, receive, values, NULL);
    if (error == 0) {
        for (long i = 0; i < count && error == 0; i++) error = filch_chan_send(values, &i, FILCH_NEVER);
        filch_chan_close(values);
        int awaited = filch_await(task, &received, FILCH_NEVER);
        if (error == 0) error = awaited != 0 ? awaited : received;
    }
    filch_chan_destroy(values);
    return error;
}

static int timer(long count) {
    int error = 0;
    filch_event event;
    filch_event_init(&event);
    for (long i = 0; i < count && error == 0; i++) {
        error = filch_event_wait(&event, filch_after(1)) == -ETIMEDOUT ? 0 : -EBADMSG;
    }
    filch_event_fini(&event);
    return error;
}

static int serve(void *arg) {
    filch_fd fd = *(filch_fd *)arg;
    char bytes[64];
    ssize_t got;
    int error = 0;
    while (error == 0 && (got = filch_fd_read(fd, bytes, sizeof bytes, FILCH_NEVER)) != 0) {
        error = got < 0 ? (int)got : filch_fd_write_all(fd, bytes, (size_t)got, NULL, FILCH_NEVER);
    }
    return error;
}

/* 64 bytes to another task and back. */
static int echo(long count) {
    filch_fd here, there;
    filch_task *task;
    char bytes[64] = "";
    int error = filch_unix_pair(&here, &there, SOCK_STREAM, NULL), served = 0;
    if (error != 0) return error;
    if ((error = filch_spawn(&task, serve, &there, NULL)) == 0) {
        for (long i = 0; i < count && error == 0; i++) {
            error = filch_fd_write_all(here, bytes, sizeof bytes, NULL, FILCH_NEVER);
            if (error == 0) error = filch_fd_read_exactly(here, bytes, sizeof bytes, NULL, FILCH_NEVER);
        }
        filch_fd_close(here);
        int awaited = filch_await(task, &served, FILCH_NEVER);
        if (error == 0) error = awaited != 0 ? awaited : served;
    }
    filch_fd_close(here);
    filch_fd_close(there);
    return error;
}

/* --------------------------------------------------------------------------------------------------------- program */

static const struct operation {
    const char *name;
    int (*run)(long count);
} operations[] = {{"fib", fib}, {"spawn", spawn}, {"yield", yield}, {"chan", chan}, {"timer", timer}, {"echo", echo}};

struct order {
    const struct operation *operation;
    long count;
};

static int run(void *arg) {
    const struct order *order = arg;
    return order->operation->run(order->count);
}

int main(int argc, char **argv) {
    struct order order = {NULL, argc == 3 ? atol(argv[2]) : 0};
    for (size_t i = 0; argc == 3 && i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(argv[1], operations[i].name) == 0) order.operation = &operations[i];
    }
    if (order.operation == NULL || order.count < 1) {
        fputs("usage: cost fib|spawn|yield|chan|timer|echo COUNT\n", stderr);
        return 2;
    }
    int error = filch_run(run, &order, &(filch_options){.workers = 1, .no_monitor = true, .seed = 1});
    if (error != 0) fprintf(stderr, "cost: %s: error %d\n", order.operation->name, -error);
    return error != 0;
}
