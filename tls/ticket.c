/* SPDX-License-Identifier: MIT */
/* Tickets. */
#include "tls/ticket.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>

struct filch_tls_ticket {
    SSL_SESSION *native;
    filch_tls_context *context;
    char host_name[HOST_NAME_MAX_LENGTH + 1];
};

int filch__tls_on_ticket(SSL *ssl, SSL_SESSION *ticket) {
    struct filch__tls_session *session = SSL_get_app_data(ssl);
    if (session == NULL || !SSL_SESSION_is_resumable(ticket)) return 0;
    SSL_SESSION_free(session->ticket);
    session->ticket = ticket;
    return 1; /* it is ours now */
}

int filch__tls_ticket_use(struct filch__tls_session *session, const filch_tls_ticket *ticket) {
    if (ticket->context != session->context || strcasecmp(ticket->host_name, session->host_name) != 0) return -EINVAL;
    SSL_SESSION *copy = SSL_SESSION_dup(ticket->native); /* OpenSSL writes to a session while it uses it */
    int done = copy != NULL && SSL_set_session(session->ssl, copy) == 1;
    SSL_SESSION_free(copy);
    ERR_clear_error();
    return done ? 0 : -ENOMEM;
}

/*
 * The ticket that has come, as a copy: OpenSSL spoils its own for a session that ends without a close_notify. Under the
 * lock.
 */
static int take_native(struct filch__tls_session *session, SSL_SESSION **native) {
    if (session->ticket == NULL) return -EAGAIN;
    *native = SSL_SESSION_dup(session->ticket);
    ERR_clear_error();
    if (*native == NULL) return -ENOMEM;
    SSL_SESSION_free(session->ticket);
    session->ticket = NULL;
    return 0;
}

int filch_tls_ticket_take(filch_tls_ticket **ticket, filch_transport tls) {
    struct filch__tls_session *session = filch__tls_session_of(tls);
    if (ticket == NULL || session == NULL || session->server) return -EINVAL;
    struct filch_tls_ticket *made = OPENSSL_zalloc(sizeof *made);
    if (made == NULL) return -ENOMEM;
    filch__lock_take(&session->lock);
    int error = take_native(session, &made->native);
    filch__lock_leave(&session->lock);
    if (error != 0) {
        OPENSSL_free(made);
        return error;
    }
    made->context = filch__tls_context_get(session->context);
    memcpy(made->host_name, session->host_name, sizeof made->host_name);
    *ticket = made;
    return 0;
}

void filch_tls_ticket_destroy(filch_tls_ticket *ticket) {
    if (ticket == NULL) return;
    SSL_SESSION_free(ticket->native);
    filch__tls_context_put(ticket->context);
    OPENSSL_free(ticket);
}
