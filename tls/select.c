/* SPDX-License-Identifier: MIT */
/* What a server chooses in a handshake: the context by the host name that the client asks for, and the protocol. */
#include <openssl/err.h>
#include <string.h>

#include "tls/session.h"

/*
 * Reads the name out of the extension: a list's length, the kind of name (0: host), its length, the name. False: there is
 * none, or it is malformed, which OpenSSL says itself when it comes to it.
 */
static bool asked_name(SSL *ssl, char name[TLSEXT_MAXLEN_host_name + 1]) {
    const unsigned char *bytes;
    size_t size;
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) || size < 5) return false;
    size_t length = (size_t)bytes[3] << 8 | bytes[4];
    if (bytes[2] != TLSEXT_NAMETYPE_host_name || length > size - 5 || length == 0) return false;
    if (length > TLSEXT_MAXLEN_host_name || memchr(bytes + 5, '\0', length) != NULL) return false;
    memcpy(name, bytes + 5, length);
    name[length] = '\0';
    return true;
}

/*
 * The session goes on with `chosen`. What OpenSSL does not take over with the context is set here. The identity comes
 * before OpenSSL looks at tickets: those of sessions with another context are not resumed, since that one may have asked
 * for less.
 */
static bool change_context(SSL *ssl, const filch_tls_context *chosen) {
    if (SSL_set_SSL_CTX(ssl, chosen->native) == NULL) return false;
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(chosen->native), SSL_CTX_get_verify_callback(chosen->native));
    SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    SSL_set_options(ssl, SSL_CTX_get_options(chosen->native));
    return SSL_set_session_id_context(ssl, chosen->id, sizeof chosen->id) == 1 &&
           SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(chosen->native)) == 1 &&
           SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(chosen->native)) == 1 &&
           SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(chosen->native)) == 1;
}

/* Before anything of the client's first message is acted upon. It may come twice (a hello that is retried). */
static int on_hello(SSL *ssl, int *alert, void *arg) {
    filch_tls_context *context = arg;
    struct filch__tls_session *session = SSL_get_app_data(ssl);
    char name[TLSEXT_MAXLEN_host_name + 1];
    if (session->chosen != NULL) return SSL_CLIENT_HELLO_SUCCESS;
    filch_tls_context *chosen = context->select(context->select_arg, asked_name(ssl, name) ? name : NULL);
    if (chosen == NULL || chosen->role != FILCH_TLS_SERVER) {
        *alert = SSL_AD_UNRECOGNIZED_NAME;
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_EXTENSION);
        return SSL_CLIENT_HELLO_ERROR;
    }
    session->chosen = filch__tls_context_get(chosen);
    if (chosen == context || change_context(ssl, chosen)) return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
}

/* The first of ours that the client knows; with none in common there is no session, as RFC 7301 says. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *offered,
                   unsigned offered_length, void *arg) {
    const filch_tls_context *context = arg;
    unsigned char *found;
    (void)ssl;
    int answer =
        SSL_select_next_proto(&found, out_length, context->alpn, (unsigned)context->alpn_size, offered, offered_length);
    if (answer != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

void filch__tls_select_install(filch_tls_context *context) {
    if (context->select != NULL) SSL_CTX_set_client_hello_cb(context->native, on_hello, context);
    if (context->alpn != NULL) SSL_CTX_set_alpn_select_cb(context->native, on_alpn, context);
}
