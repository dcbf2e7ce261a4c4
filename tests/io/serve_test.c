/* SPDX-License-Identifier: MIT */
/*
 * Proves that each connection is served once and closed; that no more are accepted than the limit says; that a server
 * that is stopped, cancelled or loses its listener lets its handlers end, and cancels those that do not within the grace
 * time; that errors in accepting do not end it; and that every connection is accounted for.
 */
#include <stdatomic.h>
#include <sys/resource.h>

#include "alloc/alloc.h"
#include "tests/io/net.h"

/* A server in a task of its own. */
struct fixture {
    filch_fd listener;
    filch_address address;
    filch_server server;
    filch_serve_options options;
    filch_serve_fn *handler;
    filch_task *task;
    atomic_int begun, ended;
    atomic_bool go;
};

static int serve(void *arg) {
    struct fixture *fixture = arg;
    return filch_serve(fixture->listener, fixture->handler, fixture, &fixture->options);
}

static void begin(struct fixture *fixture, filch_serve_fn *handler, filch_serve_options options) {
    memset(fixture, 0, sizeof *fixture);
    fixture->listener = listen_here(&fixture->address);
    fixture->handler = handler;
    fixture->options = options;
    fixture->options.server = &fixture->server;
    fixture->task = start(serve, fixture);
}

static void finish(struct fixture *fixture, int expected) {
    check_int(result_of(fixture->task), expected);
    filch_serve_counts counts = filch_server_counts(&fixture->server);
    check_int(counts.active, 0);
    check_int(counts.accepted, counts.finished + counts.cut + counts.dropped);
    filch_fd_close(fixture->listener);
}

static filch_fd connect_to(struct fixture *fixture) {
    filch_fd fd;
    check_int(filch_tcp_connect_address(&fd, &fixture->address, NULL, FILCH_NEVER), 0);
    return fd;
}

static void check_end(filch_fd fd) {
    char byte;
    check_int(filch_fd_read(fd, &byte, 1, FILCH_NEVER), 0);
    check_int(filch_fd_close(fd), 0);
}

/* ------------------------------------------------------------------------------------------------------------ handlers */

static int echo(filch_fd connection, const filch_address *peer, void *arg) {
    struct fixture *fixture = arg;
    char buffer[64];
    ssize_t got;
    filch_address seen;
    int error = filch_fd_address(connection, true, &seen); /* it may have been reset by now */
    check(error == 0 ? filch_address_equal(peer, &seen) : error == -ENOTCONN);
    atomic_fetch_add(&fixture->begun, 1);
    while ((got = filch_fd_read(connection, buffer, sizeof buffer, FILCH_NEVER)) > 0) {
        error = filch_fd_write_all(connection, buffer, (size_t)got, NULL, FILCH_NEVER);
        if (error != 0) return error;
    }
    atomic_fetch_add(&fixture->ended, 1);
    return (int)got;
}

static int hold(filch_fd connection, const filch_address *peer, void *arg) {
    struct fixture *fixture = arg;
    (void)connection;
    (void)peer;
    atomic_fetch_add(&fixture->begun, 1);
    int error = 0;
    while (error == 0 && !atomic_load(&fixture->go)) error = filch_sleep(FILCH_US(200));
    atomic_fetch_add(&fixture->ended, 1);
    return error;
}

static int fail(filch_fd connection, const filch_address *peer, void *arg) {
    (void)connection;
    (void)peer;
    (void)arg;
    return -EIO;
}

static int close_it(filch_fd connection, const filch_address *peer, void *arg) {
    (void)peer;
    (void)arg;
    return filch_fd_close(connection);
}

static void until(atomic_int *count, int value) {
    while (atomic_load(count) < value) filch_sleep(FILCH_US(100));
}

/* ------------------------------------------------------------------------------------------------------------- serving */

