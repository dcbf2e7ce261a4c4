/* SPDX-License-Identifier: MIT */
/*
 * The beginning of a session. Until it has returned, a handshake has the session to itself: what belongs to the reader and
 * to the holder of `sending` is its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <filch/scope.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "tls/failure.h"
#include "tls/session.h"
#include "tls/ticket.h"

static const filch_tls_options defaults;

/* ------------------------------------------------------------------------------------------------ whom a client wants */

static bool is_address(const char *text) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* What is asked of a name here is that OpenSSL takes it for one: to it a first dot stands for all names that end so. */
static bool is_name(const char *text) {
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '.') length--;
    return length > 0 && length <= HOST_NAME_MAX_LENGTH && text[0] != '.';
}

/* Copies the name without a last dot, which certificates and SNI do without. "" for NULL. */
static void note_host_name(struct filch__tls_session *session, const char *host_name) {
    size_t length = host_name == NULL ? 0 : strlen(host_name);
    if (length > 0 && host_name[length - 1] == '.') length--;
    if (length > 0) memcpy(session->host_name, host_name, length);
}

/* SNI, and what the certificate is compared with. Only alternative names count, not the subject. False: no memory. */
static bool want_host(struct filch__tls_session *session) {
    const char *name = session->host_name;
    bool compare = !session->context->no_verify && !session->context->no_name_check;
    if (name[0] == '\0') return true;
    if (is_address(name)) return !compare || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session->ssl), name) == 1;
    SSL_set_hostflags(session->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set_tlsext_host_name(session->ssl, name) == 1 && (!compare || SSL_set1_host(session->ssl, name) == 1);
}

/* ------------------------------------------------------------------------------------------------------------ steps */

/* OpenSSL's next step: 0: the handshake is over; -EAGAIN: it needs bytes; or why there is no session. */
static int step(struct filch__tls_session *session) {
    filch__lock_take(&session->lock);
    filch__tls_begin(session);
    int result = SSL_do_handshake(session->ssl), answer = 0;
    if (result != 1) {
        answer = filch__tls_outcome(session, result);
        if (answer == 0) answer = -ECONNABORTED; /* a close_notify is no agreement */
    }
    session->answers = 0;
    filch__lock_leave(&session->lock);
    return answer;
}

/*
 * The last flight of a server is tickets, which the client need not read now, and may not before it has written: they
 * are sent as far as they go, and the rest with what comes next.
 */
static bool may_be_late(struct filch__tls_session *session, int answer) {
    return answer == 0 && session->server && SSL_version(session->ssl) >= TLS1_3_VERSION;
}

/* Sends the flight that a step has made. A failed step sends its alert, if that goes at once. */
static int send_flight(struct filch__tls_session *session, int answer, filch_deadline deadline) {
    bool wait = (answer == 0 || answer == -EAGAIN) && !may_be_late(session, answer);
    int error = filch__tls_flush(session, wait ? deadline : (filch_deadline){0});
    return wait ? error : 0;
}

/* Where the peer takes no more bytes, it may have said why before: an alert that is there to be read. */
static int look_for_alert(struct filch__tls_session *session, int error) {
    while (filch__tls_fill(session, (filch_deadline){0}) == 0) {
        int answer = step(session);
        if (answer != -EAGAIN) return answer == 0 ? error : answer;
    }
    return error;
}

static int shake(struct filch__tls_session *session, filch_deadline deadline) {
    if (filch_cancelled()) return -ECANCELED;
    for (;;) {
        int answer = step(session);
        int error = send_flight(session, answer, deadline);
        if (answer != 0 && answer != -EAGAIN) return answer;
        if (error == -EPIPE || error == -ECONNRESET) return look_for_alert(session, error);
        if (error != 0 || answer == 0) return error;
        error = filch__tls_fill(session, deadline);
        if (error != 0) return error;
    }
}

/* ------------------------------------------------------------------------------------------------------------- begin */

/* What an error means that no step of OpenSSL's has explained; "": it says all that is known. */
static const char *says(int error) {
    switch (error) {
    case -ECONNABORTED:
        return "the connection ended during the handshake";
    case -ENOMEM:
        return "no memory";
    default:
        return "";
    }
}

