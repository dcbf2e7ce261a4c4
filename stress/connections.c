/* SPDX-License-Identifier: MIT */
/*
 * A storm of connections: an echo server with a limit, or without, that is stopped at its end or in the middle, and
 * clients that talk to it in order, or reset the connection, hang up, read slowly, give up, or are told to be reset.
 *
 * What comes back must be what was sent, as far as it comes; while the server is not stopped, an orderly conversation must
 * be complete. Every connection that was accepted is accounted for, and after each round no descriptor is left.
 */
#include <dirent.h>
#include <errno.h>
#include <filch/io.h>

#include "stress/stress.h"

enum { CLIENTS = 24, CONVERSATIONS = 6, SMALL = 4000, LARGE = 200000 };

/* The first byte that a client sends: what the server is to do. */
enum { ECHO = 'e', RESET = 'r' };

static struct {
    filch_fd listener;
    filch_address address;
    filch_server server;
    filch_serve_options options;
    atomic_bool stopped;
    atomic_ullong complete, broken;
} storm;

static char byte_at(uint32_t key, size_t position) {
    return position == 0 ? ECHO : (char)((key + position) * 2654435761u >> 13);
}

/* ------------------------------------------------------------------------------------------------------------ server */

static int echo(filch_fd connection, const filch_address *peer, void *arg) {
    char buffer[2048];
    ssize_t size;
    bool first = true;
    (void)peer;
    (void)arg;
    while ((size = filch_fd_read(connection, buffer, sizeof buffer, FILCH_NEVER)) > 0) {
        if (first && buffer[0] == RESET) return filch_tcp_set_linger(connection, 0);
        first = false;
        int error = filch_fd_write_all(connection, buffer, (size_t)size, NULL, FILCH_NEVER);
        if (error != 0) return error;
    }
    return (int)size;
}

static int serve(void *arg) {
    (void)arg;
    return filch_serve(storm.listener, echo, NULL, &storm.options);
}

/* ----------------------------------------------------------------------------------------------------------- clients */

struct conversation {
    filch_fd fd;
    uint32_t key;
    size_t size;
    size_t piece; /* bytes at a time */
    bool slow;
};

static int speak(void *arg) {
    struct conversation *conversation = arg;
    char buffer[2048];
    for (size_t done = 0; done < conversation->size;) {
        size_t size = conversation->size - done < conversation->piece ? conversation->size - done : conversation->piece;
        for (size_t i = 0; i < size; i++) buffer[i] = byte_at(conversation->key, done + i);
        int error = filch_fd_write_all(conversation->fd, buffer, size, NULL, FILCH_NEVER);
        if (error != 0) return error;
        done += size;
    }
    return filch_tcp_shutdown(conversation->fd, SHUT_WR);
}

/* Reads until the end, and compares; how much there was, or -errno. */
static ssize_t listen_to(struct conversation *conversation) {
    char buffer[2048];
    size_t done = 0;
    for (;;) {
        ssize_t size = filch_fd_read(conversation->fd, buffer, conversation->piece, FILCH_NEVER);
        if (size < 0) return size;
        if (size == 0) return (ssize_t)done;
        for (ssize_t i = 0; i < size; i++) must(buffer[i] == byte_at(conversation->key, done + (size_t)i));
        done += (size_t)size;
        must(done <= conversation->size);
        if (conversation->slow) filch_sleep(FILCH_US(50));
    }
}

/* Speaks and listens at the same time. */
static void talk(struct conversation *conversation) {
    filch_scope scope;
    must(filch_scope_open(&scope, NULL) == 0);
    must(filch_scope_spawn(&scope, NULL, speak, conversation, NULL) == 0);
    ssize_t heard = listen_to(conversation);
    if (heard < 0) filch_scope_fail(&scope, (int)heard);
    bool complete = filch_scope_close(&scope) == 0 && (size_t)heard == conversation->size;
    must(complete || atomic_load(&storm.stopped));
    atomic_fetch_add(complete ? &storm.complete : &storm.broken, 1);
}

static void misbehave(filch_fd fd, struct filch__random *random) {
    char text[] = {below(random, 2) == 0 ? RESET : ECHO, 'x'};
    uint32_t kind = below(random, 4);
    if (kind != 0 && filch_fd_write(fd, text, sizeof text, FILCH_NEVER) < 0) return;
    if (kind == 1) must(filch_tcp_set_linger(fd, 0) == 0);
    if (kind == 2) (void)!filch_fd_read(fd, text, sizeof text, filch_after(below(random, 300000)));
    if (kind == 3) {
        ssize_t size = filch_fd_read(fd, text, sizeof text, FILCH_NEVER);
        must(text[0] == ECHO || size == -ECONNRESET || size == -EPIPE || size == 0);
    }
}

