/* SPDX-License-Identifier: MIT */
/* What can be asked of a session. */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "tls/failure.h"
#include "tls/session.h"

static void describe_certificate(filch_tls_info *info, SSL *ssl) {
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == NULL) return;
    info->has_certificate = true;
    info->verified = SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK;
    filch__tls_name_text(X509_get_subject_name(certificate), info->subject, sizeof info->subject);
    unsigned length = sizeof info->sha256;
    X509_digest(certificate, EVP_sha256(), info->sha256, &length);
}

static void describe(filch_tls_info *info, struct filch__tls_session *session) {
    SSL *ssl = session->ssl;
    const unsigned char *alpn = NULL;
    unsigned alpn_length = 0;
    const char *name = session->server ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : session->host_name;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
    snprintf(info->version, sizeof info->version, "%s", SSL_get_version(ssl));
    snprintf(info->cipher, sizeof info->cipher, "%s", SSL_get_cipher_name(ssl));
    snprintf(info->alpn, sizeof info->alpn, "%.*s", (int)alpn_length, alpn == NULL ? "" : (const char *)alpn);
    snprintf(info->host_name, sizeof info->host_name, "%s", name == NULL ? "" : name);
    info->resumed = SSL_session_reused(ssl) == 1;
    describe_certificate(info, ssl);
}

int filch_tls_describe(filch_transport tls, filch_tls_info *info) {
    struct filch__tls_session *session = filch__tls_session_of(tls);
    if (session == NULL || info == NULL) return -EINVAL;
    *info = (filch_tls_info){.resumed = false};
    filch__lock_take(&session->lock);
    describe(info, session);
    ERR_clear_error();
    filch__lock_leave(&session->lock);
    return 0;
}

/* The text does not change any more once there is an error. */
const char *filch_tls_error_text(filch_transport tls) {
    struct filch__tls_session *session = filch__tls_session_of(tls);
    if (session == NULL) return "";
    filch__lock_take(&session->lock);
    bool failed = session->failure.error != 0;
    filch__lock_leave(&session->lock);
    return failed ? session->failure.text : "";
}

int filch_tls_use(filch_transport tls, int (*fn)(struct ssl_st *ssl, void *arg), void *arg) {
    struct filch__tls_session *session = filch__tls_session_of(tls);
    if (session == NULL || fn == NULL) return -EINVAL;
    filch__lock_take(&session->lock);
    int answer = fn(session->ssl, arg);
    ERR_clear_error();
    filch__lock_leave(&session->lock);
    return answer;
}
