/* SPDX-License-Identifier: MIT */
/*
 * Proves that contexts are made of what they are given, from files and from text, and that whatever does not fit is
 * answered; that a context may be given up before its sessions; and that want of memory anywhere ends well.
 */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/tls/meeting.h"

/* Fails to make a context, with a failure that says the same; what it says in words. */
static const char *fails(filch_tls_context_options options, int expected) {
    static filch_tls_failure failure;
    filch_tls_context *context = (filch_tls_context *)&failure;
    memset(&failure, 0, sizeof failure);
    check_int(filch_tls_context_create(&context, &options), expected); /* it needs no place to say why */
    options.failure = &failure;
    check_int(filch_tls_context_create(&context, &options), expected);
    check(context == (filch_tls_context *)&failure);
    check_int(failure.error, expected);
    check_int(ERR_peek_error(), 0);
    return failure.text;
}

static filch_tls_context *no_choice(void *arg, const char *host_name) {
    (void)arg, (void)host_name;
    return NULL;
}

TEST(context, options_that_do_not_fit_are_answered) {
    const char *pem = the_cast()->server.pem, *key = the_cast()->server.key_pem, *trust = the_cast()->authority.pem;
    const char *empty_name[] = {"h2", "", NULL}, *long_name[] = {"h2", NULL, NULL}, *many_names[300];
    char text[257], name[256];
    memset(text, 'a', 256), memset(name, 'b', 255);
    text[256] = name[255] = '\0';
    long_name[1] = text;
    for (int i = 0; i < 299; i++) many_names[i] = name;
    many_names[299] = NULL;
    const filch_tls_context_options clients[] = {
        {.role = (filch_tls_role)2},
        {.certificate_pem = pem, .certificate_file = "x", .key_pem = key},
        {.certificate_pem = pem, .key_pem = key, .key_file = "x"},
        {.trust_pem = trust, .trust_file = "x"},
        {.key_pem = key},
        {.key_file = "x"},
        {.min_version = (filch_tls_version)11},
        {.max_version = (filch_tls_version)14},
        {.min_version = FILCH_TLS_1_3, .max_version = FILCH_TLS_1_2},
        {.alpn = empty_name},
        {.alpn = long_name},
        {.alpn = many_names},
        {.ask = FILCH_TLS_ASK_IF_ANY},
        {.no_tickets = true},
        {.select = no_choice},
    };
    const char *const says_of_clients[] = {"role",
                                           "certificate_pem",
                                           "key_pem",
                                           "trust_pem",
                                           "without its certificate",
                                           "without its certificate",
                                           "min_version",
                                           "max_version",
                                           "above",
                                           "alpn is empty",
                                           "255 bytes",
                                           "too many",
                                           "ask is",
                                           "no_tickets is",
                                           "select is"};
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++)
        check(strstr(fails(clients[i], -EINVAL), says_of_clients[i]) != NULL);
    filch_tls_context_options bare = {.role = FILCH_TLS_SERVER}, server = bare;
    check(strstr(fails(bare, -EINVAL), "certificate_file or certificate_pem), or select") != NULL);
    server.certificate_pem = pem, server.key_pem = key;
    filch_tls_context_options servers[] = {server, server, server, server, server};
    servers[0].no_verify = true;
    servers[1].no_name_check = true;
    servers[2].ask = FILCH_TLS_ASK_REQUIRE;
    servers[3].ask = (filch_tls_ask)3, servers[3].trust_pem = trust;
    servers[4].ask = (filch_tls_ask)-1, servers[4].trust_pem = trust;
    const char *const says_of_servers[] = {"no_verify is", "no_name_check is", "to trust", "ask is", "ask is"};
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        check(strstr(fails(servers[i], -EINVAL), says_of_servers[i]) != NULL);
    check_int(filch_tls_context_create(NULL, NULL), -EINVAL);
    filch_tls_context_destroy(NULL);
    check(filch_tls_context_native(NULL) == NULL);
}

/* --------------------------------------------------------------------------------------------------------------- PEM */

static char *encrypted_key(const char *password) {
    BIO *bio = BIO_new(BIO_s_mem());
    check_int(PEM_write_bio_PKCS8PrivateKey(bio, the_cast()->server.key, EVP_aes_128_cbc(), password,
                                            (int)strlen(password), NULL, NULL),
              1);
    return bio_text(bio);
}

