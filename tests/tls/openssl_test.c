/* SPDX-License-Identifier: MIT */
/*
 * Proves that sessions are understood by another: the programs `openssl s_server` and `openssl s_client`, over sockets.
 * Where there is no such program this is said, and nothing is proved.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/tls/meeting.h"
#include "tests/tls/program.h"

/* The certificates as files. */
struct files {
    char folder[40], authority[64], server[64], client[64];
};

static void write_pem(char path[64], const char *folder, const char *name, const char *pem, const char *more) {
    snprintf(path, 64, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    check(file != NULL && fputs(pem, file) >= 0 && fputs(more, file) >= 0 && fclose(file) == 0);
}

static struct files files_make(void) {
    const struct cast *cast = the_cast();
    struct files files = {.folder = "/tmp/filch-tls-XXXXXX"};
    check(mkdtemp(files.folder) != NULL);
    write_pem(files.authority, files.folder, "authority", cast->authority.pem, "");
    write_pem(files.server, files.folder, "server", cast->server.pem, cast->server.key_pem);
    write_pem(files.client, files.folder, "client", cast->client.pem, cast->client.key_pem);
    return files;
}

static void files_remove(const struct files *files) {
    unlink(files->authority), unlink(files->server), unlink(files->client);
    rmdir(files->folder);
}

static void skip(void) {
    fprintf(stderr, "SKIPPED: there is no program openssl\n");
}

enum { ARGUMENTS = 40 };

/* `first` and then `rest`, both with NULL at the end. */
static void join(const char **into, const char *const *first, const char *const *rest) {
    int count = 0;
    for (; *first != NULL; first++) into[count++] = *first;
    for (; *rest != NULL; rest++) into[count++] = *rest;
    check(count < ARGUMENTS);
    into[count] = NULL;
}

static filch_tls_info about(filch_transport tls) {
    filch_tls_info info;
    check_int(filch_tls_describe(tls, &info), 0);
    return info;
}

/* Reads until `text` has come. */
static void read_text(filch_transport tls, const char *text) {
    char buffer[4096] = "";
    for (size_t length = 0; strstr(buffer, text) == NULL;) {
        ssize_t some = tls.ops->read(tls.self, buffer + length, sizeof buffer - 1 - length, SOON);
        if (some <= 0)
            fprintf(stderr, "waited for \"%s\", and read \"%s\" and %zd %s\n", text, buffer, some,
                    filch_tls_error_text(tls));
        check(some > 0);
        length += (size_t)some;
        buffer[length] = '\0';
    }
}

/*
 * Tells the program a line to send, again and again until it comes: a line that it reads together with an order before it
 * is lost. Only the orders are in question here.
 */
static void tell_until_read(struct program *program, filch_transport tls, const char *line) {
    char buffer[4096] = "";
    for (size_t length = 0; strstr(buffer, line) == NULL;) {
        program_tell(program, line);
        ssize_t some = tls.ops->read(tls.self, buffer + length, sizeof buffer - 1 - length, filch_after(FILCH_MS(20)));
        check(some > 0 || some == -ETIMEDOUT);
        if (some > 0) length += (size_t)some;
        buffer[length] = '\0';
    }
}

/* ---------------------------------------------------------------------------------------------- against s_server */

static bool start_server(struct program *program, const struct files *files, const char *const *more, unsigned *port) {
    const char *arguments[ARGUMENTS];
    join(arguments,
         (const char *[]){"openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", files->server, "-CAfile",
                          files->authority, NULL},
         more);
    if (!program_start(program, arguments)) return false;
    *port = (unsigned)strtoul(program_wait_for(program, "ACCEPT 127.0.0.1:") + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
    return true;
}

static int connect_tls(filch_transport *tls, unsigned port, filch_tls_context *context, const char *host,
                       filch_tls_options *options) {
    filch_transport below = connect_to(port);
    int error = filch_tls_client(tls, below, context, host, options, SOON);
    if (error != 0) end_session(&below);
    return error;
}

/* Talks with a server that was started so, as a client made so. */
static bool talk_to_server(const struct files *files, const char *const *more, filch_tls_context_options options,
                           const char *version, const char *alpn) {
    struct program program;
    unsigned port;
    filch_transport tls;
    if (!start_server(&program, files, more, &port)) return false;
    filch_tls_context *context = client_context(options);
    check_int(connect_tls(&tls, port, context, "localhost", NULL), 0);
    filch_tls_info info = about(tls);
    check(strcmp(info.version, version) == 0);
    check(strcmp(info.alpn, alpn) == 0);
    check(info.verified && strcmp(info.subject, "CN=server") == 0);
    program_wait_for(&program, "CIPHER is");
    write_all(tls, "from the client\n", 16);
    program_wait_for(&program, "from the client");
    program_tell(&program, "from the server\n");
    read_text(tls, "from the server\n");
    if (strcmp(version, "TLSv1.3") == 0) { /* s_server takes a line with K for an order to ask for new keys */
        program_tell(&program, "K\n");
        tell_until_read(&program, tls, "by new keys\n");
        write_all(tls, "by new keys too\n", 16);
        program_wait_for(&program, "by new keys too");
        check_int(tls.ops->shutdown(tls.self, SOON), 0);
        program_wait_for(&program, "DONE");
    } else { /* and one with r for an order to renegotiate, which is refused */
        char byte;
        program_tell(&program, "r\n");
        check(tls.ops->read(tls.self, &byte, 1, SOON) <= 0);
        program_wait_for(&program, "no renegotiation");
    }
    end_session(&tls);
    filch_tls_context_destroy(context);
    program_end(&program);
    return true;
}

static int talk_to_servers(void *arg) {
    struct files files = files_make();
    const struct certificate *client = &the_cast()->client;
    static const char *const alpn[] = {"h2", "http/1.1", NULL};
    bool there =
        talk_to_server(&files, (const char *[]){NULL}, (filch_tls_context_options){0}, "TLSv1.3", "") &&
        talk_to_server(&files, (const char *[]){"-tls1_2", NULL}, (filch_tls_context_options){0}, "TLSv1.2", "") &&
        talk_to_server(&files, (const char *[]){"-alpn", "http/1.1", NULL}, (filch_tls_context_options){.alpn = alpn},
                       "TLSv1.3", "http/1.1") &&
        talk_to_server(&files, (const char *[]){"-Verify", "2", "-verify_return_error", NULL},
                       (filch_tls_context_options){.certificate_pem = client->pem, .key_pem = client->key_pem},
                       "TLSv1.3", "");
    (void)arg;
    if (!there) skip();
    files_remove(&files);
    return 0;
}

TEST(openssl, clients_talk_to_s_server) {
    run_with(2, talk_to_servers, NULL);
}

static int refuse_server(void *arg) {
    struct files files = files_make();
    struct program program;
    unsigned port;
    filch_transport tls;
    filch_tls_failure failure;
    filch_tls_options options = {.failure = &failure};
    (void)arg;
    if (start_server(&program, &files, (const char *[]){NULL}, &port)) {
        filch_tls_context *context = client_context((filch_tls_context_options){0});
        filch_tls_context *other = client_context((filch_tls_context_options){.trust_pem = the_cast()->client.pem});
        check_int(connect_tls(&tls, port, context, "elsewhere", &options), -EKEYREJECTED);
        check(strstr(failure.text, "hostname mismatch") != NULL);
        check_int(connect_tls(&tls, port, other, "localhost", &options), -EKEYREJECTED);
        check_int(failure.verify, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN); /* it shows that too */
        program_wait_for(&program, "alert");                             /* it has been told */
        check_int(connect_tls(&tls, port, context, "127.0.0.1", &options), 0);
        end_session(&tls);
        filch_tls_context_destroy(context);
        filch_tls_context_destroy(other);
        program_end(&program);
    } else {
        skip();
    }
    files_remove(&files);
    return 0;
}

TEST(openssl, s_server_is_refused_where_it_is_not_who_was_wanted) {
    run_with(2, refuse_server, NULL);
}

static int resume_with_server(void *arg) {
    struct files files = files_make();
    struct program program;
    unsigned port;
    filch_transport tls;
    filch_tls_ticket *ticket = NULL;
    (void)arg;
    if (start_server(&program, &files, (const char *[]){NULL}, &port)) {
        filch_tls_context *context = client_context((filch_tls_context_options){0});
        check_int(connect_tls(&tls, port, context, "localhost", NULL), 0);
        check(!about(tls).resumed);
        program_wait_for(&program, "CIPHER is");
        program_tell(&program, "tickets come before this\n");
        read_text(tls, "tickets come before this\n");
        check_int(filch_tls_ticket_take(&ticket, tls), 0);
        end_session(&tls);
        check_int(connect_tls(&tls, port, context, "localhost", &(filch_tls_options){.ticket = ticket}), 0);
        check(about(tls).resumed);
        program_wait_for(&program, "Reused session-id");
        end_session(&tls);
        filch_tls_ticket_destroy(ticket);
        filch_tls_context_destroy(context);
        program_end(&program);
    } else {
        skip();
    }
    files_remove(&files);
    return 0;
}

TEST(openssl, a_session_with_s_server_is_resumed) {
    run_with(2, resume_with_server, NULL);
}

/* ---------------------------------------------------------------------------------------------- against s_client */

static bool start_client(struct program *program, const struct files *files, const char *const *more, unsigned port) {
    static char address[40];
    const char *arguments[ARGUMENTS];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    join(arguments,
         (const char *[]){"openssl", "s_client", "-connect", address, "-CAfile", files->authority, "-servername",
                          "localhost", "-verify_hostname", "localhost", "-verify_return_error", NULL},
         more);
    return program_start(program, arguments);
}

/* Talks, as a server made so, with a client that was started so. */
static bool talk_to_client(const struct files *files, const char *const *more, filch_tls_context_options options,
                           const char *version, const char *subject) {
    struct program program;
    unsigned port;
    int listener = listen_somewhere(&port);
    filch_transport tls;
    if (!start_client(&program, files, more, port)) return close(listener), false;
    filch_tls_context *context = server_context(options);
    check_int(filch_tls_server(&tls, accept_one(listener), context, NULL, SOON), 0);
    filch_tls_info info = about(tls);
    check(strcmp(info.version, version) == 0);
    check(strcmp(info.host_name, "localhost") == 0);
    check(strcmp(info.subject, subject) == 0);
    program_wait_for(&program, "Verify return code: 0 (ok)");
    write_all(tls, "from the server\n", 16);
    program_wait_for(&program, "from the server");
    program_tell(&program, "from the client\n");
    read_text(tls, "from the client\n");
    if (strcmp(version, "TLSv1.3") == 0) {
        program_tell(&program, "K\n");
        tell_until_read(&program, tls, "by new keys\n");
        write_all(tls, "by new keys too\n", 16);
        program_wait_for(&program, "by new keys too");
    }
    char buffer[1000];
    ssize_t length;
    do { /* at last it takes Q for an order, ends, and says so by close_notify */
        program_tell(&program, "Q\n");
        length = tls.ops->read(tls.self, buffer, sizeof buffer, filch_after(FILCH_MS(20)));
        check(length >= 0 || length == -ETIMEDOUT);
    } while (length != 0);
    end_session(&tls);
    filch_tls_context_destroy(context);
    program_end(&program);
    close(listener);
    return true;
}

static int talk_to_clients(void *arg) {
    struct files files = files_make();
    bool there =
        talk_to_client(&files, (const char *[]){NULL}, (filch_tls_context_options){0}, "TLSv1.3", "") &&
        talk_to_client(&files, (const char *[]){"-tls1_2", NULL}, (filch_tls_context_options){0}, "TLSv1.2", "") &&
        talk_to_client(
            &files, (const char *[]){"-cert", files.client, NULL},
            (filch_tls_context_options){.ask = FILCH_TLS_ASK_REQUIRE, .trust_pem = the_cast()->authority.pem},
            "TLSv1.3", "CN=client");
    (void)arg;
    if (!there) skip();
    files_remove(&files);
    return 0;
}

TEST(openssl, servers_talk_to_s_client) {
    run_with(2, talk_to_clients, NULL);
}

/* A client that wants to renegotiate is refused. */
static int renegotiate(void *arg) {
    struct files files = files_make();
    struct program program;
    unsigned port;
    int listener = listen_somewhere(&port);
    filch_transport tls;
    char buffer[100];
    (void)arg;
    if (start_client(&program, &files, (const char *[]){"-tls1_2", NULL}, port)) {
        filch_tls_context *context = server_context((filch_tls_context_options){0});
        check_int(filch_tls_server(&tls, accept_one(listener), context, NULL, SOON), 0);
        program_wait_for(&program, "Verify return code: 0 (ok)");
        program_tell(&program, "R\n");
        check(tls.ops->read(tls.self, buffer, sizeof buffer, SOON) <= 0);
        program_wait_for(&program, "no renegotiation");
        end_session(&tls);
        filch_tls_context_destroy(context);
        program_end(&program);
    } else {
        skip();
    }
    close(listener);
    files_remove(&files);
    return 0;
}

TEST(openssl, renegotiation_is_refused) {
    run_with(2, renegotiate, NULL);
}

/* STARTTLS as mail servers do it. */
static void say(filch_transport transport, const char *line) {
    write_all(transport, line, strlen(line));
}

static int start_in_mail(void *arg) {
    struct files files = files_make();
    struct program program;
    unsigned port;
    int listener = listen_somewhere(&port);
    filch_transport tls;
    (void)arg;
    if (start_client(&program, &files, (const char *[]){"-starttls", "smtp", NULL}, port)) {
        filch_tls_context *context = server_context((filch_tls_context_options){0});
        filch_transport below = accept_one(listener);
        say(below, "220 mail\r\n");
        read_text(below, "EHLO ");
        say(below, "250-mail\r\n250 STARTTLS\r\n");
        read_text(below, "STARTTLS\r\n");
        say(below, "220 go on\r\n");
        check_int(filch_tls_server(&tls, below, context, NULL, SOON), 0);
        program_tell(&program, "in private\n");
        read_text(tls, "in private\n");
        end_session(&tls);
        filch_tls_context_destroy(context);
        program_end(&program);
    } else {
        skip();
    }
    close(listener);
    files_remove(&files);
    return 0;
}

TEST(openssl, a_session_begins_in_the_middle_of_a_connection) {
    run_with(2, start_in_mail, NULL);
}