static void converse(struct filch__random *random) {
    struct conversation conversation = {.key = below(random, 1000000), .piece = 1 + below(random, 2048)};
    filch_deadline deadline = below(random, 16) == 0 ? filch_after(below(random, 200000)) : FILCH_NEVER;
    int error = filch_tcp_connect_address(&conversation.fd, &storm.address, NULL, deadline);
    if (error == -ETIMEDOUT && deadline.at_ns != INT64_MAX) return;
    must(error == 0 || atomic_load(&storm.stopped));
    if (error != 0) return;
    bool large = below(random, 8) == 0;
    conversation.size = 1 + below(random, large ? LARGE : SMALL);
    if (large) conversation.piece = 2048;
    conversation.slow = below(random, 8) == 0;
    if (below(random, 3) == 0) {
        misbehave(conversation.fd, random);
    } else {
        talk(&conversation);
    }
    must(filch_fd_close(conversation.fd) == 0);
}

static int client(void *arg) {
    struct filch__random random = *(struct filch__random *)arg;
    for (int i = 0; i < CONVERSATIONS; i++) converse(&random);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ rounds */

/* But for files in /proc: the monitor has one open for a moment now and then. */
static int open_fds(void) {
    int count = 0;
    char target[16];
    DIR *directory = opendir("/proc/self/fd");
    must(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
        count += length >= 0 && (length < 6 || memcmp(target, "/proc/", 6) != 0);
    }
    closedir(directory);
    return count;
}

static filch_task *begin(struct filch__random *random) {
    filch_address any = filch_address_ip4_loopback(0);
    filch_task *task;
    storm.server = (filch_server){0};
    storm.options = (filch_serve_options){.server = &storm.server,
                                          .acceptors = 1 + below(random, 3),
                                          .max_connections = below(random, 2) * (1 + below(random, 8)),
                                          .grace_ns = below(random, 3) == 0 ? -1 : (int64_t)below(random, 5000000)};
    atomic_store(&storm.stopped, false);
    must(filch_tcp_listen(&storm.listener, &any, NULL) == 0);
    must(filch_fd_address(storm.listener, false, &storm.address) == 0);
    must(filch_spawn(&task, serve, NULL, NULL) == 0);
    return task;
}

static void stop(filch_task *task) {
    int result;
    atomic_store(&storm.stopped, true);
    filch_server_stop(&storm.server);
    must(filch_await(task, &result, FILCH_NEVER) == 0);
    filch_serve_counts counts = filch_server_counts(&storm.server);
    must(result == 0 || (result == -ETIMEDOUT && counts.cut > 0));
    must(counts.active == 0 && counts.dropped == 0 && counts.accepted == counts.finished + counts.cut);
    must(storm.options.max_connections == 0 || counts.peak <= storm.options.max_connections);
    must(filch_fd_close(storm.listener) == 0); /* who still waits in its queue is reset */
}

static int one_round(void *arg) {
    struct filch__random *random = arg, randoms[CLIENTS];
    filch_task *clients[CLIENTS];
    filch_task *server = begin(random);
    bool in_the_middle = below(random, 3) == 0;
    for (int i = 0; i < CLIENTS; i++) {
        filch__random_init(&randoms[i], filch__random_next(random), (uint64_t)i);
        must(filch_spawn(&clients[i], client, &randoms[i], NULL) == 0);
    }
    if (in_the_middle) {
        filch_sleep(below(random, 20000000));
        stop(server);
    }
    for (int i = 0; i < CLIENTS; i++) must(filch_await(clients[i], NULL, FILCH_NEVER) == 0);
    if (!in_the_middle) stop(server);
    return 0;
}

static int rounds(void *arg) {
    must(one_round(arg) == 0); /* the poller's descriptors are there after it */
    int before = open_fds();
    do {
        must(one_round(arg) == 0);
        while (open_fds() != before) filch_sleep(FILCH_MS(1)); /* whoever uses one last closes it */
    } while (stress_go_on(CLIENTS * CONVERSATIONS));
    return 0;
}

int main(int count, char **arguments) {
    stress_begin("connections", count, arguments);
    struct filch__random random = stress_random(0);
    stress_run(rounds, &random);
    must(atomic_load(&storm.complete) > 0);
    return stress_end();
}