TEST(context, text_that_is_no_good_is_answered) {
    const char *pem = the_cast()->server.pem, *key = the_cast()->server.key_pem;
    filch_tls_context_options server = {.role = FILCH_TLS_SERVER};
    server.certificate_pem = "";
    fails(server, -EBADMSG);
    server.certificate_pem = "no PEM at all";
    check(strcmp(fails(server, -EBADMSG), "certificate_pem: holds no certificate in PEM form") == 0);
    server.certificate_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fails(server, -EBADMSG);
    char *half = pem_chain(pem, pem); /* the second one is cut off */
    half[strlen(half) - 60] = '\0';
    server.certificate_pem = half;
    fails(server, -EBADMSG);
    free(half);
    server.certificate_pem = pem; /* without a key */
    check(strcmp(fails(server, -EBADMSG), "certificate_pem: holds no private key; name key_file or key_pem") == 0);
    server.key_pem = pem;
    check(strcmp(fails(server, -EBADMSG), "key_pem: holds no private key in PEM form") == 0);
    server.key_pem = the_cast()->client.key_pem;
    check(strstr(fails(server, -EKEYREJECTED), "mismatch") != NULL);
    check(strstr(fails((filch_tls_context_options){.trust_pem = key}, -EBADMSG), "no certificate") != NULL);
    fails((filch_tls_context_options){.trust_pem = ""}, -EBADMSG);
}

TEST(context, encrypted_keys_need_their_password_and_nobody_is_asked_for_it) {
    char *key = encrypted_key("open sesame");
    filch_tls_context_options server = {
        .role = FILCH_TLS_SERVER, .certificate_pem = the_cast()->server.pem, .key_pem = key};
    fails(server, -EBADMSG);
    server.key_password = "wrong";
    fails(server, -EBADMSG);
    server.key_password = "open sesame";
    filch_tls_context_destroy(make_context(&server));
    free(key);
}

TEST(context, a_key_and_its_certificate_may_stand_together) {
    char *both = pem_chain(the_cast()->server.pem, the_cast()->server.key_pem);
    filch_tls_context_destroy(
        make_context(&(filch_tls_context_options){.role = FILCH_TLS_SERVER, .certificate_pem = both}));
    free(both);
    both = pem_chain(the_cast()->server.key_pem, the_cast()->server.pem);
    filch_tls_context_destroy(
        make_context(&(filch_tls_context_options){.role = FILCH_TLS_SERVER, .certificate_pem = both}));
    free(both);
}

TEST(context, a_weak_key_is_refused) {
    EVP_PKEY *key = EVP_RSA_gen(512);
    X509 *x509 = X509_dup(the_cast()->server.x509);
    X509_set_pubkey(x509, key);
    X509_sign(x509, the_cast()->authority.key, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x509);
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    char *text = bio_text(bio);
    check(strstr(fails((filch_tls_context_options){.role = FILCH_TLS_SERVER, .certificate_pem = text}, -EKEYREJECTED),
                 "too small") != NULL);
    free(text);
    X509_free(x509);
    EVP_PKEY_free(key);
}

/* ------------------------------------------------------------------------------------------------------------- files */

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static int meet_by_files(void *arg) {
    const char *folder = arg;
    char certificate[100], key[100], trust[100];
    snprintf(certificate, sizeof certificate, "%s/certificate", folder);
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(trust, sizeof trust, "%s/trust", folder);
    write_file(certificate, the_cast()->server.pem);
    write_file(key, the_cast()->server.key_pem);
    write_file(trust, the_cast()->authority.pem);
    struct meeting meeting = {.client = make_context(&(filch_tls_context_options){.trust_file = trust}),
                              .server = make_context(&(filch_tls_context_options){
                                  .role = FILCH_TLS_SERVER, .certificate_file = certificate, .key_file = key})};
    unlink(certificate), unlink(key), unlink(trust); /* all is in memory */
    meet_well(&meeting);
    check_passes(meeting.client_tls, meeting.server_tls, "by files");
    meeting_end(&meeting);
    return 0;
}

TEST(context, files_are_read_and_what_is_wrong_with_them_is_answered) {
    char folder[] = "/tmp/filch-tls-XXXXXX", path[100];
    check(mkdtemp(folder) != NULL);
    run_with(1, meet_by_files, folder);
    snprintf(path, sizeof path, "%s/missing", folder);
    const char *text = fails((filch_tls_context_options){.trust_file = path}, -ENOENT);
    check(strncmp(text, path, strlen(path)) == 0 && strcmp(text + strlen(path), ": No such file or directory") == 0);
    fails((filch_tls_context_options){.role = FILCH_TLS_SERVER, .certificate_file = path}, -ENOENT);
    fails((filch_tls_context_options){.role = FILCH_TLS_SERVER,
                                      .certificate_pem = the_cast()->server.pem,
                                      .key_file = path},
          -ENOENT);
    check(strstr(fails((filch_tls_context_options){.trust_file = folder}, -EISDIR), ": Is a directory") != NULL);
    write_file(path, "");
    fails((filch_tls_context_options){.trust_file = path}, -EBADMSG);
    check_int(truncate(path, 17 * 1024 * 1024), 0);
    check(strstr(fails((filch_tls_context_options){.trust_file = path}, -EFBIG), ": above 16 MiB") != NULL);
    unlink(path);
    rmdir(folder);
}

