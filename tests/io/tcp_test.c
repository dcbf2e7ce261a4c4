/* SPDX-License-Identifier: MIT */
/*
 * Proves that connections are made, accepted and broken off as the contracts say; that waits are cut short and leave no
 * descriptor behind; and that options arrive in the kernel.
 */
#include <netinet/tcp.h>

#include "io/system.h"
#include "tests/io/net.h"

/* ------------------------------------------------------------------------------------------------ connect and accept */

static int talk(void *arg) {
    filch_address *at = arg, address, peer, seen;
    filch_fd listener = listen_at(*at, &address, NULL), client, server;
    check_int(filch_tcp_connect_address(&client, &address, &(filch_tcp_connect_options){.nodelay = true}, FILCH_NEVER),
              0);
    check_int(filch_tcp_accept(listener, &server, &peer, FILCH_NEVER), 0);
    check_int(filch_fd_address(client, false, &seen), 0);
    check(filch_address_equal(&seen, &peer));
    check_int(filch_fd_address(client, true, &seen), 0);
    check(filch_address_equal(&seen, &address));
    check_int(filch_fd_address(server, true, &seen), 0);
    check(filch_address_equal(&seen, &peer));
    exchange(client, server, "there");
    exchange(server, client, "and back");
    check_int(filch_fd_close(client), 0);
    char byte;
    check_int(filch_fd_read(server, &byte, 1, FILCH_NEVER), 0);
    check_int(filch_fd_close(server), 0);
    check_int(filch_fd_close(listener), 0);
    return 0;
}

TEST(tcp, both_sides_talk_and_know_each_others_address) {
    filch_address ip4 = filch_address_ip4_loopback(0), ip6 = filch_address_ip6_loopback(0);
    run_clean(talk, &ip4);
    run_clean(talk, &ip6);
}

static int connect_later(void *arg) {
    filch_fd client;
    filch_sleep(FILCH_MS(2));
    check_int(filch_tcp_connect_address(&client, arg, NULL, FILCH_NEVER), 0);
    return filch_fd_close(client);
}

static int wait_for_connection(void *arg) {
    filch_address address;
    filch_fd listener = listen_here(&address), server;
    (void)arg;
    filch_task *task = start(connect_later, &address);
    check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    filch_fd_close(server);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, an_accept_waits_for_a_connection) {
    run_clean(wait_for_connection, NULL);
}

/* A connection that has come is accepted by who does not wait, though no event has told of it yet. */
static int accept_without_waiting(void *arg) {
    filch_address address;
    filch_fd listener = listen_here(&address), server;
    (void)arg;
    for (int i = 0; i < 20; i++) {
        check_int(filch_tcp_accept(listener, &server, NULL, (filch_deadline){0}), -ETIMEDOUT);
        int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check_int(connect(number, &address.any, address.length), 0);
        check_int(filch_tcp_accept(listener, &server, NULL, (filch_deadline){0}), 0);
        filch_fd_close(server);
        close(number);
    }
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, an_accept_that_does_not_wait_tries) {
    run_clean(accept_without_waiting, NULL);
}

/*
 * What has been read empty by others is not waited for: it would never become readable by a connection. By a deadline that
 * is far away, since one that has passed is tried in any case.
 */
static void check_accepts(filch_fd fd, int expected) {
    filch_deadline deadline = filch_after(FILCH_SEC(1000));
    filch_fd connection;
    char byte;
    check_int(filch_fd_read(fd, &byte, 1, filch_after(FILCH_MS(1))), -ETIMEDOUT);
    check_int(filch_tcp_accept(fd, &connection, NULL, deadline), expected);
    check_int(filch_unix_accept(fd, &connection, NULL, deadline), expected);
    check_int(filch_fd_close(fd), 0);
}

static int accept_from_what_was_read(void *arg) {
    filch_fd one, other;
    filch_address address = filch_address_ip4_loopback(0);
    (void)arg;
    connect_pair(&one, &other);
    check_accepts(one, -EINVAL);
    check_int(filch_fd_close(other), 0);
    check_int(filch_unix_pair(&one, &other, SOCK_STREAM, NULL), 0);
    check_accepts(one, -EINVAL);
    check_int(filch_fd_close(other), 0);
    check_int(filch_unix_pair(&one, &other, SOCK_DGRAM, NULL), 0);
    check_accepts(one, -EOPNOTSUPP);
    check_int(filch_fd_close(other), 0);
    check_int(filch_udp_open(&one, &(filch_udp_options){.local = &address}), 0);
    check_accepts(one, -EOPNOTSUPP);
    check_int(filch_pipe_open(&one, &other, NULL), 0);
    check_accepts(one, -ENOTSOCK);
    check_int(filch_fd_close(other), 0);
    return 0;
}