static int converse(void *arg) {
    struct fixture *fixture = arg;
    filch_fd fd = connect_to(fixture);
    char answer[6];
    for (int i = 0; i < 3; i++) {
        check_int(filch_fd_write_all(fd, "hello", 6, NULL, FILCH_NEVER), 0);
        check_int(filch_fd_read_exactly(fd, answer, 6, NULL, FILCH_NEVER), 0);
        check(strcmp(answer, "hello") == 0);
    }
    return filch_fd_close(fd);
}

static int serve_many(void *arg) {
    enum { CLIENTS = 100 };
    struct fixture fixture;
    filch_task *clients[CLIENTS];
    begin(&fixture, echo, *(filch_serve_options *)arg);
    for (int i = 0; i < CLIENTS; i++) clients[i] = start(converse, &fixture);
    for (int i = 0; i < CLIENTS; i++) check_int(result_of(clients[i]), 0);
    filch_server_stop(&fixture.server);
    finish(&fixture, 0);
    filch_serve_counts counts = filch_server_counts(&fixture.server);
    check_int(counts.accepted, CLIENTS);
    check_int(counts.finished, CLIENTS);
    check_int(counts.failed, 0);
    check_int(fixture.begun, CLIENTS);
    check_int(fixture.ended, CLIENTS);
    if (fixture.options.max_connections != 0) check(counts.peak <= fixture.options.max_connections);
    return 0;
}

TEST(serve, each_connection_is_served_once_by_one_acceptor_or_several) {
    filch_serve_options options[] = {
        {0}, {.acceptors = 4}, {.max_connections = 3}, {.acceptors = 4, .max_connections = 1}};
    size_t before = filch__heap_objects();
    for (int i = 0; i < 4; i++) run_clean(serve_many, &options[i]);
    check_int(filch__heap_objects(), before);
}

static int count_failures(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, fail, (filch_serve_options){0});
    for (int i = 0; i < 10; i++) check_end(connect_to(&fixture));
    filch_server_stop(&fixture.server);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).failed, 10);
    check_int(filch_server_counts(&fixture.server).finished, 10);
    return 0;
}

TEST(serve, a_handler_that_fails_ends_its_connection_and_nothing_else) {
    run_clean(count_failures, NULL);
}

static int let_them_close(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, close_it,
          (filch_serve_options){.task = &(filch_task_options){.name = "own", .stack_size = 1 << 17}});
    for (int i = 0; i < 10; i++) check_end(connect_to(&fixture));
    filch_server_stop(&fixture.server);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).failed, 0);
    return 0;
}

TEST(serve, a_handler_may_close_its_connection_itself) {
    run_clean(let_them_close, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- the limit */

static int be_full(void *arg) {
    struct fixture fixture;
    filch_fd clients[8];
    (void)arg;
    begin(&fixture, hold, (filch_serve_options){.max_connections = 3, .acceptors = 2});
    for (int i = 0; i < 8; i++) clients[i] = connect_to(&fixture);
    until(&fixture.begun, 3);
    for (int i = 0; i < 20; i++) filch_sleep(FILCH_MS(1));
    check_int(fixture.begun, 3);
    check_int(filch_server_counts(&fixture.server).accepted, 3);
    check_int(filch_server_counts(&fixture.server).active, 3);
    atomic_store(&fixture.go, true);
    for (int i = 0; i < 8; i++) check_end(clients[i]);
    filch_server_stop(&fixture.server);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).accepted, 8);
    check_int(filch_server_counts(&fixture.server).peak, 3);
    return 0;
}

TEST(serve, no_more_are_accepted_than_the_limit_says) {
    run_clean(be_full, NULL);
}

static int stop_when_full(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, hold, (filch_serve_options){.max_connections = 1, .acceptors = 3});
    filch_fd one = connect_to(&fixture), two = connect_to(&fixture);
    until(&fixture.begun, 1);
    filch_server_stop(&fixture.server);
    filch_sleep(FILCH_MS(2));
    atomic_store(&fixture.go, true);
    check_end(one);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).accepted, 1);
    filch_fd_close(two);
    return 0;
}

