/* SPDX-License-Identifier: MIT */
/*
 * Proves that a client and a server of this library agree as their options say: versions, protocols, names, certificates,
 * resumption; and that what they are told of each other is true.
 */
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tests/tls/meeting.h"

static filch_tls_info about(filch_transport tls) {
    filch_tls_info info;
    memset(&info, 0xee, sizeof info);
    check_int(filch_tls_describe(tls, &info), 0);
    return info;
}

static int agree(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meet_well(&meeting);
    check_passes(meeting.client_tls, meeting.server_tls, "to the server");
    check_passes(meeting.server_tls, meeting.client_tls, "to the client");
    filch_tls_info client = about(meeting.client_tls), server = about(meeting.server_tls);
    check(strcmp(client.version, "TLSv1.3") == 0 && strcmp(server.version, "TLSv1.3") == 0);
    check(client.cipher[0] != '\0' && strcmp(client.cipher, server.cipher) == 0);
    check(client.alpn[0] == '\0' && server.alpn[0] == '\0');
    check(strcmp(client.host_name, "localhost") == 0 && strcmp(server.host_name, "localhost") == 0);
    check(client.has_certificate && client.verified && !client.resumed);
    check(strcmp(client.subject, "CN=server") == 0);
    unsigned char sha256[32];
    check_int(X509_digest(the_cast()->server.x509, EVP_sha256(), sha256, NULL), 1);
    check(memcmp(client.sha256, sha256, sizeof sha256) == 0);
    check(!server.has_certificate && !server.verified && server.subject[0] == '\0');
    check(strcmp(filch_tls_error_text(meeting.client_tls), "") == 0);
    meeting_end(&meeting);
    return 0;
}

TEST(handshake, client_and_server_agree_and_know_with_whom) {
    run_with_all(agree, NULL);
}

/* On stacks of the default size, as everything here: the arithmetic of RSA takes most of them. */
static int agree_by_rsa(void *arg) {
    (void)arg;
    struct certificate authority =
        certificate_make(&(struct certificate_wish){.name = "RSA authority", .authority = true, .rsa = true});
    struct certificate rsa = certificate_make(
        &(struct certificate_wish){.name = "rsa", .names = "DNS:localhost", .issuer = &authority, .rsa = true});
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        struct meeting meeting = {.client = client_context((filch_tls_context_options){.trust_pem = authority.pem,
                                                                                       .certificate_pem = rsa.pem,
                                                                                       .key_pem = rsa.key_pem,
                                                                                       .max_version = version}),
                                  .server = server_context((filch_tls_context_options){.certificate_pem = rsa.pem,
                                                                                       .key_pem = rsa.key_pem,
                                                                                       .trust_pem = authority.pem,
                                                                                       .ask = FILCH_TLS_ASK_REQUIRE})};
        meet_well(&meeting);
        check_passes(meeting.client_tls, meeting.server_tls, "by RSA");
        meeting_end(&meeting);
    }
    certificate_free(&rsa);
    certificate_free(&authority);
    return 0;
}

TEST(handshake, by_rsa_fits_on_a_stack_of_the_default_size) {
    run_with(2, agree_by_rsa, NULL);
}

/* What comes in pieces of any size is the same. */
static int agree_in_pieces(void *arg) {
    (void)arg;
    for (size_t most = 1; most < 600; most = most * 3 + 1) {
        struct meeting meeting = {.wire = wire_create(most < 50 ? 100 : 3000)};
        meeting.wire->most = most;
        meet_well(&meeting);
        check_passes(meeting.client_tls, meeting.server_tls, "to the server");
        check_passes(meeting.server_tls, meeting.client_tls, "to the client");
        meeting_end(&meeting);
    }
    return 0;
}

TEST(handshake, works_in_pieces_and_with_little_room) {
    run_with(2, agree_in_pieces, NULL);
}

