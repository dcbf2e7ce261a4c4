/* SPDX-License-Identifier: MIT */
/*
 * Proves that a session carries bytes both ways at once, in order, each once, whatever the sizes, the room on the wire, and
 * who is cut short; that a count that was answered is what arrives; that a reader does not wait for a writer nor a writer
 * for a reader; that requests of the peer are answered by who only reads; and that an end is told from a cut.
 */
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/tls/meeting.h"
#include "tls/session.h"

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* The byte at a place of the stream that each side sends. */
static unsigned char byte_at(uint64_t place, unsigned seed) {
    return (unsigned char)((place * 2654435761u + seed) >> 13);
}

static int ask_for_new_keys(struct ssl_st *ssl, void *arg) {
    (void)arg;
    return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
}

/* ------------------------------------------------------------------------------------------------------ full duplex */

/* One direction of one session. */
struct flow {
    filch_transport from, to;
    uint64_t size;
    unsigned seed;
    bool impatient; /* the writer's calls have deadlines that mostly pass, and it is cancelled now and then */
    bool new_keys;  /* the writer asks for new keys now and then */
    bool ends;      /* the writer shuts down, and the reader sees the end */
    uint64_t sent, cut_short;
};

/* Up to `most` bytes of the stream, in up to 5 parts. How many parts. */
static int compose(struct iovec parts[5], unsigned char *bytes, uint64_t place, size_t most, unsigned seed,
                   uint32_t *random) {
    for (size_t i = 0; i < most; i++) bytes[i] = byte_at(place + i, seed);
    int count = 0;
    for (size_t done = 0; done < most; count++) {
        size_t some = count == 4 ? most - done : 1 + next_random(random) % most;
        if (some > most - done) some = most - done;
        parts[count] = (struct iovec){bytes + done, some};
        done += some;
    }
    return count;
}

/* One write, maybe with little time, or in a scope that is cancelled. */
static ssize_t write_somehow(struct flow *flow, const struct iovec *parts, int count, uint32_t *random) {
    filch_deadline deadline = FILCH_NEVER;
    if (!flow->impatient) return flow->from.ops->write(flow->from.self, parts, count, deadline);
    filch_scope scope;
    unsigned kind = next_random(random) % 8;
    filch_scope_options options = {.deadline = kind < 3 ? filch_after(next_random(random) % 40000) : FILCH_NEVER};
    check_int(filch_scope_open(&scope, &options), 0);
    if (kind > 4) deadline = filch_after(next_random(random) % 40000);
    if (kind == 4) filch_scope_cancel(&scope);
    ssize_t answer = flow->from.ops->write(flow->from.self, parts, count, deadline);
    filch_scope_close(&scope);
    if (kind == 4) check_int(answer, -ECANCELED);
    return answer;
}

static int send_flow(void *arg) {
    struct flow *flow = arg;
    uint32_t random = 77 + flow->seed;
    unsigned char *bytes = malloc(70000);
    check(bytes != NULL);
    while (flow->sent < flow->size) {
        struct iovec parts[5];
        size_t most = 1 + next_random(&random) % (next_random(&random) % 4 == 0 ? 70000 : 300);
        if (most > flow->size - flow->sent) most = (size_t)(flow->size - flow->sent);
        int count = compose(parts, bytes, flow->sent, most, flow->seed, &random);
        if (flow->new_keys && next_random(&random) % 16 == 0)
            (void)filch_tls_use(flow->from, ask_for_new_keys, NULL); /* 0: half a message is there */
        ssize_t answer = write_somehow(flow, parts, count, &random);
        if (answer > 0) {
            check((size_t)answer <= most);
            flow->sent += (uint64_t)answer;
        } else {
            check(flow->impatient && (answer == -ETIMEDOUT || answer == -ECANCELED));
            flow->cut_short++;
            filch_yield();
        }
    }
    free(bytes);
    return flow->ends ? flow->from.ops->shutdown(flow->from.self, FILCH_NEVER) : 0;
}