TEST(serve, a_server_that_is_full_can_be_stopped) {
    run_clean(stop_when_full, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ stopping */

static int stop_gracefully(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, hold, (filch_serve_options){.grace_ns = FILCH_SEC(1000)});
    filch_fd client = connect_to(&fixture);
    until(&fixture.begun, 1);
    filch_server_stop(&fixture.server);
    filch_server_stop(&fixture.server);
    filch_sleep(FILCH_MS(5));
    check_int(filch_task_done(fixture.task), false);
    check_int(fixture.ended, 0);
    filch_fd late = connect_to(&fixture); /* into the queue, for good */
    atomic_store(&fixture.go, true);
    check_end(client);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).accepted, 1);
    check_int(filch_server_counts(&fixture.server).cut, 0);
    filch_fd_close(late);
    return 0;
}

TEST(serve, who_is_stopped_accepts_no_more_and_lets_handlers_end) {
    run_clean(stop_gracefully, NULL);
}

static int run_out_of_grace(void *arg) {
    struct fixture fixture;
    filch_fd clients[5];
    begin(&fixture, hold, (filch_serve_options){.grace_ns = *(int64_t *)arg});
    for (int i = 0; i < 5; i++) clients[i] = connect_to(&fixture);
    until(&fixture.begun, 5);
    filch_server_stop(&fixture.server);
    for (int i = 0; i < 5; i++) check_end(clients[i]);
    finish(&fixture, -ETIMEDOUT);
    check_int(fixture.ended, 5);
    check_int(filch_server_counts(&fixture.server).cut, 5);
    check_int(filch_server_counts(&fixture.server).finished, 0);
    return 0;
}

TEST(serve, handlers_that_outlast_the_grace_time_are_cancelled) {
    int64_t graces[] = {FILCH_MS(5), -1};
    for (int i = 0; i < 2; i++) run_clean(run_out_of_grace, &graces[i]);
}

static int cancel_server(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, hold, (filch_serve_options){.grace_ns = FILCH_SEC(1000)});
    filch_fd client = connect_to(&fixture);
    until(&fixture.begun, 1);
    filch_task_cancel(fixture.task);
    filch_sleep(FILCH_MS(5));
    check_int(filch_task_done(fixture.task), false);
    check_int(fixture.ended, 0); /* it has not been cancelled with the server */
    atomic_store(&fixture.go, true);
    check_end(client);
    finish(&fixture, -ECANCELED);
    check_int(filch_server_counts(&fixture.server).finished, 1);

    begin(&fixture, hold, (filch_serve_options){.grace_ns = FILCH_MS(3)});
    client = connect_to(&fixture);
    until(&fixture.begun, 1);
    filch_task_cancel(fixture.task);
    check_end(client);
    finish(&fixture, -ECANCELED);
    check_int(filch_server_counts(&fixture.server).cut, 1);
    return 0;
}

TEST(serve, a_cancelled_server_gives_its_handlers_the_same_grace) {
    run_clean(cancel_server, NULL);
}

static int cancel_scope(void *arg) {
    struct fixture fixture;
    filch_scope scope;
    (void)arg;
    memset(&fixture, 0, sizeof fixture);
    fixture.listener = listen_here(&fixture.address);
    fixture.handler = hold;
    fixture.options = (filch_serve_options){.server = &fixture.server};
    check_int(filch_scope_open(&scope, NULL), 0);
    check_int(filch_scope_spawn(&scope, &fixture.task, serve, &fixture, NULL), 0);
    filch_fd client = connect_to(&fixture);
    until(&fixture.begun, 1);
    filch_scope_cancel(&scope);
    atomic_store(&fixture.go, true);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_end(client);
    finish(&fixture, -ECANCELED);
    check_int(filch_server_counts(&fixture.server).finished, 1);
    return 0;
}

TEST(serve, a_server_in_a_scope_ends_with_it) {
    run_clean(cancel_scope, NULL);
}

