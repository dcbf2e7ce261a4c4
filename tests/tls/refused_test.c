/* SPDX-License-Identifier: MIT */
/*
 * Proves that there is no session with whom there should be none, and that both sides learn why: bad certificates, bytes
 * that are no TLS, bytes spoiled or lost at any place, deadlines and cancellation at any stage.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/tls/meeting.h"

/* ------------------------------------------------------------------------------------------------- certificates */

/* A client meets a server that shows `pem`. */
static void show(const char *pem, const char *key_pem, filch_tls_context_options client, int verify, const char *text) {
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        client.max_version = version;
        struct meeting meeting = {
            .client = client_context(client),
            .server = server_context((filch_tls_context_options){.certificate_pem = pem, .key_pem = key_pem})};
        meet(&meeting);
        check_int(meeting.client_error, text == NULL ? 0 : -EKEYREJECTED);
        check_int(meeting.server_error, text == NULL ? 0 : -EPROTO);
        if (text != NULL) {
            check_int(meeting.client_failure.error, -EKEYREJECTED);
            check_int(meeting.client_failure.verify, verify);
            check(strstr(meeting.client_failure.text, text) == meeting.client_failure.text);
            check(strstr(meeting.server_failure.text, "alert from the peer: ") == meeting.server_failure.text);
        } else {
            filch_tls_info info;
            check_int(filch_tls_describe(meeting.client_tls, &info), 0);
            check(info.has_certificate && info.verified != client.no_verify);
            check_passes(meeting.server_tls, meeting.client_tls, "good");
        }
        meeting_end(&meeting);
    }
}

struct bad {
    struct certificate_wish wish;
    bool self;
    int verify;
    const char *text;
};

static int show_bad_ones(void *arg) {
    static const struct bad cases[] = {
        {{.name = "late", .names = "DNS:localhost", .from_days = -20, .to_days = -2},
         false,
         X509_V_ERR_CERT_HAS_EXPIRED,
         "certificate has expired: CN=late"},
        {{.name = "early", .names = "DNS:localhost", .from_days = 2},
         false,
         X509_V_ERR_CERT_NOT_YET_VALID,
         "certificate is not yet valid: CN=early"},
        {{.name = "other", .names = "DNS:elsewhere"},
         false,
         X509_V_ERR_HOSTNAME_MISMATCH,
         "hostname mismatch: CN=other"},
        {{.name = "localhost"}, false, X509_V_ERR_HOSTNAME_MISMATCH, "hostname mismatch: CN=localhost"},
        {{.name = "self", .names = "DNS:localhost"},
         true,
         X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
         "self-signed certificate: CN=self"},
        {{.name = "client", .names = "DNS:localhost", .usage = "clientAuth"},
         false,
         X509_V_ERR_INVALID_PURPOSE,
         "unsuitable certificate purpose: CN=client"},
    };
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct certificate_wish wish = cases[i].wish;
        wish.issuer = cases[i].self ? NULL : &the_cast()->authority;
        struct certificate bad = certificate_make(&wish);
        show(bad.pem, bad.key_pem, (filch_tls_context_options){0}, cases[i].verify, cases[i].text);
        show(bad.pem, bad.key_pem, (filch_tls_context_options){.no_verify = true}, 0, NULL);
        bool name_alone = cases[i].verify == X509_V_ERR_HOSTNAME_MISMATCH;
        show(bad.pem, bad.key_pem, (filch_tls_context_options){.no_name_check = true}, cases[i].verify,
             name_alone ? NULL : cases[i].text);
        certificate_free(&bad);
    }
    return 0;
}

TEST(refused, a_bad_certificate_is_refused_and_both_sides_learn_why) {
    run_with(2, show_bad_ones, NULL);
}

