/* SPDX-License-Identifier: MIT */
/* Proves that of several addresses the first to answer is connected to, whatever the others do, and that nothing is left. */
#include "io/happy_eyeballs.h"
#include "tests/io/net.h"

static int connect_by_name(void *arg) {
    filch_address address;
    filch_fd listener = listen_at(*(filch_address *)arg, &address, NULL), client, server;
    char service[8];
    snprintf(service, sizeof service, "%u", filch_address_port(&address));
    const char *const hosts[] = {"localhost", address.any.sa_family == AF_INET ? "127.0.0.1" : "::1"};
    bool found = address.any.sa_family == AF_INET; /* not every machine knows localhost as ::1 */
    for (int i = found ? 0 : 1; i < 2; i++) {
        check_int(filch_tcp_connect(&client, hosts[i], service, NULL, FILCH_NEVER), 0);
        check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
        exchange(client, server, "by name");
        filch_fd_close(client);
        filch_fd_close(server);
    }
    filch_fd_close(listener);
    return 0;
}

TEST(tcp_race, a_name_is_looked_up_and_connected_to) {
    filch_address ip4 = filch_address_ip4_loopback(0), ip6 = filch_address_ip6_loopback(0);
    run_clean(connect_by_name, &ip4);
    run_clean(connect_by_name, &ip6);
}

TEST(tcp_race, families_are_tried_in_turn) {
    static const char *const texts[] = {"[::1]:1", "[::1]:2", "[::1]:3", "127.0.0.1:4", "127.0.0.1:5", "[::1]:6"};
    static const int order[] = {1, 4, 2, 5, 3, 6};
    enum { COUNT = 6 };
    filch_address addresses[COUNT];
    for (int i = 0; i < COUNT; i++) check_int(filch_address_parse(&addresses[i], texts[i]), 0);
    filch__interleave(addresses, COUNT);
    for (int i = 0; i < COUNT; i++) check_int(filch_address_port(&addresses[i]), order[i]);
    filch__interleave(addresses, 1);
    filch__interleave(addresses, 0);
    check_int(filch_address_port(&addresses[0]), 1);
}

/* A port of ::1 at which nobody listens, and one of 127.0.0.1 at which somebody does: the former is refused. */
static int race_past_refused(void *arg) {
    filch_address addresses[3], live;
    filch_fd listener = listen_here(&live), client, server;
    (void)arg;
    int held[2] = {hold_port(filch_address_ip6_loopback(0), &addresses[0]),
                   hold_port(filch_address_ip4_loopback(0), &addresses[1])};
    addresses[2] = live;
    filch_tcp_connect_options patient = {.attempt_delay_ns = FILCH_SEC(1000)}; /* failures alone begin the next one */
    check_int(filch__connect_to_any(&client, addresses, 3, &patient, FILCH_NEVER), 0);
    check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
    exchange(client, server, "past two");
    for (int i = 0; i < 2; i++) close(held[i]);
    filch_fd_close(client);
    filch_fd_close(server);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp_race, an_address_that_refuses_makes_way_for_the_next) {
    run_clean(race_past_refused, NULL);
}

/* The first address answers nothing: its listener's queue is full. The second is tried beside it. */
static int race_past_silent(void *arg) {
    filch_address addresses[2];
    filch_fd queued[QUEUED], silent = listen_full(filch_address_ip6_loopback(0), &addresses[0], queued);
    filch_fd listener = listen_here(&addresses[1]), client, server;
    filch_address silent_address = addresses[0], peer;
    (void)arg;
    filch_tcp_connect_options hasty = {.attempt_delay_ns = FILCH_MS(10)};
    int64_t begun = filch_now();
    check_int(filch__connect_to_any(&client, addresses, 2, &hasty, FILCH_NEVER), 0);
    check(filch_now() - begun >= FILCH_MS(10));
    check_int(filch_fd_address(client, true, &peer), 0);
    check(!filch_address_equal(&peer, &silent_address));
    check_int(filch_tcp_accept(listener, &server, NULL, FILCH_NEVER), 0);
    exchange(client, server, "beside");
    filch_fd_close(client);
    filch_fd_close(server);
    close_all(queued, QUEUED);
    filch_fd_close(silent);
    filch_fd_close(listener);
    return 0;
}