static int stop_before(void *arg) {
    filch_server server = FILCH_SERVER_INIT;
    filch_address address;
    filch_fd listener = listen_here(&address);
    (void)arg;
    filch_server_stop(&server);
    check_int(filch_serve(listener, hold, NULL, &(filch_serve_options){.server = &server}), 0);
    filch_fd_close(listener);
    return 0;
}

TEST(serve, a_server_may_be_stopped_before_it_begins) {
    run_clean(stop_before, NULL);
}

static int lose_listener(void *arg) {
    struct fixture fixture;
    (void)arg;
    begin(&fixture, hold, (filch_serve_options){.acceptors = 3, .grace_ns = FILCH_SEC(1000)});
    filch_fd client = connect_to(&fixture);
    until(&fixture.begun, 1);
    filch_fd_close(fixture.listener);
    filch_sleep(FILCH_MS(2));
    check_int(fixture.ended, 0);
    atomic_store(&fixture.go, true);
    check_end(client);
    finish(&fixture, -EBADF);
    check_int(filch_server_counts(&fixture.server).finished, 1);
    return 0;
}

TEST(serve, a_listener_that_is_closed_ends_it_gracefully) {
    run_clean(lose_listener, NULL);
}

/* Stopped at every moment, with connections coming: each is served or never accepted, and none is left open. */
static int come_and_go(void *arg) {
    struct fixture *fixture = arg;
    for (int i = 0; i < 10; i++) {
        filch_fd fd;
        char byte;
        if (filch_tcp_connect_address(&fd, &fixture->address, NULL, FILCH_NEVER) != 0) return 0;
        if (i % 3 == 0) check_int(filch_tcp_set_linger(fd, 0), 0);
        if (i % 2 == 0) (void)!filch_fd_write(fd, "x", 1, filch_after(FILCH_MS(1)));
        if (i % 5 == 0) (void)!filch_fd_read(fd, &byte, 1, filch_after(FILCH_MS(1)));
        filch_fd_close(fd);
    }
    return 0;
}

static int stop_in_a_storm(void *arg) {
    (void)arg;
    for (int round = 0; round < 30 / TEST_SCALE; round++) {
        struct fixture fixture;
        filch_task *clients[20];
        begin(&fixture, echo, (filch_serve_options){.acceptors = 2, .max_connections = 5, .grace_ns = round % 3 - 1});
        for (int i = 0; i < 20; i++) clients[i] = start(come_and_go, &fixture);
        filch_sleep(FILCH_US(200 * round));
        if (round % 2 == 0) {
            filch_server_stop(&fixture.server);
        } else {
            filch_task_cancel(fixture.task);
        }
        int result = result_of(fixture.task);
        check(result == 0 || result == -ETIMEDOUT || result == -ECANCELED);
        filch_serve_counts counts = filch_server_counts(&fixture.server);
        check_int(counts.active, 0);
        check_int(counts.accepted, counts.finished + counts.cut + counts.dropped);
        filch_fd_close(fixture.listener);
        for (int i = 0; i < 20; i++) check_int(result_of(clients[i]), 0);
    }
    return 0;
}

TEST(serve, stopped_at_any_moment_every_connection_is_accounted_for) {
    size_t before = filch__heap_objects();
    run_clean(stop_in_a_storm, NULL);
    check_int(filch__heap_objects(), before);
}

/* ----------------------------------------------------------------------------------------------- errors in accepting */