/* What leads from a certificate to one that is trusted must be shown along with it. */
static int show_chains(void *arg) {
    (void)arg;
    struct certificate middle = certificate_make(
        &(struct certificate_wish){.name = "middle", .authority = true, .issuer = &the_cast()->authority});
    struct certificate leaf =
        certificate_make(&(struct certificate_wish){.name = "leaf", .names = "DNS:localhost", .issuer = &middle});
    struct certificate strange = certificate_make(&(struct certificate_wish){.name = "strange", .authority = true});
    char *chain = pem_chain(leaf.pem, middle.pem);
    show(chain, leaf.key_pem, (filch_tls_context_options){0}, 0, NULL);
    show(leaf.pem, leaf.key_pem, (filch_tls_context_options){0}, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
         "unable to get local issuer certificate: CN=leaf");
    show(chain, leaf.key_pem, (filch_tls_context_options){.trust_pem = strange.pem},
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unable to get local issuer certificate: CN=middle");
    char *both = pem_chain(strange.pem, the_cast()->authority.pem);
    show(chain, leaf.key_pem, (filch_tls_context_options){.trust_pem = both}, 0, NULL);
    free(both);
    free(chain);
    certificate_free(&strange);
    certificate_free(&leaf);
    certificate_free(&middle);
    return 0;
}

TEST(refused, a_chain_must_lead_to_who_is_trusted) {
    run_with(2, show_chains, NULL);
}

/* What the system trusts is said by SSL_CERT_FILE here. */
static int show_to_system(void *arg) {
    const struct cast *cast = the_cast();
    struct certificate strange = certificate_make(&(struct certificate_wish){.name = "strange", .authority = true});
    char path[] = "/tmp/filch-tls-XXXXXX";
    int number = mkstemp(path);
    (void)arg;
    check(number >= 0);
    check(write(number, cast->authority.pem, strlen(cast->authority.pem)) == (ssize_t)strlen(cast->authority.pem));
    close(number);
    setenv("SSL_CERT_FILE", path, 1);
    setenv("SSL_CERT_DIR", "/nowhere", 1);
    struct meeting meeting = {.client = make_context(NULL)};
    meet_well(&meeting);
    meeting_end(&meeting);
    show(cast->server.pem, cast->server.key_pem, (filch_tls_context_options){.trust_pem = strange.pem},
         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unable to get local issuer certificate");
    show(cast->server.pem, cast->server.key_pem,
         (filch_tls_context_options){.trust_pem = strange.pem, .trust_system = true}, 0, NULL);
    unlink(path);
    meeting = (struct meeting){.client = make_context(NULL)};
    meet(&meeting);
    check_int(meeting.client_error, -EKEYREJECTED);
    meeting_end(&meeting);
    certificate_free(&strange);
    return 0;
}

TEST(refused, the_system_is_asked_whom_to_trust_unless_others_are_named) {
    run_with(1, show_to_system, NULL);
}

static int anybody(void *arg) {
    (void)arg;
    struct meeting meeting = {.client = client_context((filch_tls_context_options){.no_verify = true})};
    meeting_begin(&meeting);
    meeting.host = NULL;
    filch_task *server = start(meet_server, &meeting);
    meet_client(&meeting);
    check_int(result_of(server), 0);
    check_int(meeting.client_error, 0);
    filch_tls_info info;
    check_int(filch_tls_describe(meeting.client_tls, &info), 0);
    check(info.has_certificate && !info.verified); /* good as it is: whose it is nobody has looked at */
    meeting_end(&meeting);
    return 0;
}

TEST(refused, who_takes_anybody_needs_no_name) {
    run_with(2, anybody, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ garbage */

static int say_garbage(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meeting_begin(&meeting);
    write_all(wire_end(meeting.wire, 0), "GET / HTTP/1.0\r\n\r\n", 18);
    meet_server(&meeting);
    check_int(meeting.server_error, -EPROTO);
    check(strcmp(meeting.server_failure.text, "http request") == 0);
    check_int(meeting.server_failure.error, -EPROTO);
    meeting_end_sessions(&meeting);
    meeting.wire = wire_create(1000);
    write_all(wire_end(meeting.wire, 1), "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    meet_client(&meeting);
    check_int(meeting.client_error, -EPROTO);
    check(strcmp(meeting.client_failure.text, "wrong version number") == 0);
    meeting_end(&meeting);
    return 0;
}

TEST(refused, a_peer_that_speaks_no_tls_is_told_so) {
    run_with(1, say_garbage, NULL);
}

/* Random bytes, some of which begin like a record: always an end, never a session. */
static int say_noise(void *arg) {
    uint32_t random = 88172645;
    (void)arg;
    struct meeting meeting = {0};
    meeting_begin(&meeting);
    wire_destroy(meeting.wire);
    for (int round = 0; round < 3000 / TEST_SCALE; round++) {
        unsigned char noise[200] = {0x16, 3, 1, 0, (unsigned char)round, 1, 0, 0, (unsigned char)(round / 3)};
        for (size_t i = round % 12; i < sizeof noise; i++) {
            random ^= random << 13, random ^= random >> 17, random ^= random << 5;
            noise[i] = (unsigned char)random;
        }
        bool server = round % 2 == 0;
        meeting.wire = wire_create(1000);
        write_all(wire_end(meeting.wire, server ? 0 : 1), noise, sizeof noise);
        wire_cut(meeting.wire, server ? 0 : 1);
        if (server) {
            meet_server(&meeting);
        } else {
            meet_client(&meeting);
        }
        int error = server ? meeting.server_error : meeting.client_error;
        check(error == -EPROTO || error == -ECONNABORTED);
        wire_destroy(meeting.wire);
    }
    filch_tls_context_destroy(meeting.client);
    filch_tls_context_destroy(meeting.server);
    return 0;
}

TEST(refused, noise_is_no_session) {
    run_with(2, say_noise, NULL);
}

/* ------------------------------------------------------------------------------------------- spoiled, cut, too late */

/* How many bytes go each way in a handshake, tickets included. */
static void measure(filch_tls_version version, uint64_t bytes[2]) {
    struct meeting meeting = {.server = server_context((filch_tls_context_options){.max_version = version})};
    meet_well(&meeting);
    for (int i = 0; i < 2; i++) bytes[i] = wire_written(meeting.wire, i);
    meeting_end(&meeting);
}

/*
 * Both sides come to an end of some kind: they may wait for bytes that a spoiled length has promised, until the deadline.
 * Where both think that they agree, the first use shows the harm.
 */
static void must_fail(struct meeting *meeting) {
    char byte;
    meeting->client_deadline = meeting->server_deadline = filch_after(FILCH_MS(30));
    meet(meeting);
    if (meeting->client_error == 0 && meeting->server_error == 0) {
        wire_cut(meeting->wire, 1);
        int error = (int)tls_read(meeting->client_tls, &byte, 1);
        check(error == -EPROTO || error == -ECONNABORTED);
        return;
    }
    int errors[] = {meeting->client_error, meeting->server_error};
    for (int i = 0; i < 2; i++)
        check(errors[i] == 0 || errors[i] == -EPROTO || errors[i] == -ECONNABORTED || errors[i] == -EPIPE ||
              errors[i] == -EKEYREJECTED || errors[i] == -ETIMEDOUT);
}

static int spoil_everywhere(void *arg) {
    bool cut = *(bool *)arg;
    for (int version = FILCH_TLS_1_2; version <= FILCH_TLS_1_3; version++) {
        uint64_t bytes[2];
        measure(version, bytes);
        struct meeting meeting = {.server = server_context((filch_tls_context_options){.max_version = version})};
        for (int way = 0; way < 2; way++) {
            for (uint64_t at = 1; at + 40 < bytes[way]; at += 1 + at % 13 * TEST_SCALE) {
                meeting.wire = wire_create(WIRE_ROOM_MAX);
                (cut ? meeting.wire->cut : meeting.wire->spoil)[way] = at;
                must_fail(&meeting);
                meeting_end_sessions(&meeting);
            }
        }
        filch_tls_context_destroy(meeting.client);
        filch_tls_context_destroy(meeting.server);
    }
    return 0;
}

TEST(refused, a_byte_that_is_spoiled_anywhere_in_the_handshake_is_noticed) {
    run_with(2, spoil_everywhere, &(bool){false});
}

TEST(refused, a_connection_that_ends_anywhere_in_the_handshake_makes_no_session) {
    run_with(2, spoil_everywhere, &(bool){true});
}

static int too_late(void *arg) {
    (void)arg;
    uint64_t bytes[2];
    measure(FILCH_TLS_1_3, bytes);
    for (uint64_t budget = 1; budget < bytes[0]; budget += 1 + bytes[0] / 4) { /* way 0 takes no more at some place */
        struct meeting meeting = {.wire = wire_create(WIRE_ROOM_MAX)};
        meeting.wire->budget = budget;
        meeting.client_deadline = filch_after(FILCH_MS(30));
        int64_t before_ns = filch_now();
        meet(&meeting);
        check_int(meeting.client_error, -ETIMEDOUT);
        check(filch_now() - before_ns >= FILCH_MS(30));
        check_int(meeting.server_error, -ECONNABORTED);
        check_int(meeting.client_failure.error, -ETIMEDOUT);
        check(meeting.client_failure.text[0] == '\0');
        check(meeting.client_tls.ops == NULL && !meeting.wire->ends[0].destroyed);
        meeting_end(&meeting);
    }
    struct meeting silent = {.client_deadline = filch_after(FILCH_MS(10)), .server_deadline = {1}};
    meeting_begin(&silent);
    meet_server(&silent);
    check_int(silent.server_error, -ETIMEDOUT);
    wire_destroy(silent.wire);
    silent.wire = wire_create(5000);
    meet_client(&silent);
    check_int(silent.client_error, -ETIMEDOUT);
    check(wire_written(silent.wire, 0) > 0); /* the hello went out */
    meeting_end(&silent);
    return 0;
}

TEST(refused, a_handshake_ends_when_its_deadline_passes) {
    run_with(2, too_late, NULL);
}

static int cancel_midway(void *arg) {
    (void)arg;
    uint64_t bytes[2];
    measure(FILCH_TLS_1_3, bytes);
    for (uint64_t budget = 1; budget < bytes[0]; budget += 40) {
        struct meeting meeting = {.wire = wire_create(WIRE_ROOM_MAX)};
        meeting.wire->budget = budget;
        meeting_begin(&meeting);
        filch_task *client = start(meet_client, &meeting), *server = start(meet_server, &meeting);
        while (wire_written(meeting.wire, 0) < budget) filch_yield();
        filch_task_cancel(client);
        check_int(result_of(client), 0);
        check_int(meeting.client_error, -ECANCELED);
        check_int(meeting.client_failure.error, -ECANCELED);
        filch_task_cancel(server); /* or it has seen the end */
        int result = result_of(server);
        check(result == -ECANCELED || /* it had not begun */
              meeting.server_error == -ECANCELED || meeting.server_error == -ECONNABORTED ||
              meeting.server_error == -EPIPE);
        meeting_end(&meeting);
    }
    return 0;
}

TEST(refused, a_handshake_that_is_cancelled_ends_at_any_stage) {
    run_with(1, cancel_midway, NULL);
    run_with(4, cancel_midway, NULL);
}

static int cancelled_before(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meeting_begin(&meeting);
    filch_scope scope;
    check_int(filch_scope_open(&scope, NULL), 0);
    filch_scope_cancel(&scope);
    meet_client(&meeting);
    check_int(meeting.client_error, -ECANCELED);
    meet_server(&meeting);
    check_int(meeting.server_error, -ECANCELED);
    check_int(filch_scope_close(&scope), -ECANCELED);
    check_int(wire_written(meeting.wire, 0), 0);
    meeting_end(&meeting);
    return 0;
}

TEST(refused, in_a_cancelled_scope_nothing_is_sent) {
    run_with(1, cancelled_before, NULL);
}