/* The server's tickets must not wait for a client that does not read: with this room they do not fit. */
static int client_writes_first(void *arg) {
    (void)arg;
    struct meeting meeting = {.wire = wire_create(100)};
    meet_well(&meeting);
    check_passes(meeting.client_tls, meeting.server_tls, "the client does not read before this has come");
    check_passes(meeting.client_tls, meeting.server_tls, "nor now");
    char byte;
    for (int i = 0; i < 30; i++) { /* nothing to read, but the tickets; they come with the reads of the server */
        check_int(meeting.client_tls.ops->read(meeting.client_tls.self, &byte, 1, filch_after(FILCH_MS(1))),
                  -ETIMEDOUT);
        check_int(meeting.server_tls.ops->read(meeting.server_tls.self, &byte, 1, (filch_deadline){0}), -ETIMEDOUT);
    }
    filch_tls_ticket *ticket = NULL;
    check_int(filch_tls_ticket_take(&ticket, meeting.client_tls), 0);
    filch_tls_ticket_destroy(ticket);
    meeting_end(&meeting);
    return 0;
}

TEST(handshake, of_a_server_does_not_wait_for_its_tickets_to_be_read) {
    run_with(1, client_writes_first, NULL);
}

/* ---------------------------------------------------------------------------------------------------------- versions */

struct versions {
    filch_tls_version client_min, client_max, server_min, server_max;
    const char *agreed; /* NULL: there is no agreement */
};

static int try_versions(void *arg) {
    static const struct versions cases[] = {
        {FILCH_TLS_ANY, FILCH_TLS_ANY, FILCH_TLS_ANY, FILCH_TLS_ANY, "TLSv1.3"},
        {FILCH_TLS_ANY, FILCH_TLS_1_2, FILCH_TLS_ANY, FILCH_TLS_ANY, "TLSv1.2"},
        {FILCH_TLS_ANY, FILCH_TLS_ANY, FILCH_TLS_1_2, FILCH_TLS_1_2, "TLSv1.2"},
        {FILCH_TLS_1_3, FILCH_TLS_1_3, FILCH_TLS_1_2, FILCH_TLS_1_3, "TLSv1.3"},
        {FILCH_TLS_1_3, FILCH_TLS_ANY, FILCH_TLS_ANY, FILCH_TLS_1_2, NULL},
        {FILCH_TLS_ANY, FILCH_TLS_1_2, FILCH_TLS_1_3, FILCH_TLS_ANY, NULL},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct meeting meeting = {.client = client_context((filch_tls_context_options){
                                      .min_version = cases[i].client_min, .max_version = cases[i].client_max}),
                                  .server = server_context((filch_tls_context_options){
                                      .min_version = cases[i].server_min, .max_version = cases[i].server_max})};
        meet(&meeting);
        check_int(meeting.client_error, cases[i].agreed == NULL ? -EPROTO : 0);
        check_int(meeting.server_error, cases[i].agreed == NULL ? -EPROTO : 0);
        if (cases[i].agreed == NULL) {
            check(strstr(meeting.client_failure.text, "alert from the peer: protocol version") != NULL);
        } else {
            check(strcmp(about(meeting.client_tls).version, cases[i].agreed) == 0);
            check(strcmp(about(meeting.server_tls).version, cases[i].agreed) == 0);
            check_passes(meeting.client_tls, meeting.server_tls, "to the server");
            check_passes(meeting.server_tls, meeting.client_tls, "to the client");
        }
        meeting_end(&meeting);
    }
    return 0;
}

TEST(handshake, versions_are_the_latest_in_common) {
    run_with(2, try_versions, NULL);
}

/* Even of a client that would: OpenSSL's own, which is let down to what is old. */
static int old_client(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meeting_begin(&meeting);
    SSL_CTX *native = filch_tls_context_native(meeting.client);
    SSL_CTX_set_security_level(native, 0);
    check_int(SSL_CTX_set_min_proto_version(native, TLS1_VERSION), 1);
    check_int(SSL_CTX_set_max_proto_version(native, TLS1_1_VERSION), 1);
    meet(&meeting);
    check_int(meeting.server_error, -EPROTO);
    check_int(meeting.client_error, -EPROTO);
    check(strstr(meeting.server_failure.text, "unsupported protocol") != NULL);
    meeting_end(&meeting);
    return 0;
}