static int run_short(void *arg) {
    enum { MAX = 300 };
    static int numbers[MAX];
    struct fixture fixture;
    (void)arg;
    begin(&fixture, echo, (filch_serve_options){0});
    check_int(converse(&fixture), 0);
    filch_fd client = connect_to(&fixture); /* it is open before there are no more */
    until(&fixture.begun, 2);
    filch_fd second = connect_to(&fixture), third;
    until(&fixture.begun, 3);
    uint64_t shortages = filch_accept_shortages();
    int taken = 0;
    check_int(filch_tcp_connect_address(&third, &fixture.address, NULL, FILCH_NEVER), 0);
    until(&fixture.begun, 4);
    filch_fd_close(third); /* its number is the one that the next client takes, and none is left to accept it */
    until(&fixture.ended, 2);
    while (taken < MAX && (numbers[taken] = dup(STDERR_FILENO)) >= 0) taken++;
    close(numbers[--taken]);
    check_int(filch_tcp_connect_address(&third, &fixture.address, NULL, FILCH_NEVER), 0);
    while (filch_accept_shortages() < shortages + 3) filch_sleep(FILCH_MS(1));
    check_int(filch_task_done(fixture.task), false);
    while (taken > 0) close(numbers[--taken]);
    until(&fixture.begun, 5); /* accepted after all */
    filch_fd_close(client);
    filch_fd_close(second);
    filch_fd_close(third);
    until(&fixture.ended, 5);
    filch_server_stop(&fixture.server);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).finished, 5);
    return 0;
}

TEST(serve, without_descriptors_it_waits_and_goes_on) {
    run_scarce(run_short, NULL);
}

static int run_out_of_memory(void *arg) {
    struct fixture fixture;
    (void)arg;
    for (uint64_t nth = 1; nth < 12; nth++) {
        begin(&fixture, close_it, (filch_serve_options){.max_connections = 1});
        check_end(connect_to(&fixture));
        filch_fd fd = connect_to(&fixture);
        filch__alloc_fail(nth, false);
        filch_fd_close(fd);
        for (int i = 0; i < 5; i++) {
            char byte;
            if (filch_tcp_connect_address(&fd, &fixture.address, NULL, FILCH_NEVER) != 0) continue;
            ssize_t got = filch_fd_read(fd, &byte, 1, FILCH_NEVER); /* served, or closed at once */
            check(got == 0 || got == -ECONNRESET);
            filch_fd_close(fd);
        }
        filch__alloc_fail(0, false);
        check_end(connect_to(&fixture)); /* it goes on */
        filch_server_stop(&fixture.server);
        finish(&fixture, 0);
    }
    return 0;
}

TEST(serve, without_memory_a_connection_is_lost_and_the_server_goes_on) {
    run_clean(run_out_of_memory, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- misuse */

static int serve_again(filch_fd connection, const filch_address *peer, void *arg) {
    struct fixture *fixture = arg;
    (void)peer;
    check_int(filch_serve(fixture->listener, fail, NULL, &(filch_serve_options){.server = &fixture->server}), -EBUSY);
    return filch_fd_close(connection);
}

static int misuse(void *arg) {
    filch_address address;
    filch_fd listener = listen_here(&address), one, other;
    (void)arg;
    check_int(filch_serve(listener, NULL, NULL, NULL), -EINVAL);
    check_int(filch_serve(listener, fail, NULL, &(filch_serve_options){.acceptors = 65}), -EINVAL);
    filch_task_options stack = {.stack_size = 17};
    check_int(filch_serve(listener, fail, NULL, &(filch_serve_options){.task = &stack}), -EINVAL);
    check_int(filch_serve(FILCH_FD_NONE, fail, NULL, NULL), -EBADF);
    connect_pair(&one, &other);
    check_int(filch_serve(one, fail, NULL, NULL), -EINVAL);
    check_int(filch_fd_wait(other, FILCH_READABLE, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(filch_serve(other, fail, NULL, NULL), -EINVAL);
    filch_fd_close(one);
    filch_fd_close(other);
    filch_fd_close(listener);
    check_int(filch_serve(listener, fail, NULL, NULL), -EBADF);
    filch_server_stop(NULL);
    check_int(filch_server_counts(NULL).accepted, 0);

    struct fixture fixture;
    begin(&fixture, serve_again, (filch_serve_options){0});
    check_end(connect_to(&fixture));
    filch_server_stop(&fixture.server);
    finish(&fixture, 0);
    check_int(filch_server_counts(&fixture.server).failed, 0);
    return 0;
}

TEST(serve, bad_arguments_are_answered) {
    run_clean(misuse, NULL);
    check_int(filch_serve(FILCH_FD_NONE, fail, NULL, NULL), -EPERM);
}