/* ---------------------------------------------------------------------------------------------------------- lifetime */

static int outlive(void *arg) {
    (void)arg;
    struct meeting meeting = {0};
    meet_well(&meeting);
    filch_tls_context_destroy(meeting.client);
    filch_tls_context_destroy(meeting.server);
    meeting.client = meeting.server = NULL;
    check_passes(meeting.client_tls, meeting.server_tls, "without the contexts' owners");
    check_passes(meeting.server_tls, meeting.client_tls, "and back");
    meeting_end(&meeting);
    return 0;
}

TEST(context, may_be_given_up_before_its_sessions) {
    run_with(2, outlive, NULL);
}

/* -------------------------------------------------------------------------------------------------------- exhaustion */

/* Of the requests for memory from now on, number `failing` fails, and all later ones too if so wished; 0: none. */
static atomic_ullong requests;
static unsigned long long failing;
static bool all_after;

static bool fails_now(void) {
    unsigned long long number = atomic_fetch_add(&requests, 1) + 1;
    return failing != 0 && (number == failing || (all_after && number > failing));
}

static void *get(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *get_more(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return fails_now() ? NULL : realloc(old, size);
}

static void give_back(void *memory, const char *file, int line) {
    (void)file, (void)line;
    free(memory);
}

/* OpenSSL takes them only before its first request, which a runner may cause. */
static int installed;

__attribute__((constructor)) static void install(void) {
    installed = CRYPTO_set_mem_functions(get, get_more, give_back);
}

static void fail(unsigned long long nth, bool after) {
    failing = 0;
    atomic_store(&requests, 0);
    all_after = after;
    failing = nth;
}

static int use_and_fail(void *arg) {
    bool after = *(bool *)arg;
    struct meeting meeting = {0};
    unsigned long long nth = 1, made = 0;
    meet_well(&meeting); /* what OpenSSL makes once is made: where that fails, it fails for ever */
    meeting_end_sessions(&meeting);
    for (;; nth += 1 + nth / 40) {
        int answer = 0;
        char byte;
        meeting.wire = wire_create(WIRE_ROOM_MAX);
        meeting.client_deadline = meeting.server_deadline = FILCH_NEVER;
        fail(nth, after);
        meet(&meeting);
        if (meeting.client_error == 0 && meeting.server_error == 0) {
            made++;
            answer = (int)tls_write(meeting.client_tls, "x", 1, FILCH_NEVER);
            check(answer == 1 || answer == -ENOMEM || answer == -EPROTO);
            if (answer == 1) answer = (int)tls_read(meeting.server_tls, &byte, 1);
            check(answer == 1 || answer == -ENOMEM || answer == -EPROTO);
        }
        unsigned long long seen = atomic_load(&requests);
        fail(0, false);
        meeting_end_sessions(&meeting);
        if (seen < nth) {
            check_int(answer, 1);
            break;
        }
    }
    check(nth > 50 && made >= 1);
    filch_tls_context_destroy(meeting.client);
    filch_tls_context_destroy(meeting.server);
    return 0;
}

/* OpenSSL answers want of memory in its own ways; here it is enough that both sides come to an end and nothing leaks. */
TEST(context, want_of_memory_in_a_session_is_an_error_and_no_harm) {
    check_int(installed, 1);
    run_with(1, use_and_fail, &(bool){false});
}

TEST(context, want_of_memory_from_some_time_on_is_an_error_and_no_harm) {
    check_int(installed, 1);
    run_with(1, use_and_fail, &(bool){true});
}

TEST(context, want_of_memory_for_a_context_is_answered) {
    check_int(installed, 1);
    const struct cast *cast = the_cast();
    const char *alpn[] = {"h2", "http/1.1", NULL};
    filch_tls_failure failure;
    filch_tls_context_options options = {.role = FILCH_TLS_SERVER,
                                         .certificate_pem = cast->server.pem,
                                         .key_pem = cast->server.key_pem,
                                         .trust_pem = cast->authority.pem,
                                         .ask = FILCH_TLS_ASK_REQUIRE,
                                         .alpn = alpn,
                                         .failure = &failure};
    filch_tls_context_destroy(make_context(&options)); /* what OpenSSL makes once is made */
    for (unsigned long long nth = 1;; nth += 1 + nth / 40) {
        filch_tls_context *context = NULL;
        fail(nth, false);
        int answer = filch_tls_context_create(&context, &options);
        unsigned long long seen = atomic_load(&requests);
        fail(0, false);
        check(answer == 0 ? context != NULL : context == NULL && answer == failure.error);
        check(answer == 0 || answer == -ENOMEM || answer == -EBADMSG || answer == -EKEYREJECTED);
        filch_tls_context_destroy(context);
        if (seen < nth) break;
        if (nth == 1) check_int(answer, -ENOMEM);
    }
}