TEST(handshake, versions_before_1_2_are_refused) {
    run_with(2, old_client, NULL);
}

/* -------------------------------------------------------------------------------------------------------------- ALPN */

struct alpn {
    const char *client[4], *server[4], *agreed;
};

static int try_alpn(void *arg) {
    static const struct alpn cases[] = {
        {{"h2", "http/1.1"}, {"http/1.1", "h2"}, "http/1.1"}, /* the server's order */
        {{"h2", "http/1.1"}, {"h3", "h2"}, "h2"},
        {{"x"}, {NULL}, ""},
        {{NULL}, {"x"}, ""},
        {{"h2"}, {"http/1.1"}, NULL},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct meeting meeting = {.client = client_context((filch_tls_context_options){.alpn = cases[i].client}),
                                  .server = server_context((filch_tls_context_options){.alpn = cases[i].server})};
        meet(&meeting);
        if (cases[i].agreed == NULL) {
            check_int(meeting.client_error, -EPROTO);
            check_int(meeting.server_error, -EPROTO);
            check(strstr(meeting.client_failure.text, "no application protocol") != NULL);
        } else {
            check_int(meeting.client_error, 0);
            check(strcmp(about(meeting.client_tls).alpn, cases[i].agreed) == 0);
            check(strcmp(about(meeting.server_tls).alpn, cases[i].agreed) == 0);
        }
        meeting_end(&meeting);
    }
    return 0;
}

TEST(handshake, protocols_are_chosen_by_the_server_among_those_in_common) {
    run_with(2, try_alpn, NULL);
}

/* --------------------------------------------------------------------------------------------------------------- SNI */

struct virtual_hosts {
    filch_tls_context *a, *b;
    char asked[300];
    int calls;
};

static filch_tls_context *by_name(void *arg, const char *host_name) {
    struct virtual_hosts *hosts = arg;
    hosts->calls++;
    strcpy(hosts->asked, host_name == NULL ? "(none)" : host_name);
    if (host_name == NULL || strcmp(host_name, "a.test") == 0) return hosts->a;
    return strcmp(host_name, "b.test") == 0 ? hosts->b : NULL;
}

static const char *const alpn_b[] = {"only-b", NULL};

static void meet_host(struct virtual_hosts *hosts, filch_tls_context *front, const char *host, int expected,
                      const char *subject) {
    struct meeting meeting = {
        .client = client_context((filch_tls_context_options){.alpn = alpn_b}), .server = front, .host = host};
    hosts->calls = 0;
    meet(&meeting);
    check_int(meeting.client_error, expected);
    check_int(hosts->calls, 1);
    if (expected == 0) {
        filch_tls_info info = about(meeting.client_tls);
        check(strcmp(info.subject, subject) == 0);
        check(strcmp(info.alpn, strcmp(subject, "CN=b") == 0 ? "only-b" : "") == 0);
        check_passes(meeting.server_tls, meeting.client_tls, "after the change");
    }
    meeting.server = NULL;
    meeting_end(&meeting);
}

static int choose_by_name(void *arg) {
    (void)arg;
    const struct certificate *authority = &the_cast()->authority;
    struct certificate a = certificate_make(
        &(struct certificate_wish){.name = "a", .names = "DNS:a.test,IP:10.0.0.1", .issuer = authority});
    struct certificate b =
        certificate_make(&(struct certificate_wish){.name = "b", .names = "DNS:b.test", .issuer = authority});
    struct virtual_hosts hosts = {
        .a = server_context((filch_tls_context_options){.certificate_pem = a.pem, .key_pem = a.key_pem}),
        .b = server_context(
            (filch_tls_context_options){.certificate_pem = b.pem, .key_pem = b.key_pem, .alpn = alpn_b})};
    filch_tls_context *front =
        make_context(&(filch_tls_context_options){.role = FILCH_TLS_SERVER, .select = by_name, .select_arg = &hosts});
    meet_host(&hosts, front, "a.test", 0, "CN=a");
    meet_host(&hosts, front, "b.test", 0, "CN=b");
    meet_host(&hosts, front, "b.test.", 0, "CN=b"); /* the last dot is not part of what is said and compared */
    check(strcmp(hosts.asked, "b.test") == 0);
    meet_host(&hosts, front, "10.0.0.1", 0, "CN=a"); /* addresses are not said */
    check(strcmp(hosts.asked, "(none)") == 0);
    meet_host(&hosts, front, "c.test", -EPROTO, NULL);
    filch_tls_context_destroy(front);
    filch_tls_context_destroy(hosts.a);
    filch_tls_context_destroy(hosts.b);
    certificate_free(&a);
    certificate_free(&b);
    return 0;
}

