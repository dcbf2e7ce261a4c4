/* SPDX-License-Identifier: MIT */
/* What the tests of TLS share: a set of certificates, and a client and a server that meet over a wire. */
#ifndef FILCH_TESTS_TLS_MEETING_H
#define FILCH_TESTS_TLS_MEETING_H

#include <errno.h>
#include <filch/filch.h>
#include <filch/tls.h>
#include <stdlib.h>
#include <string.h>

#include "tests/api/workers.h"
#include "tests/tls/certificates.h"
#include "tests/tls/wire.h"

/* An authority, and a server "localhost" and a client that it vouches for. Made once in a process: each test is one. */
struct cast {
    struct certificate authority, server, client;
};

static inline const struct cast *the_cast(void) {
    static struct cast cast;
    if (cast.authority.x509 != NULL) return &cast;
    cast.authority = certificate_make(&(struct certificate_wish){.name = "Test authority", .authority = true});
    cast.server = certificate_make(&(struct certificate_wish){
        .name = "server", .names = "DNS:localhost,DNS:*.example.org,IP:127.0.0.1,IP:::1", .issuer = &cast.authority});
    cast.client = certificate_make(&(struct certificate_wish){.name = "client", .issuer = &cast.authority});
    return &cast;
}

static inline filch_tls_context *make_context(const filch_tls_context_options *options) {
    filch_tls_context *context = NULL;
    check_int(filch_tls_context_create(&context, options), 0);
    check(context != NULL);
    return context;
}

/* A server with the good certificate, a client that trusts the authority; other fields as wished. */
static inline filch_tls_context *server_context(filch_tls_context_options options) {
    options.role = FILCH_TLS_SERVER;
    if (options.certificate_pem == NULL) {
        options.certificate_pem = the_cast()->server.pem;
        options.key_pem = the_cast()->server.key_pem;
    }
    return make_context(&options);
}

static inline filch_tls_context *client_context(filch_tls_context_options options) {
    if (options.trust_pem == NULL && !options.no_verify) options.trust_pem = the_cast()->authority.pem;
    return make_context(&options);
}

/* A client at end 0 of a wire and a server at end 1. */
struct meeting {
    struct wire *wire;                  /* default: made with much room; meeting_end destroys it */
    filch_tls_context *client, *server; /* default: the two above; meeting_end destroys them */
    const char *host;                   /* default: "localhost" */
    filch_tls_options client_options, server_options;
    filch_deadline client_deadline, server_deadline; /* default: never */

    int client_error, server_error;
    filch_tls_failure client_failure, server_failure;
    filch_transport client_tls, server_tls; /* where there was no error */
};

static inline int meet_server(void *arg) {
    struct meeting *meeting = arg;
    meeting->server_options.failure = &meeting->server_failure;
    meeting->server_error = filch_tls_server(&meeting->server_tls, wire_end(meeting->wire, 1), meeting->server,
                                             &meeting->server_options, meeting->server_deadline);
    if (meeting->server_error != 0) wire_end(meeting->wire, 1).ops->close(&meeting->wire->ends[1]);
    return 0;
}

static inline void meeting_begin(struct meeting *meeting) {
    if (meeting->wire == NULL) meeting->wire = wire_create(WIRE_ROOM_MAX);
    if (meeting->client == NULL) meeting->client = client_context((filch_tls_context_options){0});
    if (meeting->server == NULL) meeting->server = server_context((filch_tls_context_options){0});
    if (meeting->host == NULL) meeting->host = "localhost";
    if (meeting->client_deadline.at_ns == 0) meeting->client_deadline = FILCH_NEVER;
    if (meeting->server_deadline.at_ns == 0) meeting->server_deadline = FILCH_NEVER;
}

static inline int meet_client(void *arg) {
    struct meeting *meeting = arg;
    meeting->client_options.failure = &meeting->client_failure;
    meeting->client_error = filch_tls_client(&meeting->client_tls, wire_end(meeting->wire, 0), meeting->client,
                                             meeting->host, &meeting->client_options, meeting->client_deadline);
    if (meeting->client_error != 0) wire_end(meeting->wire, 0).ops->close(&meeting->wire->ends[0]);
    return 0;
}

/* Both handshakes; in a task. What failed closes its end of the wire. */
static inline void meet(struct meeting *meeting) {
    meeting_begin(meeting);
    filch_task *server = start(meet_server, meeting);
    meet_client(meeting);
    check_int(result_of(server), 0);
}

static inline void meet_well(struct meeting *meeting) {
    meet(meeting);
    check_int(meeting->client_error, 0);
    check_int(meeting->server_error, 0);
}

static inline void end_session(filch_transport *tls) {
    if (tls->ops == NULL) return;
    tls->ops->close(tls->self);
    tls->ops->destroy(tls->self);
    *tls = (filch_transport){0};
}

/* Destroys the sessions and the wire; the contexts too, unless they are kept. */
static inline void meeting_end_sessions(struct meeting *meeting) {
    end_session(&meeting->client_tls);
    end_session(&meeting->server_tls);
    wire_destroy(meeting->wire);
    meeting->wire = NULL;
}

static inline void meeting_end(struct meeting *meeting) {
    meeting_end_sessions(meeting);
    filch_tls_context_destroy(meeting->client);
    filch_tls_context_destroy(meeting->server);
}

/* ------------------------------------------------------------------------------------------------- moving bytes */

static inline ssize_t tls_read(filch_transport tls, void *buffer, size_t size) {
    return tls.ops->read(tls.self, buffer, size, FILCH_NEVER);
}

static inline ssize_t tls_write(filch_transport tls, const void *bytes, size_t size, filch_deadline deadline) {
    return tls.ops->write(tls.self, &(struct iovec){(void *)bytes, size}, 1, deadline);
}

static inline void write_all(filch_transport tls, const void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t some = tls_write(tls, (const char *)bytes + done, size - done, FILCH_NEVER);
        check(some > 0);
        done += (size_t)some;
    }
}

static inline void read_all(filch_transport tls, void *buffer, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t some = tls_read(tls, (char *)buffer + done, size - done);
        check(some > 0);
        done += (size_t)some;
    }
}

struct writing {
    filch_transport tls;
    const char *text;
};

static inline int write_text(void *arg) {
    struct writing *writing = arg;
    write_all(writing->tls, writing->text, strlen(writing->text));
    return 0;
}

/* That what one writes the other reads. */
static inline void check_passes(filch_transport from, filch_transport to, const char *text) {
    char buffer[256];
    struct writing writing = {from, text};
    filch_task *writer = start(write_text, &writing);
    read_all(to, buffer, strlen(text));
    check(memcmp(buffer, text, strlen(text)) == 0);
    check_int(result_of(writer), 0);
}

#endif
