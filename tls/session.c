/* SPDX-License-Identifier: MIT */
/* Making and freeing sessions, and what became of a call of OpenSSL. */
#include "tls/session.h"

#include <errno.h>
#include <openssl/err.h>

#include "tls/failure.h"

/* OpenSSL's session with our BIO under it. False: no memory. */
static bool make_ssl(struct filch__tls_session *session) {
    session->ssl = SSL_new(session->context->native);
    BIO *bio = session->ssl == NULL ? NULL : filch__tls_bio_create(session);
    if (bio == NULL) return false;
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_app_data(session->ssl, session);
    return true;
}

struct filch__tls_session *filch__tls_session_create(filch_transport below, filch_tls_context *context) {
    struct filch__tls_session *session = OPENSSL_zalloc(sizeof *session);
    if (session == NULL) return NULL;
    session->below = below;
    session->context = filch__tls_context_get(context);
    session->server = context->role == FILCH_TLS_SERVER;
    filch__lock_init(&session->lock);
    filch_mutex_init(&session->sending);
    filch_event_init(&session->progress);
    if (make_ssl(session)) return session;
    ERR_clear_error();
    filch__tls_session_free(session);
    return NULL;
}

void filch__tls_session_free(struct filch__tls_session *session) {
    SSL_free(session->ssl);
    SSL_SESSION_free(session->ticket);
    if (session->chosen != NULL) filch__tls_context_put(session->chosen);
    filch__tls_context_put(session->context);
    filch__tls_buffer_free(&session->in);
    filch__tls_buffer_free(&session->made);
    filch__tls_buffer_free(&session->out);
    filch_event_fini(&session->progress);
    filch_mutex_fini(&session->sending);
    filch__lock_fini(&session->lock);
    OPENSSL_free(session);
}

void filch__tls_begin(struct filch__tls_session *session) {
    ERR_clear_error();
    session->no_memory = false;
}

/* Whether the last error in the queue says that it is the peer's certificate that failed, or is not there. */
static bool is_refusal(unsigned long code) {
    int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
}

/*
 * OpenSSL's session is at its end. Why stands in the queue, or in what filch__tls_on_verified has noted. A text that is
 * there for an error already stays: somebody may be reading it.
 */
static int give_up(struct filch__tls_session *session) {
    unsigned long code = ERR_peek_last_error();
    filch_tls_failure found = session->failure;
    if (is_refusal(code) && found.verify != 0) {
        found.error = -EKEYREJECTED;
        ERR_clear_error();
    } else {
        filch__tls_fail_by_queue(&found, is_refusal(code) ? -EKEYREJECTED : -EPROTO, NULL);
    }
    if (session->failure.error == 0) session->failure = found;
    session->failed = found.error;
    return session->failed;
}

int filch__tls_outcome(struct filch__tls_session *session, int result) {
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return session->no_memory ? -ENOMEM : -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        return -ENOMEM; /* the BIO takes all, unless it has no memory */
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        return give_up(session);
    }
}

int filch__tls_on_verified(int good, X509_STORE_CTX *store) {
    if (good) return good;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct filch__tls_session *session = SSL_get_app_data(ssl);
    X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    int why = X509_STORE_CTX_get_error(store);
    char subject[128] = "";
    if (certificate != NULL) filch__tls_name_text(X509_get_subject_name(certificate), subject, sizeof subject);
    filch__tls_fail(&session->failure, 0, "%s%s%s", X509_verify_cert_error_string(why), subject[0] == '\0' ? "" : ": ",
                    subject);
    session->failure.verify = why;
    return good;
}