TEST(handshake, a_server_chooses_its_certificate_by_the_name_that_is_asked_for) {
    run_with(2, choose_by_name, NULL);
}

/* ---------------------------------------------------------------------------------------------------- peers' names */

static int good_names(void *arg) {
    static const char *const good[] = {"localhost", "LOCALHOST", "localhost.", "www.example.org", "127.0.0.1", "::1"};
    static const char *const bad[] = {"localhos", "server", "a.b.example.org", "example.org", "127.0.0.2", "::2"};
    (void)arg;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct meeting meeting = {.host = good[i]};
        meet_well(&meeting);
        meeting_end(&meeting);
        meeting = (struct meeting){.host = bad[i]};
        meet(&meeting);
        check_int(meeting.client_error, -EKEYREJECTED);
        check_int(meeting.client_failure.error, -EKEYREJECTED);
        check(meeting.client_failure.verify ==
              (strpbrk(bad[i], "z:127") == NULL ? X509_V_ERR_HOSTNAME_MISMATCH : X509_V_ERR_IP_ADDRESS_MISMATCH));
        meeting_end(&meeting);
    }
    return 0;
}

TEST(handshake, the_peer_must_be_who_was_asked_for) {
    run_with(2, good_names, NULL);
}

/* ----------------------------------------------------------------------------------------------- client certificates */

struct asking {
    filch_tls_version version;
    filch_tls_ask ask;
    const struct certificate *certificate;
    int server_error;
    const char *server_text;
};

static void ask_client(const struct asking *asking) {
    filch_tls_context_options options = {.max_version = asking->version};
    if (asking->certificate != NULL) {
        options.certificate_pem = asking->certificate->pem;
        options.key_pem = asking->certificate->key_pem;
    }
    struct meeting meeting = {
        .client = client_context(options),
        .server = server_context((filch_tls_context_options){
            .ask = asking->ask, .trust_pem = asking->ask == FILCH_TLS_ASK_NOTHING ? NULL : the_cast()->authority.pem})};
    meet(&meeting);
    check_int(meeting.server_error, asking->server_error);
    if (asking->server_error != 0) {
        check(strstr(meeting.server_failure.text, asking->server_text) != NULL);
        /* In TLS 1.3 the client has its answer after its own handshake. */
        char byte;
        check_int(meeting.client_error, asking->version == FILCH_TLS_1_2 ? -EPROTO : 0);
        if (meeting.client_error == 0) {
            check_int(tls_read(meeting.client_tls, &byte, 1), -EPROTO);
            check(strstr(filch_tls_error_text(meeting.client_tls), "alert from the peer") != NULL);
            check_int(tls_read(meeting.client_tls, &byte, 1), -EPROTO);
            check_int(tls_write(meeting.client_tls, "x", 1, FILCH_NEVER), -EPROTO);
        }
    } else {
        filch_tls_info info = about(meeting.server_tls);
        bool has = asking->certificate != NULL && asking->ask != FILCH_TLS_ASK_NOTHING;
        check(info.has_certificate == has && info.verified == has);
        check(strcmp(info.subject, has ? "CN=client" : "") == 0);
        check_passes(meeting.client_tls, meeting.server_tls, "from whom it knows");
    }
    meeting_end(&meeting);
}