/* Tells `failure` why, unless it is NULL. Returns `error`. */
static int tell(filch_tls_failure *failure, const struct filch__tls_session *session, int error) {
    if (error == 0 || failure == NULL) return error;
    if (session != NULL && session->failed == error) {
        *failure = session->failure;
    } else {
        filch__tls_fail(failure, error, "%s", says(error));
    }
    return error;
}

/* What must be before the first step. 0, -ENOMEM, or -EINVAL. */
static int prepare(struct filch__tls_session *session, const char *host_name, const filch_tls_options *options) {
    note_host_name(session, host_name);
    if (!filch__tls_buffer_add(&session->in, options->initial, options->initial_size)) return -ENOMEM;
    if (session->server) {
        SSL_set_accept_state(session->ssl);
        return 0;
    }
    SSL_set_connect_state(session->ssl);
    if (!want_host(session)) return -ENOMEM;
    return options->ticket == NULL ? 0 : filch__tls_ticket_use(session, options->ticket);
}

/* Tells `failure` what the caller did wrong, unless it is NULL. */
static int refuse(filch_tls_failure *failure, const char *wrong) {
    return failure == NULL ? -EINVAL : filch__tls_fail(failure, -EINVAL, "%s", wrong);
}

static int begin(filch_transport *tls, filch_transport below, filch_tls_context *context, const char *host_name,
                 const filch_tls_options *options, filch_deadline deadline) {
    if (options->initial == NULL && options->initial_size > 0)
        return refuse(options->failure, "initial is NULL, and initial_size is not 0");
    struct filch__tls_session *session = filch__tls_session_create(below, context);
    if (session == NULL) return tell(options->failure, NULL, -ENOMEM);
    int error = prepare(session, host_name, options);
    bool misfit = error == -EINVAL;
    if (error == 0) error = shake(session, deadline);
    if (error != 0) {
        tell(options->failure, session, error);
        if (misfit) refuse(options->failure, "the ticket is of another context, or of another host_name");
        filch__tls_session_free(session);
        return error;
    }
    *tls = (filch_transport){&filch__tls_ops, session};
    return 0;
}

/* What is wrong with what both sides begin with, or NULL. */
static const char *wrong_with(const filch_transport *tls, filch_transport below, const filch_tls_context *context,
                              filch_tls_role role) {
    if (tls == NULL) return "there is no place for the session (NULL)";
    if (context == NULL) return "there is no context (NULL)";
    if (context->role != role)
        return role == FILCH_TLS_CLIENT ? "the context is a server's" : "the context is a client's";
    if (below.ops == NULL || below.ops->read == NULL || below.ops->write == NULL || below.ops->close == NULL)
        return "the transport below lacks read, write or close";
    return NULL;
}

static const char *wrong_with_name(const filch_tls_context *context, const char *host_name) {
    bool anybody = context->no_verify || context->no_name_check;
    if (host_name == NULL) return anybody ? NULL : "host_name is NULL: say who the peer must be";
    if (host_name[0] == '\0') return "host_name is empty";
    return is_name(host_name) ? NULL : "host_name is no name of a host";
}

int filch_tls_client(filch_transport *tls, filch_transport below, filch_tls_context *context, const char *host_name,
                     const filch_tls_options *options, filch_deadline deadline) {
    if (options == NULL) options = &defaults;
    const char *wrong = wrong_with(tls, below, context, FILCH_TLS_CLIENT);
    if (wrong == NULL) wrong = wrong_with_name(context, host_name);
    if (wrong != NULL) return refuse(options->failure, wrong);
    return begin(tls, below, context, host_name, options, deadline);
}

int filch_tls_server(filch_transport *tls, filch_transport below, filch_tls_context *context,
                     const filch_tls_options *options, filch_deadline deadline) {
    if (options == NULL) options = &defaults;
    const char *wrong = wrong_with(tls, below, context, FILCH_TLS_SERVER);
    if (wrong == NULL && options->ticket != NULL) wrong = "a ticket is a client's";
    if (wrong != NULL) return refuse(options->failure, wrong);
    return begin(tls, below, context, NULL, options, deadline);
}