TEST(tcp, what_cannot_listen_answers_so_at_once_whoever_has_read_from_it) {
    run_clean(accept_from_what_was_read, NULL);
}

/* Several wait, and as many connections come at once, of which the kernel may tell with one event. */
static int share_connections(void *arg) {
    enum { ACCEPTORS = 16 };
    filch_address address;
    filch_fd listener = listen_here(&address);
    filch_task *tasks[ACCEPTORS];
    (void)arg;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < ACCEPTORS; i++) {
            tasks[i] = start(accept_one, &listener);
            while (filch_task_each(filch_runtime_current(), waits_now, tasks[i]) == 0) filch_sleep(FILCH_US(50));
        }
        for (int i = 0; i < ACCEPTORS; i++) { /* without a wait in between */
            int number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            check_int(connect(number, &address.any, address.length), 0);
            close(number);
        }
        for (int i = 0; i < ACCEPTORS; i++) check_int(result_of(tasks[i]), 0);
    }
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, of_several_who_wait_each_gets_a_connection) {
    run_clean(share_connections, NULL);
}

/* And of what does listen nobody asks for that: who comes where another waits already waits without a call. */
static int accept_beside(void *arg) {
    filch_address address;
    filch_fd listener = listen_here(&address), clients[2];
    filch_task *tasks[2];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        if (i == 1) filch__system_fail(UINT64_MAX, false, 0); /* counts */
        tasks[i] = start(accept_one, &listener);
        while (filch_task_each(filch_runtime_current(), waits_now, tasks[i]) == 0) filch_sleep(FILCH_US(100));
    }
    check_int(filch__system_calls(), 0);
    filch__system_fail(0, false, 0);
    for (int i = 0; i < 2; i++) check_int(filch_tcp_connect_address(&clients[i], &address, NULL, FILCH_NEVER), 0);
    for (int i = 0; i < 2; i++) check_int(result_of(tasks[i]), 0);
    for (int i = 0; i < 2; i++) check_int(filch_fd_close(clients[i]), 0);
    return filch_fd_close(listener);
}

TEST(tcp, who_accepts_where_another_waits_makes_no_call) {
    run_clean(accept_beside, NULL);
}

/* A connection in two steps: half a close, and then what the other side still has to say. */
static int close_half(void *arg) {
    filch_fd one, other;
    char byte;
    (void)arg;
    connect_pair(&one, &other);
    exchange(one, other, "question");
    check_int(filch_tcp_shutdown(one, SHUT_WR), 0);
    check_int(filch_fd_read(other, &byte, 1, FILCH_NEVER), 0);
    exchange(other, one, "answer");
    check_int(filch_tcp_shutdown(other, SHUT_RDWR), 0);
    check_int(filch_fd_read(one, &byte, 1, FILCH_NEVER), 0);
    check_int(filch_fd_write(one, "x", 1, FILCH_NEVER), -EPIPE);
    check_int(filch_tcp_shutdown(one, 7), -EINVAL);
    filch_fd_close(one);
    filch_fd_close(other);
    check_int(filch_tcp_shutdown(one, SHUT_WR), -EBADF);
    return 0;
}

TEST(tcp, half_a_close_leaves_the_other_direction_open) {
    run_clean(close_half, NULL);
}

static int be_reset(void *arg) {
    filch_fd one, other;
    char byte;
    (void)arg;
    connect_pair(&one, &other);
    check_int(filch_tcp_set_linger(one, 0), 0);
    filch_fd_close(one);
    check_int(filch_fd_read(other, &byte, 1, FILCH_NEVER), -ECONNRESET);
    filch_fd_close(other);
    return 0;
}

TEST(tcp, a_peer_that_resets_is_an_error) {
    run_clean(be_reset, NULL);
}