static int receive_flow(void *arg) {
    struct flow *flow = arg;
    uint32_t random = 99 + flow->seed;
    unsigned char *bytes = malloc(40000);
    check(bytes != NULL);
    uint64_t place = 0;
    while (place < flow->size || flow->ends) {
        size_t size = 1 + next_random(&random) % (next_random(&random) % 4 == 0 ? 40000 : 300);
        filch_deadline deadline = flow->impatient ? filch_after(next_random(&random) % 60000) : FILCH_NEVER;
        ssize_t length = flow->to.ops->read(flow->to.self, bytes, size, deadline);
        if (length == -ETIMEDOUT && flow->impatient) continue;
        if (length == 0) break;
        check(length > 0 && (size_t)length <= size);
        for (ssize_t i = 0; i < length; i++, place++) check_int(bytes[i], byte_at(place, flow->seed));
    }
    check_int(place, flow->size);
    free(bytes);
    return 0;
}

struct duplex {
    filch_tls_version version;
    size_t room, most;
    uint64_t size;
    bool impatient, new_keys;
};

static void run_duplex(const struct duplex *duplex) {
    struct meeting meeting = {
        .wire = wire_create(duplex->room),
        .server = server_context((filch_tls_context_options){.max_version = duplex->version}),
    };
    meeting.wire->most = duplex->most;
    meet_well(&meeting);
    struct flow flows[2] = {{.from = meeting.client_tls, .to = meeting.server_tls, .seed = 1},
                            {.from = meeting.server_tls, .to = meeting.client_tls, .seed = 2}};
    filch_task *tasks[4];
    for (int i = 0; i < 2; i++) {
        flows[i].size = duplex->size;
        flows[i].impatient = duplex->impatient;
        flows[i].new_keys = duplex->new_keys;
        flows[i].ends = true;
        tasks[2 * i] = start(send_flow, &flows[i]);
        tasks[2 * i + 1] = start(receive_flow, &flows[i]);
    }
    for (int i = 0; i < 4; i++) check_int(result_of(tasks[i]), 0);
    if (duplex->impatient) check(flows[0].cut_short + flows[1].cut_short > 0);
    meeting_end(&meeting);
}

static int duplex_of_each_kind(void *arg) {
    (void)arg;
    uint64_t size = 1000000 / TEST_SCALE;
    run_duplex(&(struct duplex){FILCH_TLS_1_3, WIRE_ROOM_MAX, 0, size, false, false});
    run_duplex(&(struct duplex){FILCH_TLS_1_3, 3000, 1000, size / 2, false, true});
    run_duplex(&(struct duplex){FILCH_TLS_1_3, 70000, 9000, size, true, true});
    run_duplex(&(struct duplex){FILCH_TLS_1_2, 5000, 3000, size / 2, true, false});
    run_duplex(&(struct duplex){FILCH_TLS_1_3, 100, 7, size / 50, true, true});
    return 0;
}

TEST(transfer, both_ways_at_once_each_byte_arrives_once_whoever_is_cut_short) {
    run_with_all(duplex_of_each_kind, NULL);
}

/* ---------------------------------------------------------------------------------------------- what is cut short */

