/* SPDX-License-Identifier: MIT */
/* Contexts: from options to what OpenSSL needs. */
#include "tls/context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/atomic.h"
#include "tls/failure.h"
#include "tls/session.h"
#include "tls/ticket.h"

/* ----------------------------------------------------------------------------------------------------------- options */

/* Each of these says what is wrong, or NULL. */

static bool has_certificate(const filch_tls_context_options *options) {
    return options->certificate_file != NULL || options->certificate_pem != NULL;
}

static const char *wrong_with_twins(const filch_tls_context_options *options) {
    if (options->certificate_file != NULL && options->certificate_pem != NULL)
        return "both certificate_file and certificate_pem are given";
    if (options->key_file != NULL && options->key_pem != NULL) return "both key_file and key_pem are given";
    if (options->trust_file != NULL && options->trust_pem != NULL) return "both trust_file and trust_pem are given";
    if ((options->key_file != NULL || options->key_pem != NULL) && !has_certificate(options))
        return "a key is given without its certificate";
    return NULL;
}

static bool is_version(filch_tls_version version) {
    return version == FILCH_TLS_ANY || version == FILCH_TLS_1_2 || version == FILCH_TLS_1_3;
}

static const char *wrong_with_versions(const filch_tls_context_options *options) {
    if (!is_version(options->min_version)) return "min_version is none of enum filch_tls_version";
    if (!is_version(options->max_version)) return "max_version is none of enum filch_tls_version";
    if (options->max_version != FILCH_TLS_ANY && options->min_version > options->max_version)
        return "min_version is above max_version";
    return NULL;
}

static const char *wrong_with_alpn(const char *const *names) {
    size_t size = 0;
    for (; names != NULL && *names != NULL; names++) {
        size_t length = strlen(*names);
        if (length == 0) return "a name in alpn is empty";
        if (length > 255) return "a name in alpn has more than 255 bytes";
        size += length + 1;
        if (size > CONTEXT_ALPN_MAX) return "the names in alpn are too many";
    }
    return NULL;
}

static const char *wrong_for_server(const filch_tls_context_options *options) {
    bool trust = options->trust_file != NULL || options->trust_pem != NULL || options->trust_system;
    if (!has_certificate(options) && options->select == NULL)
        return "a server needs a certificate (certificate_file or certificate_pem), or select";
    if (options->no_verify) return "no_verify is a client's";
    if (options->no_name_check) return "no_name_check is a client's";
    if (options->ask < FILCH_TLS_ASK_NOTHING || options->ask > FILCH_TLS_ASK_REQUIRE)
        return "ask is none of enum filch_tls_ask";
    if (options->ask != FILCH_TLS_ASK_NOTHING && !trust)
        return "a server that asks for certificates needs somebody to trust (trust_file, trust_pem or trust_system)";
    return NULL;
}

static const char *wrong_for_client(const filch_tls_context_options *options) {
    if (options->ask != FILCH_TLS_ASK_NOTHING) return "ask is a server's";
    if (options->no_tickets) return "no_tickets is a server's";
    if (options->select != NULL) return "select is a server's";
    return NULL;
}

static const char *wrong_with(const filch_tls_context_options *options) {
    const char *wrong = wrong_with_twins(options);
    if (wrong == NULL) wrong = wrong_with_versions(options);
    if (wrong == NULL) wrong = wrong_with_alpn(options->alpn);
    if (wrong != NULL) return wrong;
    if (options->role == FILCH_TLS_SERVER) return wrong_for_server(options);
    if (options->role == FILCH_TLS_CLIENT) return wrong_for_client(options);
    return "role is neither FILCH_TLS_CLIENT nor FILCH_TLS_SERVER";
}

/* ------------------------------------------------------------------------------------------------------------ making */

/* The names, each after its length. False: no memory. */
static bool copy_alpn(filch_tls_context *context, const char *const *names) {
    for (const char *const *name = names; *name != NULL; name++) context->alpn_size += strlen(*name) + 1;
    if (context->alpn_size == 0) return true;
    unsigned char *at = context->alpn = OPENSSL_malloc(context->alpn_size);
    if (at == NULL) return false;
    for (const char *const *name = names; *name != NULL; name++) {
        size_t length = strlen(*name);
        *at = (unsigned char)length;
        memcpy(at + 1, *name, length);
        at += length + 1;
    }
    return true;
}

