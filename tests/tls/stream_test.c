/* SPDX-License-Identifier: MIT */
/*
 * Proves that sessions work under filch's streams, and over what they work over: TLS begun on a live stream that has read
 * ahead, over pairs in memory and over sockets; and a session within a session.
 */
#include <filch/fd.h>
#include <filch/pair.h>
#include <filch/stream.h>
#include <sys/socket.h>

#include "tests/tls/meeting.h"

/* Two streams that speak to each other, in plain text at first, and what they need for TLS. */
struct line {
    filch_stream *client, *server;
    filch_tls_context *client_context, *server_context;
};

static void say(filch_stream *stream, const char *text) {
    check_int(filch_stream_write(stream, text, strlen(text), NULL, FILCH_NEVER), 0);
}

static void hear(filch_stream *stream, const char *expected) {
    char text[100];
    check(filch_stream_read_line(stream, text, sizeof text, FILCH_NEVER) > 0);
    check(strcmp(text, expected) == 0);
}

/* Takes the transport out of the stream, begins TLS on it with what was read ahead, and puts the session in. */
static int go_private(struct line *line, bool server) {
    filch_stream *stream = server ? line->server : line->client;
    filch_transport below, tls;
    char ahead[4096];
    ssize_t count = filch_stream_detach(stream, &below, ahead, sizeof ahead);
    check(count >= 0);
    filch_tls_options options = {.initial = ahead, .initial_size = (size_t)count};
    int error = server ? filch_tls_server(&tls, below, line->server_context, &options, FILCH_NEVER)
                       : filch_tls_client(&tls, below, line->client_context, "localhost", &options, FILCH_NEVER);
    check_int(error, 0);
    check_int(filch_stream_attach(stream, tls), 0);
    return (int)count;
}

/* Hears of TLS late: the client has begun by then, and some of that was read ahead. */
static int serve(void *arg) {
    struct line *line = arg;
    const void *bytes;
    hear(line->server, "HELLO");
    say(line->server, "GOOD DAY\r\n");
    check(filch_stream_peek(line->server, strlen("STARTTLS\r\n") + 50, &bytes, FILCH_NEVER) > 0);
    hear(line->server, "STARTTLS");
    check(go_private(line, true) >= 50);
    hear(line->server, "a secret");
    say(line->server, "another\r\n");
    check_int(filch_stream_shutdown(line->server, FILCH_NEVER), 0);
    char byte;
    check_int(filch_stream_read(line->server, &byte, 1, FILCH_NEVER), 0);
    return filch_stream_close(line->server, FILCH_NEVER);
}

/* Begins TLS at once after it has said so, on what is promised to be agreed to. */
static void converse(struct line *line) {
    filch_tls_info info;
    char byte;
    say(line->client, "HELLO\r\n");
    hear(line->client, "GOOD DAY");
    say(line->client, "STARTTLS\r\n");
    check_int(filch_stream_drain(line->client, FILCH_NEVER), 0);
    go_private(line, false);
    say(line->client, "a secret\r\n");
    hear(line->client, "another"); /* what was written is sent by the read */
    check_int(filch_tls_describe(filch_stream_transport(line->client), &info), 0);
    check(strcmp(info.subject, "CN=server") == 0);
    check_int(filch_stream_read(line->client, &byte, 1, FILCH_NEVER), 0);
    check_int(filch_stream_shutdown(line->client, FILCH_NEVER), 0);
}

static void converse_over(filch_transport ends[2]) {
    struct line line = {.client_context = client_context((filch_tls_context_options){0}),
                        .server_context = server_context((filch_tls_context_options){0})};
    check_int(filch_stream_create(&line.client, ends[0], NULL), 0);
    check_int(filch_stream_create(&line.server, ends[1], NULL), 0);
    filch_task *server = start(serve, &line);
    converse(&line);
    check_int(result_of(server), 0);
    filch_stream_destroy(line.client);
    filch_stream_destroy(line.server);
    filch_tls_context_destroy(line.client_context);
    filch_tls_context_destroy(line.server_context);
}

static int over_pairs(void *arg) {
    static const size_t capacities[] = {1, 100, 100000};
    (void)arg;
    for (int i = 0; i < 3; i++) {
        filch_transport ends[2];
        check_int(filch_pair_create(ends, capacities[i]), 0);
        converse_over(ends);
    }
    return 0;
}

TEST(stream, tls_begins_on_a_live_stream_over_a_pair) {
    run_with(1, over_pairs, NULL);
    run_with(4, over_pairs, NULL);
}

static int over_sockets(void *arg) {
    (void)arg;
    for (int round = 0; round < 20; round++) {
        filch_transport ends[2];
        int numbers[2];
        check_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, numbers), 0);
        for (int i = 0; i < 2; i++) {
            filch_fd fd;
            check_int(filch_fd_adopt(&fd, numbers[i], NULL), 0);
            check_int(filch_transport_open_fd(&ends[i], fd), 0);
        }
        converse_over(ends);
    }
    return 0;
}

TEST(stream, tls_begins_on_a_live_stream_over_sockets) {
    run_with(1, over_sockets, NULL);
    run_with(4, over_sockets, NULL);
}

/* ------------------------------------------------------------------------------------------------- one within another */

struct inner {
    filch_transport below, tls;
    filch_tls_context *context;
};

static int meet_within(void *arg) {
    struct inner *inner = arg;
    return filch_tls_server(&inner->tls, inner->below, inner->context, NULL, FILCH_NEVER);
}

static int within(void *arg) {
    (void)arg;
    struct meeting outer = {0};
    meet_well(&outer);
    filch_transport client, client_below = outer.client_tls;
    struct inner server = {.below = outer.server_tls, .context = outer.server};
    filch_task *task = start(meet_within, &server);
    check_int(filch_tls_client(&client, client_below, outer.client, "localhost", NULL, FILCH_NEVER), 0);
    check_int(result_of(task), 0);
    check_passes(client, server.tls, "twice as secret");
    check_passes(server.tls, client, "and back");
    /* What is held up in the session below is sent by a flush of the one above. */
    char buffer[20];
    wire_set_budget(outer.wire, wire_written(outer.wire, 0) + 1);
    check_int(tls_write(client, "held", 4, (filch_deadline){0}), 4);
    check_int(client.ops->flush(client.self, (filch_deadline){0}), -ETIMEDOUT);
    wire_set_budget(outer.wire, 0);
    check_int(client.ops->flush(client.self, (filch_deadline){0}), 0);
    check_int(server.tls.ops->read(server.tls.self, buffer, sizeof buffer, (filch_deadline){0}), 4);
    outer.client_tls = client; /* which own those below them */
    outer.server_tls = server.tls;
    meeting_end(&outer);
    return 0;
}

TEST(stream, a_session_works_within_another) {
    run_with(2, within, NULL);
}