/* What was answered as written is sent first by the next call, and what was not is not sent. */
static int cut_short(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    char buffer[64] = "";
    meet_well(&meeting);
    filch_transport client = meeting.client_tls, server = meeting.server_tls;
    wire_set_budget(meeting.wire, wire_written(meeting.wire, 0) + 3);
    check_int(tls_write(client, "one ", 4, filch_after(FILCH_MS(5))), 4); /* encrypted, and 3 bytes of it sent */
    check_int(tls_write(client, "lost", 4, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    check_int(tls_write(client, "lost", 4, (filch_deadline){0}), -ETIMEDOUT);
    check_int(client.ops->shutdown(client.self, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    check_int(server.ops->read(server.self, buffer, sizeof buffer, filch_after(FILCH_MS(5))), -ETIMEDOUT);
    wire_set_budget(meeting.wire, 0);
    check_int(tls_write(client, "two", 3, FILCH_NEVER), 3);
    read_all(server, buffer, 7);
    check(memcmp(buffer, "one two", 7) == 0);
    /* A read sends it too. */
    wire_set_budget(meeting.wire, wire_written(meeting.wire, 0) + 1);
    check_int(tls_write(client, "three", 5, (filch_deadline){0}), 5);
    wire_set_budget(meeting.wire, 0);
    check_int(client.ops->read(client.self, buffer, 1, (filch_deadline){0}), -ETIMEDOUT);
    check_int(server.ops->read(server.self, buffer, sizeof buffer, (filch_deadline){0}), 5);
    check(memcmp(buffer, "three", 5) == 0);
    /* And a flush. */
    wire_set_budget(meeting.wire, wire_written(meeting.wire, 0) + 1);
    check_int(tls_write(client, "four", 4, (filch_deadline){0}), 4);
    check_int(client.ops->flush(client.self, (filch_deadline){0}), -ETIMEDOUT);
    wire_set_budget(meeting.wire, 0);
    check_int(client.ops->flush(client.self, FILCH_NEVER), 0);
    check_int(client.ops->flush(client.self, (filch_deadline){0}), 0);
    check_int(server.ops->read(server.self, buffer, sizeof buffer, (filch_deadline){0}), 4);
    /* And a shutdown, whose own close_notify was cut short before. */
    wire_set_budget(meeting.wire, wire_written(meeting.wire, 0) + 1);
    check_int(client.ops->shutdown(client.self, (filch_deadline){0}), -ETIMEDOUT);
    check_int(tls_write(client, "more", 4, (filch_deadline){0}), -ETIMEDOUT);
    wire_set_budget(meeting.wire, 0);
    check_int(tls_write(client, "more", 4, (filch_deadline){0}), -EPIPE);
    check_int(client.ops->shutdown(client.self, FILCH_NEVER), 0);
    check_int(tls_read(server, buffer, sizeof buffer), 0);
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, what_was_encrypted_counts_and_goes_first) {
    run_with(1, cut_short, NULL);
}

struct blocked {
    filch_transport tls;
    size_t size;
    atomic_bool done;
};

static int write_much(void *arg) {
    struct blocked *blocked = arg;
    char *bytes = calloc(1, blocked->size);
    write_all(blocked->tls, bytes, blocked->size);
    free(bytes);
    atomic_store(&blocked->done, true);
    return 0;
}

/* The client's writer waits for room on the wire; its reader goes on, and its reader's answers come in order. */
static int writer_blocked(void *arg) {
    (void)arg;
    struct meeting meeting = {.wire = wire_create(5000)};
    meet_well(&meeting);
    struct blocked blocked = {.tls = meeting.client_tls, .size = 50000};
    filch_task *writer = start(write_much, &blocked);
    while (wire_unread(meeting.wire, 0) < 5000) filch_yield();
    for (int i = 0; i < 5; i++) {
        check_int(filch_tls_use(meeting.server_tls, ask_for_new_keys, NULL), 1);
        check_passes(meeting.server_tls, meeting.client_tls, "while the client's writer waits");
    }
    check(!atomic_load(&blocked.done));
    char *bytes = malloc(blocked.size);
    read_all(meeting.server_tls, bytes, blocked.size);
    free(bytes);
    check_int(result_of(writer), 0);
    check_passes(meeting.client_tls, meeting.server_tls, "after the answers");
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, a_reader_does_not_wait_for_a_writer_that_waits_for_the_network) {
    run_with(1, writer_blocked, NULL);
    run_with(4, writer_blocked, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- answers */

/* Has the server read two requests for new keys. OpenSSL answers one with its next bytes, or when the next request comes. */
static void ask_twice(struct meeting *meeting) {
    char byte;
    for (int i = 0; i < 2; i++) {
        check_int(filch_tls_use(meeting->client_tls, ask_for_new_keys, NULL), 1);
        write_all(meeting->client_tls, "x", 1);
        check_int(tls_read(meeting->server_tls, &byte, 1), 1);
    }
}

static int answer_by_reading(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meet_well(&meeting);
    uint64_t before = wire_written(meeting.wire, 1);
    ask_twice(&meeting);
    check(wire_written(meeting.wire, 1) > before); /* nobody has written there but the reader */
    check_passes(meeting.server_tls, meeting.client_tls, "by new keys");
    check_passes(meeting.client_tls, meeting.server_tls, "by new keys");
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, who_only_reads_answers_a_request_for_new_keys) {
    run_with(1, answer_by_reading, NULL);
}

/* The writer here is between its last flush and leaving `sending` while the reader makes its answer: LOOK. */
static int leave_late(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meet_well(&meeting);
    struct filch__tls_session *session = filch__tls_session_of(meeting.server_tls);
    check_int(filch_mutex_lock(&session->sending, FILCH_NEVER), 0);
    check_int(filch__tls_flush(session, FILCH_NEVER), 0);
    uint64_t before = wire_written(meeting.wire, 1);
    ask_twice(&meeting);
    check_int(wire_written(meeting.wire, 1), before);
    filch__tls_leave_sending(session, true);
    check(wire_written(meeting.wire, 1) > before);
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, who_stops_sending_looks_for_answers_once_more) {
    run_with(1, leave_late, NULL);
}

/*
 * A reader that has made an answer finds a writer sending, which may be just about to stop. Afterwards nothing is left
 * behind: a flush finds nothing to send.
 */
static int read_two(void *arg) {
    char bytes[2];
    read_all(*(filch_transport *)arg, bytes, 2);
    return 0;
}

static int answer_beside_a_writer(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    char bytes[100];
    meet_well(&meeting);
    filch_transport client = meeting.client_tls, server = meeting.server_tls;
    for (int round = 0; round < 3000 / TEST_SCALE; round++) {
        for (int i = 0; i < 2; i++) {
            while (filch_tls_use(client, ask_for_new_keys, NULL) != 1) filch_yield();
            write_all(client, "x", 1);
        }
        filch_task *reader = start(read_two, &server);
        for (int spin = round % 50; spin > 0; spin--) filch_cancelled();
        write_all(server, "y", 1);
        check_int(result_of(reader), 0);
        uint64_t before = wire_written(meeting.wire, 1);
        check_int(server.ops->flush(server.self, FILCH_NEVER), 0);
        check_int(wire_written(meeting.wire, 1), before);
        check_int(client.ops->read(client.self, bytes, sizeof bytes, FILCH_NEVER), 1);
    }
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, an_answer_is_not_left_behind_by_a_writer_that_ends) {
    run_with(2, answer_beside_a_writer, NULL);
    run_with(4, answer_beside_a_writer, NULL);
}

/* A peer that asks and asks and does not read: the reader stops to read, and goes on when the peer reads. */
static int flood_of_requests(void *arg) {
    (void)arg;
    struct meeting meeting = {.wire = wire_create(2000)};
    char byte;
    meet_well(&meeting);
    filch_transport client = meeting.client_tls, server = meeting.server_tls;
    ssize_t answer = 0;
    uint64_t asked = 0;
    for (; asked < 100000; asked++) {
        filch_tls_use(client, ask_for_new_keys, NULL);
        answer = tls_write(client, "x", 1, (filch_deadline){0});
        if (answer == -ETIMEDOUT) break; /* the wire is full, since the server reads no more */
        check_int(answer, 1);
        answer = server.ops->read(server.self, &byte, 1, (filch_deadline){0});
        check(answer == 1 || answer == -ETIMEDOUT);
    }
    check(asked < 2000);
    check_int(wire_unread(meeting.wire, 1), 2000); /* as is the way back */
    check(wire_unread(meeting.wire, 0) > 0);
    struct blocked blocked = {.tls = server, .size = 20000}; /* the client reads, and all of it goes on */
    filch_task *writer = start(write_much, &blocked);
    char *bytes = malloc(blocked.size);
    read_all(client, bytes, blocked.size);
    free(bytes);
    check_int(result_of(writer), 0);
    check_passes(server, client, "after the flood");
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, a_peer_that_asks_and_never_reads_does_not_fill_the_memory) {
    run_with(1, flood_of_requests, NULL);
}

/*
 * The server's tickets hold the client's certificate, and go out in records of 512 bytes: a client that has read half of
 * one cannot encrypt until it has read the rest.
 */
struct halved {
    struct meeting meeting;
    ssize_t written;
};

static int write_one(void *arg) {
    struct halved *halved = arg;
    halved->written = tls_write(halved->meeting.client_tls, "x", 1, FILCH_NEVER);
    return 0;
}

static void halve(struct halved *halved, filch_tls_context *server) {
    const struct certificate *client = &the_cast()->client;
    *halved = (struct halved){.meeting = {.client = client_context((filch_tls_context_options){
                                              .certificate_pem = client->pem, .key_pem = client->key_pem}),
                                          .server = server}};
    meet_well(&halved->meeting);
    /* The client's wire holds the tickets; all but the first record and some is put aside. */
    struct wire_way *way = &halved->meeting.wire->ways[1];
    check(way->length > 600);
    size_t aside = way->length - 600;
    char byte;
    way->length = 600;
    check_int(halved->meeting.client_tls.ops->read(halved->meeting.client_tls.self, &byte, 1, (filch_deadline){0}),
              -ETIMEDOUT);
    check_int(way->length, 0);
    way->length = aside;
}

static int half_a_message(void *arg) {
    (void)arg;
    filch_tls_context *server = server_context(
        (filch_tls_context_options){.ask = FILCH_TLS_ASK_REQUIRE, .trust_pem = the_cast()->authority.pem});
    SSL_CTX_set_max_send_fragment(filch_tls_context_native(server), 512);
    struct halved halved;
    char byte;
    for (int kind = 0; kind < 4; kind++) {
        halve(&halved, server);
        filch_transport tls = halved.meeting.client_tls;
        check_int(tls_write(tls, "x", 1, filch_after(FILCH_MS(5))), -ETIMEDOUT);
        check_int(tls.ops->shutdown(tls.self, filch_after(FILCH_MS(5))), -ETIMEDOUT);
        filch_task *writer = start(write_one, &halved);
        for (int i = 0; i < 20; i++) filch_yield();
        struct filch__tls_session *session = filch__tls_session_of(tls);
        if (kind == 1) { /* as if so many answers had piled up */
            filch__lock_take(&session->lock);
            session->stuck = true;
            session->answers = ANSWERS_MAX + 1;
            filch__lock_leave(&session->lock);
        }
        if (kind < 2) { /* a read goes on, though it may have to send first, beside the writer */
            check_int(tls.ops->read(tls.self, &byte, 1, (filch_deadline){0}), -ETIMEDOUT);
            check_int(result_of(writer), 0);
            check_int(halved.written, 1);
            check_int(tls_read(halved.meeting.server_tls, &byte, 1), 1);
        } else if (kind == 2) {
            tls.ops->close(tls.self);
            check_int(result_of(writer), 0);
            check_int(halved.written, -EBADF);
        } else {
            filch_task_cancel(writer);
            check_int(result_of(writer), 0);
            check_int(halved.written, -ECANCELED);
        }
        halved.meeting.server = NULL;
        meeting_end(&halved.meeting);
    }
    filch_tls_context_destroy(server);
    return 0;
}

TEST(transfer, a_writer_waits_for_a_reader_that_has_half_a_message) {
    run_with(1, half_a_message, NULL);
}

/* -------------------------------------------------------------------------------------------------------------- ends */

static int end_one_way(void *arg) {
    (void)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        struct meeting meeting = {.server = server_context((filch_tls_context_options){.max_version = version})};
        char byte;
        meet_well(&meeting);
        filch_transport client = meeting.client_tls, server = meeting.server_tls;
        write_all(client, "x", 1);
        check_int(client.ops->shutdown(client.self, FILCH_NEVER), 0);
        check_int(client.ops->shutdown(client.self, FILCH_NEVER), 0);
        check_int(tls_write(client, "x", 1, FILCH_NEVER), -EPIPE);
        check_int(tls_read(server, &byte, 1), 1);
        check_int(tls_read(server, &byte, 1), 0);
        check_int(tls_read(server, &byte, 1), 0);
        check_passes(server, client, "the other way is open");
        check_int(server.ops->shutdown(server.self, FILCH_NEVER), 0);
        check_int(tls_read(client, &byte, 1), 0);
        check(strcmp(filch_tls_error_text(client), "") == 0);
        check(!meeting.wire->ways[0].ended && !meeting.wire->ways[1].ended); /* the wire is not shut down */
        meeting_end(&meeting);
    }
    return 0;
}

TEST(transfer, shutdown_ends_one_way) {
    run_with(2, end_one_way, NULL);
}

static int cut_at(void *arg) {
    (void)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        for (uint64_t more = 0; more < 60; more += 7) { /* between records, and in the middle of one */
            struct meeting meeting = {.server = server_context((filch_tls_context_options){.max_version = version})};
            char buffer[200];
            meet_well(&meeting);
            check_passes(meeting.client_tls, meeting.server_tls, "before");
            meeting.wire->cut[0] = wire_written(meeting.wire, 0) + more;
            if (more == 0) wire_cut(meeting.wire, 0);
            tls_write(meeting.client_tls, buffer, 100, (filch_deadline){0});
            for (int i = 0; i < 2; i++) check_int(tls_read(meeting.server_tls, buffer, 200), -ECONNABORTED);
            check(strstr(filch_tls_error_text(meeting.server_tls), "without close_notify") != NULL);
            check_passes(meeting.server_tls, meeting.client_tls, "the other way is open");
            meeting_end(&meeting);
        }
    }
    return 0;
}

TEST(transfer, a_connection_that_is_cut_is_not_an_end) {
    run_with(2, cut_at, NULL);
}

static int spoil_later(void *arg) {
    (void)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        struct meeting meeting = {.server = server_context((filch_tls_context_options){.max_version = version})};
        char buffer[10];
        meet_well(&meeting);
        check_passes(meeting.client_tls, meeting.server_tls, "before");
        meeting.wire->spoil[0] = wire_written(meeting.wire, 0) + 20;
        write_all(meeting.client_tls, "spoiled on the way", 18);
        check_int(tls_read(meeting.server_tls, buffer, 10), -EPROTO);
        check(strcmp(filch_tls_error_text(meeting.server_tls), "decryption failed or bad record mac") == 0);
        check_int(tls_read(meeting.server_tls, buffer, 10), -EPROTO);
        check_int(tls_write(meeting.server_tls, "x", 1, FILCH_NEVER), -EPROTO);
        check_int(meeting.server_tls.ops->shutdown(meeting.server_tls.self, FILCH_NEVER), -EPROTO);
        check_int(tls_read(meeting.client_tls, buffer, 10), -EPROTO); /* the reader has sent the alert */
        check(strcmp(filch_tls_error_text(meeting.client_tls), "alert from the peer: bad record mac") == 0);
        meeting_end(&meeting);
    }
    return 0;
}

TEST(transfer, a_spoiled_record_ends_the_session_for_both) {
    run_with(2, spoil_later, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- close */

static int read_one(void *arg) {
    char byte;
    return (int)tls_read(*(filch_transport *)arg, &byte, 1);
}

static int write_for_ever(void *arg) {
    char bytes[1000] = "";
    for (;;) {
        ssize_t answer = tls_write(*(filch_transport *)arg, bytes, sizeof bytes, FILCH_NEVER);
        if (answer < 0) return (int)answer;
    }
}

static int close_under_way(void *arg) {
    (void)arg;
    for (int cancel = 0; cancel < 2; cancel++) {
        struct meeting meeting = {.wire = wire_create(3000)};
        char byte;
        meet_well(&meeting);
        filch_transport client = meeting.client_tls;
        filch_task *reader = start(read_one, &client), *writer = start(write_for_ever, &client);
        while (wire_unread(meeting.wire, 0) < 3000 || meeting.wire->ends[0].calls < 5) filch_yield();
        for (int i = 0; i < 50; i++) filch_yield();
        if (cancel) {
            filch_task_cancel(reader);
            filch_task_cancel(writer);
        } else {
            client.ops->close(client.self);
        }
        check_int(result_of(reader), cancel ? -ECANCELED : -EBADF);
        check_int(result_of(writer), cancel ? -ECANCELED : -EBADF);
        client.ops->close(client.self);
        client.ops->close(client.self);
        check(meeting.wire->ends[0].closed && !meeting.wire->ends[0].destroyed);
        check_int(tls_read(client, &byte, 1), -EBADF);
        check_int(tls_read(client, &byte, 0), -EBADF);
        check_int(tls_write(client, "x", 1, FILCH_NEVER), -EBADF);
        check_int(client.ops->shutdown(client.self, FILCH_NEVER), -EBADF);
        check_int(client.ops->flush(client.self, FILCH_NEVER), -EBADF);
        client.ops->destroy(client.self);
        check(meeting.wire->ends[0].destroyed);
        meeting.client_tls = (filch_transport){0};
        meeting_end(&meeting);
    }
    return 0;
}

TEST(transfer, close_and_cancellation_wake_reader_and_writer) {
    run_with_all(close_under_way, NULL);
}

static int cancelled_calls(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    char bytes[10];
    meet_well(&meeting);
    filch_transport client = meeting.client_tls, server = meeting.server_tls;
    write_all(client, "still there", 11);
    check_int(tls_read(server, bytes, 1), 1); /* the rest is decrypted, and could be read at once */
    filch_scope scope;
    uint64_t before = wire_written(meeting.wire, 0);
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    check_int(tls_read(server, bytes, 10), -ECANCELED);
    check_int(tls_write(client, "x", 1, FILCH_NEVER), -ECANCELED);
    check_int(client.ops->shutdown(client.self, FILCH_NEVER), -ECANCELED);
    check_int(client.ops->flush(client.self, FILCH_NEVER), -ECANCELED);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_int(wire_written(meeting.wire, 0), before);
    check_int(tls_read(server, bytes, 10), 10);
    check(memcmp(bytes, "till there", 10) == 0);
    check_int(tls_read(server, bytes, 0), 0);
    check_int(client.ops->write(client.self, NULL, 1, FILCH_NEVER), -EINVAL);
    check_int(client.ops->write(client.self, NULL, 0, FILCH_NEVER), 0);
    meeting_end(&meeting);
    return 0;
}

TEST(transfer, in_a_cancelled_scope_nothing_moves) {
    run_with(1, cancelled_calls, NULL);
}

/* -------------------------------------------------------------------------------------------------------------- many */

enum { SESSIONS = 300 };

struct crowd {
    filch_tls_context *client, *server;
};

static int one_of_many(void *arg) {
    struct crowd *crowd = arg;
    struct meeting meeting = {.wire = wire_create(20000), .client = crowd->client, .server = crowd->server};
    meet_well(&meeting);
    struct flow flows[2] = {
        {.from = meeting.client_tls, .to = meeting.server_tls, .seed = 3, .size = 5000, .ends = true},
        {.from = meeting.server_tls, .to = meeting.client_tls, .seed = 4, .size = 5000}};
    for (int i = 0; i < 2; i++) {
        filch_task *writer = start(send_flow, &flows[i]);
        check_int(receive_flow(&flows[i]), 0);
        check_int(result_of(writer), 0);
    }
    meeting_end_sessions(&meeting);
    return 0;
}

static int many(void *arg) {
    struct crowd crowd = {client_context((filch_tls_context_options){0}),
                          server_context((filch_tls_context_options){0})};
    filch_task *tasks[SESSIONS];
    (void)arg;
    for (int i = 0; i < SESSIONS; i++) tasks[i] = start(one_of_many, &crowd);
    for (int i = 0; i < SESSIONS; i++) check_int(result_of(tasks[i]), 0);
    filch_tls_context_destroy(crowd.client);
    filch_tls_context_destroy(crowd.server);
    return 0;
}

TEST(transfer, hundreds_of_sessions_at_once) {
    run_with(1, many, NULL);
    run_with(8, many, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- threads */

static void *thread_meets(void *arg) {
    meet_server(arg);
    return NULL;
}

static void *thread_sends(void *arg) {
    check_int(send_flow(arg), 0);
    return NULL;
}

TEST(transfer, works_between_threads_that_are_no_workers) {
    struct meeting meeting = {.wire = wire_create(3000)};
    pthread_t thread;
    meeting_begin(&meeting);
    check_int(pthread_create(&thread, NULL, thread_meets, &meeting), 0);
    meet_client(&meeting);
    pthread_join(thread, NULL);
    check_int(meeting.client_error, 0);
    check_int(meeting.server_error, 0);
    struct flow flow = {.from = meeting.server_tls, .to = meeting.client_tls, .size = 100000, .ends = true};
    check_int(pthread_create(&thread, NULL, thread_sends, &flow), 0);
    check_int(receive_flow(&flow), 0);
    pthread_join(thread, NULL);
    meeting_end(&meeting);
}
