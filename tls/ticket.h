/* SPDX-License-Identifier: MIT */
/* Tickets: sessions of OpenSSL's that a client may resume. Private to tls/. */
#ifndef FILCH_TLS_TICKET_H
#define FILCH_TLS_TICKET_H

#include "tls/session.h"

/* OpenSSL's callback where a ticket has come: keeps it in the session. Under the lock. */
int filch__tls_on_ticket(SSL *ssl, SSL_SESSION *ticket);

/*
 * Has the session try to resume that of the ticket. 0, -ENOMEM, or -EINVAL: it is of another context or host. Those are
 * asked for since what was verified of a peer is not verified again.
 */
int filch__tls_ticket_use(struct filch__tls_session *session, const filch_tls_ticket *ticket);

#endif