static int ask_clients(void *arg) {
    (void)arg;
    struct certificate stranger = certificate_make(&(struct certificate_wish){.name = "stranger"});
    struct certificate late = certificate_make(
        &(struct certificate_wish){.name = "late", .issuer = &the_cast()->authority, .from_days = -9, .to_days = -2});
    const struct certificate *client = &the_cast()->client;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        ask_client(&(struct asking){version, FILCH_TLS_ASK_NOTHING, client, 0, NULL});
        ask_client(&(struct asking){version, FILCH_TLS_ASK_IF_ANY, NULL, 0, NULL});
        ask_client(&(struct asking){version, FILCH_TLS_ASK_IF_ANY, client, 0, NULL});
        ask_client(&(struct asking){version, FILCH_TLS_ASK_REQUIRE, client, 0, NULL});
        ask_client(
            &(struct asking){version, FILCH_TLS_ASK_REQUIRE, NULL, -EKEYREJECTED, "did not return a certificate"});
        ask_client(
            &(struct asking){version, FILCH_TLS_ASK_IF_ANY, &stranger, -EKEYREJECTED, "self-signed certificate"});
        ask_client(&(struct asking){version, FILCH_TLS_ASK_REQUIRE, &late, -EKEYREJECTED, "certificate has expired"});
    }
    certificate_free(&stranger);
    certificate_free(&late);
    return 0;
}

TEST(handshake, a_server_asks_clients_for_certificates_that_must_be_good) {
    run_with(2, ask_clients, NULL);
}

/* ------------------------------------------------------------------------------------------------------- resumption */

/* A meeting with these contexts, by a ticket if any; and the ticket that comes of it. */
static filch_tls_ticket *resume(struct meeting *meeting, filch_tls_ticket *ticket, bool expected) {
    meeting->client_options.ticket = ticket;
    meet_well(meeting);
    check_passes(meeting->server_tls, meeting->client_tls, "tickets come with the first read");
    check_int(about(meeting->client_tls).resumed, expected);
    check(about(meeting->server_tls).resumed == expected);
    check(about(meeting->client_tls).verified);
    check(strcmp(about(meeting->client_tls).subject, "CN=server") == 0);
    filch_tls_ticket *next = NULL;
    bool again =
        expected && strcmp(about(meeting->client_tls).version, "TLSv1.2") == 0; /* the same ticket is good on */
    check_int(filch_tls_ticket_take(&next, meeting->client_tls), again ? -EAGAIN : 0);
    meeting_end_sessions(meeting);
    if (again) return ticket;
    filch_tls_ticket_destroy(ticket);
    return next;
}

static int try_tickets(void *arg) {
    (void)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        struct meeting meeting = {.client = client_context((filch_tls_context_options){.max_version = version})};
        filch_tls_ticket *ticket = resume(&meeting, NULL, false);
        ticket = resume(&meeting, ticket, true);
        /* A server that does not know it begins anew. */
        filch_tls_context_destroy(meeting.server);
        meeting.server = NULL;
        ticket = resume(&meeting, ticket, false);
        /* It is good for the same name and the same context alone. */
        filch_transport none = {0};
        struct wire *wire = wire_create(1000);
        filch_tls_failure failure = {0};
        filch_tls_options options = {.ticket = ticket, .failure = &failure};
        filch_tls_context *other = client_context((filch_tls_context_options){0});
        check_int(filch_tls_client(&none, wire_end(wire, 0), meeting.client, "127.0.0.1", &options, FILCH_NEVER),
                  -EINVAL);
        check(strstr(failure.text, "the ticket is of another") != NULL);
        check_int(filch_tls_client(&none, wire_end(wire, 0), other, "localhost", &options, FILCH_NEVER), -EINVAL);
        check_int(filch_tls_server(&none, wire_end(wire, 0), meeting.server, &options, FILCH_NEVER), -EINVAL);
        check_int(wire_written(wire, 0), 0);
        filch_tls_context_destroy(other);
        wire_destroy(wire);
        filch_tls_context_destroy(meeting.client);
        filch_tls_context_destroy(meeting.server);
        filch_tls_ticket_destroy(ticket); /* after the context that it is of */
    }
    return 0;
}