/* A connection that is reset while it waits in the queue: it is accepted, and reading it says so; nothing is stuck. */
static int reset_in_queue(void *arg) {
    filch_address address;
    filch_fd listener = listen_here(&address), client, server;
    char byte;
    (void)arg;
    for (int i = 0; i < 10; i++) {
        check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), 0);
        check_int(filch_tcp_set_linger(client, 0), 0);
        filch_fd_close(client);
    }
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), 0);
    for (int resets = 0;; resets++) {
        check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
        ssize_t got = filch_fd_read(server, &byte, 1, filch_after(FILCH_MS(resets < 10 ? 10000 : 1)));
        filch_fd_close(server);
        if (got == -ETIMEDOUT) break; /* the one that is still there */
        check_int(got, -ECONNRESET);
    }
    filch_fd_close(client);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, connections_that_were_reset_in_the_queue_hold_nothing_up) {
    run_clean(reset_in_queue, NULL);
}

static int connect_to_nobody(void *arg) {
    filch_address address;
    filch_fd fd = FILCH_FD_NONE;
    int held = hold_port(filch_address_ip4_loopback(0), &address);
    (void)arg;
    check_int(filch_tcp_connect_address(&fd, &address, NULL, FILCH_NEVER), -ECONNREFUSED);
    check_int(filch_fd_number(fd), -EBADF);
    char service[8];
    snprintf(service, sizeof service, "%u", filch_address_port(&address));
    check_int(filch_tcp_connect(&fd, "127.0.0.1", service, NULL, FILCH_NEVER), -ECONNREFUSED);
    check_int(
        filch_tcp_connect(&fd, "localhost", service, &(filch_tcp_connect_options){.family = AF_INET}, FILCH_NEVER),
        -ECONNREFUSED);
    close(held);
    return 0;
}

TEST(tcp, a_refused_connection_is_an_error) {
    run_clean(connect_to_nobody, NULL);
}

/* ------------------------------------------------------------------------------------------------------- cut short */

static int connect_for_ever(void *arg) {
    filch_fd fd;
    return filch_tcp_connect_address(&fd, arg, NULL, FILCH_NEVER);
}