TEST(tcp_race, an_address_that_is_silent_is_overtaken_by_the_next) {
    run_clean(race_past_silent, NULL);
}

/* Accepts until it gets the connection of `client`; others, which have lost their race, are closed. */
static filch_fd accept_from(filch_fd listener, filch_fd client) {
    filch_address own, peer;
    check_int(filch_fd_address(client, false, &own), 0);
    for (;;) {
        filch_fd fd;
        check_int(filch_tcp_accept(listener, &fd, &peer, FILCH_NEVER), 0);
        if (filch_address_equal(&own, &peer)) return fd;
        filch_fd_close(fd);
    }
}

/* Two that answer, and are tried at the same time: one wins, and the other's connection, if there is one, is closed. */
static int race_evenly(void *arg) {
    filch_address addresses[2], first;
    filch_fd listeners[2] = {listen_at(filch_address_ip6_loopback(0), &addresses[0], NULL), listen_here(&addresses[1])};
    (void)arg;
    first = addresses[0];
    for (int i = 0; i < 200; i++) {
        filch_address peer;
        filch_fd client;
        filch_tcp_connect_options at_once = {.attempt_delay_ns = i % 2};
        check_int(filch__connect_to_any(&client, addresses, 2, &at_once, FILCH_NEVER), 0);
        check_int(filch_fd_address(client, true, &peer), 0);
        filch_fd server = accept_from(listeners[filch_address_equal(&peer, &first) ? 0 : 1], client);
        exchange(client, server, "won");
        filch_fd_close(client);
        filch_fd_close(server);
    }
    close_all(listeners, 2);
    return 0;
}

TEST(tcp_race, of_two_that_answer_one_is_the_connection) {
    run_clean(race_evenly, NULL);
}

static int race_in_vain(void *arg) {
    filch_address addresses[3];
    filch_fd fd, queued[QUEUED], silent = listen_full(filch_address_ip6_loopback(0), &addresses[2], queued);
    (void)arg;
    int held[2] = {hold_port(filch_address_ip4_loopback(0), &addresses[0]),
                   hold_port(filch_address_ip4_loopback(0), &addresses[1])};
    filch_address refused[2] = {addresses[0], addresses[1]};
    filch_tcp_connect_options hasty = {.attempt_delay_ns = FILCH_MS(10)};
    check_int(filch__connect_to_any(&fd, refused, 2, &hasty, FILCH_NEVER), -ECONNREFUSED);
    check_int(filch__connect_to_any(&fd, addresses, 3, &hasty, filch_after(FILCH_MS(40))), -ETIMEDOUT);
    check_int(filch__connect_to_any(&fd, addresses, 3, &hasty, (filch_deadline){0}), -ETIMEDOUT);
    for (int i = 0; i < 2; i++) close(held[i]);
    close_all(queued, QUEUED);
    filch_fd_close(silent);
    return 0;
}

TEST(tcp_race, where_nobody_answers_the_first_error_or_the_deadline_is_told) {
    run_clean(race_in_vain, NULL);
}

static int race_for_ever(void *arg) {
    filch_address addresses[2];
    filch_fd fd;
    memcpy(addresses, arg, sizeof addresses);
    return filch__connect_to_any(&fd, addresses, 2, &(filch_tcp_connect_options){.attempt_delay_ns = FILCH_MS(10)},
                                 FILCH_NEVER);
}

static int cancel_race(void *arg) {
    filch_address addresses[2];
    filch_fd queued[2][QUEUED], silent[2];
    (void)arg;
    silent[0] = listen_full(filch_address_ip6_loopback(0), &addresses[0], queued[0]);
    silent[1] = listen_full(filch_address_ip4_loopback(0), &addresses[1], queued[1]);
    for (int i = 0; i < 5; i++) check_is_cancelled(race_for_ever, addresses);
    for (int i = 0; i < 2; i++) close_all(queued[i], QUEUED);
    close_all(silent, 2);
    return 0;
}

TEST(tcp_race, a_race_that_is_cancelled_leaves_nothing) {
    run_clean(cancel_race, NULL);
}
