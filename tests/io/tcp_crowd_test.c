/* SPDX-License-Identifier: MIT */
/* Proves that a thousand, and ten thousand, connections are served at once, and that no descriptor is left. */
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/io/net.h"

enum { MANY = 1000 };

static int echo(void *arg) {
    filch_fd fd = *(filch_fd *)arg;
    char buffer[64];
    ssize_t got;
    while ((got = filch_fd_read(fd, buffer, sizeof buffer, FILCH_NEVER)) > 0) {
        check_int(filch_fd_write_all(fd, buffer, (size_t)got, NULL, FILCH_NEVER), 0);
    }
    check_int(got, 0);
    return filch_fd_close(fd);
}

struct client {
    filch_address address;
    atomic_int *together;
    int number;
};

static int ask(void *arg) {
    struct client *client = arg;
    filch_fd fd;
    char text[32], answer[32];
    check_int(filch_tcp_connect_address(&fd, &client->address, NULL, FILCH_NEVER), 0);
    atomic_fetch_add(client->together, 1);
    while (atomic_load(client->together) < MANY) filch_sleep(FILCH_MS(1));
    for (int round = 0; round < 3; round++) {
        int size = snprintf(text, sizeof text, "%d of %d;", client->number, round);
        check_int(filch_fd_write_all(fd, text, (size_t)size, NULL, FILCH_NEVER), 0);
        check_int(filch_fd_read_exactly(fd, answer, (size_t)size, NULL, FILCH_NEVER), 0);
        check(memcmp(text, answer, (size_t)size) == 0);
    }
    return filch_fd_close(fd);
}

static int be_many(void *arg) {
    static filch_task *clients[MANY], *servers[MANY];
    static struct client arguments[MANY];
    static filch_fd connections[MANY];
    filch_address address;
    filch_fd listener = listen_here(&address);
    atomic_int together = 0;
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        arguments[i] = (struct client){address, &together, i};
        clients[i] = start(ask, &arguments[i]);
    }
    for (int i = 0; i < MANY; i++) {
        check_int(filch_tcp_accept(listener, &connections[i], NULL, FILCH_NEVER), 0);
        servers[i] = start(echo, &connections[i]);
    }
    for (int i = 0; i < MANY; i++) {
        check_int(result_of(clients[i]), 0);
        check_int(result_of(servers[i]), 0);
    }
    filch_fd_close(listener);
    return 0;
}

TEST(tcp_crowd, a_thousand_connections_at_once) {
    struct rlimit limit;
    check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int before = open_fds();
    run_with(2, be_many, NULL);
    check_int(open_fds(), before);
}

/* Ten thousand on each side, which is more than one process may have on many a system: the clients are another. */
#if defined(FILCH_TSAN) || defined(FILCH_ASAN)
enum { CROWD = 2000 };
#else
enum { CROWD = 10000 };
#endif

struct crowd {
    filch_address address;
    filch_fd listener;
    int port[2]; /* the server's address goes through this pipe */
};

static int meet(void *arg) {
    struct client *client = arg;
    filch_fd fd;
    char byte = (char)client->number, answer;
    check_int(filch_tcp_connect_address(&fd, &client->address, NULL, FILCH_NEVER), 0);
    atomic_fetch_add(client->together, 1);
    while (atomic_load(client->together) < CROWD) filch_sleep(FILCH_MS(100)); /* each time all of them: not too often */
    check_int(filch_fd_write_all(fd, &byte, 1, NULL, FILCH_NEVER), 0);
    check_int(filch_fd_read(fd, &answer, 1, FILCH_NEVER), 1);
    check_int(answer, byte);
    return filch_fd_close(fd);
}

static int be_the_crowd(void *arg) {
    static struct client clients[CROWD];
    struct crowd *crowd = arg;
    filch_scope scope;
    atomic_int together = 0;
    check_int(filch_scope_open(&scope, NULL), 0);
    for (int i = 0; i < CROWD; i++) {
        clients[i] = (struct client){crowd->address, &together, i};
        check_int(filch_scope_spawn(&scope, NULL, meet, &clients[i], NULL), 0);
    }
    return filch_scope_close(&scope);
}

static int serve_one(filch_fd fd, const filch_address *peer, void *arg) {
    (void)peer, (void)arg;
    return echo(&fd);
}

static int stop_after_all(void *arg) {
    filch_server *server = arg;
    while (filch_server_counts(server).finished < CROWD) filch_sleep(FILCH_MS(5));
    filch_server_stop(server);
    return 0;
}

static int serve_the_crowd(void *arg) {
    struct crowd *crowd = arg;
    static filch_server server;
    crowd->listener = listen_here(&crowd->address);
    check(write(crowd->port[1], &crowd->address, sizeof crowd->address) == (ssize_t)sizeof crowd->address);
    filch_task *stopper = start(stop_after_all, &server);
    check_int(filch_serve(crowd->listener, serve_one, NULL, &(filch_serve_options){.server = &server}), 0);
    check_int(result_of(stopper), 0);
    check_int(filch_server_counts(&server).failed, 0);
    filch_fd_close(crowd->listener);
    return 0;
}

TEST(tcp_crowd, ten_thousand_connections_at_once) {
    struct rlimit limit;
    struct crowd crowd;
    int status = -1;
    check_int(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    check_int(setrlimit(RLIMIT_NOFILE, &limit), 0);
    check(limit.rlim_cur > CROWD + 100);
    check_int(pipe(crowd.port), 0);
    pid_t child = fork();
    if (child == 0) {
        bool told = read(crowd.port[0], &crowd.address, sizeof crowd.address) == (ssize_t)sizeof crowd.address;
        _exit(told && filch_run(be_the_crowd, &crowd, &(filch_options){.workers = 2}) == 0 ? 0 : 1);
    }
    int before = open_fds();
    run_with(2, serve_the_crowd, &crowd);
    check_int(open_fds(), before);
    check(waitpid(child, &status, 0) == child);
    check_int(status, 0);
    close(crowd.port[0]);
    close(crowd.port[1]);
}