TEST(handshake, a_session_is_resumed_by_its_ticket) {
    run_with(2, try_tickets, NULL);
}

static int without_tickets(void *arg) {
    (void)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        struct meeting meeting = {
            .server = server_context((filch_tls_context_options){.max_version = version, .no_tickets = true})};
        meet_well(&meeting);
        check_passes(meeting.server_tls, meeting.client_tls, "no ticket comes with this");
        filch_tls_ticket *none = NULL;
        check_int(filch_tls_ticket_take(&none, meeting.client_tls), -EAGAIN);
        check(none == NULL);
        meeting_end(&meeting);
    }
    return 0;
}

TEST(handshake, no_tickets_means_none) {
    run_with(2, without_tickets, NULL);
}

/* The first time the lax context is chosen, then the one that wants a certificate, which this client does not have. */
static filch_tls_context *lax_then_strict(void *arg, const char *host_name) {
    struct virtual_hosts *hosts = arg;
    (void)host_name;
    return hosts->calls++ == 0 ? hosts->a : hosts->b;
}

static int smuggle(void *arg) {
    (void)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        struct virtual_hosts hosts = {
            .a = server_context((filch_tls_context_options){.max_version = version}),
            .b = server_context((filch_tls_context_options){
                .max_version = version, .ask = FILCH_TLS_ASK_REQUIRE, .trust_pem = the_cast()->authority.pem})};
        struct meeting meeting = {.server = make_context(&(filch_tls_context_options){
                                      .role = FILCH_TLS_SERVER, .select = lax_then_strict, .select_arg = &hosts})};
        filch_tls_ticket *ticket = resume(&meeting, NULL, false);
        meeting.client_options.ticket = ticket;
        meet(&meeting);
        check_int(hosts.calls, 2);
        check_int(meeting.server_error, -EKEYREJECTED);
        meeting_end(&meeting);
        filch_tls_ticket_destroy(ticket);
        filch_tls_context_destroy(hosts.a);
        filch_tls_context_destroy(hosts.b);
    }
    return 0;
}

TEST(handshake, a_ticket_of_a_lax_host_does_not_open_a_strict_one) {
    run_with(2, smuggle, NULL);
}

/* -------------------------------------------------------------------------------------------------------- read ahead */

/* The server has read some of the client's first TLS bytes along with what was said in plain text. */
static int start_on_live_wire(void *arg) {
    (void)arg;
    static const char plain[] = "STARTTLS\r\n";
    for (size_t ahead = 0; ahead < 250; ahead += ahead < 8 ? 1 : 80) {
        struct meeting meeting = {0};
        char bytes[300];
        meeting_begin(&meeting);
        filch_transport client = wire_end(meeting.wire, 0), server = wire_end(meeting.wire, 1);
        write_all(client, plain, sizeof plain);
        filch_task *task = start(meet_client, &meeting);
        read_all(server, bytes, sizeof plain + ahead);
        meeting.server_options = (filch_tls_options){.initial = bytes + sizeof plain, .initial_size = ahead};
        meet_server(&meeting);
        check_int(result_of(task), 0);
        check_int(meeting.server_error, 0);
        check_int(meeting.client_error, 0);
        check_passes(meeting.client_tls, meeting.server_tls, "over what was plain");
        check_passes(meeting.server_tls, meeting.client_tls, "and back");
        meeting_end(&meeting);
    }
    return 0;
}

TEST(handshake, begins_on_a_live_wire_with_what_was_read_ahead) {
    run_with(2, start_on_live_wire, NULL);
}

/* ----------------------------------------------------------------------------------------------------------- misuse */

static int use_null(struct ssl_st *ssl, void *arg) {
    (void)arg;
    return ssl != NULL ? 7 : -1;
}

