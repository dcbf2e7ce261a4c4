/* SPDX-License-Identifier: MIT */
/* Sending an answer, and what is said of it in the log. */
#ifndef HTTPD_RESPOND_H
#define HTTPD_RESPOND_H

#include "connection.h"

/*
 * Sends the answer of `exchange`. 0, or a negative errno: it was not sent in whole, and the connection is good for nothing.
 */
int respond(struct connection *connection, struct exchange *exchange);

/* Adds a line to the access log, if there is one: that the answer has taken from then to now. */
void respond_log(struct connection *connection, const struct exchange *exchange, int64_t began_ns);

#endif