static int be_cut_short(void *arg) {
    filch_address address, idle_address;
    filch_fd queued[QUEUED], fd, listener = listen_full(filch_address_ip4_loopback(0), &address, queued);
    (void)arg;
    check_int(filch_tcp_connect_address(&fd, &address, NULL, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    check_int(filch_tcp_connect_address(&fd, &address, NULL, (filch_deadline){0}), -ETIMEDOUT);
    check_is_cancelled(connect_for_ever, &address);
    filch_fd idle = listen_here(&idle_address);
    check_int(filch_tcp_accept(idle, &fd, NULL, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    check_int(filch_tcp_accept(idle, &fd, NULL, (filch_deadline){0}), -ETIMEDOUT);
    check_is_cancelled(accept_for_ever, &idle);
    filch_task *waiting = start(accept_for_ever, &idle);
    while (filch_task_each(filch_runtime_current(), waits_now, waiting) == 0) filch_sleep(FILCH_US(100));
    filch_fd_close(idle);
    check_int(result_of(waiting), -EBADF);
    check_int(filch_tcp_accept(idle, &fd, NULL, FILCH_NEVER), -EBADF);
    close_all(queued, QUEUED);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, waits_are_cut_short_by_deadline_cancellation_and_close) {
    run_clean(be_cut_short, NULL);
}

static int act_cancelled(void *arg) {
    filch_address address = *(filch_address *)arg;
    filch_fd fd;
    filch_task_cancel(filch_self());
    check_int(filch_tcp_connect_address(&fd, &address, NULL, FILCH_NEVER), -ECANCELED);
    return filch_tcp_connect(&fd, "127.0.0.1", "1", NULL, FILCH_NEVER);
}

static int begin_cancelled(void *arg) {
    filch_address address;
    filch_fd fd, listener = listen_here(&address);
    (void)arg;
    check_int(result_of(start(act_cancelled, &address)), -ECANCELED);
    check_int(filch_tcp_accept(listener, &fd, NULL, (filch_deadline){0}), -ETIMEDOUT);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, a_cancelled_task_connects_to_nobody) {
    run_clean(begin_cancelled, NULL);
}

/* Accepts and connects that are cancelled at every moment: each connection is one side's and the other's, or nobody's. */
static int connect_in_a_storm(void *arg) {
    filch_fd fd;
    int error = filch_tcp_connect_address(&fd, arg, NULL, FILCH_NEVER);
    return error != 0 ? error : filch_fd_close(fd);
}

static int storm(void *arg) {
    enum { PAIRS = 40 };
    filch_address address;
    filch_fd listener = listen_here(&address);
    filch_task *accepts[PAIRS], *connects[PAIRS];
    (void)arg;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < PAIRS; i++) {
            accepts[i] = start(accept_one, &listener);
            connects[i] = start(connect_in_a_storm, &address);
        }
        filch_sleep(FILCH_US(50 * round));
        for (int i = 0; i < PAIRS; i++) {
            filch_task_cancel(accepts[i]);
            if (i % 3 == 0) filch_task_cancel(connects[i]);
        }
        for (int i = 0; i < PAIRS; i++) {
            int accepted = result_of(accepts[i]), connected = result_of(connects[i]);
            check(accepted == 0 || accepted == -ECANCELED);
            check(connected == 0 || connected == -ECANCELED);
        }
    }
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, cancellations_at_every_moment_leave_no_descriptor) {
    run_clean(storm, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- listening */

static int share_port(void *arg) {
    filch_address address, same;
    filch_tcp_listen_options shared = {.reuse_port = true};
    filch_fd one = listen_at(filch_address_ip4_loopback(0), &address, &shared), two, three;
    (void)arg;
    check_int(filch_tcp_listen(&three, &address, NULL), -EADDRINUSE);
    two = listen_at(address, &same, &shared);
    check(filch_address_equal(&address, &same));
    filch_fd_close(one);
    filch_fd_close(two);
    return 0;
}

TEST(tcp, a_port_is_shared_by_those_who_say_so) {
    run_clean(share_port, NULL);
}

/* Connections of the first listener are in TIME_WAIT, on its side. */
static int listen_again(void *arg) {
    filch_address address, same;
    filch_fd listener = listen_here(&address), client, server;
    (void)arg;
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), 0);
    check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
    char byte;
    filch_fd_close(server);
    check_int(filch_fd_read(client, &byte, 1, FILCH_NEVER), 0);
    filch_fd_close(client);
    filch_fd_close(listener);
    filch_fd refused;
    check_int(filch_tcp_listen(&refused, &address, &(filch_tcp_listen_options){.no_reuse_address = true}), -EADDRINUSE);
    listener = listen_at(address, &same, NULL);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, a_server_that_starts_anew_gets_its_port_again) {
    run_clean(listen_again, NULL);
}

static int listen_on_both(void *arg) {
    filch_address any, address;
    filch_fd listener = listen_at(filch_address_ip6_any(0), &any, NULL), fd, client;
    (void)arg;
    address = filch_address_ip4_loopback(filch_address_port(&any));
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), 0);
    check_int(filch_tcp_accept(listener, &fd, NULL, FILCH_NEVER), 0);
    filch_fd_close(client);
    filch_fd_close(fd);
    filch_fd_close(listener);
    listener = listen_at(filch_address_ip6_any(0), &any, &(filch_tcp_listen_options){.ipv6_only = true});
    address = filch_address_ip4_loopback(filch_address_port(&any));
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), -ECONNREFUSED);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, a_listener_of_ipv6_is_one_of_ipv4_unless_it_says_not) {
    run_clean(listen_on_both, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ options */

static int option(filch_fd fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    check_int(getsockopt(filch_fd_number(fd), level, name, &value, &size), 0);
    return value;
}

static int set_options(void *arg) {
    filch_fd one, other;
    (void)arg;
    connect_pair(&one, &other);
    check_int(option(one, IPPROTO_TCP, TCP_NODELAY), 0);
    check_int(filch_tcp_set_nodelay(one, true), 0);
    check(option(one, IPPROTO_TCP, TCP_NODELAY) != 0);
    check_int(filch_tcp_set_nodelay(one, false), 0);
    check_int(option(one, IPPROTO_TCP, TCP_NODELAY), 0);

    filch_tcp_keepalive keepalive = {.idle_s = 30, .interval_s = 5, .count = 3};
    check_int(filch_tcp_set_keepalive(one, &keepalive), 0);
    check(option(one, SOL_SOCKET, SO_KEEPALIVE) != 0);
    check_int(option(one, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    check_int(option(one, IPPROTO_TCP, TCP_KEEPINTVL), 5);
    check_int(option(one, IPPROTO_TCP, TCP_KEEPCNT), 3);
    check_int(filch_tcp_set_keepalive(one, &(filch_tcp_keepalive){.count = 9}), 0);
    check_int(option(one, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    check_int(option(one, IPPROTO_TCP, TCP_KEEPCNT), 9);
    check_int(filch_tcp_set_keepalive(one, NULL), 0);
    check_int(option(one, SOL_SOCKET, SO_KEEPALIVE), 0);
    check_int(filch_tcp_set_keepalive(one, &(filch_tcp_keepalive){.idle_s = -1}), -EINVAL);
    check_int(filch_tcp_set_keepalive(one, &(filch_tcp_keepalive){.count = 100000}), -EINVAL);

    check_int(filch_fd_set_buffers(one, 32768, 65536), 0);
    check(option(one, SOL_SOCKET, SO_SNDBUF) >= 32768);
    check(option(one, SOL_SOCKET, SO_RCVBUF) >= 65536);
    int before = option(one, SOL_SOCKET, SO_SNDBUF);
    check_int(filch_fd_set_buffers(one, 0, 131072), 0);
    check_int(option(one, SOL_SOCKET, SO_SNDBUF), before);
    check_int(filch_fd_set_buffers(one, (size_t)1 << 40, 0), -EINVAL);
    check_int(filch_fd_set_buffers(one, 0, (size_t)1 << 31), -EINVAL);

    check_int(filch_tcp_set_linger(one, 5), -EINVAL);
    check_int(filch_tcp_set_linger(one, -2), -EINVAL);
    check_int(filch_tcp_set_linger(one, 0), 0);
    check_int(filch_tcp_set_linger(one, -1), 0);
    filch_fd_close(one);
    char byte;
    check_int(filch_fd_read(other, &byte, 1, FILCH_NEVER), 0); /* the end, and no reset */
    filch_fd_close(other);
    check_int(filch_tcp_set_nodelay(one, true), -EBADF);
    check_int(filch_tcp_set_keepalive(one, NULL), -EBADF);
    check_int(filch_tcp_set_linger(one, 0), -EBADF);
    check_int(filch_fd_set_buffers(one, 0, 0), -EBADF);
    return 0;
}

TEST(tcp, options_arrive_in_the_kernel) {
    run_clean(set_options, NULL);
}

static int connect_from(void *arg) {
    filch_address address, local = filch_address_ip4_loopback(0), peer, other = filch_address_ip6_loopback(0);
    filch_fd listener = listen_here(&address), client, server;
    (void)arg;
    local.ip4.sin_addr.s_addr = htonl(0x7f000002); /* 127.0.0.2 */
    filch_tcp_connect_options options = {.local = &local, .nodelay = true};
    check_int(filch_tcp_connect_address(&client, &address, &options, FILCH_NEVER), 0);
    check_int(filch_tcp_accept(listener, &server, &peer, FILCH_NEVER), 0);
    check_int(peer.ip4.sin_addr.s_addr, local.ip4.sin_addr.s_addr);
    check(option(client, IPPROTO_TCP, TCP_NODELAY) != 0);
    filch_fd_close(client);
    filch_fd_close(server);
    options.local = &other;
    check_int(filch_tcp_connect(&client, "127.0.0.1", "1", &options, FILCH_NEVER), -EADDRNOTAVAIL);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp, a_connection_comes_from_where_it_is_told_to) {
    run_clean(connect_from, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- misuse */

static int misuse(void *arg) {
    filch_address address, none = {0}, local;
    filch_fd listener = listen_here(&address), fd, one, other;
    (void)arg;
    check_int(filch_address_parse(&local, "unix:/tmp/x"), 0);
    check_int(filch_tcp_listen(NULL, &address, NULL), -EINVAL);
    check_int(filch_tcp_listen(&fd, NULL, NULL), -EINVAL);
    check_int(filch_tcp_listen(&fd, &none, NULL), -EINVAL);
    check_int(filch_tcp_listen(&fd, &local, NULL), -EINVAL);
    check_int(filch_tcp_listen(&fd, &address, &(filch_tcp_listen_options){.backlog = -1}), -EINVAL);
    check_int(filch_tcp_listen(&fd, &address, NULL), -EADDRINUSE);

    check_int(filch_tcp_accept(listener, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_accept(FILCH_FD_NONE, &fd, NULL, FILCH_NEVER), -EBADF);
    connect_pair(&one, &other);
    check_int(filch_tcp_accept(one, &fd, NULL, FILCH_NEVER), -EINVAL);

    filch_tcp_connect_options family = {.family = AF_UNIX}, delay = {.attempt_delay_ns = 1}, from = {.local = &local};
    filch_address ip4 = filch_address_ip4_loopback(0);
    filch_tcp_connect_options clash = {.local = &ip4, .family = AF_INET6};
    check_int(filch_tcp_connect_address(NULL, &address, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect_address(&fd, NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect_address(&fd, &none, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect_address(&fd, &local, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect_address(&fd, &address, &family, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect_address(&fd, &address, &delay, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect_address(&fd, &address, &from, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect(NULL, "localhost", "1", NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect(&fd, NULL, "1", NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect(&fd, "localhost", NULL, NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect(&fd, "localhost", "1", &clash, FILCH_NEVER), -EINVAL);
    check_int(filch_tcp_connect(&fd, "127.0.0.1", "no-such-service", NULL, FILCH_NEVER), -ESRCH);

    check_int(filch_fd_address(one, false, NULL), -EINVAL);
    check_int(filch_fd_address(listener, true, &address), -ENOTCONN);
    check_int(filch_fd_address(FILCH_FD_NONE, false, &address), -EBADF);
    filch_fd reading, writing;
    int ends[2];
    check_int(pipe(ends), 0);
    check_int(filch_fd_adopt(&reading, ends[0], NULL), 0);
    check_int(filch_fd_adopt(&writing, ends[1], NULL), 0);
    check_int(filch_fd_address(reading, false, &address), -ENOTSOCK);
    check_int(filch_tcp_accept(reading, &fd, NULL, FILCH_NEVER), -ENOTSOCK);
    check_int(filch_tcp_shutdown(reading, SHUT_WR), -ENOTSOCK);
    for (int how = SHUT_RD; how <= SHUT_RDWR; how++) check_int(filch_tcp_shutdown(listener, how), -ENOTCONN);
    check_int(filch_tcp_accept(listener, &fd, NULL, (filch_deadline){0}), -ETIMEDOUT); /* it still listens */
    filch_fd fds[] = {listener, one, other, reading, writing};
    close_all(fds, 5);
    return 0;
}

TEST(tcp, bad_arguments_are_answered) {
    run_clean(misuse, NULL);
}

TEST(tcp, a_thread_names_a_runtime_or_is_refused) {
    filch_address address = filch_address_ip4_loopback(0);
    filch_fd listener, client, server;
    int before = open_fds();
    check_int(filch_tcp_listen(&listener, &address, NULL), -EPERM);
    check_int(open_fds(), before);
    filch_runtime *runtime;
    check_int(filch_runtime_create(&runtime, &(filch_options){.workers = 1}), 0);
    check_int(filch_tcp_listen(&listener, &address, &(filch_tcp_listen_options){.runtime = runtime}), 0);
    check_int(filch_fd_address(listener, false, &address), 0);
    filch_tcp_connect_options options = {.runtime = runtime};
    check_int(filch_tcp_connect_address(&client, &address, NULL, FILCH_NEVER), -EPERM);
    check_int(filch_tcp_connect_address(&client, &address, &options, FILCH_NEVER), 0);
    check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
    exchange(client, server, "by threads");
    check_int(filch_fd_close(server), 0);
    check_int(filch_fd_close(client), 0);
    char service[8];
    snprintf(service, sizeof service, "%u", filch_address_port(&address));
    check_int(filch_tcp_connect(&client, "localhost", service, &options, FILCH_NEVER), 0);
    check_int(filch_fd_close(client), 0);
    check_int(filch_fd_close(listener), 0);
    check_int(filch_runtime_destroy(runtime), 0);
    check_int(open_fds(), before);
}