static int verify_mode(const filch_tls_context_options *options) {
    if (options->role == FILCH_TLS_CLIENT) return options->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER;
    switch (options->ask) {
    case FILCH_TLS_ASK_IF_ANY:
        return SSL_VERIFY_PEER;
    case FILCH_TLS_ASK_REQUIRE:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    default:
        return SSL_VERIFY_NONE;
    }
}

/*
 * What all sessions have in common. Renegotiation is refused: a write would have to wait for reads. Buffers that are empty
 * are given back. A record that could not be put away for want of memory may be offered again from another place.
 */
static bool set_modes(filch_tls_context *context, const filch_tls_context_options *options) {
    SSL_CTX *native = context->native;
    filch_tls_version least = options->min_version == FILCH_TLS_ANY ? FILCH_TLS_1_2 : options->min_version;
    SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_verify(native, verify_mode(options), filch__tls_on_verified);
    return SSL_CTX_set_min_proto_version(native, filch__tls_version_number(least)) == 1 &&
           SSL_CTX_set_max_proto_version(native, filch__tls_version_number(options->max_version)) == 1;
}

/* Tickets: a server keeps nothing of them, they hold all; a client has them put into the session that they came with. */
static bool set_tickets(filch_tls_context *context, const filch_tls_context_options *options) {
    SSL_CTX *native = context->native;
    if (context->role == FILCH_TLS_CLIENT) {
        SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(native, filch__tls_on_ticket);
        return true;
    }
    SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
    if (options->no_tickets) SSL_CTX_set_options(native, SSL_OP_NO_TICKET);
    if (options->no_tickets && SSL_CTX_set_num_tickets(native, 0) != 1) return false;
    return RAND_bytes(context->id, sizeof context->id) == 1 &&
           SSL_CTX_set_session_id_context(native, context->id, sizeof context->id) == 1;
}

static bool set_alpn(filch_tls_context *context, const filch_tls_context_options *options) {
    if (options->alpn == NULL) return true;
    if (!copy_alpn(context, options->alpn)) return false;
    if (context->role == FILCH_TLS_SERVER || context->alpn == NULL) return true;
    return SSL_CTX_set_alpn_protos(context->native, context->alpn, (unsigned)context->alpn_size) == 0;
}

static int set_up(filch_tls_context *context, const filch_tls_context_options *options, filch_tls_failure *failure) {
    bool server = options->role == FILCH_TLS_SERVER;
    context->role = options->role;
    context->no_verify = options->no_verify;
    context->no_name_check = options->no_name_check;
    context->select = options->select;
    context->select_arg = options->select_arg;
    context->native = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (context->native == NULL || !set_modes(context, options) || !set_tickets(context, options) ||
        !set_alpn(context, options))
        return filch__tls_fail_by_queue(failure, -ENOMEM, NULL);
    if (server) filch__tls_select_install(context);
    return filch__tls_load(context, options, failure);
}

int filch_tls_context_create(filch_tls_context **context, const filch_tls_context_options *options) {
    static const filch_tls_context_options defaults;
    filch_tls_failure unseen, *failure = options == NULL || options->failure == NULL ? &unseen : options->failure;
    if (options == NULL) options = &defaults;
    const char *wrong = context == NULL ? "there is no place for the context (NULL)" : wrong_with(options);
    if (wrong != NULL) return filch__tls_fail(failure, -EINVAL, "%s", wrong);
    ERR_clear_error();
    filch_tls_context *made = OPENSSL_zalloc(sizeof *made);
    if (made == NULL) return filch__tls_fail(failure, -ENOMEM, "no memory");
    made->uses = 1;
    int error = set_up(made, options, failure);
    if (error == 0) {
        *context = made;
    } else {
        filch__tls_context_put(made);
    }
    return error;
}

/* ---------------------------------------------------------------------------------------------------------- lifetime */

/* Whoever calls has a use, so that none is lost: the order is that of the call by which it came to the caller. */
filch_tls_context *filch__tls_context_get(filch_tls_context *context) {
    add_relaxed(&context->uses, 1);
    return context;
}

void filch__tls_context_put(filch_tls_context *context) {
    if (sub_acq_rel(&context->uses, 1) != 1) return; /* LAST */
    SSL_CTX_free(context->native);
    OPENSSL_free(context->alpn);
    OPENSSL_free(context);
}

void filch_tls_context_destroy(filch_tls_context *context) {
    if (context != NULL) filch__tls_context_put(context);
}

struct ssl_ctx_st *filch_tls_context_native(filch_tls_context *context) {
    return context == NULL ? NULL : context->native;
}