static int misuse(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meeting_begin(&meeting);
    filch_tls_failure failure = {0};
    filch_tls_options options = {.failure = &failure}, half = {.initial_size = 3, .failure = &failure};
    filch_transport tls = {0}, below = wire_end(meeting.wire, 0), none = {0};
    char long_name[300];
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    struct {
        filch_transport *tls, below;
        filch_tls_context *context;
        const char *host;
        filch_tls_options *options;
        const char *text;
    } bad[] = {
        {NULL, below, meeting.client, "localhost", &options, "no place"},
        {&tls, none, meeting.client, "localhost", &options, "lacks read"},
        {&tls, below, NULL, "localhost", &options, "no context"},
        {&tls, below, meeting.server, "localhost", &options, "a server's"},
        {&tls, below, meeting.client, NULL, &options, "host_name is NULL"},
        {&tls, below, meeting.client, "", &options, "host_name is empty"},
        {&tls, below, meeting.client, ".", &options, "host_name is no name"},
        {&tls, below, meeting.client, ".example.org", &options, "host_name is no name"},
        {&tls, below, meeting.client, long_name, &options, "host_name is no name"},
        {&tls, below, meeting.client, "localhost", &half, "initial is NULL"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        failure.error = 0;
        check_int(filch_tls_client(bad[i].tls, bad[i].below, bad[i].context, bad[i].host, bad[i].options, FILCH_NEVER),
                  -EINVAL);
        check_int(failure.error, -EINVAL);
        check(strstr(failure.text, bad[i].text) != NULL);
    }
    check_int(filch_tls_client(NULL, below, meeting.client, "localhost", NULL, FILCH_NEVER), -EINVAL);
    check_int(filch_tls_server(NULL, below, meeting.server, &options, FILCH_NEVER), -EINVAL);
    check_int(filch_tls_server(&tls, none, meeting.server, &options, FILCH_NEVER), -EINVAL);
    check_int(filch_tls_server(&tls, below, NULL, &options, FILCH_NEVER), -EINVAL);
    check_int(filch_tls_server(&tls, below, meeting.client, &options, FILCH_NEVER), -EINVAL);
    check_int(filch_tls_server(&tls, below, meeting.server, &half, FILCH_NEVER), -EINVAL);
    check(tls.ops == NULL);
    check_int(wire_written(meeting.wire, 0), 0);
    check(!meeting.wire->ends[0].closed);
    meeting_end(&meeting);
    return 0;
}

TEST(handshake, bad_arguments_are_answered) {
    run_with(1, misuse, NULL);
}

static int ask_strangers(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meet_well(&meeting);
    filch_transport none = {0}, wire = wire_end(meeting.wire, 0);
    filch_tls_info info;
    filch_tls_ticket *ticket;
    check_int(filch_tls_describe(none, &info), -EINVAL);
    check_int(filch_tls_describe(wire, &info), -EINVAL);
    check_int(filch_tls_describe(meeting.client_tls, NULL), -EINVAL);
    check(strcmp(filch_tls_error_text(none), "") == 0 && strcmp(filch_tls_error_text(wire), "") == 0);
    check_int(filch_tls_use(wire, use_null, NULL), -EINVAL);
    check_int(filch_tls_use(meeting.client_tls, NULL, NULL), -EINVAL);
    check_int(filch_tls_use(meeting.client_tls, use_null, NULL), 7);
    check_int(filch_tls_ticket_take(NULL, meeting.client_tls), -EINVAL);
    check_int(filch_tls_ticket_take(&ticket, wire), -EINVAL);
    check_int(filch_tls_ticket_take(&ticket, meeting.server_tls), -EINVAL);
    filch_tls_ticket_destroy(NULL);
    filch_address address;
    check_int(meeting.client_tls.ops->address(meeting.client_tls.self, true, &address), 0);
    check_int(address.ip4.sin_port, 10);
    check_int(meeting.server_tls.ops->address(meeting.server_tls.self, false, &address), 0);
    check_int(address.ip4.sin_port, 1);
    check(strcmp(meeting.client_tls.ops->kind, "tls") == 0);
    check(meeting.client_tls.ops->descriptor == NULL);
    meeting_end(&meeting);
    return 0;
}

TEST(handshake, what_is_no_session_is_told_from_one) {
    run_with(1, ask_strangers, NULL);
}
